package cli

import (
	"os"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/pkg/ui"
)

// Help fits a terminal of 80 columns, all of it, with nothing that a template says of every option.
func TestHelpFits(t *testing.T) {
	s := ui.Style{UTF8: true, Width: 80}
	fits := func(name, help string) {
		for line := range strings.SplitSeq(help, "\n") {
			if ui.Width(line) >= s.Width {
				t.Errorf("%s: %d columns: %s", name, ui.Width(line), line)
			}
		}
		if strings.Contains(help, "default: false") {
			t.Errorf("%s:\n%s", name, help)
		}
	}
	app := newApp(strings.NewReader(""), os.Stdout, os.Stderr)
	app.Setup()
	help := appHelp(app, s)
	fits("", help)
	var visit func(path string, commands []*cli.Command)
	visit = func(path string, commands []*cli.Command) {
		for _, c := range commands {
			c.HelpName = path + " " + c.Name
			fits(c.HelpName, commandHelp(c, s))
			visit(c.HelpName, c.Subcommands)
			if path == "git deploy" && c.Name != "help" && !strings.Contains(help, "\n  "+c.Name+" ") {
				t.Errorf("git deploy -h does not name %s", c.Name)
			}
		}
	}
	visit("git deploy", app.Commands)
	_, stdout, _ := run(t, "push", "-h")
	for _, words := range []string{"Usage: git deploy push [OPTIONS] NODE", "\n  -j, --jobs NODES ", "(default: all)", "; may be\n", "\n  -h, --help "} {
		if !strings.Contains(stdout, words) {
			t.Errorf("no %q in\n%s", words, stdout)
		}
	}
}
