package ui

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                            "plain",
		"\x1b[31mred\x1b[0m":               "red",
		"\x1b]0;title\x07text":             "text",
		"\x1b]0;title\x1b\\text":           "text",
		"\x1b]0;never ends":                "0;never ends",
		"\u009b31mc1":                      "c1",
		"\x9b31mbyte":                      "\uFFFD31mbyte",
		"10%\r50%\r100%\r\n":               "100%",
		"a\tb":                             "a       b",
		"日本\tb":                            "日本    b",
		"back\x08space\x7f":                "backspace",
		"\x1b(Btext\x1b=":                  "text",
		"esc at end\x1b":                   "esc at end",
		"abc\u202egnp.exe":                 "abcgnp.exe",
		"Z" + strings.Repeat("\u0336", 50): "Z" + strings.Repeat("\u0336", 4),
		"two\nlines":                       "two lines",
		"\x1b[2J\x1b[10;10Hmoved":          "moved",
		"\x1b[\x1b[31mx":                   "x",
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

// FuzzClean: whatever comes in, nothing that acts on a terminal comes out, and
// cleaning again changes nothing.
func FuzzClean(f *testing.F) {
	f.Add("\x1b]8;;http://x\x1b\\link\x1b[0m \u009d0;x\u009c \x9b\xff\u202e")
	f.Fuzz(func(t *testing.T, in string) {
		got := Clean(in)
		if !utf8.ValidString(got) {
			t.Errorf("Clean(%q) = %q is not UTF-8", in, got)
		}
		for _, r := range got {
			if unicode.IsControl(r) || r >= 0x2028 && r <= 0x202e {
				t.Errorf("Clean(%q) = %q holds %q", in, got, r)
			}
		}
		if len(got) < maxLine && Clean(got) != got {
			t.Errorf("Clean(%q) = %q, and again %q", in, got, Clean(got))
		}
		for _, s := range []Style{{}, {UTF8: true}} {
			if line := s.cut(s.clean(in), 10); width(line) > 10 {
				t.Errorf("cut(%q) = %q has %d columns", in, line, width(line))
			}
		}
	})
}
