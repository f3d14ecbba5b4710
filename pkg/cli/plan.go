package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/plan"
	"github.com/git-deploy/git-deploy/pkg/ui"
)

func planCommand() *cli.Command {
	return &cli.Command{
		Name: "plan", Category: answers,
		Usage:     "show which nodes a commit changes",
		ArgsUsage: "[NODE|GLOB|@TAG…] [COMMIT]",
		Description: "Evaluates here what each node would build from the commit (the deploy branch unless\n" +
			"given), merged with what the node has as a push does, and compares it with what the\n" +
			"node runs, as last seen by a push or fetch. No node is asked. affected: its system\n" +
			"would change; unaffected: it would stay; has: the node has the commit already.\n\n" +
			"Evaluations are remembered in the git folder; they depend on the files of the commit,\n" +
			"nixlib and Nix. Where a configuration reads something else, --new evaluates again.\n\n" +
			"    git deploy push --affected      # deploys to the nodes that are affected",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "jobs", Aliases: []string{"j"}, DefaultText: "one per processor", Usage: "how many `EVALUATIONS` at once"},
			&cli.BoolFlag{Name: "new", Usage: "evaluate also what is remembered"},
			&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "show all of each difference"},
			jsonFlag("a list of nodes"),
		},
		Action: func(c *cli.Context) error {
			clone, remotes, commit, err := planTarget(c)
			if err != nil {
				return err
			}
			jobs, err := jobs(c, 0)
			if err != nil {
				return err
			}
			nodes, err := makePlan(c, clone, remotes, commit, plan.Planner{Jobs: jobs, Diff: true, New: c.Bool("new")})
			if err != nil {
				return err
			}
			if c.Bool("json") {
				if err := printJSON(c, nodes); err != nil {
					return err
				}
			} else if err := printPlan(c, nodes); err != nil {
				return err
			}
			return planCode(nodes)
		},
	}
}

// planTarget reads the command's words: nodes, and a commit at the end if the last word names no node.
func planTarget(c *cli.Context) (*clone, []network.Remote, string, error) {
	clone, err := openClone(c.Context)
	if err != nil {
		return nil, nil, "", err
	}
	words := c.Args().Slice()
	remotes, err := clone.selected(words)
	if err == nil || len(words) == 0 {
		return clone, remotes, "", err
	}
	commit, noCommit := clone.commit(c.Context, words[len(words)-1])
	if noCommit != nil {
		return nil, nil, "", err // that of the names
	}
	remotes, err = clone.selected(words[:len(words)-1])
	return clone, remotes, commit, err
}

// makePlan plans the deployment of commit; of each node's deploy branch where it is "".
func makePlan(c *cli.Context, clone *clone, remotes []network.Remote, commit string, p plan.Planner) ([]plan.Node, error) {
	statuses, err := network.Statuses(c.Context, clone.Repo, remotes, "")
	if err != nil {
		return nil, err
	}
	branches := map[string]string{}
	source := func(r network.Remote) (string, error) {
		if commit != "" {
			return commit, nil
		}
		var err error
		if branches[r.Branch] == "" {
			branches[r.Branch], err = clone.branch(c.Context, r)
		}
		return branches[r.Branch], err
	}
	counter := newCounter(c)
	defer counter.clear()
	p.Repo, p.Sink = clone.Repo, counter
	return p.Plan(c.Context, statuses, source)
}

// counter shows on a terminal that evaluations go on: they may take long, and their order means nothing.
type counter struct {
	mu    sync.Mutex
	w     *os.File
	style ui.Style
	done  int
	shown bool
}

func newCounter(c *cli.Context) *counter {
	w, _ := c.App.ErrWriter.(*os.File)
	s := &counter{w: w}
	if w != nil {
		s.style = ui.StyleOf(w, os.Environ())
	}
	return s
}

func (s *counter) Emit(e event.Event) {
	if s.style.Width == 0 || e.Step != event.Evaluate {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.Kind {
	case event.StepDone, event.StepFailed:
		s.done++
	case event.StepStarted:
	default:
		return
	}
	s.shown = true
	text := s.style.Line(fmt.Sprintf("%d evaluated; evaluating %s", s.done, e.Node), s.style.Width-1)
	fmt.Fprintf(s.w, "\r%s\x1b[K", text)
}

func (s *counter) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shown {
		fmt.Fprint(s.w, "\r\x1b[K")
		s.shown = false
	}
}

