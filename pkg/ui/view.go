package ui

import (
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/event"
)

// blockColumns bounds the block's lines: a terminal that gets narrower breaks
// lines that are longer, and what is broken cannot be drawn anew.
const blockColumns = 100

// view returns the lines of the block that is drawn anew: what runs now.
func (l *live) view(now time.Time) []string {
	b := *l
	b.style.Width = min(b.style.Width, blockColumns)
	rows := 12
	if b.style.Rows > 0 {
		// Lines that scroll up need room above the block.
		rows = max(1, min(b.style.Rows/2, b.style.Rows-3))
	}
	if b.many() {
		return b.viewMany(now, rows)
	}
	return b.viewOne(now, rows)
}

// viewOne is a line for each step of one node that runs, and below the last
// of them the end of its log.
func (l *live) viewOne(now time.Time, rows int) []string {
	var out []string
	for _, n := range l.book.nodes {
		for i, s := range n.running {
			if s.name == event.Connect {
				// ssh may ask for a passphrase meanwhile: not on our line.
				continue
			}
			out = append(out, l.style.fit("  "+l.spin()+" "+pad(l.style.clean(string(s.name)), stepColumn)+l.clock(now, s.started)+l.doing(s, 0)))
			if i == len(n.running)-1 && now.Sub(s.started) >= logAfter && !l.verbose && !spoken(s.name) {
				for _, line := range s.log.last(min(logRows, rows-len(out))) {
					out = append(out, l.logLine("", line))
				}
			}
		}
	}
	return out[:min(len(out), rows)]
}

// viewMany is one line for each node that runs or waits to.
func (l *live) viewMany(now time.Time, rows int) []string {
	var out []string
	for _, n := range l.book.nodes {
		if n.finished {
			continue
		}
		label := l.nodeLabel(n)
		s := n.current()
		var line string
		switch {
		case n.started.IsZero():
			line = "  " + l.style.Paint(Faint, l.style.symbols().note+" "+label)
		case s == nil:
			line = "  " + l.spin() + " " + label + l.clock(now, n.started)
		default:
			line = "  " + l.spin() + " " + label + l.clock(now, n.started) + "  " + pad(l.style.clean(string(s.name)), stepColumn)
			line += l.doing(s, width(label)+2)
		}
		out = append(out, l.style.fit(line))
	}
	if len(out) > rows {
		more := len(out) - rows + 1
		text := l.style.symbols().ellipsis + " " + plural(int64(more), "more node")
		out = append(out[:rows-1], l.style.fit("    "+l.style.Paint(Faint, text)))
	}
	return out
}

func (l *live) spin() string {
	frames := l.style.symbols().spinner
	return l.style.Paint(Accent, frames[l.frame%len(frames)])
}

// clock is empty in the first second: most steps end before they need one.
func (l *live) clock(now, since time.Time) string {
	if l.narrow() {
		return ""
	}
	if now.Sub(since) < time.Second {
		return strings.Repeat(" ", 1+timeColumn)
	}
	return " " + l.style.Paint(Faint, padLeft(formatSeconds(now.Sub(since)), timeColumn))
}

// doing is how far a step is, and what it is at.
func (l *live) doing(s *step, taken int) string {
	var parts []string
	if s.expected > 0 {
		if w := barWidth(l.style.Width - taken); w > 0 {
			parts = append(parts, l.style.bar(s.done, s.expected, w))
		}
	}
	if s.done > 0 || s.expected > 0 {
		unit := l.style.clean(s.unit)
		if l.narrow() && unit != "bytes" {
			unit = ""
		}
		amount := formatAmount(s.done, s.expected, unit)
		if l.many() && !l.narrow() {
			amount = pad(amount, 12)
		}
		parts = append(parts, amount)
	}
	detail := l.style.clean(s.detail)
	if detail == "" && l.many() && len(s.log.lines) > 0 {
		detail = s.log.lines[len(s.log.lines)-1]
	}
	if detail != "" {
		parts = append(parts, l.style.Paint(Faint, detail))
	}
	if len(parts) == 0 {
		return ""
	}
	return "  " + strings.Join(parts, "  ")
}

// barWidth is the room for a bar when a line has the given columns.
func barWidth(columns int) int {
	if columns <= 0 || columns >= barSpare+barColumns {
		return barColumns
	}
	if w := columns - barSpare; w >= 6 {
		return w
	}
	return 0
}
