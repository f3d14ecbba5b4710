package ui

import (
	"io"
	"os"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/fail"
)

// Error writes err as
//
//	PROGRAM: error: what went wrong
//	PROGRAM: hint: a command that helps
//
// and nothing if err is nil. The first words are the same on a terminal and
// elsewhere, so that they can be searched for.
func Error(w io.Writer, program string, err error) {
	if err == nil {
		return
	}
	s := StyleOf(w, os.Environ())
	if s.Width == 0 {
		s.UTF8 = true
	}
	var b strings.Builder
	put := func(word string, t Tone, text string) {
		for i, line := range s.lines(text) {
			switch {
			case i == 0:
				b.WriteString(program + ": " + s.Paint(t, word+":") + " " + line + "\n")
			case strings.TrimSpace(line) != "":
				b.WriteString("  " + line + "\n")
			}
		}
	}
	put("error", Bad, err.Error())
	seen := map[string]bool{}
	for _, h := range fail.HintsOf(err) {
		if !seen[h] {
			seen[h] = true
			put("hint", Accent, h)
		}
	}
	_, _ = io.WriteString(w, b.String()) // there is nobody to tell that this failed
}

// ParseError is Error backwards: it finds what a program wrote with it among
// whatever else there is on its stderr. text is empty where there is nothing.
func ParseError(program, stderr string) (text string, hints []string) {
	var lines []string
	into := func(string) {}
	for line := range strings.SplitSeq(stderr, "\n") {
		if e, ok := strings.CutPrefix(line, program+": error: "); ok {
			lines = []string{e}
			into = func(more string) { lines = append(lines, more) }
		} else if hint, ok := strings.CutPrefix(line, program+": hint: "); ok {
			hints = append(hints, hint)
			into = func(more string) { hints[len(hints)-1] += "\n" + more }
		} else if more, ok := strings.CutPrefix(line, "  "); ok {
			into(more)
		}
	}
	return strings.Join(lines, "\n"), hints
}
