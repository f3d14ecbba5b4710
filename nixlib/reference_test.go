package nixlib_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/git-deploy/git-deploy/internal/testenv"
)

var update = flag.Bool("update", false, "write generated files anew")

// option is one option as tests/options.nix gives it.
type option struct {
	Name, Description, Type string
	Default, Example        *string // Nix code
	DefaultIsProse          bool
	ReadOnly                bool
}

type options struct{ Network, Nixos []option }

// groups are the two kinds of modules that options belong to.
func (o options) groups() []struct {
	title, text string
	options     []option
} {
	return []struct {
		title, text string
		options     []option
	}{
		{"Options of a network", "What `network.nix`, its modules and, in `gitDeploy`, a flake may set. `<name>` stands for a name that you choose; below `nodes` it is that of the node. The options of `nodes.<name>` are also those of `defaults`.", o.Network},
		{"Options of a NixOS configuration", "What the configuration of each node may set, and a plain `nixosConfigurations` that imports the module `git-deploy.nixosModules.default`.", o.Nixos},
	}
}

// TestOptionReference: the reference of all options is generated from the
// modules themselves; `make generate` writes it.
func TestOptionReference(t *testing.T) {
	testenv.Nix(t)
	var rendered map[string]string
	for name, dir := range nixpkgs(t) {
		if name != "mini" && eval(t, abs(t, "tests/errors.nix"), "--arg", "nixpkgs", dir, "-A", "modern") != "true" {
			continue // has other words for types
		}
		var all options
		if err := json.Unmarshal([]byte(eval(t, abs(t, "tests/options.nix"), "--arg", "nixpkgs", dir)), &all); err != nil {
			t.Fatal(err)
		}
		for _, o := range append(all.Network, all.Nixos...) {
			if o.Description == "" || o.Type == "unspecified" {
				t.Errorf("%s: the option %s needs a description and an exact type", name, o.Name)
			}
			if o.Example == nil && !strings.HasSuffix(o.Name, "enable") {
				t.Errorf("%s: the option %s needs an example", name, o.Name)
			}
		}
		pages := map[string]string{
			"../docs/reference/options.md":    all.markdown(),
			"../pkg/cli/git-deploy-options.5": all.man(),
		}
		if rendered == nil {
			rendered = pages
		} else if diff := cmp.Diff(rendered, pages); diff != "" {
			t.Errorf("mini and %s do not render the same:\n%s", name, diff)
		}
	}
	for file, got := range rendered {
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s is stale (make generate):\n%s", file, diff)
		}
	}
}

// TestManPageIsWellFormed asks mandoc.
func TestManPageIsWellFormed(t *testing.T) {
	testenv.Need(t, "mandoc")
	out, errs, _ := run(t, "mandoc", "-T", "lint", "-W", "warning", "../pkg/cli/git-deploy-options.5")
	for l := range strings.Lines(out + errs) {
		// A generated page has no date that would stay the same.
		if !strings.Contains(l, "missing date") {
			t.Error("mandoc: " + l)
		}
	}
}

func (o options) markdown() string {
	var b strings.Builder
	b.WriteString("# Options\n\nGenerated from the modules in `nixlib` (`make generate`); `man git-deploy-options` is the same.\n")
	for _, g := range o.groups() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", g.title, g.text)
		for _, o := range g.options {
			fmt.Fprintf(&b, "\n### `%s`\n\n%s\n\n", o.Name, roles.ReplaceAllString(strings.TrimSpace(o.Description), "`$2`"))
			fmt.Fprintf(&b, "- type: %s\n", plain(o.Type))
			if o.ReadOnly {
				b.WriteString("- read-only\n")
			}
			for _, code := range o.code() {
				if code.prose {
					fmt.Fprintf(&b, "- %s: %s\n", code.name, roles.ReplaceAllString(code.text, "`$2`"))
				} else if strings.Contains(code.text, "\n") {
					fmt.Fprintf(&b, "- %s:\n\n  ```nix\n  %s\n  ```\n", code.name, strings.ReplaceAll(code.text, "\n", "\n  "))
				} else {
					fmt.Fprintf(&b, "- %s: `%s`\n", code.name, code.text)
				}
			}
		}
	}
	return b.String()
}

