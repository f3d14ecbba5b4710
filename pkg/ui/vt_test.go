package ui

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// vt is a terminal as far as this package needs one: it keeps what scrolled
// away and refuses every sequence that it does not know.
type vt struct {
	cols, rows int
	past       []string
	screen     [][]string // a cell is a character with its marks; "" is the second half of a wide one
	x, y       int
	hidden     bool
	rest       []byte   // of an incomplete sequence
	updates    []string // what was to be seen after each synchronised update
	errs       []string
}

func newVT(cols, rows int) *vt {
	t := &vt{cols: cols, rows: rows}
	for range rows {
		t.screen = append(t.screen, blankLine(cols))
	}
	return t
}

func blankLine(cols int) []string {
	l := make([]string, cols)
	for i := range l {
		l[i] = " "
	}
	return l
}

func (t *vt) text(line []string) string { return strings.TrimRight(strings.Join(line, ""), " ") }

// all is what scrolled away and what is on the screen, without blank lines at the end.
func (t *vt) all() string {
	lines := append([]string{}, t.past...)
	for _, l := range t.screen {
		lines = append(lines, t.text(l))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

func (t *vt) Write(p []byte) (int, error) {
	t.rest = append(t.rest, p...)
	for len(t.rest) > 0 {
		n := t.step(t.rest)
		if n == 0 {
			break
		}
		t.rest = t.rest[n:]
	}
	return len(p), nil
}

func (t *vt) step(b []byte) int {
	switch b[0] {
	case '\r':
		t.x = 0
		return 1
	case '\n':
		t.down()
		return 1
	case '\b':
		t.x = max(0, t.x-1)
		return 1
	case 0x1b:
		return t.escape(b)
	}
	if !utf8.FullRune(b) {
		return 0
	}
	r, n := utf8.DecodeRune(b)
	w := ansi.StringWidthWc(string(r))
	switch {
	case r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0:
		t.errs = append(t.errs, fmt.Sprintf("control character %q", r))
	case w == 0:
		if t.x > 0 {
			t.screen[t.y][t.x-1] += string(r)
		}
	default:
		if t.x+w > t.cols {
			t.x = 0
			t.down()
		}
		t.screen[t.y][t.x] = string(r)
		if w == 2 {
			t.screen[t.y][t.x+1] = ""
		}
		t.x += w
	}
	return n
}

func (t *vt) down() {
	if t.y < t.rows-1 {
		t.y++
		return
	}
	t.past = append(t.past, t.text(t.screen[0]))
	t.screen = append(t.screen[1:], blankLine(t.cols))
}

func (t *vt) escape(b []byte) int {
	if len(b) < 3 {
		return 0
	}
	if b[1] != '[' {
		t.errs = append(t.errs, fmt.Sprintf("sequence %q", b[:2]))
		return 2
	}
	i := 2
	for i < len(b) && b[i] >= 0x20 && b[i] <= 0x3f {
		i++
	}
	if i == len(b) {
		return 0
	}
	args, final := string(b[2:i]), b[i]
	n, _ := strconv.Atoi(args)
	one := max(n, 1)
	line := t.screen[t.y]
	switch seq := args + string(final); {
	case final == 'm', seq == "?25l", seq == "?25h":
		t.hidden = seq == "?25l" || t.hidden && final == 'm'
	case seq == "?2026h":
	case seq == "?2026l":
		t.updates = append(t.updates, t.all())
	case final == 'A':
		t.y = max(0, t.y-one)
	case final == 'B':
		t.y = min(t.rows-1, t.y+one)
	case final == 'C':
		t.x = min(t.cols-1, t.x+one)
	case final == 'D':
		t.x = max(0, t.x-one)
	case final == 'G':
		t.x = min(t.cols, one) - 1
	case final == 'J' && n == 0:
		copy(line[min(t.x, t.cols):], blankLine(t.cols))
		for y := t.y + 1; y < t.rows; y++ {
			t.screen[y] = blankLine(t.cols)
		}
	case final == 'K' && n == 0:
		copy(line[min(t.x, t.cols):], blankLine(t.cols))
	case final == 'X':
		copy(line[t.x:min(t.cols, t.x+one)], blankLine(one))
	case final == 'P':
		rest := append([]string{}, line[min(t.cols, t.x+one):]...)
		copy(line[t.x:], append(rest, blankLine(one)...))
	case final == '@':
		rest := append(blankLine(one), line[t.x:]...)
		copy(line[t.x:], rest)
	case final == 'b':
		for range one {
			t.screen[t.y][t.x] = t.screen[t.y][t.x-1]
			t.x++
		}
	case final == 'L':
		for range one {
			copy(t.screen[t.y+1:], t.screen[t.y:t.rows-1])
			t.screen[t.y] = blankLine(t.cols)
		}
	case final == 'M':
		for range one {
			copy(t.screen[t.y:], t.screen[t.y+1:])
			t.screen[t.rows-1] = blankLine(t.cols)
		}
	default:
		t.errs = append(t.errs, fmt.Sprintf("sequence %q", seq))
	}
	return i + 1
}
