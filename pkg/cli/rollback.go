package cli

import (
	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/push"
)

func rollbackCommand() *cli.Command {
	return &cli.Command{
		Name: "rollback", Category: everyday,
		Usage:     "take a node back to an earlier deployment",
		ArgsUsage: "NODE [GENERATION|COMMIT]",
		Description: "Activates the system of an earlier deployment of the node: the one before, or that\n" +
			"of a generation of its profile or of a commit. It is a deployment like any other,\n" +
			"with health checks, confirmation and an entry in the log. The node's branch stays\n" +
			"where it is: the node is pinned until something newer is pushed, or\n" +
			"git push -o unpin=true NODE. A system that cannot be switched to live boots next.",
		Flags: []cli.Flag{jsonFlag("one event a line"), verboseFlag()},
		Action: func(c *cli.Context) error {
			if c.NArg() < 1 || c.NArg() > 2 {
				return usagef(c, "name the node, and the generation or commit if it is not the one before")
			}
			clone, remotes, err := openSelected(c.Context, c.Args().Slice()[:1])
			if err != nil {
				return err
			}
			if len(remotes) != 1 {
				return usagef(c, "rollback takes one node, %q names %d", c.Args().First(), len(remotes))
			}
			target := c.Args().Get(1)
			// A commit may be named as it is called here; the node knows ids only.
			if target != "" && !isNumber(target) {
				if target, err = clone.commit(c.Context, target); err != nil {
					return err
				}
			}
			return direct(c, clone, remotes[0], func(node *push.Node, sink event.Sink) (event.Event, error) {
				return node.Rollback(c.Context, target, nil, sink)
			})
		},
	}
}

// isNumber tells a generation's number from an abbreviated commit.
func isNumber(s string) bool {
	if len(s) > 6 {
		return false
	}
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
