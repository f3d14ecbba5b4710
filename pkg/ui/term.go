package ui

import (
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// Tone is what a piece of text means; the Style decides how that looks.
type Tone int

const (
	Normal Tone = iota
	Good        // it went as wished
	Bad         // it did not
	Warn        // a person should look
	Accent      // what is going on now
	Faint       // beside the point
	Strong      // the point
)

// Style is what a terminal, or a file, can show.
type Style struct {
	Color bool // SGR sequences may be used
	UTF8  bool // characters outside ASCII may be used
	Width int  // columns; 0: unlimited, as for a file
	Rows  int  // 0: unknown

	asciiSigns bool // our own signs stay ASCII even where UTF8 holds
}

// StyleOf finds out what w can show, given the environment (os.Environ).
// What is not a terminal gets no colour and no limit of width.
func StyleOf(w io.Writer, env []string) Style {
	s := Style{UTF8: localeUTF8(env)}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return s
	}
	if cols, rows, err := term.GetSize(int(f.Fd())); err == nil && cols > 0 {
		s.Width, s.Rows = cols, rows
	}
	s.Color = colorTerm(getenv(env, "TERM")) && getenv(env, "NO_COLOR") == ""
	return s
}

// Interactive reports whether there is somebody at r who can be asked.
func Interactive(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// colorTerm goes by the terminal's name: asking terminfo or the terminal
// itself costs more than a wrong guess here.
func colorTerm(name string) bool {
	switch {
	case name == "", name == "dumb", name == "unknown", name == "cons25-m":
		return false
	case strings.HasPrefix(name, "vt1"), strings.HasPrefix(name, "vt2"), strings.HasPrefix(name, "vt5"):
		return false
	case strings.HasSuffix(name, "-m"), strings.HasSuffix(name, "-mono"):
		return false
	}
	return true
}

// localeUTF8 follows POSIX: LC_ALL, else LC_CTYPE, else LANG; none means C.
func localeUTF8(env []string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(getenv(env, name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}

// getenv returns the last value of name, as the shell would see it.
func getenv(env []string, name string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(env[i], name+"="); ok {
			return v
		}
	}
	return ""
}

var sgr = map[Tone]string{
	Good: "\x1b[32m", Bad: "\x1b[31m", Warn: "\x1b[33m", Accent: "\x1b[36m", Faint: "\x1b[2m", Strong: "\x1b[1m",
}

// Paint returns text in the given tone. The text must be clean (see Clean).
func (s Style) Paint(t Tone, text string) string {
	code := sgr[t]
	if !s.Color || code == "" || text == "" {
		return text
	}
	return code + text + "\x1b[m"
}

// symbols are the few signs that output is made of.
type symbols struct {
	ok, bad, back, warn, note, stop, hint string
	arrow, ellipsis, rule                 string
	full, half, empty                     string
	branch, last, pipe, gap               string
	spinner                               []string
}

var (
	unicodeSymbols = symbols{
		ok: "✓", bad: "✗", back: "↩", warn: "!", note: "·", stop: "–", hint: "→",
		arrow: "→", ellipsis: "…", rule: "│",
		full: "━", half: "╸", empty: "─",
		branch: "├─ ", last: "└─ ", pipe: "│  ", gap: "   ",
		spinner: []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"},
	}
	asciiSymbols = symbols{
		ok: "*", bad: "x", back: "<", warn: "!", note: ".", stop: "-", hint: ">",
		arrow: "->", ellipsis: "...", rule: "|",
		full: "#", half: "", empty: ".",
		branch: "|- ", last: "`- ", pipe: "|  ", gap: "   ",
		spinner: []string{"|", "/", "-", `\`},
	}
)

func (s Style) symbols() symbols {
	if s.UTF8 && !s.asciiSigns {
		return unicodeSymbols
	}
	return asciiSymbols
}
