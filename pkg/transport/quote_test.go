package transport

import (
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/git-deploy/git-deploy/internal/testenv"
)

func TestPlainWordsStayPlain(t *testing.T) {
	argv := []string{"sudo", "-n", "--", "/var/lib/git-deploy/bin/git-deploy", "node", "--marked", "deploy", "home", "-o", "action=switch", "a@b", "1:2,3+4_5"}
	line, err := CommandLine(argv)
	if err != nil || line != strings.Join(argv, " ") {
		t.Errorf("%s, %v", line, err)
	}
	for _, w := range []string{"a=b", "if", "=x", "@x", "~", "%1", "^x", "!x", "#", "a b", "ä", "{", "done"} {
		line, err := CommandLine([]string{w})
		if err != nil || line == w {
			t.Errorf("%q stays %q, %v", w, line, err)
		}
	}
	for _, argv := range [][]string{nil, {""}, {"a", "b\x00"}} {
		if line, err := CommandLine(argv); err == nil {
			t.Errorf("%q: %q", argv, line)
		}
	}
}

func TestWords(t *testing.T) {
	for line, want := range map[string][]string{
		"":                          nil,
		"  ":                        nil,
		"a b":                       {"a", "b"},
		"git-receive-pack '/home'":  {"git-receive-pack", "/home"},
		`a "b c" d\ e "f\"g" 'h"i'`: {"a", "b c", "d e", `f"g`, `h"i`},
		`a "x\y" \*`:                {"a", `x\y`, "*"},
		`a "*" '~' "#"`:             {"a", "*", "~", "#"},
		"a=b":                       nil,
		"a; b":                      nil,
		"a | b":                     nil,
		"a $b":                      nil,
		"a `b`":                     nil,
		"a <(b)":                    nil,
		"a > b":                     nil,
		"a &":                       nil,
		"! a":                       nil,
		"(a)":                       nil,
		"a *":                       nil,
		"a ?":                       nil,
		"a [x]":                     nil,
		"~/a":                       nil,
		"a \"$b\"":                  nil,
		"a\nb":                      nil,
		"if a; then b; fi":          nil,
		"a 'b":                      nil,
	} {
		got, err := Words(line)
		blank := strings.TrimSpace(line) == ""
		if (err == nil) != (want != nil || blank) || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, %v", line, got, err)
		}
	}
}

// FuzzCommandLine: what CommandLine quotes, Words reads, and so does sh.
func FuzzCommandLine(f *testing.F) {
	testenv.Need(f, "sh")
	f.Add("a", "b c", "'")
	f.Add("git-deploy", "$x`y`", "\n\\\n")
	f.Add("\xff", "~*?[]{}", "\x1b[0m")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		argv := []string{"printf", "%s\\0", a, b, c}
		line, err := CommandLine(argv)
		if err != nil {
			if !strings.Contains(a+b+c, "\x00") {
				t.Errorf("%q: %v", argv, err)
			}
			return
		}
		if got, err := Words(line); utf8.ValidString(line) && !strings.Contains(line, "\r") && (err != nil || !reflect.DeepEqual(got, argv)) {
			t.Errorf("%q: Words %q, %v", line, got, err)
		}
		out, err := exec.Command("sh", "-c", line).Output()
		if want := a + "\x00" + b + "\x00" + c + "\x00"; err != nil || string(out) != want {
			t.Errorf("%q: sh %q, %v", line, out, err)
		}
	})
}

// FuzzWords: the server's parser never lets through what sh would take otherwise.
func FuzzWords(f *testing.F) {
	testenv.Need(f, "sh")
	for _, s := range []string{`a "b\c" 'd'\''e'`, "a\\\nb", "a #b", `"\$x" \$y`, "~ {a,b}", "a\tb", "\"`\"", "a=b c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words, err := Words(line)
		if err != nil || len(words) == 0 || strings.Contains(line, "\x00") {
			return
		}
		// sh defines no command, so that words reach printf only as arguments.
		out, err := exec.Command("sh", "-f", "-c", "printf '%s\\0' "+strings.TrimLeft(line, " \t\n")).Output()
		if want := strings.Join(words, "\x00") + "\x00"; err != nil || string(out) != want {
			t.Errorf("%q: words %q, sh %q, %v", line, words, out, err)
		}
	})
}

func TestMarkerFilter(t *testing.T) {
	for _, chunk := range []int{1, 2, 3, 7, 1000} {
		var out strings.Builder
		f := newMarkerFilter(&out)
		text := "Welcome\x1egit-\x1egit-deploy\nhello\x1egit-deploy\nmore"
		for i := 0; i < len(text); i += chunk {
			if _, err := f.Write([]byte(text[i:min(len(text), i+chunk)])); err != nil {
				t.Fatal(err)
			}
		}
		if out.String() != "hello\x1egit-deploy\nmore" || !f.seen {
			t.Errorf("chunks of %d: %q", chunk, out.String())
		}
	}
	f := newMarkerFilter(nil)
	var err error
	for range 100 {
		if _, err = f.Write(make([]byte, 1<<16)); err != nil {
			break
		}
	}
	if err == nil {
		t.Error("endless noise is taken")
	}
}
