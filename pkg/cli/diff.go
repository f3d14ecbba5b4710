package cli

import (
	"errors"
	"sync"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/ui"
)

func diffCommand() *cli.Command {
	return &cli.Command{
		Name: "diff", Category: answers,
		Usage:     "show what a push would change on a node",
		ArgsUsage: "NODE|GLOB|@TAG [COMMIT]",
		Description: "Evaluates and builds the commit (the deploy branch unless given) as a push would, without\n" +
			"activating it, and shows the difference between the system that runs and the one\n" +
			"that would: packages added, removed and with another version, and size. It is\n" +
			"git push --dry-run for one or several nodes.",
		Flags: []cli.Flag{jsonFlag("one event a line; kind \"closure\" is the difference"), verboseFlag()},
		Action: func(c *cli.Context) error {
			if c.NArg() < 1 || c.NArg() > 2 {
				return usagef(c, "name a node, and a commit if it is not HEAD")
			}
			clone, remotes, err := openSelected(c.Context, c.Args().Slice()[:1])
			if err != nil {
				return err
			}
			source := func(r network.Remote) string { return "refs/heads/" + r.Branch }
			flags := []string{"--dry-run"}
			if rev := c.Args().Get(1); rev != "" {
				commit, err := clone.commit(c.Context, rev)
				if err != nil {
					return err
				}
				// That commit's own system, also where the node has more.
				source, flags = func(network.Remote) string { return commit }, append(flags, "--force")
			} else if err := clone.branches(c.Context, remotes); err != nil {
				return err
			}
			var mu sync.Mutex
			diffs := map[string]*event.ClosureDiff{}
			keep := func(e event.Event) bool {
				if e.Kind != event.Closure || c.Bool("json") {
					return false
				}
				mu.Lock()
				defer mu.Unlock()
				diffs[e.Node] = e.Diff
				return true
			}
			err = deploy(c, clone, remotes, newRenderer(c), keep, flags, func(r network.Remote) string {
				return source(r) + ":refs/heads/" + r.Branch
			})
			for _, r := range remotes {
				if d := diffs[r.Node]; d != nil {
					err = errors.Join(err, ui.PrintClosure(c.App.Writer, r.Node, d))
				}
			}
			return err
		},
	}
}
