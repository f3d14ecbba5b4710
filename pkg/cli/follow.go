package cli

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/push"
)

func followCommand() *cli.Command {
	return &cli.Command{
		Name: "follow", Category: everyday,
		Usage:     "go on watching a deployment",
		ArgsUsage: "NODE [DEPLOYMENT]",
		Description: "Goes on where a push from this clone stopped watching (it was killed, or lost the\n" +
			"node), confirms the deployment if it waits for that, and ends as the push would\n" +
			"have. Without such a push it shows the deployment that is under way, or the one\n" +
			"that is named (see git deploy log), from its beginning, and confirms nothing.",
		Flags: []cli.Flag{jsonFlag("one event a line"), verboseFlag()},
		Action: func(c *cli.Context) error {
			if c.NArg() < 1 || c.NArg() > 2 {
				return usagef(c, "name the node, and the deployment if it is not the last one from here")
			}
			clone, remotes, err := openSelected(c.Context, c.Args().Slice()[:1])
			if err != nil {
				return err
			}
			if len(remotes) != 1 {
				return usagef(c, "follow takes one node, %q names %d", c.Args().First(), len(remotes))
			}
			return follow(c, clone, remotes[0], c.Args().Get(1))
		},
	}
}

// follow shows deployment id of a node; "" is the one that was begun here, else the one that is under way.
func follow(c *cli.Context, clone *clone, remote network.Remote, id string) error {
	return direct(c, clone, remote, func(node *push.Node, sink event.Sink) (event.Event, error) {
		mine := node.Followed()
		if mine != "" && (id == "" || id == mine) {
			return node.GoOn(c.Context, sink)
		}
		if id == "" {
			holder := node.Hello().Holder
			if holder == nil {
				return event.Event{}, fail.New(fail.Failed, fmt.Errorf("%s deploys nothing at the moment", remote.Node), "git deploy log --fetch "+remote.Name)
			}
			id = holder.Deployment
		}
		return node.Follow(c.Context, id, sink)
	})
}
