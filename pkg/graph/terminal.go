package graph

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/ui"
)

// Terminal draws l for a terminal, or for a file as plain text. now is what times are seen from.
func Terminal(w io.Writer, l *Layout, s ui.Style, now time.Time) error {
	t := terminal{Layout: l, style: s, now: now, signs: unicodeSigns}
	if !s.UTF8 {
		t.signs = asciiSigns
	}
	t.measure()
	t.header()
	t.trace()
	for i := range l.Commits {
		t.commit(i)
	}
	t.footer()
	_, err := io.WriteString(w, t.out.String())
	return err
}

// signs are the characters of the drawing. box is indexed by the directions that a line takes from a cell.
type signs struct {
	box                                       [16]string
	commit, merge                             string
	marks                                     [RunsOnly + 1]string
	track, note, cut, arrow, headline, corner string
}

const (
	up = 1 << iota
	down
	left
	right
)

var (
	unicodeSigns = signs{
		box:    [16]string{" ", "│", "│", "│", "─", "╯", "╮", "┤", "─", "╰", "╭", "├", "─", "┴", "┬", "┼"},
		commit: "●", merge: "◉",
		marks: [RunsOnly + 1]string{" ", "○", "·", "✗", "▲", "●", "◆"},
		track: "│", note: "✗", cut: "┆", arrow: "←", headline: "─", corner: "╭",
	}
	asciiSigns = signs{
		box:    [16]string{" ", "|", "|", "|", "-", "'", ".", "+", "-", "`", ".", "+", "-", "+", "+", "+"},
		commit: "*", merge: "M",
		marks: [RunsOnly + 1]string{" ", "o", ".", "x", "^", "@", "#"},
		track: "|", note: "x", cut: ":", arrow: "<-", headline: "-", corner: ".",
	}
)

type terminal struct {
	*Layout
	style ui.Style
	signs signs
	now   time.Time
	out   strings.Builder

	width  int  // columns, 0: any
	lanes  int  // lanes that are drawn
	tracks bool // whether there is room for the nodes' tracks
	cells  [][]cell
}

// cell is one character of the lanes.
type cell struct {
	bits int
	node string
	red  bool
}

// measure decides what there is room for: the text comes first.
func (t *terminal) measure() {
	t.width, t.lanes, t.tracks = 0, t.Lanes, len(t.Nodes) > 0 && len(t.Nodes) <= 24
	if t.style.Width > 0 {
		t.width = max(t.style.Width-1, 20)
		t.tracks = t.tracks && 2*len(t.Nodes) <= t.width/4
		t.lanes = min(t.lanes, max(2, t.width/6))
	}
}

// trace draws the edges to the cells: two for each lane, of which the second is the gap.
func (t *terminal) trace() {
	t.cells = make([][]cell, len(t.Commits))
	for i := range t.cells {
		t.cells[i] = make([]cell, 2*t.Lanes)
	}
	// The line of HEAD comes last, and so over the others.
	edges := slices.Clone(t.Edges)
	slices.SortStableFunc(edges, func(a, b Edge) int { return strings.Compare(b.Node, a.Node) })
	for _, e := range edges {
		t.horizontal(e.Child, t.Lane[e.Child], e.Lane, down, e.Node)
		for row := e.Child + 1; row < min(e.Parent, len(t.Commits)); row++ {
			t.set(row, 2*e.Lane, up|down, e.Node)
		}
		if e.Parent < len(t.Commits) {
			t.horizontal(e.Parent, t.Lane[e.Parent], e.Lane, up, e.Node)
		}
	}
}

// horizontal goes in row from a commit's lane to another, and there up or down.
func (t *terminal) horizontal(row, from, to, turn int, node string) {
	toward, back := right, left
	if to < from {
		toward, back = left, right
	}
	if from == to {
		t.set(row, 2*to, turn, node)
		return
	}
	step := 1
	if to < from {
		step = -1
	}
	t.set(row, 2*from, toward, node)
	for x := 2*from + step; x != 2*to; x += step {
		t.set(row, x, left|right, node)
	}
	t.set(row, 2*to, turn|back, node)
}

func (t *terminal) set(row, x, bits int, node string) {
	c := &t.cells[row][x]
	if c.bits == 0 || bits&(up|down) != 0 {
		c.node = node
	}
	c.bits |= bits
}

