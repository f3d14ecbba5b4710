package cli

import (
	"errors"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/node"
	"github.com/git-deploy/git-deploy/pkg/statedir"
	"github.com/git-deploy/git-deploy/pkg/version"
)

func watchCommand() *cli.Command {
	return &cli.Command{
		Name: "watch", Category: everyday,
		Usage:     "on a node: take over what peers have, and deploy it",
		ArgsUsage: "[NAME=]ADDRESS…",
		Description: "For nodes that are often off, or that nobody can reach: fetches the deploy branch\n" +
			"of each peer (a node of the network by its name, or any git address), merges what\n" +
			"is new and deploys this machine, with the same checks and rollback as a push. A\n" +
			"conflict changes nothing and is reported. What failed is not tried again until\n" +
			"there is something newer. Run as root on the node; the option git-deploy.watch of\n" +
			"its NixOS configuration makes it a unit.\n\n" +
			"    git deploy watch hub=node://root@hub.lan/home\n" +
			"    git deploy watch --interval 5m hub",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "network", Usage: "the network's `NAME`, where this machine is a node of several"},
			&cli.DurationFlag{Name: "interval", Usage: "look again after each `DURATION`, forever"},
			jsonFlag("the events"),
		},
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return usagef(c, "which peers? Give nodes of the network or git addresses")
			}
			o := node.WatchOptions{Network: c.String("network"), Version: version.Revision}
			for _, arg := range c.Args().Slice() {
				peer, err := node.ParsePeer(arg)
				if err != nil {
					return err
				}
				o.Peers = append(o.Peers, peer)
			}
			for {
				err := watchOnce(c, o)
				var ended *node.Ended
				switch {
				case c.Context.Err() != nil:
					return c.Context.Err()
				case errors.Is(err, os.ErrPermission):
					return fail.New(fail.Usage, err, "sudo git deploy watch")
				case c.Duration("interval") <= 0:
					if errors.As(err, &ended) {
						return silent(fail.OutcomeCode(ended.Outcome)) // the events have told
					}
					return err
				case err != nil && !errors.As(err, &ended):
					warn(c, err)
				}
				select {
				case <-c.Context.Done():
					return c.Context.Err()
				case <-time.After(c.Duration("interval")):
				}
			}
		},
	}
}

func watchOnce(c *cli.Context, o node.WatchOptions) error {
	renderer := newRenderer(c)
	defer renderer.Close()
	return node.Watch(c.Context, statedir.FromEnv(), o, event.Sink(renderer))
}
