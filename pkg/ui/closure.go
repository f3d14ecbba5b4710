package ui

import (
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/event"
)

// closureRow is one package of a closure's difference, as text.
type closureRow struct{ sign, name, versions, delta string }

// closureText is a closure's difference for people: one line that sums it up,
// and the packages as far as a limit allows.
type closureText struct {
	summary string
	rows    []closureRow
	more    string // what was cut
}

// PrintClosure writes what a node's system would gain and lose to w, as an answer.
func PrintClosure(w io.Writer, node string, d *event.ClosureDiff) error {
	p := plain{style: answerStyle(w), verbose: true}
	p.style.asciiSigns = p.style.Width == 0
	_, err := io.WriteString(w, join(p.closure(Clean(node)+": ", d)))
	return err
}

// closureText words d with at most limit packages; 0 is no limit.
func (s Style) closureText(d *event.ClosureDiff, limit int) closureText {
	var t closureText
	all := len(d.Added) + len(d.Removed) + len(d.Changed)
	switch {
	case d.From == "" && limit > 0:
		t.summary = "the first system: " + plural(int64(all), "package") + ", " + FormatBytes(d.Size)
		return t
	case d.Empty():
		t.summary = "no package differs"
		return t
	}
	// Packages that were only built anew drown the others: they are a number.
	changed, rebuilt := d.Changed, 0
	if limit > 0 {
		changed = nil
		for _, p := range d.Changed {
			if slices.Equal(p.From, p.To) {
				rebuilt++
				continue
			}
			changed = append(changed, p)
		}
	}
	t.summary = closureCounts(d, rebuilt)
	if d.Derivations {
		t.summary += " (by derivation)"
	} else {
		t.summary += "; " + FormatBytes(d.Size) + " (" + formatDelta(d.Delta()) + ")"
	}
	if limit <= 0 {
		limit = all
	}
	left := 0
	for _, group := range []struct {
		sign string
		list []event.PackageChange
	}{{"", changed}, {"+", d.Added}, {"-", d.Removed}} {
		for _, p := range group.list {
			if len(t.rows) == limit {
				left++
				continue
			}
			t.rows = append(t.rows, s.closureRow(group.sign, p, !d.Derivations))
		}
	}
	if left > 0 {
		t.more = strconv.Itoa(left) + " more"
	}
	return t
}

// closureCounts writes 3 changed, 1 added, 14 rebuilt.
func closureCounts(d *event.ClosureDiff, rebuilt int) string {
	var parts []string
	for _, c := range []struct {
		n    int
		word string
	}{{len(d.Changed) - rebuilt, "changed"}, {len(d.Added), "added"}, {len(d.Removed), "removed"}, {rebuilt, "rebuilt"}} {
		if c.n > 0 {
			parts = append(parts, strconv.Itoa(c.n)+" "+c.word)
		}
	}
	return strings.Join(parts, ", ")
}

func (s Style) closureRow(sign string, p event.PackageChange, sized bool) closureRow {
	r := closureRow{sign: sign, name: s.clean(p.Name)}
	if sized {
		r.delta = formatDelta(p.Delta)
	}
	from, to := s.versions(p.From), s.versions(p.To)
	switch {
	case sign == "+":
		r.versions = to
	case sign == "-":
		r.versions = from
	case slices.Equal(p.From, p.To):
		r.versions = strings.TrimSpace(to + " rebuilt")
	default:
		if from == "" {
			from = "none"
		}
		if to == "" {
			to = "none"
		}
		r.versions = from + " " + s.symbols().arrow + " " + to
	}
	return r
}

func (s Style) versions(list []string) string {
	var named []string
	for _, v := range list {
		if v != "" {
			named = append(named, s.clean(v))
		}
	}
	return strings.Join(named, ", ")
}

// ClosureBrief is a closure's difference in a few words: what changes its version by name, the rest as numbers.
func (s Style) ClosureBrief(d *event.ClosureDiff) string {
	if d == nil || d.Empty() {
		return "no package differs"
	}
	if d.From == "" && !d.Derivations {
		return "the first system, " + FormatBytes(d.Size)
	}
	const named = 3
	t := s.closureText(d, named)
	var parts []string
	for _, r := range t.rows {
		parts = append(parts, strings.TrimSpace(r.sign+r.name+" "+r.versions))
	}
	if t.more != "" {
		parts = append(parts, t.more)
	}
	if len(parts) == 0 {
		return t.summary
	}
	return strings.Join(parts, ", ")
}

// closureBrief is the difference in a few words, for a line about a whole node.
func closureBrief(d *event.ClosureDiff) string {
	if d == nil || d.Empty() {
		return ""
	}
	if d.From == "" {
		return FormatBytes(d.Size)
	}
	rebuilt := 0
	for _, p := range d.Changed {
		if slices.Equal(p.From, p.To) {
			rebuilt++
		}
	}
	return closureCounts(d, rebuilt) + " (" + formatDelta(d.Delta()) + ")"
}
