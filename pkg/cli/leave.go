package cli

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/install"
	"github.com/git-deploy/git-deploy/pkg/node"
	"github.com/git-deploy/git-deploy/pkg/statedir"
	"github.com/git-deploy/git-deploy/pkg/transport"
	"github.com/git-deploy/git-deploy/pkg/ui"
)

func leaveCommand() *cli.Command {
	return &cli.Command{
		Name: "leave", Category: setup,
		Usage:     "on a node: leave a network",
		ArgsUsage: "NETWORK",
		Description: "Ends this machine's part in the network: pushes are refused from now on. What it\n" +
			"runs is not touched. The repository and the state stay, for the day it is added\n" +
			"again; with --purge they are removed too. Secrets in /run go with the next boot,\n" +
			"others stay where they are. A person at a terminal is asked first; elsewhere only\n" +
			"--purge needs --yes. Whoever deploys takes the node out of the network's\n" +
			"configuration with git deploy remove. Running it again is harmless.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "purge", Usage: "remove the network's repository and state too"},
			yesFlag(), jsonFlag("what was removed and what is kept"),
		},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usagef(c, "which network? (git deploy role lists them)")
			}
			name := c.Args().First()
			ask, question := agreed, fmt.Sprintf("Leave the network %q? Pushes are refused from then on; what runs, the secrets, the repository and the state stay.", name)
			if c.Bool("purge") {
				ask, question = confirmed, fmt.Sprintf("Remove the repository of the network %q from this machine, with all that only it has?", name)
			}
			if err := ask(c, question); err != nil {
				return err
			}
			t, err := transport.Local(statedir.FromEnv(), "")
			if err != nil {
				return err
			}
			defer t.Close()
			res, err := install.Leave(c.Context, t, name, c.Bool("purge"))
			if err != nil {
				return err
			}
			return reportLeave(c, "this machine", res)
		},
	}
}

func reportLeave(c *cli.Context, host string, res *node.LeaveResult) error {
	if c.Bool("json") {
		return printJSON(c, res)
	}
	w := c.App.Writer
	if !res.Left && len(res.Removed) == 0 {
		fmt.Fprintf(w, "%s is not a node of network %q; nothing changed.\n", host, res.Network)
	}
	for _, what := range res.Removed {
		fmt.Fprintf(w, "removed: %s\n", what)
	}
	for _, what := range res.Kept {
		fmt.Fprintf(w, "kept: %s\n", what)
	}
	return nil
}

func yesFlag() *cli.BoolFlag {
	return &cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask"}
}

// confirmed asks a question that only "yes" answers; where nobody can be asked, --yes must have.
func confirmed(c *cli.Context, question string) error {
	if c.Bool("yes") || ui.Interactive(c.App.Reader) && yes(c, question) {
		return nil
	}
	return fail.New(fail.Usage, errors.New("not done without a yes: "+question), "git deploy "+c.Command.Name+" --yes …")
}

// agreed is confirmed for what can be taken back: where nobody can be asked it goes on.
func agreed(c *cli.Context, question string) error {
	if c.Bool("yes") || !ui.Interactive(c.App.Reader) || yes(c, question) {
		return nil
	}
	return fail.New(fail.Cancelled, errors.New("nothing was changed"))
}

func yes(c *cli.Context, question string) bool {
	fmt.Fprintf(c.App.ErrWriter, "%s [yes/no] ", question)
	answer, _ := bufio.NewReader(c.App.Reader).ReadString('\n')
	return strings.TrimSpace(answer) == "yes"
}
