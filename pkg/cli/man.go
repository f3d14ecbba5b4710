package cli

import (
	_ "embed"
	"strings"

	"github.com/urfave/cli/v2"
)

// The man page is generated (make generate) and not made at run time: what
// renders it would be in every process that a push starts.
//
//go:embed git-deploy.1
var manPage string

//go:embed git-deploy-options.5
var optionsPage string

func manCommand() *cli.Command {
	return &cli.Command{
		Name: "man", Category: setup, ArgsUsage: "[options]",
		Usage:       "print a man page",
		Description: "Prints the man page git-deploy(1), which git help deploy shows where it is installed,\nor git-deploy-options(5), which describes what a network and its nodes may set:\n\n    git deploy man | man -l -\n    git deploy man options | man -l -",
		Action: func(c *cli.Context) error {
			page := manPage
			switch args := c.Args().Slice(); {
			case len(args) == 0:
			case len(args) == 1 && args[0] == "options":
				page = optionsPage
			default:
				return usagef(c, "there is no man page %q", strings.Join(args, " "))
			}
			_, err := c.App.Writer.Write([]byte(page))
			return err
		},
	}
}