func (t *terminal) paint(node, text string) string {
	for i := range t.Nodes {
		if t.Nodes[i].Name == node {
			return t.style.PaintSeries(t.Nodes[i].Color, text)
		}
	}
	return text
}

// header names the tracks, each with a line to where it begins.
func (t *terminal) header() {
	for i := range t.Nodes {
		n := &t.Nodes[i]
		indent := ""
		if t.tracks {
			indent = strings.Repeat(" ", 2*t.lanes)
			for j := range i {
				indent += t.style.PaintSeries(t.Nodes[j].Color, t.signs.track) + " "
			}
			indent += t.style.PaintSeries(n.Color, t.signs.corner+strings.Repeat(t.signs.headline, 2*(len(t.Nodes)-i)-1)) + " "
		}
		name := t.style.Line(n.Name, 24)
		state, tone := t.state(n)
		room := 0
		if t.width > 0 {
			room = max(t.width-2*t.lanes-2*len(t.Nodes)-2-ui.Width(name), 1)
			if !t.tracks {
				room = max(t.width-2-ui.Width(name), 1)
			}
		}
		t.line(indent + t.style.PaintSeries(n.Color, name) + "  " + t.style.Paint(tone, t.style.Line(state, room)))
	}
}

// state says of a node what the drawing cannot.
func (t *terminal) state(n *Node) (string, ui.Tone) {
	if n.Last == nil {
		return "no deployment seen", ui.Faint
	}
	text := fmt.Sprintf("%s %s", n.Last.Outcome, ui.FormatAgo(n.Last.Finished, t.now))
	if n.Last.By != "" {
		text += " by " + n.Last.By
	}
	switch {
	case n.Last.Bad():
		return text + reason(*n.Last), ui.Bad
	case n.Pinned:
		return "pinned; " + text, ui.Warn
	case n.Boot != "" && n.Boot != n.Current:
		return "waits for a reboot; " + text, ui.Warn
	}
	return text, ui.Faint
}

func reason(d Deployment) string {
	if d.Reason == "" {
		return ""
	}
	return ": " + d.Reason
}

// lanesOf draws a row of the lanes. below draws only the lines that go on downwards.
func (t *terminal) lanesOf(row int, below bool) string {
	var b strings.Builder
	for x := 0; x < 2*t.lanes; x++ {
		c := t.cells[row][x]
		text := t.signs.box[c.bits]
		switch {
		case below:
			if text = " "; c.bits&down != 0 {
				text = t.signs.box[up|down]
			}
		case x == 2*t.Lane[row]:
			b.WriteString(t.dot(row))
			continue
		case x == 2*t.lanes-1 && t.lanes < t.Lanes:
			text = t.signs.cut
		}
		b.WriteString(t.paint(c.node, text))
	}
	return b.String()
}

// dot is the commit itself; where all that was tried with it failed it is that failure.
func (t *terminal) dot(row int) string {
	c := t.Commits[row]
	if len(c.Deployments) > 0 && !slices.ContainsFunc(c.Deployments, func(d Deployment) bool { return !d.Bad() }) {
		return t.style.Paint(ui.Bad, t.signs.marks[Failed])
	}
	sign := t.signs.commit
	if len(c.Parents) > 1 {
		sign = t.signs.merge
	}
	return t.paint(c.Node, sign)
}

// tracksOf draws a row of the tracks.
func (t *terminal) tracksOf(row int, below bool) string {
	if !t.tracks {
		return ""
	}
	var b strings.Builder
	for i := range t.Nodes {
		n, track := &t.Nodes[i], t.Tracks[i]
		mark := MarkOf(n, &t.Commits[row])
		text := t.style.PaintSeries(n.Color, t.signs.marks[mark])
		switch {
		case below || mark == None:
			text = " "
			last := track.Bottom
			if row < last || row == last && !below {
				text = t.style.PaintSeries(n.Color, t.signs.track)
				if row < track.Top {
					text = t.style.Paint(ui.Faint, t.signs.cut)
				}
			}
		case mark == Failed:
			text = t.style.Paint(ui.Bad, t.signs.marks[mark])
		case mark == RunsOnly, mark == Next:
			text = t.style.Paint(ui.Warn, t.signs.marks[mark])
		}
		b.WriteString(text + " ")
	}
	return b.String()
}

