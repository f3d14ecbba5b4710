package cli

import (
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/hooks"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/proc"
)

func cloneCommand() *cli.Command {
	return &cli.Command{
		Name: "clone", Category: setup,
		Usage:     "make this machine a deployment node of a network",
		ArgsUsage: "[USER@]HOST[:PORT][/NETWORK] [DIRECTORY]",
		Description: "What git clone node://… and git deploy remotes --hooks do, in one: any node is a\n" +
			"full source of the network. localhost is this machine. Running it again where the\n" +
			"clone is there only makes the remotes.",
		Action: func(c *cli.Context) error {
			if c.NArg() < 1 || c.NArg() > 2 {
				return usagef(c, "give the address of a node, and a folder if it is not to be called after the network")
			}
			return cloneNetwork(c, c.Args().Get(0), c.Args().Get(1))
		},
	}
}

func cloneNetwork(c *cli.Context, source, dir string) error {
	if !strings.Contains(source, "://") {
		host, _, _ := strings.Cut(source, "/")
		if !strings.Contains(host, "@") && host != "localhost" {
			source = "root@" + source
		}
		source = "node://" + source
	}
	if dir == "" {
		rest, _, _ := strings.Cut(strings.TrimPrefix(source, "node://"), "/")
		if dir = path.Base(source); dir == rest || dir == "." || dir == "/" {
			return fail.New(fail.Usage, fmt.Errorf("%s names no network to call the folder after", source), "git deploy clone "+source+" DIRECTORY")
		}
	}
	if _, err := os.Stat(dir + "/.git"); err != nil {
		git := proc.Cmd{Argv: []string{"git", "clone", "--", source, dir}, Stdout: c.App.ErrWriter, Stderr: c.App.ErrWriter, Foreground: true}
		if err := proc.Run(c.Context, git); err != nil {
			return silent(fail.Failed) // git has said why
		}
	}
	if err := os.Chdir(dir); err != nil {
		return err
	}
	clone, err := openClone(c.Context)
	if err != nil {
		return err
	}
	if err := installCloneHooks(c, clone, hooks.CloneNames()); err != nil {
		return err
	}
	remotes, lines, err := syncRemotes(c.Context, clone, false)
	if err != nil {
		return err
	}
	for _, line := range lines {
		fmt.Fprintln(c.App.Writer, line)
	}
	if clone.config, err = clone.Config(c.Context); err != nil {
		return err
	}
	return refreshSelf(c.Context, clone, remotes)
}
