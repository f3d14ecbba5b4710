package cli

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"
)

var update = flag.Bool("update", false, "write generated files anew")

// The references of the command line are generated; `make generate` writes them.
func TestReference(t *testing.T) {
	app := newApp(strings.NewReader(""), os.Stdout, os.Stderr)
	for file, render := range map[string]func() (string, error){
		"../../docs/reference/cli.md": app.ToMarkdown,
		"git-deploy.1":                func() (string, error) { return app.ToManWithSection(1) },
	} {
		got, err := render()
		if err != nil {
			t.Fatal(err)
		}
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

// Every command says what it is for, and nothing in its help is left over from a template.
func TestHelpTeaches(t *testing.T) {
	var visit func(path string, commands []*cli.Command)
	visit = func(path string, commands []*cli.Command) {
		for _, c := range commands {
			name := path + " " + c.Name
			if c.Usage == "" || strings.HasSuffix(c.Usage, ".") {
				t.Errorf("%s: usage %q", name, c.Usage)
			}
			if path == "git deploy" && c.Description == "" {
				t.Errorf("%s: no description", name)
			}
			for line := range strings.SplitSeq(c.Description, "\n") {
				if len(line) > 92 {
					t.Errorf("%s: line too long: %q", name, line)
				}
			}
			for _, f := range c.Flags {
				if doc, ok := f.(cli.DocGenerationFlag); ok && doc.GetUsage() == "" {
					t.Errorf("%s: flag %v has no text", name, f.Names())
				}
			}
			visit(name, c.Subcommands)
		}
	}
	visit("git deploy", newApp(strings.NewReader(""), os.Stdout, os.Stderr).Commands)
}

func TestIntersperse(t *testing.T) {
	app := newApp(strings.NewReader(""), os.Stdout, os.Stderr)
	for _, c := range []struct{ in, want string }{
		{"git-deploy", "git-deploy"},
		{"git-deploy push web --json", "git-deploy push --json -- web"},
		{"git-deploy push web -o a=b c -f", "git-deploy push -o a=b -f -- web c"},
		{"git-deploy push --push-option=a=b web", "git-deploy push --push-option=a=b -- web"},
		{"git-deploy push web -- -f", "git-deploy push -- web -f"},
		{"git-deploy log web -n1", "git-deploy log -n 1 -- web"},
		{"git-deploy push -oaction=boot web", "git-deploy push -o action=boot -- web"},
		{"git-deploy push -n web", "git-deploy push -n -- web"},
		{"git-deploy push -", "git-deploy push -- -"},
		{"git-deploy node --marked rollback home 3 -o x=y", "git-deploy node --marked rollback -o x=y -- home 3"},
		{"git-deploy node follow ID --from 3", "git-deploy node follow --from 3 -- ID"},
		{"git-deploy hook post-checkout -x", "git-deploy hook post-checkout -x"},
		{"git-deploy nosuch -x y", "git-deploy nosuch -x y"},
		{"git-deploy --help", "git-deploy --help"},
	} {
		if got := strings.Join(intersperse(app, strings.Fields(c.in)), " "); got != c.want {
			t.Errorf("%s: got %s, want %s", c.in, got, c.want)
		}
	}
}

func TestUsageErrors(t *testing.T) {
	for _, args := range []string{
		"nosuch", "push", "push --all web", "push --nosuch", "init", "init a b c", "init -- -x", "add web", "add ../x root@h",
		"rollback", "rollback a b c", "diff", "completion", "completion tcsh", "fetch --all-nodes web", "serve", "node nosuch", "hook nosuch",
	} {
		t.Run(args, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			stderr := file(t)
			code := Main(append([]string{"git-deploy"}, strings.Fields(args)...), strings.NewReader(""), file(t), stderr)
			text := content(t, stderr)
			if code != 2 || !strings.HasPrefix(text, "git-deploy: error: ") {
				t.Errorf("exit code %d, %q; want 2 and an error", code, text)
			}
			if entries, _ := os.ReadDir(dir); len(entries) > 0 {
				t.Errorf("it left %v", entries)
			}
		})
	}
}

func TestCompletionAndVersion(t *testing.T) {
	for args, want := range map[string]string{
		"completion bash":                 "_git_deploy",
		"completion zsh":                  "#compdef git-deploy",
		"completion fish":                 "complete -c git-deploy",
		"--version":                       "git-deploy unknown linux/",
		"man":                             ".TH",
		"man options":                     ".TH git-deploy-options 5",
		"--generate-bash-completion":      "push",
		"push --generate-bash-completion": "",
		"":                                "git push web",
		"push -h":                         "@TAG",
	} {
		stdout := file(t)
		os.Args = append([]string{"git-deploy"}, strings.Fields(args)...) // urfave/cli looks at them for completion
		if code := Main(os.Args, strings.NewReader(""), stdout, file(t)); code != 0 {
			t.Errorf("%s: exit code %d", args, code)
		}
		if got := content(t, stdout); !bytes.Contains([]byte(got), []byte(want)) {
			t.Errorf("%s: %q is not in %q", args, want, got)
		}
	}
}

func file(t *testing.T) *os.File {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func content(t *testing.T, f *os.File) string {
	data, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
