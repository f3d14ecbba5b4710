package ui

import (
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/event"
)

const (
	stepColumn   = 8  // the widest step's name
	timeColumn   = 6  // see FormatDuration
	nodeColumn   = 24 // longer node names are cut
	barColumns   = 20
	barSpare     = 48          // columns a line needs beside the bar before there is one
	logAfter     = time.Second // a step that ends sooner does not flash its log
	logRows      = 3
	livePackages = 12
)

// live is the model of what a terminal shows: lines that are done with and
// scroll up (apply and end return them), and below them a block that is drawn
// anew again and again (view). It knows nothing of how that is done.
type live struct {
	book    book
	style   Style
	verbose bool
	frame   int // of the spinner
}

// many reports whether several nodes share the screen.
func (l *live) many() bool { return len(l.book.nodes) > 1 }

// apply returns the finished lines that e is worth.
func (l *live) apply(e event.Event, now time.Time) []string {
	if l.book.seen(e) {
		return nil
	}
	c := l.book.apply(e, now)
	n, many := c.node, l.many()
	var out []string
	loud := true
	switch e.Kind {
	case event.StepStarted, event.Progress:
		loud = !housekeeping(e.Step)
	case event.StepDone:
		loud = !housekeeping(e.Step)
		if l.verbose || !many && !trivial(e, c.took) {
			out = l.stepLine(n, Good, l.style.symbols().ok, e.Step, c.took, e.Message)
		}
	case event.StepFailed:
		said(&n.why, e.Message)
		out = l.stepLine(n, Bad, l.style.symbols().bad, e.Step, c.took, e.Message)
		if !l.verbose && (many || !spoken(e.Step)) {
			out = append(out, l.logTail(c.step)...)
		}
		out = append(out, l.hint(n, e.Hint)...)
	case event.Log:
		line := l.style.clean(e.Message)
		if c.step != nil {
			c.step.log.add(line)
		}
		if loud = l.verbose || c.step == nil || !many && spoken(e.Step); loud {
			out = []string{l.logLine(l.logPrefix(n), line)}
		}
	case event.Notice:
		out = l.sentence(Faint, l.style.symbols().note, l.named(n, e.Message))
		out = append(out, l.hint(n, e.Hint)...)
	case event.Warning:
		out = l.sentence(Warn, l.style.symbols().warn, l.named(n, e.Message))
		out = append(out, l.hint(n, e.Hint)...)
	case event.Closure:
		if e.Diff != nil && (!many || l.verbose) {
			out = l.closure(e.Diff)
		}
	case event.Finished:
		loud = e.Outcome != event.UpToDate
		out = l.outcome(n, e)
	default:
		if e.Message != "" {
			out = l.sentence(Faint, l.style.symbols().note, l.named(n, e.Message))
		}
	}
	return n.hold(e, out, loud)
}

// nodeLabel is a node's name, as wide as the widest.
func (l *live) nodeLabel(n *node) string {
	w, limit := 0, nodeColumn
	if l.style.Width > 0 {
		limit = max(min(limit, l.style.Width/3), 4)
	}
	for _, o := range l.book.nodes {
		w = max(w, width(l.style.clean(o.name)))
	}
	w = min(w, limit)
	return pad(l.style.cut(l.style.clean(n.name), w), w)
}

// named puts the node's name before text where there are several.
func (l *live) named(n *node, text string) string {
	if l.many() && n.name != "" {
		return n.name + ": " + text
	}
	return text
}

// stepLine is the line of a step that ended: STEP TIME TEXT, and with several
// nodes NODE TIME STEP TEXT, in the columns of the block below.
func (l *live) stepLine(n *node, t Tone, sign string, s event.Step, took time.Duration, message string) []string {
	name, word := pad(l.style.clean(string(s)), stepColumn), ""
	if l.many() {
		name, word = l.nodeLabel(n), "  "+name
	}
	head := l.head(t, sign, name, took) + word
	text := l.style.lines(message)
	if t == Bad {
		return l.block(head, text)
	}
	if text[0] != "" {
		head += "  " + l.style.Paint(Faint, text[0])
	}
	return []string{l.style.fit(strings.TrimRight(head, " "))}
}

// head begins a finished line: a sign, a name in its column, a time in its.
func (l *live) head(t Tone, sign, name string, took time.Duration) string {
	line := "  " + l.style.Paint(t, sign) + " " + name
	if l.narrow() {
		return line
	}
	return line + " " + l.style.Paint(Faint, padLeft(FormatDuration(took), timeColumn))
}

// narrow is a screen on which several nodes have no room for the time.
func (l *live) narrow() bool { return l.many() && l.style.Width > 0 && l.style.Width < 50 }

// block puts text beside head, or below it when there is no room: what went
// wrong is never cut.
func (l *live) block(head string, text []string) []string {
	const indent = "    "
	room := l.style.Width - 1 - width(head) - 2
	if len(text) == 1 && (l.style.Width <= 0 || width(text[0]) <= room) {
		return []string{strings.TrimRight(head+"  "+text[0], " ")}
	}
	out := []string{l.style.fit(head)}
	for _, t := range text {
		if t == "" {
			continue
		}
		for _, w := range l.style.wrap(t, max(l.style.Width-1-len(indent), 8)) {
			out = append(out, indent+w)
		}
	}
	return out
}

// sentence is a sign and wrapped text.
func (l *live) sentence(t Tone, sign, text string) []string {
	var out []string
	lead := "  " + l.style.Paint(t, sign) + " "
	for _, line := range l.style.lines(text) {
		for _, w := range l.style.wrap(line, max(l.style.Width-1-4, 8)) {
			if t == Warn {
				w = l.style.Paint(Warn, w)
			}
			out = append(out, lead+w)
			lead = "    "
		}
	}
	return out
}

