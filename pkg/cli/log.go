package cli

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/push"
	"github.com/git-deploy/git-deploy/pkg/ui"
)

func logCommand() *cli.Command {
	return &cli.Command{
		Name: "log", Category: answers,
		Usage:     "show who deployed what, when, and how it ended",
		ArgsUsage: "[NODE|GLOB|@TAG…]",
		Description: "Shows the deployments of the nodes named (of all without a name), newest first, as\n" +
			"last seen by a push or fetch. With -f it follows the deployment that runs now on\n" +
			"one node.\n\n" +
			"The log is a git branch: git log refs/deploy/nodes/web/log",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "max-count", Aliases: []string{"n"}, Value: 20, Usage: "at most `N` deployments; 0: all"},
			&cli.BoolFlag{Name: "fetch", Usage: "fetch from the nodes first"},
			&cli.BoolFlag{Name: "follow", Aliases: []string{"f"}, Usage: "follow what happens on one node"},
			jsonFlag("one deployment a line"),
			verboseFlag(),
		},
		Action: func(c *cli.Context) error {
			clone, remotes, err := openSelected(c.Context, c.Args().Slice())
			if err != nil {
				return err
			}
			if c.Bool("follow") {
				if len(remotes) != 1 { // git deploy follow, for those who know it as tail's
					return usagef(c, "-f follows one node, not %d: name it", len(remotes))
				}
				return follow(c, clone, remotes[0], "")
			}
			if c.Bool("fetch") {
				if err := fetchNodes(c, clone, remotes); err != nil {
					return err
				}
			}
			entries, err := logOf(c.Context, clone.Repo, remotes, c.Int("max-count"))
			if err != nil {
				return err
			}
			for _, e := range entries {
				if c.Bool("json") {
					if err := printJSON(c, e); err != nil {
						return err
					}
				} else {
					printEntry(c, e)
				}
			}
			return nil
		},
	}
}

// logOf returns the newest n entries of several nodes, newest first.
func logOf(ctx context.Context, repo *gitrepo.Repo, remotes []network.Remote, n int) ([]network.Entry, error) {
	// Plain git fetch may have brought what nodes tell of each other.
	if _, err := network.TakeOver(ctx, repo, remotes); err != nil {
		return nil, err
	}
	var all []network.Entry
	var missing error
	for _, r := range remotes {
		entries, err := network.Log(ctx, repo, r, n)
		if err != nil {
			missing = err
			continue
		}
		all = append(all, entries...)
	}
	if all == nil && len(remotes) > 1 && missing != nil {
		missing = errors.New("no deployment of any node is known here: nothing was fetched from them")
	}
	if all == nil && missing != nil {
		return nil, fail.New(fail.Failed, missing, "git deploy log --fetch")
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Finished.After(all[j].Finished) })
	if n > 0 && len(all) > n {
		all = all[:n]
	}
	return all, nil
}

func printEntry(c *cli.Context, e network.Entry) {
	style := ui.AnswerStyle(c.App.Writer)
	tone := ui.Good
	if !e.Outcome.OK() {
		tone = ui.Bad
	}
	head := ui.Table{Columns: []ui.Column{{}, {}, {}, {Min: 17}}}
	head.Add(ui.Cell{Text: e.Finished.Local().Format("2006-01-02 15:04:05")}, ui.Cell{Text: e.Node, Tone: ui.Strong},
		ui.Cell{Text: string(e.Outcome), Tone: tone}, ui.Cell{Text: gitrepo.Short(e.Commit) + " " + e.Summary})
	fmt.Fprint(c.App.Writer, head.Format(style))
	var facts []string
	if e.Action != "switch" {
		facts = append(facts, "action "+e.Action)
	}
	if e.DeployedBy != "" {
		facts = append(facts, "by "+e.DeployedBy)
	}
	if e.From != "" {
		facts = append(facts, "from "+e.From)
	}
	facts = append(facts, "took "+ui.FormatDuration(e.Finished.Sub(e.Started).Round(time.Millisecond)), e.Deployment)
	const indent = "    "
	fmt.Fprint(c.App.Writer, style.Paint(ui.Faint, style.Paragraph(indent, indent, strings.Join(facts, ", "))))
	if e.Reason != "" {
		fmt.Fprint(c.App.Writer, style.Paragraph(indent, indent, e.Reason))
	}
}

// direct connects to a node, lets f work with it, and turns how that ended into the exit code.
func direct(c *cli.Context, clone *clone, remote network.Remote, f func(*push.Node, event.Sink) (event.Event, error)) error {
	renderer := newRenderer(c)
	defer renderer.Close()
	node, err := push.Connect(c.Context, clone.Repo, remote)
	if err != nil {
		return err
	}
	defer node.Close()
	final, err := f(node, renderer)
	renderer.Close()
	if err != nil {
		return err
	}
	if code := fail.OutcomeCode(final.Outcome); code != fail.OK {
		return silent(code)
	}
	return nil
}
