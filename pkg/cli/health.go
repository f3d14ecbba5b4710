package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/health"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/push"
	"github.com/git-deploy/git-deploy/pkg/ui"
)

func healthCommand() *cli.Command {
	return &cli.Command{
		Name: "health", Category: answers,
		Usage:     "try the health checks of nodes",
		ArgsUsage: "[NODE|GLOB|@TAG…]",
		Description: "Tries each health check of what the nodes run once: on the node itself, and those\n" +
			"with from = \"deployer\" from here. systemd's failed units count too. A check that\n" +
			"fails is shown with what it said.\n\n" +
			"Exits with 0 when all is well, 1 when nodes are not, 6 when they cannot be reached,\n" +
			"and 3 when that is so for some of several. With --watch it goes on until stopped,\n" +
			"and tells what changes.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "watch", Aliases: []string{"w"}, Usage: "look again and again, and tell what changes"},
			&cli.DurationFlag{Name: "interval", Value: 5 * time.Second, Usage: "how often with --watch"},
			jsonFlag("one node a line"),
		},
		Action: func(c *cli.Context) error {
			clone, remotes, err := openSelected(c.Context, c.Args().Slice())
			if err != nil {
				return err
			}
			if c.Duration("interval") <= 0 {
				return usagef(c, "--interval is a duration such as 5s")
			}
			look := &looker{clone: clone, remotes: remotes, nodes: make([]*push.Node, len(remotes))}
			defer look.close()
			if c.Bool("watch") {
				return look.watch(c)
			}
			found := look.all(c.Context)
			if err := c.Context.Err(); err != nil {
				return err
			}
			if err := printHealth(c, found); err != nil {
				return err
			}
			codes := make([]fail.Code, len(found))
			for i, f := range found {
				codes[i] = f.Code
			}
			return codeOf(codes)
		},
	}
}

// found is how well one node is, as far as that can be told.
type found struct {
	Remote  string    `json:"remote"`
	Healthy bool      `json:"healthy"`
	Code    fail.Code `json:"code"`
	Error   string    `json:"error,omitempty"` // why it could not be told
	health.Report
}

// looker asks nodes, over connections that it keeps.
type looker struct {
	clone   *clone
	remotes []network.Remote
	nodes   []*push.Node
}

func (l *looker) close() {
	for _, n := range l.nodes {
		if n != nil {
			n.Close()
		}
	}
}

// all asks all nodes at once.
func (l *looker) all(ctx context.Context) []found {
	results := make([]found, len(l.remotes))
	var wg sync.WaitGroup
	limit := make(chan struct{}, defaultJobs)
	for i := range l.remotes {
		wg.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			results[i] = l.one(ctx, i)
		})
	}
	wg.Wait()
	return results
}

func (l *looker) one(ctx context.Context, i int) found {
	f := found{Remote: l.remotes[i].Name, Report: health.Report{Node: l.remotes[i].Node}}
	report, err := func() (_ *health.Report, err error) {
		if l.nodes[i] == nil {
			if l.nodes[i], err = push.Connect(ctx, l.clone.Repo, l.remotes[i]); err != nil {
				return nil, err
			}
		}
		return l.nodes[i].Health(ctx)
	}()
	if err != nil {
		f.Code, f.Error = fail.CodeOf(err), err.Error()
		if l.nodes[i] != nil { // the next look is taken over a new connection
			l.nodes[i].Close()
			l.nodes[i] = nil
		}
		return f
	}
	f.Report = *report
	if f.Healthy = len(report.Failed()) == 0; !f.Healthy {
		f.Code = fail.Failed
	}
	return f
}

// watch looks until the user has seen enough.
func (l *looker) watch(c *cli.Context) error {
	last := make([]string, len(l.remotes))
	for {
		results := l.all(c.Context)
		if c.Context.Err() != nil {
			return silent(fail.Cancelled)
		}
		for i, f := range results {
			if text := f.text(l.widest(), ui.Style{}); text != last[i] || c.Bool("json") {
				last[i] = text
				if err := f.tell(c, l.widest()); err != nil {
					return err
				}
			}
		}
		select {
		case <-c.Context.Done():
			return silent(fail.Cancelled)
		case <-time.After(c.Duration("interval")):
		}
	}
}

// widest is how many columns the longest name of a node takes.
func (l *looker) widest() int {
	n := 0
	for _, r := range l.remotes {
		n = max(n, ui.Width(r.Node))
	}
	return n
}

func printHealth(c *cli.Context, all []found) error {
	style := ui.AnswerStyle(c.App.Writer)
	table := ui.Table{Columns: []ui.Column{{Title: "NODE"}, {Title: "HEALTH"}, {Title: "CHECKS", Min: 20}}}
	for _, f := range all {
		if c.Bool("json") {
			if err := printJSON(c, f); err != nil {
				return err
			}
			continue
		}
		table.Add(f.row()...)
		table.Below(f.details(style))
	}
	if c.Bool("json") {
		return nil
	}
	return table.Print(c.App.Writer)
}

// tell prints what has become of one node while it is watched.
func (f *found) tell(c *cli.Context, widest int) error {
	if c.Bool("json") {
		return printJSON(c, f)
	}
	now := time.Now().Format("15:04:05") + "  "
	style := ui.AnswerStyle(c.App.Writer)
	style.Width = max(style.Width-len(now), 0)
	_, err := io.WriteString(c.App.Writer, now+f.text(widest, style))
	return err
}

// text is one line that stands below those of other nodes, and below it what is wrong.
func (f *found) text(widest int, s ui.Style) string {
	table := ui.Table{Columns: []ui.Column{{}, {}, {Min: 20}}}
	row := f.row()
	row[0].Text = fmt.Sprintf("%-*s", widest, row[0].Text)
	row[1].Text = fmt.Sprintf("%-*s", len("unreachable"), row[1].Text)
	table.Add(row...)
	table.Below(f.details(s))
	return table.Format(s)
}

func (f *found) row() []ui.Cell {
	state, checks := ui.Cell{Text: "healthy", Tone: ui.Good}, ui.Cell{Text: count(len(f.Results), "check") + " passed"}
	failed := len(f.Failed())
	switch {
	case f.Error != "":
		state, checks = ui.Cell{Text: "unknown", Tone: ui.Bad}, ui.Cell{Text: "not tried", Tone: ui.Faint}
		if f.Code == fail.Unreachable {
			state.Text = "unreachable"
		}
	case failed > 0:
		state, checks.Text = ui.Cell{Text: "unhealthy", Tone: ui.Bad}, fmt.Sprintf("%d of %s failed", failed, count(len(f.Results), "check"))
	case !f.Known:
		state.Tone = ui.Warn
	}
	return []ui.Cell{{Text: f.Node, Tone: ui.Strong}, state, checks}
}

// details are lines about what is wrong.
func (f *found) details(s ui.Style) string {
	var b strings.Builder
	if f.Error != "" {
		b.WriteString(s.Paragraph("  ", "  ", f.Error))
	} else if !f.Known {
		b.WriteString(s.Paragraph("  ", "  ", "what it runs was not deployed by git-deploy, so its own checks are not known"))
	}
	for _, r := range f.Failed() {
		name := ui.Clean(r.Name)
		text := s.Paragraph("  ", "  ", fmt.Sprintf("%s (%s, from the %s): %s", name, r.Type, r.From, r.Error))
		b.WriteString("  " + s.Paint(ui.Bad, name) + strings.TrimPrefix(text, "  "+name))
	}
	return b.String()
}
