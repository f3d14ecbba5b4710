package cli

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/push"
	"github.com/git-deploy/git-deploy/pkg/ui"
)

func syncCommand() *cli.Command {
	return &cli.Command{
		Name: "sync", Category: everyday,
		Usage:     "fetch from all nodes and merge what they have",
		ArgsUsage: "[NODE|GLOB|@TAG…]",
		Description: "Does git deploy fetch, and merges the branches of the nodes named (of all without a\n" +
			"name) into the current branch; what is merged already is left alone, so it can be\n" +
			"run again at any time. A node whose changes conflict with yours is named, with\n" +
			"the command that resolves it, and the others are merged all the same. Uncommitted\n" +
			"changes stay untouched: nothing is merged then.",
		Flags: append(fetchFlags(), jsonFlag("what was fetched, and what was merged")),
		Action: func(c *cli.Context) error {
			clone, remotes, err := openSelected(c.Context, c.Args().Slice())
			if err != nil {
				return err
			}
			list, err := fetchAll(c, clone, remotes)
			if err != nil {
				return err
			}
			merges, err := push.Merge(c.Context, clone.Repo, clone.config, remotes)
			if errors.Is(err, gitrepo.ErrDirty) {
				return fail.New(fail.Failed, fmt.Errorf("nothing was merged into %s: uncommitted changes are in the way", merges.Branch),
					"git commit -a && git deploy sync    # or git stash && git deploy sync && git stash pop")
			}
			if err != nil {
				return err
			}
			if c.Bool("json") {
				err = printJSON(c, struct {
					Fetched []fetched    `json:"fetched"`
					Merged  *push.Merges `json:"merged"`
				}{list, merges})
			} else {
				err = printMerges(c, merges)
			}
			if err != nil {
				return err
			}
			return syncOutcome(c, list, merges)
		},
	}
}

func printMerges(c *cli.Context, m *push.Merges) error {
	table := ui.Table{Columns: []ui.Column{{Title: "NODE"}, {Title: "ITS BRANCH", Min: 20, Wrap: true}}}
	for _, n := range m.Nodes {
		cell := ui.Cell{Text: "nothing new", Tone: ui.Faint}
		switch n.State {
		case push.SyncForwarded, push.SyncMerged:
			cell = ui.Cell{Text: fmt.Sprintf("merged, %s", count(n.Commits, "commit")), Tone: ui.Good}
		case push.SyncConflict:
			cell = ui.Cell{Text: "conflicts, not merged", Tone: ui.Bad}
		case push.SyncUnrelated:
			cell = ui.Cell{Text: "another history, not merged", Tone: ui.Bad}
		case push.SyncUnknown:
			cell.Text = "never fetched"
		}
		table.Add(ui.Cell{Text: n.Node, Tone: ui.Strong}, cell)
	}
	if err := table.Print(c.App.Writer); err != nil {
		return err
	}
	if m.After == m.Before {
		return nil
	}
	_, err := fmt.Fprintf(c.App.Writer, "%s is now at %s.\n", m.Branch, gitrepo.Short(m.After))
	return err
}

// count is n things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// syncOutcome says what is left to do. A conflict counts for more than a node that was off.
func syncOutcome(c *cli.Context, list []fetched, m *push.Merges) error {
	err := fetchOutcome(c, list)
	conflicts := m.Conflicts()
	if conflicts == "" {
		return err
	}
	var hints []string
	for _, n := range m.Nodes {
		if n.Hint != "" {
			hints = append(hints, n.Hint)
		}
	}
	return fail.New(fail.Conflict, errors.New(conflicts), hints...)
}