func (l *live) hint(n *node, hint string) []string {
	var out []string
	for _, h := range n.newHints(l.style, hint) {
		lead := "  " + l.style.Paint(Accent, l.style.symbols().hint) + " "
		for _, line := range l.style.hintLines(4, h, l.style.Width-1-4) {
			for _, w := range l.style.wrap(line, max(l.style.Width-1-4, 8)) { // what the block is drawn above has no longer lines
				out = append(out, lead+l.style.Paint(Accent, w))
				lead = "    "
			}
		}
	}
	return out
}

func (l *live) logPrefix(n *node) string {
	if l.many() {
		return l.nodeLabel(n) + " "
	}
	return ""
}

func (l *live) logLine(prefix, line string) string {
	return l.style.fit(l.style.Paint(Faint, "    "+prefix+l.style.symbols().rule+" "+line))
}

// logTail is the end of a failed step's log. It leaves room on the screen for
// what failed and what came of it.
func (l *live) logTail(s *step) []string {
	limit := tailLines
	if l.style.Rows > 0 {
		limit = max(10, min(limit, l.style.Rows*2/3))
	}
	var out []string
	lines := s.log.last(limit)
	if n := s.log.total - len(lines); n > 0 {
		text := l.style.symbols().ellipsis + " " + plural(int64(n), "earlier line")
		out = append(out, l.style.fit(l.style.Paint(Faint, "    "+text)))
	}
	rule := l.style.Paint(Faint, "    "+l.style.symbols().rule) + " "
	for _, line := range lines {
		for _, w := range l.style.chop(line, max(l.style.Width-1-6, 8)) {
			out = append(out, rule+w)
		}
	}
	return out
}

func (l *live) closure(d *event.ClosureDiff) []string {
	limit := livePackages
	if l.verbose {
		limit = 0
	}
	t := l.style.closureText(d, limit)
	var out []string
	for _, w := range l.style.wrap(t.summary, max(l.style.Width-1-4, 8)) {
		out = append(out, "    "+w)
	}
	names, versions, deltas := 0, 0, 0
	for _, r := range t.rows {
		names, versions, deltas = max(names, width(r.name)), max(versions, width(r.versions)), max(deltas, width(r.delta))
	}
	names, versions = min(names, 28), min(versions, 36)
	if l.style.Width > 0 { // the sizes give way first, then the names
		room := l.style.Width - 1 - 6 - 2
		if names+versions+2+deltas > room {
			deltas = 0
		} else {
			room -= 2 + deltas
		}
		names = min(names, max(room-versions, 8))
		versions = min(versions, max(room-names, 0))
	}
	for _, r := range t.rows {
		sign, tone := " ", Normal
		switch r.sign {
		case "+":
			sign, tone = "+", Good
		case "-":
			sign, tone = "-", Bad
		}
		line := "    " + l.style.Paint(tone, sign) + " " + pad(l.style.cut(r.name, names), names)
		if versions > 0 {
			line += "  " + pad(l.style.cut(r.versions, versions), versions)
		}
		if deltas > 0 {
			line += "  " + l.style.Paint(Faint, padLeft(r.delta, deltas))
		}
		out = append(out, l.style.fit(line))
	}
	if t.more != "" {
		out = append(out, l.style.fit(l.style.Paint(Faint, "      "+l.style.symbols().ellipsis+" "+t.more)))
	}
	return out
}

// outcome is the line that everything led to.
func (l *live) outcome(n *node, e event.Event) []string {
	v := l.style.verdictOf(n, e)
	var out []string
	if l.many() {
		head := l.head(v.tone, v.sign, l.nodeLabel(n), n.total)
		if e.Outcome.OK() {
			text := v.alone()
			if diff := closureBrief(n.diff); diff != "" {
				text += l.style.Paint(Faint, "  "+diff)
			}
			out = []string{l.style.fit(head + "  " + text)}
		} else {
			out = l.block(head, []string{v.alone()})
		}
	} else {
		clock := "(" + FormatDuration(n.total) + ")"
		lead := l.style.Paint(v.tone, v.sign) + " "
		for _, w := range l.style.wrap(l.style.called(n)+" "+v.text+" "+clock, max(l.style.Width-1-2, 8)) {
			if text, last := strings.CutSuffix(w, clock); last {
				w = l.style.Paint(Strong, text) + l.style.Paint(Faint, clock)
			} else {
				w = l.style.Paint(Strong, w)
			}
			out = append(out, lead+w)
			lead = "  "
		}
	}
	if e.Message != "" && !said(&n.why, e.Message) {
		for _, line := range l.style.lines(e.Message) {
			for _, w := range l.style.wrap(line, max(l.style.Width-1-4, 8)) {
				out = append(out, "    "+w)
			}
		}
	}
	return append(out, l.hint(n, e.Hint)...)
}

// end returns what is to be said when nothing more comes.
func (l *live) end(now time.Time) []string {
	var out []string
	sym := l.style.symbols()
	good := true
	for _, n := range l.book.nodes {
		good = good && n.finished && n.outcome.OK()
		if n.finished {
			continue
		}
		out = append(out, n.held...)
		n.held = nil
		for _, s := range n.running {
			out = append(out, l.stepLine(n, Warn, sym.stop, s.name, now.Sub(s.started), "stopped")...)
		}
	}
	if l.many() {
		sign := l.style.Paint(Good, sym.ok)
		if !good {
			sign = l.style.Paint(Warn, sym.warn)
		}
		for _, w := range l.style.wrap(tally(l.book.nodes), max(l.style.Width-1-2, 8)) {
			out = append(out, sign+" "+l.style.Paint(Strong, w))
			sign = " "
		}
	}
	return out
}
