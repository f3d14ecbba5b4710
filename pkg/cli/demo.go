package cli

import (
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/pkg/demo"
)

func demoCommand() *cli.Command {
	return &cli.Command{
		Name: "demo", Category: setup,
		Usage: "run a small network on this machine and deploy to it",
		Description: "Three nodes in a temporary folder, each behind an ssh server of its own, with its own\n" +
			"Nix store and a small web page. It shows a first push, a change for two nodes, a\n" +
			"merge with what a node did itself, a configuration that is refused and one that is\n" +
			"rolled back, and leaves the network for you to try. Needs git, ssh, Nix and busybox;\n" +
			"root only where Nix does. Nothing outside its folder is touched.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", Value: demo.Dir(), DefaultText: "in the folder for temporary files", Usage: "the demo's `FOLDER`; a demo that is there already is removed"},
			&cli.BoolFlag{Name: "clean", Usage: "stop the demo's nodes and remove its folder"},
		},
		Action: func(c *cli.Context) error {
			if c.Bool("clean") {
				if err := demo.Clean(c.String("dir")); err != nil {
					return err
				}
				fmt.Fprintln(c.App.ErrWriter, "The demo is gone.")
				return nil
			}
			tool, err := os.Executable()
			if err != nil {
				return err
			}
			return demo.Run(c.Context, demo.Options{Dir: c.String("dir"), Tool: tool, Out: os.Stdout, Errors: os.Stderr})
		},
	}
}