func (o options) man() string {
	var b strings.Builder
	b.WriteString(".TH git-deploy-options 5 \"\" \"git-deploy\" \"git-deploy\"\n.SH NAME\ngit-deploy-options \\- options of networks and nodes\n")
	for _, g := range o.groups() {
		fmt.Fprintf(&b, ".SH %s\n%s", strings.ToUpper(g.title), roff(g.text))
		for _, o := range g.options {
			fmt.Fprintf(&b, ".TP\n\\fB%s\\fR\n%s", escape(o.Name), roff(o.Description))
			fmt.Fprintf(&b, ".RS\n.PP\nType: %s\n", line(escape(plain(o.Type))))
			if o.ReadOnly {
				b.WriteString(".PP\nRead-only.\n")
			}
			for _, code := range o.code() {
				title := strings.ToUpper(code.name[:1]) + code.name[1:]
				if code.prose {
					fmt.Fprintf(&b, ".PP\n%s: %s", title, roff(code.text))
				} else if strings.Contains(code.text, "\n") {
					fmt.Fprintf(&b, ".PP\n%s:\n.PP\n.nf\n%s\n.fi\n", title, lines(code.text))
				} else {
					fmt.Fprintf(&b, ".PP\n%s: \\fB%s\\fR\n", title, escape(code.text))
				}
			}
			b.WriteString(".RE\n")
		}
	}
	b.WriteString(".SH SEE ALSO\n.BR git-deploy (1)\n")
	return b.String()
}

// code is a default or example.
type code struct {
	name, text string
	prose      bool
}

func (o option) code() []code {
	var all []code
	if o.Default != nil {
		all = append(all, code{"default", strings.TrimSpace(*o.Default), o.DefaultIsProse})
	}
	if o.Example != nil {
		all = append(all, code{"example", strings.TrimSpace(*o.Example), false})
	}
	return all
}

// roles are {file}`x`, {option}`x` and so on of nixpkgs' manuals.
var (
	roles  = regexp.MustCompile("(\\{[a-z]+\\})`([^`\n]*)`")
	quoted = regexp.MustCompile("`([^`\n]*)`")
)

// plain is a text on one line.
func plain(text string) string { return strings.Join(strings.Fields(text), " ") }

func escape(text string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
}

// line keeps a line of text from being a request.
func line(text string) string {
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		return `\&` + text
	}
	return text
}

func lines(text string) string {
	all := strings.Split(escape(text), "\n")
	for i := range all {
		all[i] = line(all[i])
		if all[i] == "" {
			all[i] = `\&`
		}
	}
	return strings.Join(all, "\n")
}

// roff renders the little of Markdown that descriptions use: paragraphs, lists
// with hyphens, fenced code and code in backticks.
func roff(text string) string {
	var b strings.Builder
	fenced := false
	for i, l := range strings.Split(strings.TrimSpace(text), "\n") {
		switch {
		case strings.HasPrefix(strings.TrimSpace(l), "```"):
			fenced = !fenced
			b.WriteString(map[bool]string{true: ".PP\n.nf\n", false: ".fi\n"}[fenced])
		case fenced:
			b.WriteString(lines(l) + "\n")
		case strings.TrimSpace(l) == "":
			b.WriteString(".sp\n")
		default:
			l = strings.TrimSpace(l)
			if item, ok := strings.CutPrefix(l, "- "); ok {
				l = item
				if i > 0 {
					b.WriteString(".br\n")
				}
				b.WriteString("\\(bu ")
			}
			l = quoted.ReplaceAllString(escape(roles.ReplaceAllString(l, "`$2`")), `\fB$1\fR`)
			b.WriteString(line(l) + "\n")
		}
	}
	return b.String()
}
