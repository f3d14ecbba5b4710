package ui

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/pkg/fail"
)

func TestTable(t *testing.T) {
	table := &Table{Columns: []Column{{Title: "NODE"}, {Title: "STATE"}, {Title: "AGE", Right: true}, {Title: "COMMIT", Min: 10}}}
	table.Add(Cell{"alice-laptop", Strong}, Cell{"ok", Good}, Cell{"3m", Normal}, Cell{"a1b2c3d4 make the kitchen lamp blink", Faint})
	table.Add(Cell{"ノード", Strong}, Cell{"rolled back", Bad}, Cell{"12d", Normal}, Cell{"9f8e7d6c\x1b[2J short", Faint})
	table.Add(Cell{"short", Strong})
	for _, c := range []struct {
		style Style
		want  string
	}{
		{Style{UTF8: true}, `
NODE          STATE        AGE  COMMIT
alice-laptop  ok            3m  a1b2c3d4 make the kitchen lamp blink
ノード        rolled back  12d  9f8e7d6c short
short
`}, {Style{UTF8: true, Width: 52}, `
NODE          STATE        AGE  COMMIT
alice-laptop  ok            3m  a1b2c3d4 make the …
ノード        rolled back  12d  9f8e7d6c short
short
`}, {Style{Width: 38}, `
NODE          STATE        AGE
    COMMIT
alice-laptop  ok            3m
    a1b2c3d4 make the kitchen lamp...
???           rolled back  12d
    9f8e7d6c short
short
`}, {Style{Width: 20}, `
NODE
    STATE
    AGE  COMMIT
alice-laptop
    ok
     3m  a1b2c3d...
???
    rolled back
    12d  9f8e7d6...
short
`},
	} {
		if got := table.Format(c.style); got != c.want[1:] {
			t.Errorf("%+v:\n%s", c.style, got)
		}
	}
	reasons := &Table{Columns: []Column{{}, {Min: 20, Wrap: true}}}
	reasons.Add(Cell{"web", Strong}, Cell{"cannot reach web: ssh: Could not resolve hostname", Bad})
	reasons.Add(Cell{"db", Strong}, Cell{"ok", Good})
	reasons.Add(Cell{"mx", Strong}, Cell{"runs /nix/store/0c2v-nixos-system-mx", Good})
	for width, want := range map[int]string{
		0:  "web  cannot reach web: ssh: Could not resolve hostname\ndb   ok\nmx   runs /nix/store/0c2v-nixos-system-mx\n",
		40: "web  cannot reach web: ssh: Could not\n     resolve hostname\ndb   ok\nmx   runs\n     /nix/store/0c2v-nixos-system-mx\n",
		36: "web  cannot reach web: ssh: Could\n     not resolve hostname\ndb   ok\nmx\n    runs\n    /nix/store/0c2v-nixos-system-mx\n",
		30: "web  cannot reach web: ssh:\n     Could not resolve\n     hostname\ndb   ok\nmx\n    runs\n    /nix/store/0c2v-nixos-sys\n    tem-mx\n",
	} {
		if got := reasons.Format(Style{UTF8: true, Width: width}); got != want {
			t.Errorf("%d columns:\n%s", width, got)
		}
	}
	coloured := table.Format(Style{UTF8: true, Color: true})
	if !strings.Contains(coloured, "\x1b[32mok\x1b[m") {
		t.Errorf("no colour: %q", coloured)
	}
}

func TestError(t *testing.T) {
	err := fail.New(fail.Conflict, fmt.Errorf("push to %q: %w", "web",
		fail.New(fail.Failed, errors.New("merge conflict in nodes/web.nix\n  and \x1b[31mflake.nix"), "git merge web/main")), "git merge web/main", "git push web")
	var out bytes.Buffer
	Error(&out, "git-deploy", err)
	want := "git-deploy: error: push to \"web\": merge conflict in nodes/web.nix\n    and flake.nix\ngit-deploy: hint: git merge web/main\ngit-deploy: hint: git push web\n"
	if out.String() != want {
		t.Errorf("got:\n%s", out.String())
	}
	out.Reset()
	if Error(&out, "git-deploy", nil); out.Len() > 0 {
		t.Errorf("no error gives %q", out.String())
	}
}

// On a terminal an error breaks between words, and a command stays in one piece.
func TestErrorFits(t *testing.T) {
	err := fail.New(fail.Usage, errors.New(`no node is called "nosuch" (nodes: alice-laptop, web)`),
		"git deploy remotes    # makes remotes for all nodes of the network",
		"git deploy push --dry-run alice-laptop web db-1 db-2", "Ask whoever runs the network to let you in", "git deploy -h")
	for width, want := range map[int]string{
		40: `
git-deploy: error: no node is called
  "nosuch" (nodes: alice-laptop, web)
git-deploy: hint: git deploy remotes
    # makes remotes for all nodes of
    # the network
git-deploy: hint: git deploy push --dry-run alice-laptop web db-1 db-2
git-deploy: hint: Ask whoever runs the
    network to let you in
git-deploy: hint: git deploy -h
`,
		90: `
git-deploy: error: no node is called "nosuch" (nodes: alice-laptop, web)
git-deploy: hint: git deploy remotes    # makes remotes for all nodes of the network
git-deploy: hint: git deploy push --dry-run alice-laptop web db-1 db-2
git-deploy: hint: Ask whoever runs the network to let you in
git-deploy: hint: git deploy -h
`,
	} {
		if got := (Style{UTF8: true, Width: width}).message("git-deploy", "error", Bad, err); got != want[1:] {
			t.Errorf("%d columns:\n%s", width, got)
		}
	}
}

func TestFormat(t *testing.T) {
	for in, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 KiB", 1 << 20: "1.0 MiB", 1288490188: "1.2 GiB"} {
		if got := FormatBytes(in); got != want {
			t.Errorf("FormatBytes(%d) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"-5ms": "0ms", "99ms": "99ms", "100ms": "0.1s", "9.94s": "9.9s", "9.97s": "10s", "59.7s": "1m00s", "1h2m3s": "1h02m"} {
		if got := FormatDuration(duration(t, in)); got != want {
			t.Errorf("FormatDuration(%s) = %q, want %q", in, got, want)
		}
	}
	if got := formatAmount(100, 3<<20, "bytes"); got != "0.0/3.0 MiB" {
		t.Errorf("formatAmount: %q", got)
	}
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
