package ui

import (
	"time"

	"github.com/git-deploy/git-deploy/pkg/event"
)

// tailLines is how many of a step's last log lines are kept for the case that it fails.
const tailLines = 40

// tail is the end of a step's log.
type tail struct {
	lines []string
	total int // lines ever
}

func (t *tail) add(line string) {
	t.total++
	if len(t.lines) == tailLines {
		copy(t.lines, t.lines[1:])
		t.lines = t.lines[:tailLines-1]
	}
	t.lines = append(t.lines, line)
}

// last returns up to n of the last lines.
func (t *tail) last(n int) []string {
	return t.lines[max(0, len(t.lines)-n):]
}

// step is a step that runs, or ran.
type step struct {
	name           event.Step
	started        time.Time // by our clock: a node's may differ
	done, expected int64
	unit           string
	detail         string // what it is at
	log            tail
	told           time.Time // when plain output last said something of it
}

// node is what is known of one node's deployment.
type node struct {
	name     string
	started  time.Time
	running  []*step
	diff     *event.ClosureDiff
	commit   string
	why      []string // reasons already shown
	hints    []string // hints already shown
	failed   event.Step
	held     []string // lines of housekeeping steps that do not matter if nothing else happens
	loud     bool     // something beyond housekeeping happened
	total    time.Duration
	finished bool
	outcome  event.Outcome
}

// said reports whether the text is in *list, and adds it.
func said(list *[]string, text string) bool {
	for _, s := range *list {
		if s == text {
			return true
		}
	}
	*list = append(*list, text)
	return false
}

// newHints are the commands of an event's hint, one a line there, that were not shown yet.
func (n *node) newHints(s Style, hint string) []string {
	var out []string
	for _, h := range s.lines(hint) {
		if h != "" && !said(&n.hints, h) {
			out = append(out, h)
		}
	}
	return out
}

// current is the step to show when there is room for one.
func (n *node) current() *step {
	if len(n.running) == 0 {
		return nil
	}
	return n.running[len(n.running)-1]
}

// book keeps all nodes in the order in which they appeared.
type book struct {
	nodes []*node
	seq   map[string]int64 // per deployment, the last position seen
}

func (b *book) node(name string, now time.Time) *node {
	for _, n := range b.nodes {
		if n.name == name {
			if n.started.IsZero() {
				n.started = now
			}
			return n
		}
	}
	n := &node{name: name, started: now}
	b.nodes = append(b.nodes, n)
	return n
}

// expect announces nodes before anything happens to them.
func (b *book) expect(names []string) {
	for _, name := range names {
		b.node(name, time.Time{})
	}
}

// seen reports whether e came before: who follows an event log anew after a
// lost connection gets some events twice.
func (b *book) seen(e event.Event) bool {
	if e.Seq == 0 || e.Deployment == "" {
		return false
	}
	if b.seq == nil {
		b.seq = map[string]int64{}
	}
	if e.Seq <= b.seq[e.Deployment] {
		return true
	}
	b.seq[e.Deployment] = e.Seq
	return false
}

// change is what an event did.
type change struct {
	node *node
	step *step         // the step concerned; when it ended it is no longer among node.running
	took time.Duration // of a step that ended
}

// apply takes e in.
func (b *book) apply(e event.Event, now time.Time) change {
	n := b.node(e.Node, now)
	if c := e.Fields["commit"]; c != "" {
		n.commit = c
	}
	c := change{node: n}
	switch e.Kind {
	case event.StepStarted:
		c.step = n.start(e.Step, now)
		c.step.detail = e.Message
	case event.StepDone, event.StepFailed:
		c.step = n.end(e.Step, now)
		if c.took = now.Sub(c.step.started); e.Millis > 0 {
			c.took = time.Duration(e.Millis) * time.Millisecond
		}
		if e.Kind == event.StepFailed {
			n.failed = e.Step
		}
	case event.Progress:
		c.step = n.start(e.Step, now)
		c.step.done, c.step.expected, c.step.unit = e.Done, e.Expected, e.Unit
		if e.Message != "" {
			c.step.detail = e.Message
		}
	case event.Log:
		if e.Step != "" {
			c.step = n.start(e.Step, now)
		}
	case event.Closure:
		n.diff = e.Diff
	case event.Finished:
		n.running, n.finished, n.outcome = nil, true, e.Outcome
		if n.total = now.Sub(n.started); e.Millis > 0 {
			n.total = time.Duration(e.Millis) * time.Millisecond
		}
	}
	return c
}

// start returns the running step of that name, starting it if there is none:
// who begins to follow late has missed the start.
func (n *node) start(name event.Step, now time.Time) *step {
	for _, s := range n.running {
		if s.name == name {
			return s
		}
	}
	if n.finished { // the node is deployed to again
		n.finished, n.started, n.why, n.hints, n.held, n.loud, n.diff, n.failed = false, now, nil, nil, nil, false, nil, ""
	}
	s := &step{name: name, started: now, told: now}
	n.running = append(n.running, s)
	return s
}

func (n *node) end(name event.Step, now time.Time) *step {
	for i, s := range n.running {
		if s.name == name {
			n.running = append(n.running[:i:i], n.running[i+1:]...)
			return s
		}
	}
	return &step{name: name, started: now, told: now}
}

// housekeeping are the steps that say nothing to who only wants to know
// whether there was anything to do.
func housekeeping(s event.Step) bool {
	switch s {
	case event.Connect, event.Merge, event.Send, event.Check, event.Wait, "":
		return true
	}
	return false
}

// brief is what a minor step may take without being worth a line.
const brief = 500 * time.Millisecond

// trivial reports whether the end of a step is worth no line: it was quick,
// said nothing, and is of a kind that only matters when it is not.
func trivial(e event.Event, took time.Duration) bool {
	switch e.Step {
	case event.Connect, event.Merge, event.Check, event.Wait, event.Record:
		return took < brief && e.Message == ""
	}
	return false
}

// spoken are the steps whose words are for whoever deploys, not only for who
// looks for an error: warnings and traces of the evaluation, and what the
// activation does to the machine. A build's output is shown when it fails.
func spoken(s event.Step) bool { return s == event.Evaluate || s == event.Switch }
