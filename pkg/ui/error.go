package ui

import (
	"io"
	"slices"
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
	tell(w, answerStyle(w).message(program, "error", Bad, err))
}

// Warning is Error for what did not end the program.
func Warning(w io.Writer, program string, err error) {
	tell(w, answerStyle(w).message(program, "warning", Warn, err))
}

// Hint writes a hint without an error, as Error does.
func Hint(w io.Writer, program, hint string) {
	tell(w, answerStyle(w).hint(program, hint))
}

func tell(w io.Writer, text string) {
	_, _ = io.WriteString(w, text) // there is nobody to tell that this failed
}

// message is an error or a warning and its hints, in lines that fit.
func (s Style) message(program, word string, t Tone, err error) string {
	var lines []string
	for i, line := range s.lines(err.Error()) {
		if head := width(program + ": " + word + ": "); i == 0 {
			lines = s.wrapAfter(head, line, "", s.Width-1-len("  "))
		} else {
			lines = append(lines, s.wrap(line, s.Width-1-len("  "))...)
		}
	}
	text := s.labelled(program, word, t, lines)
	seen := map[string]bool{}
	for _, h := range fail.HintsOf(err) {
		if !seen[h] {
			seen[h] = true
			text += s.hint(program, h)
		}
	}
	return text
}

func (s Style) hint(program, hint string) string {
	var lines []string
	for _, line := range s.lines(hint) {
		lines = append(lines, s.hintLines(width(program+": hint: "), line, s.Width-1-len("  "))...)
	}
	return s.labelled(program, "hint", Accent, lines)
}

// labelled puts the program's name and a word before the first of lines, and the others below.
func (s Style) labelled(program, word string, t Tone, lines []string) string {
	text := program + ": " + s.Paint(t, word+":") + " " + lines[0] + "\n"
	for _, line := range lines[1:] {
		if strings.TrimSpace(line) != "" {
			text += "  " + line + "\n"
		}
	}
	return text
}

// remark is what stands between a command and what it does.
const remark = "    # "

// commands are what hints that can be typed begin with.
var commands = []string{"git ", "git-deploy ", "make ", "nix ", "ssh ", "sudo "}

// Hint is a hint that belongs to what stands above it.
func (s Style) Hint(hint string) string {
	var b strings.Builder
	for _, h := range s.lines(hint) {
		lead := "  " + s.Paint(Accent, "hint:") + " "
		for _, line := range s.hintLines(width("  hint: "), h, s.Width-1-len(indent)) {
			b.WriteString(indent[:2] + lead + line + "\n")
			lead = "  "
		}
	}
	return b.String()
}

// hintLines breaks a hint into lines of limit columns, the first of which
// stands behind head columns. A command stays in one piece, so that it can be
// copied: only what is remarked on it moves.
func (s Style) hintLines(head int, hint string, limit int) []string {
	if s.Width <= 0 || head+width(hint) < s.Width {
		return []string{hint}
	}
	command, said, remarked := strings.Cut(hint, remark)
	if !remarked && !slices.ContainsFunc(commands, func(c string) bool { return strings.HasPrefix(hint, c) }) {
		return s.wrapAfter(head, hint, "  ", limit)
	}
	lines := []string{command}
	if remarked {
		for _, line := range s.wrap(said, limit-len("  # ")) {
			lines = append(lines, "  # "+line)
		}
	}
	return lines
}

// wrapAfter is wrap for text whose first line stands behind head columns, and
// whose others begin with indent.
func (s Style) wrapAfter(head int, text, indent string, limit int) []string {
	if s.Width <= 0 || head+width(text) < s.Width {
		return []string{text}
	}
	limit = max(limit-len(indent), 8)
	lead := strings.Repeat("_", max(limit-(s.Width-1-head)-1, 1))
	lines := s.wrap(lead+" "+text, limit)
	lines[0] = strings.TrimPrefix(strings.TrimPrefix(lines[0], lead), " ")
	for i := range lines[1:] {
		lines[1+i] = indent + lines[1+i]
	}
	return lines
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
