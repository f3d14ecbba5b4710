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
}

// Add appends a row.
func (t *Table) Add(cells ...Cell) { t.Rows = append(t.Rows, cells) }

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
	t.shrink(widths, s.Width)
	var b strings.Builder
	if titled {
		head := make([]Cell, len(t.Columns))
		for i, c := range t.Columns {
			head[i] = Cell{c.Title, Faint}
		}
		b.WriteString(t.line(s, head, widths))
	}
	for _, row := range rows {
		b.WriteString(t.line(s, row, widths))
	}
	return b.String()
}

// shrink takes columns away from the widest of those that may be cut until the row fits.
func (t *Table) shrink(widths []int, limit int) {
	if limit <= 0 {
		return
	}
	total := len(columnGap) * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	for ; total > limit-1; total-- {
		widest := -1
		for i, c := range t.Columns {
			if c.Min > 0 && widths[i] > c.Min && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		widths[widest]--
	}
}

func (t *Table) line(s Style, row []Cell, widths []int) string {
	var b strings.Builder
	var more []string
	at := 0
	for i, c := range row[:min(len(row), len(widths))] {
		text := c.Text
		switch column := t.Columns[i]; {
		case column.Wrap && i == len(widths)-1:
			lines := s.wrap(text, widths[i])
			text, more = lines[0], lines[1:]
		case column.Min > 0:
			text = s.cut(text, widths[i])
		}
		fill := strings.Repeat(" ", max(0, widths[i]-width(text)))
		if text = s.Paint(c.Tone, text); t.Columns[i].Right {
			text = fill + text
		} else {
			text += fill
		}
		if i > 0 {
			b.WriteString(columnGap)
		}
		b.WriteString(text)
		if i < len(widths)-1 {
			at += widths[i] + len(columnGap)
		}
	}
	out := strings.TrimRight(b.String(), " ") + "\n"
	for _, line := range more {
		out += strings.Repeat(" ", at) + s.Paint(row[len(widths)-1].Tone, line) + "\n"
	}
	return out
}