func printPlan(c *cli.Context, nodes []plan.Node) error {
	style := ui.AnswerStyle(c.App.Writer)
	table := ui.Table{Columns: []ui.Column{{Title: "NODE"}, {Title: "PLAN"}, {Title: "RUNS"}, {Title: "DIFFERENCE", Min: 20, Wrap: true}}}
	for _, n := range nodes {
		state, why := ui.Cell{Text: string(n.State)}, ui.Cell{Tone: ui.Faint}
		switch n.State {
		case plan.Affected:
			state.Tone = ui.Accent
			why = ui.Cell{Text: firstLine(n.NoDiff), Tone: ui.Faint}
			if n.Diff != nil {
				why = ui.Cell{Text: style.ClosureBrief(n.Diff)}
			}
		case plan.Unaffected:
			state.Tone, why.Text = ui.Good, "the same system"
		case plan.Has:
			state.Tone, why.Text = ui.Faint, "has "+gitrepo.Short(n.Commit)
		case plan.Unknown:
			state.Tone, why = ui.Warn, ui.Cell{Text: firstLine(n.Reason), Tone: ui.Warn}
		}
		if n.Pinned {
			state.Text += ", pinned"
		}
		runs := gitrepo.Short(n.Runs)
		if n.Merge {
			runs += " (merge)"
		}
		table.Add(ui.Cell{Text: n.Node, Tone: ui.Strong}, state, ui.Cell{Text: runs}, why)
	}
	err := table.Print(c.App.Writer)
	if c.Bool("verbose") {
		for _, n := range nodes {
			if n.Diff != nil {
				err = errors.Join(err, ui.PrintClosure(c.App.Writer, n.Node, n.Diff))
			}
		}
	}
	explainUnknown(c, nodes)
	return err
}

// explainUnknown says what a line of the table has no room for, once for all nodes of which it is true.
func explainUnknown(c *cli.Context, nodes []plan.Node) {
	type cause struct{ reason, hint string }
	of := map[cause][]string{}
	var causes []cause
	for _, n := range nodes {
		if n.State != plan.Unknown || n.Hint == "" && !strings.Contains(n.Reason, "\n") && !c.Bool("verbose") {
			continue
		}
		why := cause{n.Reason, n.Hint}
		if of[why] == nil {
			causes = append(causes, why)
		}
		of[why] = append(of[why], n.Node)
	}
	for _, why := range causes {
		ui.Error(c.App.ErrWriter, "git-deploy", fail.New(fail.Failed, fmt.Errorf("%s: %s", strings.Join(of[why], ", "), why.reason), strings.Split(why.hint, "\n")...))
	}
}

// planCode is the exit code: what could not be found out is a failure.
func planCode(nodes []plan.Node) error {
	unknown := 0
	for _, n := range nodes {
		if n.State == plan.Unknown {
			unknown++
		}
	}
	switch {
	case unknown == 0:
		return nil
	case unknown == len(nodes):
		return silent(fail.Failed)
	}
	return silent(fail.Partly)
}

// affected returns those of remotes whose system a push would change, and what
// the command ends with if of some this could not be found out.
func affected(c *cli.Context, clone *clone, remotes []network.Remote) (selected []network.Remote, unsure error, err error) {
	nodes, err := makePlan(c, clone, remotes, "", plan.Planner{})
	if err != nil {
		return nil, nil, err
	}
	var left []string
	for i, n := range nodes {
		switch n.State {
		case plan.Affected:
			selected = append(selected, remotes[i])
		case plan.Unknown:
			left = append(left, n.Remote)
			warn(c, fmt.Errorf("%s is left out: %s", n.Node, n.Reason))
		}
	}
	return selected, unsureOf(left, len(nodes), len(selected)), nil
}

// unsureOf is the error where of some of all nodes, those that are left, it is not known whether they are affected.
func unsureOf(left []string, all, selected int) error {
	if len(left) == 0 {
		return nil
	}
	code, its, rest := fail.Partly, "its system", ""
	if len(left) == all {
		code = fail.Failed
	}
	if len(left) > 1 {
		its = "their systems"
	}
	if selected == 0 {
		rest = "nothing was deployed: "
	}
	text := fmt.Sprintf("%sof %s it could not be found out here whether %s would change", rest, strings.Join(left, ", "), its)
	names := strings.Join(left, " ")
	return fail.New(code, errors.New(text),
		"git deploy push --dry-run "+names+"    # evaluates on the node and says what would change",
		"git deploy push "+names)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
