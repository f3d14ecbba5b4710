package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/plan"
	"github.com/git-deploy/git-deploy/pkg/ui"
)

func statusCommand() *cli.Command {
	return &cli.Command{
		Name: "status", Category: answers,
		Usage:     "show which commit runs on which node",
		ArgsUsage: "[NODE|GLOB|@TAG…]",
		Description: "Shows for each node the commit that runs, how its branch stands to HEAD, and what\n" +
			"is up with it, as last seen by a push or fetch:\n\n" +
			"    pending       HEAD would change its system\n" +
			"    unaffected    it lacks commits of HEAD, but its system would stay the same\n" +
			"    pinned        rolled back by hand: runs an older commit than its branch\n" +
			"    not a node    its host answers, but has nothing of the network (any more)\n\n" +
			"and whether it waits for a reboot, since when it is unreachable, and how the last\n" +
			"deployment ended.\n\n" +
			"With --fetch the nodes are asked first. Whether a node is pending is known where\n" +
			"git deploy plan has found it out; --plan does that first.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "fetch", Usage: "fetch from the nodes first; what cannot be reached is shown as last seen"},
			&cli.BoolFlag{Name: "plan", Usage: "evaluate first what HEAD would change, as git deploy plan does"},
			jsonFlag("a list of nodes"),
		},
		Action: func(c *cli.Context) error {
			clone, remotes, err := openSelected(c.Context, c.Args().Slice())
			if err != nil {
				return err
			}
			if c.Bool("fetch") {
				if err := fetchNodes(c, clone, remotes); err != nil {
					warn(c, errors.New("not all nodes could be asked; they are shown as last seen"))
				}
			}
			head, tree, err := clone.CommitAndTree(c.Context, "HEAD")
			if err != nil && !errors.Is(err, gitrepo.ErrNotFound) {
				return err
			}
			if c.Bool("plan") && head != "" {
				if _, err := makePlan(c, clone, remotes, head, plan.Planner{}); err != nil {
					return err
				}
			}
			statuses, err := network.Statuses(c.Context, clone.Repo, remotes, head)
			if err != nil {
				return err
			}
			plans := plan.Known(clone.Repo, statuses, head, tree)
			if self := clone.config.Get(network.KeySelf); self != "" && !c.Bool("json") {
				fmt.Fprintf(c.App.Writer, "This machine is both: it deploys, and it is the node %s.\n", self)
			} else if !c.Bool("json") {
				fmt.Fprintln(c.App.Writer, "This machine is a deployment node.")
			}
			if c.Bool("json") {
				return printStatusJSON(c, statuses, plans)
			}
			if err := statusTable(statuses, plans).Print(c.App.Writer); err != nil {
				return err
			}
			open := 0
			for i := range plans {
				if statuses[i].Lags() && plans[i].State == "" {
					open++
				}
			}
			if open > 0 && !c.Bool("plan") {
				ui.Hint(c.App.ErrWriter, "git-deploy", "git deploy status --plan    # says whether HEAD would change "+countNodes(open))
			}
			return nil
		},
	}
}

func countNodes(n int) string {
	if n == 1 {
		return "the node that lags"
	}
	return fmt.Sprintf("the %d nodes that lag", n)
}

func printStatusJSON(c *cli.Context, statuses []network.Status, plans []plan.Node) error {
	type answer struct {
		network.Status
		Plan plan.State `json:"plan,omitempty"` // absent: not known
	}
	answers := make([]answer, len(statuses))
	for i, s := range statuses {
		answers[i] = answer{s, plans[i].State}
	}
	return printJSON(c, answers)
}

// statusTable names networks and branches only where they differ.
func statusTable(statuses []network.Status, plans []plan.Node) *ui.Table {
	several := func(of func(network.Status) string) bool {
		return slices.ContainsFunc(statuses, func(s network.Status) bool { return of(s) != of(statuses[0]) })
	}
	networks := several(func(s network.Status) string { return s.Network })
	branches := several(func(s network.Status) string { return s.Branch })
	table := &ui.Table{Columns: []ui.Column{{Title: "NODE", Min: 12}, {Title: "RUNS", Min: 14}, {Title: "BRANCH", Min: 16}, {Title: "STATE", Min: 24, Wrap: true}}}
	for i, s := range statuses {
		row := statusRow(s, plans[i])
		if networks {
			row[0].Text += "/" + s.Network
		}
		if branches {
			row[2].Text = s.Branch + ": " + row[2].Text
		}
		table.Add(row...)
	}
	return table
}

func statusRow(s network.Status, p plan.Node) []ui.Cell {
	runs := ui.Cell{Text: "?", Tone: ui.Faint}
	if s.Current != "" {
		runs = ui.Cell{Text: gitrepo.Short(s.Current) + " " + s.Subject}
	}
	branch := ui.Cell{Text: string(s.Relation)}
	switch s.Relation {
	case network.InStep:
		branch = ui.Cell{Text: "in step", Tone: ui.Good}
	case network.Behind:
		branch.Text = fmt.Sprintf("%d behind", s.Behind)
	case network.Ahead:
		branch = ui.Cell{Text: fmt.Sprintf("%d ahead", s.Ahead), Tone: ui.Warn}
	case network.Diverged:
		branch = ui.Cell{Text: fmt.Sprintf("%d ahead, %d behind", s.Ahead, s.Behind), Tone: ui.Warn}
	}
	return []ui.Cell{{Text: s.Node, Tone: ui.Strong}, runs, branch, stateOf(s, p)}
}

// stateOf says what is up with a node, what a person must know first.
func stateOf(s network.Status, p plan.Node) ui.Cell {
	var facts []string
	tone := ui.Normal
	add := func(t ui.Tone, text string) {
		if len(facts) == 0 {
			tone = t
		}
		facts = append(facts, text)
	}
	last := ""
	if s.Last != nil {
		last = fmt.Sprintf("%s %s", s.Last.Outcome, ago(s.Last.Finished))
		if who := gitrepo.ParseIdentity(s.Last.DeployedBy).Name; who != "" {
			last += " by " + who
		}
	}
	if s.Failed() {
		add(ui.Bad, last)
	}
	if s.Unreachable != nil {
		add(ui.Bad, "unreachable since "+clock(s.Unreachable.Since, time.Now()))
	}
	if s.NotANode != nil {
		add(ui.Bad, "not a node since "+clock(s.NotANode.Since, time.Now()))
	}
	if s.Pinned {
		add(ui.Warn, "pinned")
	}
	if s.Waits {
		add(ui.Warn, "waits for a reboot into "+gitrepo.Short(s.Boot))
	}
	switch p.State {
	case plan.Affected:
		add(ui.Accent, "pending")
	case plan.Unaffected:
		add(ui.Good, "unaffected")
	}
	switch {
	case s.Last == nil:
		add(ui.Faint, "no deployment seen")
	case !s.Failed():
		add(ui.Good, last)
	}
	return ui.Cell{Text: strings.Join(facts, ", "), Tone: tone}
}

// clock is a moment as people name it on the same day, or later.
func clock(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.Year() == now.Year() && t.YearDay() == now.YearDay() {
		return t.Format("15:04")
	}
	return t.Format("2006-01-02 15:04")
}
