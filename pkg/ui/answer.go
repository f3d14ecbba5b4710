package ui

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// What commands need that draw an answer which is no table.

// series are the colours that tell things of one kind apart; red and green
// mean something already, so they are not among them.
var series = []string{"\x1b[36m", "\x1b[35m", "\x1b[94m", "\x1b[33m", "\x1b[96m", "\x1b[95m", "\x1b[34m", "\x1b[93m"}

// PaintSeries returns clean text in the n-th of the colours that tell things of one kind apart.
func (s Style) PaintSeries(n int, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return series[n%len(series)] + text + "\x1b[m"
}

// AnswerStyle is StyleOf for standard output; a file takes any characters.
func AnswerStyle(w io.Writer) Style { return answerStyle(w) }

// Line makes foreign text one line of at most max columns (0: any) that s can show.
func (s Style) Line(text string, max int) string {
	if text = s.clean(text); max > 0 {
		return s.cut(text, max)
	}
	return text
}

// Paragraph makes foreign text lines that fit s, broken at spaces. The first
// begins with first, the others with rest; both are clean, without escape sequences.
func (s Style) Paragraph(first, rest, text string) string {
	var b strings.Builder
	lead := first
	for _, line := range s.lines(text) {
		for _, w := range s.wrap(line, max(s.Width-1-width(rest), 20)) {
			b.WriteString(lead + w + "\n")
			lead = rest
		}
	}
	return b.String()
}

// Width is the number of columns that text takes.
func Width(text string) int { return width(text) }

// FormatAgo says when t was, seen from now.
func FormatAgo(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	switch d := now.Sub(t); {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	default:
		return t.Local().Format("2006-01-02")
	}
}
