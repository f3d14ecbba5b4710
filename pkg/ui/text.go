package ui

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// maxLine bounds one line of foreign text, in bytes.
const maxLine = 4096

// Clean makes one line of foreign text harmless: escape sequences, control
// characters, line and direction marks and broken UTF-8 go, tabs become
// spaces, and of a line that a carriage return overwrote its last state
// stays. What is left can only take up room.
func Clean(s string) string {
	if len(s) > maxLine {
		s = s[:maxLine]
	}
	s = strings.TrimRight(s, "\r\n")
	if plainASCII(s) {
		return s
	}
	var b strings.Builder
	marks := 0 // combining marks since the last character with a width
	column := 0
	for i := 0; i < len(s); {
		if n := escapeLen(s[i:]); n > 0 {
			i += n
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		switch {
		case r == utf8.RuneError && n == 1:
			// A rune cut at maxLine leaves no trace; a broken one does.
			if i+utf8.UTFMax < maxLine {
				b.WriteRune('\uFFFD')
				column++
			}
		case r == '\t':
			w := 8 - column%8
			b.WriteString("        "[:w])
			column += w
		case r == '\r':
			b.Reset()
			column = 0
		case r == '\n':
			b.WriteByte(' ')
			column++
		case harmful(r):
			continue
		case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r):
			if marks++; marks <= 4 && b.Len() > 0 {
				b.WriteRune(r)
			}
			continue
		default:
			b.WriteRune(r)
			column += width(string(r))
		}
		marks = 0
	}
	return b.String()
}

func plainASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// harmful are the characters that act instead of taking up room, and those on
// whose room terminals do not agree.
func harmful(r rune) bool {
	switch {
	case unicode.IsControl(r), unicode.Is(unicode.Cf, r): // directions, joiners, tags
		return true
	case r == 0x2028, r == 0x2029: // line separators
		return true
	case r >= 0xFE00 && r <= 0xFE0F: // variants
		return true
	}
	return false
}

// escapeLen returns the length of the escape sequence that s begins with, 0 if
// it begins with none. A string sequence (OSC, DCS, …) that does not end in s
// counts as its introducer alone, so that it cannot hide the rest.
func escapeLen(s string) int {
	kind, n := byte(0), 0
	switch {
	case len(s) >= 2 && s[0] == 0x1b:
		kind, n = s[1], 2
	case len(s) == 1 && s[0] == 0x1b:
		return 1
	case len(s) >= 2 && s[0] == 0xc2 && s[1] >= 0x80 && s[1] <= 0x9f: // C1 in UTF-8
		kind, n = s[1]-0x40, 2
	default:
		return 0
	}
	switch {
	case kind == '[':
		for n < len(s) && s[n] >= 0x20 && s[n] <= 0x3f {
			n++
		}
		if n < len(s) && s[n] >= 0x40 && s[n] <= 0x7e {
			n++
		}
	case kind == ']' || kind == 'P' || kind == 'X' || kind == '^' || kind == '_':
		for i := n; i < len(s); i++ {
			switch {
			case s[i] == 0x07:
				return i + 1
			case strings.HasPrefix(s[i:], "\x1b\\"), strings.HasPrefix(s[i:], "\u009c"):
				return i + 2
			}
		}
	case kind >= 0x20 && kind <= 0x2f:
		for n < len(s) && s[n] >= 0x20 && s[n] <= 0x2f {
			n++
		}
		if n < len(s) && s[n] >= 0x30 && s[n] <= 0x7e {
			n++
		}
	case kind < 0x20 || kind > 0x7e:
		return 1 // a lone escape character before something else
	}
	return n
}

// clean is Clean for where s says it is shown: without UTF-8 a terminal may
// take the bytes of a character for controls, so only ASCII remains.
func (s Style) clean(text string) string {
	text = Clean(text)
	if s.UTF8 || plainASCII(text) {
		return text
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r < 0x7f:
			return r
		case unicode.Is(unicode.Mn, r):
			return -1
		}
		return '?'
	}, text)
}

// lines cleans each line of text. Empty lines at its end go, and so does an
// "error:" that has its line for itself, as Nix writes it.
func (s Style) lines(text string) []string {
	text = strings.TrimRight(text, "\r\n\t ")
	if head, rest, ok := strings.Cut(text, "\n"); ok && Clean(head) == "error:" {
		text = rest
	}
	parts := strings.Split(text, "\n")
	indent := maxLine
	for i := range parts {
		parts[i] = s.clean(parts[i])
		if bare := strings.TrimLeft(parts[i], " "); bare != "" {
			indent = min(indent, len(parts[i])-len(bare))
		}
	}
	for i := range parts {
		parts[i] = parts[i][min(indent, len(parts[i])):]
	}
	return parts
}

// width is the number of columns of text, escape sequences aside.
func width(text string) int { return ansi.StringWidthWc(text) }

// cut shortens text to max columns, marking that it did.
func (s Style) cut(text string, max int) string {
	if max <= 0 {
		return ""
	}
	if width(text) <= max {
		return text
	}
	mark := s.symbols().ellipsis
	if width(mark) >= max {
		mark = ""
	}
	return ansi.TruncateWc(text, max, mark)
}

// fit is cut for a whole line: the last column stays free, because some
// terminals wrap when it is written.
func (s Style) fit(line string) string {
	line = strings.TrimRight(line, " ")
	if s.Width <= 0 {
		return line
	}
	return s.cut(line, max(s.Width-1, 1))
}

// wrap breaks prose without escape sequences into lines of at most limit
// columns, at spaces where that can be. What a line begins with stays.
func (s Style) wrap(text string, limit int) []string {
	if s.Width <= 0 || width(text) <= limit {
		return []string{text}
	}
	indent := text[:len(text)-len(strings.TrimLeft(text, " "))]
	if len(indent) > limit/2 {
		indent = ""
	}
	var out []string
	line := indent
	for _, word := range strings.Fields(text) {
		if line != indent && width(line)+1+width(word) <= limit {
			line += " " + word
			continue
		}
		if line != indent {
			out = append(out, line)
		}
		pieces := s.chop(word, limit-len(indent))
		for _, p := range pieces[:len(pieces)-1] {
			out = append(out, indent+p)
		}
		line = indent + pieces[len(pieces)-1]
	}
	return append(out, line)
}

// chop breaks at any character: a log's line is not prose.
func (s Style) chop(text string, max int) []string {
	if s.Width <= 0 || width(text) <= max {
		return []string{text}
	}
	return strings.Split(ansi.HardwrapWc(text, max, true), "\n")
}

// pad fills text with spaces to w columns.
func pad(text string, w int) string {
	if n := w - width(text); n > 0 {
		return text + strings.Repeat(" ", n)
	}
	return text
}

// padLeft is pad with the text at the right.
func padLeft(text string, w int) string {
	if n := w - width(text); n > 0 {
		return strings.Repeat(" ", n) + text
	}
	return text
}
