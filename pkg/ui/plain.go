package ui

import (
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/event"
)

// plainPulse is how often plain output says how far a long step is.
const plainPulse = 10 * time.Second

// plainPackages is how many packages of a closure's difference plain output names.
const plainPackages = 20

// plain writes one line per fact: files, pipes, and the "remote:" lines of a
// plain git push. It is ASCII apart from foreign text, so that it is the same
// whatever the locale of who runs it, and can be searched with any keyboard.
type plain struct {
	book    book
	style   Style
	verbose bool
	quiet   bool // only what is wrong
}

// apply returns the lines that e is worth.
func (p *plain) apply(e event.Event, now time.Time) []string {
	if p.book.seen(e) {
		return nil
	}
	c := p.book.apply(e, now)
	n := c.node
	pre := p.prefix(n)
	var out []string
	loud := true
	switch e.Kind {
	case event.StepStarted:
		loud = !housekeeping(e.Step)
	case event.StepDone:
		loud = !housekeeping(e.Step)
		if !p.quiet && (p.verbose || !trivial(e, c.took)) {
			line := pre + string(e.Step) + " ... done (" + FormatDuration(c.took) + ")"
			out = p.more(line, ": ", pre, p.style.lines(e.Message))
		}
	case event.StepFailed:
		line := pre + string(e.Step) + " ... failed (" + FormatDuration(c.took) + ")"
		said(&n.why, e.Message)
		out = p.more(line, ": ", pre, p.style.lines(e.Message))
		if !p.verbose && (p.quiet || !spoken(e.Step)) {
			out = append(out, p.logTail(pre, c.step)...)
		}
		out = append(out, p.hint(n, e.Hint)...)
	case event.Progress:
		if loud = !housekeeping(e.Step); !p.quiet {
			out = p.pulse(pre, c.step, now)
		}
	case event.Log:
		out = p.logLine(pre, c.step, e, now)
		loud = len(out) > 0
	case event.Notice:
		if !p.quiet {
			out = p.more(strings.TrimSuffix(pre, ": "), ": ", pre, p.style.lines(e.Message))
			out = append(out, p.hint(n, e.Hint)...)
		}
	case event.Warning:
		out = p.more(pre+"warning", ": ", pre, p.style.lines(e.Message))
		out = append(out, p.hint(n, e.Hint)...)
	case event.Closure:
		if !p.quiet && e.Diff != nil {
			out = p.closure(pre, e.Diff)
		}
	case event.Finished:
		loud = e.Outcome != event.UpToDate
		if !p.quiet || !e.Outcome.OK() {
			out = p.outcome(pre, n, e)
		}
	default: // a kind of a later version: its words may matter
		if e.Message == "" {
			return nil
		}
		out = p.more(strings.TrimSuffix(pre, ": "), ": ", pre, p.style.lines(e.Message))
	}
	return n.hold(e, out, loud)
}

// hold keeps the lines of housekeeping until something else happens to the
// node: a push that changes nothing is one line.
func (n *node) hold(e event.Event, lines []string, loud bool) []string {
	switch {
	case n.loud:
		return lines
	case loud:
		n.loud = true
		lines = append(n.held, lines...)
		n.held = nil
		return lines
	case e.Kind == event.Finished:
		n.held = nil
		return lines
	}
	n.held = append(n.held, lines...)
	return nil
}

func (p *plain) prefix(n *node) string {
	if n.name == "" {
		return ""
	}
	return p.style.clean(n.name) + ": "
}

// more appends text to a line; what has more lines continues below it.
func (p *plain) more(line, sep, pre string, text []string) []string {
	if text[0] != "" {
		if line != "" {
			line += sep
		}
		line += text[0]
	}
	out := []string{line}
	for _, t := range text[1:] {
		if t = strings.TrimRight(t, " "); t != "" {
			out = append(out, pre+"  "+t)
		}
	}
	return out
}

func (p *plain) hint(n *node, hint string) []string {
	var out []string
	for _, h := range n.newHints(p.style, hint) {
		out = append(out, p.prefix(n)+"hint: "+h)
	}
	return out
}

func (p *plain) pulse(pre string, s *step, now time.Time) []string {
	if now.Sub(s.told) < plainPulse {
		return nil
	}
	s.told = now
	line := pre + string(s.name) + " ..."
	if s.done > 0 || s.expected > 0 {
		line += " " + strings.TrimSpace(formatAmount(s.done, s.expected, p.style.clean(s.unit)))
	}
	return []string{line + " (" + formatSeconds(now.Sub(s.started)) + ")"}
}

func (p *plain) logLine(pre string, s *step, e event.Event, now time.Time) []string {
	line := p.style.clean(e.Message)
	if s != nil {
		s.log.add(line)
	}
	switch {
	case p.quiet:
		return nil
	case s == nil:
		return []string{pre + "| " + line}
	case p.verbose || spoken(s.name):
		s.told = now
		return []string{pre + string(s.name) + " | " + line}
	}
	return p.pulse(pre, s, now)
}

func (p *plain) logTail(pre string, s *step) []string {
	var out []string
	lines := s.log.last(tailLines)
	if n := s.log.total - len(lines); n > 0 {
		out = append(out, pre+string(s.name)+" | ... "+plural(int64(n), "earlier line"))
	}
	for _, l := range lines {
		out = append(out, pre+string(s.name)+" | "+l)
	}
	return out
}

func (p *plain) closure(pre string, d *event.ClosureDiff) []string {
	limit := plainPackages
	if p.verbose {
		limit = 0
	}
	t := p.style.closureText(d, limit)
	pre += "closure: "
	out := []string{pre + t.summary}
	for _, r := range t.rows {
		words := make([]string, 0, 4)
		delta := r.delta
		if delta != "" {
			delta = "(" + delta + ")"
		}
		for _, w := range []string{r.sign, r.name, r.versions, delta} {
			if w != "" {
				words = append(words, w)
			}
		}
		out = append(out, pre+strings.Join(words, " "))
	}
	if t.more != "" {
		out = append(out, pre+"... "+t.more)
	}
	return out
}

func (p *plain) outcome(pre string, n *node, e event.Event) []string {
	v := p.style.verdictOf(n, e)
	var out []string
	text := strings.TrimPrefix(v.alone(), string(e.Outcome)+" ") // interrupted: interrupted while …
	out = append(out, pre+string(e.Outcome)+": "+text+" ("+FormatDuration(n.total)+")")
	if e.Message != "" && !said(&n.why, e.Message) {
		out = append(out, p.more(pre+"reason", ": ", pre, p.style.lines(e.Message))...)
	}
	return append(out, p.hint(n, e.Hint)...)
}

// end returns what is to be said when nothing more comes.
func (p *plain) end(now time.Time) []string {
	var out []string
	for _, n := range p.book.nodes {
		if n.finished {
			continue
		}
		out = append(out, n.held...)
		n.held = nil
		for _, s := range n.running {
			out = append(out, p.prefix(n)+string(s.name)+" ... stopped ("+FormatDuration(now.Sub(s.started))+")")
		}
	}
	if len(p.book.nodes) > 1 && !p.quiet {
		out = append(out, tally(p.book.nodes))
	}
	return out
}
