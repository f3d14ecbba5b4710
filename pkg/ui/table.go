package ui

import (
	"io"
	"os"
	"strings"
)

// Cell is one entry of a Table.
type Cell struct {
	Text string
	Tone Tone
}

// Column describes a column of a Table.
type Column struct {
	Title string
	Right bool // numbers align at the right
	// Min is how narrow the column may be cut on a narrow terminal; 0: it is
	// essential and never cut.
	Min int
	// Wrap has the last column go on below itself where it would be cut: its
	// text says something that nothing else does.
	Wrap bool
}

// Table is an answer in columns. The order of rows stays; a file or a pipe gets
// everything in full, a row a line.
type Table struct {
	Columns []Column
	Rows    [][]Cell
	below   map[int]string
}

// Add appends a row.
func (t *Table) Add(cells ...Cell) { t.Rows = append(t.Rows, cells) }

// Below adds lines that stand below the row that was added last.
func (t *Table) Below(lines string) {
	if t.below == nil {
		t.below = map[int]string{}
	}
	t.below[len(t.Rows)-1] += lines
}

const columnGap = "  "

// Print writes the table to w as fits w.
func (t *Table) Print(w io.Writer) error {
	_, err := io.WriteString(w, t.Format(answerStyle(w)))
	return err
}

// answerStyle is StyleOf for standard output; a file takes any characters.
func answerStyle(w io.Writer) Style {
	s := StyleOf(w, os.Environ())
	if s.Width == 0 {
		s.UTF8 = true
	}
	return s
}

// Format returns the table as text.
func (t *Table) Format(s Style) string {
	rows := make([][]Cell, len(t.Rows))
	widths := make([]int, len(t.Columns))
	titled := false
	for i, c := range t.Columns {
		widths[i] = width(c.Title)
		titled = titled || c.Title != ""
	}
	for i, row := range t.Rows {
		rows[i] = make([]Cell, len(row))
		for j, c := range row[:min(len(row), len(widths))] {
			c.Text = s.clean(c.Text)
			rows[i][j] = c
			widths[j] = max(widths[j], width(c.Text))
		}
	}
	lines := t.layout(widths, s.Width)
	var b strings.Builder
	if titled {
		head := make([]Cell, len(t.Columns))
		for i, c := range t.Columns {
			head[i] = Cell{c.Title, Faint}
		}
		b.WriteString(t.row(s, head, widths, lines))
	}
	for i, row := range rows {
		b.WriteString(t.row(s, row, widths, lines) + t.below[i])
	}
	return b.String()
}

// indent is what columns for which a line has no room begin with.
const indent = "    "

// layout makes widths fit limit, and says which columns stand together on a
// line: all of them where that can be.
func (t *Table) layout(widths []int, limit int) (lines [][]int) {
	all := make([]int, len(widths))
	for i := range all {
		all[i] = i
	}
	if len(all) == 0 || limit <= 0 || t.least(all, widths) <= limit-1 {
		t.shrink(all, widths, limit-1)
		return [][]int{all}
	}
	room := func() int {
		if len(lines) > 0 {
			return limit - 1 - len(indent)
		}
		return limit - 1
	}
	from := 0
	for i := range all {
		if i > from && t.least(all[from:i+1], widths) > room() {
			t.shrink(all[from:i], widths, room())
			lines, from = append(lines, all[from:i]), i
		}
	}
	t.shrink(all[from:], widths, room())
	return append(lines, all[from:])
}

// least is how narrow these columns can be beside each other.
func (t *Table) least(columns, widths []int) int {
	total := len(columnGap) * (len(columns) - 1)
	for _, i := range columns {
		if w := t.Columns[i].Min; w > 0 {
			total += min(w, widths[i])
		} else {
			total += widths[i]
		}
	}
	return total
}

// shrink takes columns away from the widest of those that may be cut until
// they fit, and only then from those that go on below.
func (t *Table) shrink(columns, widths []int, limit int) {
	if limit <= 0 {
		return
	}
	total := len(columnGap) * (len(columns) - 1)
	for _, i := range columns {
		total += widths[i]
	}
	for _, wrap := range []bool{false, true} {
		for widest := 0; total > limit && widest >= 0; {
			widest = -1
			for _, i := range columns {
				if c := t.Columns[i]; c.Wrap == wrap && c.Min > 0 && widths[i] > c.Min && (widest < 0 || widths[i] > widths[widest]) {
					widest = i
				}
			}
			if widest >= 0 {
				widths[widest]--
				total--
			}
		}
	}
}

// row writes a row's cells on the lines that layout gave their columns.
func (t *Table) row(s Style, row []Cell, widths []int, lines [][]int) string {
	var out strings.Builder
	for n, columns := range lines {
		line := ""
		if n > 0 {
			line = indent
		}
		var more []string // lines of the last cell that follow
		at := width(line)
		for k, i := range columns {
			if i >= len(row) {
				break
			}
			text := row[i].Text
			switch column := t.Columns[i]; {
			case column.Wrap && width(text) > widths[i]:
				if text, more = s.beside(text, widths[i]); text == "" {
					at = len(indent)
				}
			case column.Min > 0:
				text = s.cut(text, widths[i])
			}
			fill := strings.Repeat(" ", max(0, widths[i]-width(text)))
			if text = s.Paint(row[i].Tone, text); t.Columns[i].Right {
				text = fill + text
			} else {
				text += fill
			}
			if line += text; k < len(columns)-1 {
				line += columnGap
				at += widths[i] + len(columnGap)
			}
		}
		if line = strings.TrimRight(line, " "); line != "" || n == 0 {
			out.WriteString(line + "\n")
		}
		for _, line := range more {
			out.WriteString(strings.Repeat(" ", at) + s.Paint(row[len(widths)-1].Tone, line) + "\n")
		}
	}
	return out.String()
}

// beside breaks text into lines of max columns. Where a word, such as a path,
// is wider than that, all of it goes below, as first == "" says.
func (s Style) beside(text string, max int) (first string, more []string) {
	for _, word := range strings.Fields(text) {
		if width(word) > max {
			return "", s.wrap(text, s.Width-1-len(indent))
		}
	}
	lines := s.wrap(text, max)
	return lines[0], lines[1:]
}