// commit draws one commit, and a line for each node where it failed.
func (t *terminal) commit(row int) {
	c := &t.Commits[row]
	left := t.lanesOf(row, false) + t.tracksOf(row, false)
	used := 2 * t.lanes
	if t.tracks {
		used += 2 * len(t.Nodes)
	}
	id := c.ID[:min(8, len(c.ID))]
	text := t.style.Paint(ui.Faint, id) + " "
	used += ui.Width(id) + 1
	labels, labelled := t.labels(c)
	text += labels
	used += labelled
	by := t.by(c)
	subject := t.style.Line(c.Subject, 0)
	if t.width > 0 {
		room := t.width - used
		by = t.style.Line(by, max(room/3, 1))
		if room < 24 {
			by = ""
		}
		room -= ui.Width(by)
		if by != "" {
			room -= 2
		}
		subject = t.style.Line(subject, max(room, 1))
		if by != "" {
			subject += strings.Repeat(" ", max(room-ui.Width(subject), 0))
		}
	}
	if by != "" {
		by = "  " + t.style.Paint(ui.Faint, by)
	}
	t.line(left + text + subject + by)
	for _, d := range c.Deployments {
		if d.Bad() {
			t.failure(row, d)
		}
	}
}

func (t *terminal) failure(row int, d Deployment) {
	left := t.lanesOf(row, true) + t.tracksOf(row, true)
	used := 2 * t.lanes
	if t.tracks {
		used += 2 * len(t.Nodes)
	}
	text := fmt.Sprintf("%s %s: %s %s", t.signs.note, d.Node, d.Outcome, ui.FormatAgo(d.Finished, t.now))
	if d.By != "" {
		text += " by " + d.By
	}
	room := 0
	if t.width > 0 {
		room = max(t.width-used-9, 1)
	}
	t.line(left + strings.Repeat(" ", 9) + t.style.Paint(ui.Bad, t.style.Line(text+reason(d), room)))
}

// by says who made a commit, and who brought it to which nodes if that was somebody else.
func (t *terminal) by(c *Commit) string {
	var by, nodes []string
	for _, d := range c.Deployments {
		if d.Bad() {
			continue
		}
		if !t.tracks && !slices.Contains(nodes, d.Node) {
			nodes = append(nodes, d.Node)
		}
		if d.By != "" && d.By != c.Author && !slices.Contains(by, d.By) {
			by = append(by, d.By)
		}
	}
	text := c.Author
	if len(nodes) > 0 {
		text = strings.Join(nodes, " ") + " " + t.signs.arrow + " " + text
	}
	if len(by) > 0 {
		text += " (deployed by " + strings.Join(by, ", ") + ")"
	}
	return text
}

// labels are what names this commit: HEAD's branch, and the nodes that run it.
func (t *terminal) labels(c *Commit) (text string, columns int) {
	add := func(label, painted string) {
		text += painted + " "
		columns += ui.Width(label) + 1
	}
	if t.Head == c.ID {
		label := t.style.Line(strings.TrimSpace("HEAD "+t.Branch), 24)
		add("["+label+"]", t.style.Paint(ui.Strong, "["+label+"]"))
	}
	for i := range t.Nodes {
		n := &t.Nodes[i]
		if n.Current != c.ID {
			continue
		}
		label := "[" + t.style.Line(n.Name, 24) + "]"
		if t.width > 0 && columns+ui.Width(label)+1 > t.width/3 {
			add("+", "+")
			break
		}
		add(label, t.style.PaintSeries(n.Color, label))
	}
	return text, columns
}

func (t *terminal) footer() {
	if t.More {
		t.line(t.style.Paint(ui.Faint, "older commits are left out (-n 0 shows all)"))
	}
	legend := []string{t.signs.marks[Failed] + " failed everywhere"}
	if m := t.signs.marks; t.tracks {
		legend = []string{m[Runs] + " runs", m[RunsOnly] + " runs, pinned", m[Next] + " boots next",
			m[Past] + " ran before", m[Failed] + " failed", m[Skipped] + " skipped"}
	}
	t.line("")
	line := ""
	for _, entry := range append(legend, t.signs.commit+" commit", t.signs.merge+" merge") {
		if line != "" && t.width > 0 && ui.Width(line)+2+ui.Width(entry) > t.width {
			t.line(t.style.Paint(ui.Faint, line))
			line = ""
		}
		if line != "" {
			line += "  "
		}
		line += entry
	}
	t.line(t.style.Paint(ui.Faint, line))
}

func (t *terminal) line(text string) { t.out.WriteString(strings.TrimRight(text, " ") + "\n") }
