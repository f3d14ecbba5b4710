package cli

import (
	"encoding/json"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/ui"
)

func jsonFlag(what string) *cli.BoolFlag {
	return &cli.BoolFlag{Name: "json", Usage: "JSON to standard output: " + what}
}

func verboseFlag() *cli.BoolFlag {
	return &cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "show all output of evaluation, build and activation"}
}

// newRenderer returns what shows events: on standard error, or as the answer with --json. The caller closes it.
func newRenderer(c *cli.Context) *ui.Renderer {
	if c.Bool("json") {
		return ui.New(c.App.Writer, ui.Options{Mode: ui.JSON})
	}
	return ui.New(c.App.ErrWriter, ui.Options{Verbose: c.Bool("verbose")})
}

// printJSON prints one value on one line.
func printJSON(c *cli.Context, v any) error {
	return json.NewEncoder(c.App.Writer).Encode(v)
}

// warn says what did not end the command.
func warn(c *cli.Context, err error) { ui.Warning(c.App.ErrWriter, "git-deploy", err) }

// ago says when t was, for people.
func ago(t time.Time) string { return ui.FormatAgo(t, time.Now()) }

// codeOf is the exit code for several nodes, which have said what is wrong: the
// one that all share, else Partly.
func codeOf(codes []fail.Code) error {
	for _, code := range codes {
		if code != codes[0] {
			return silent(fail.Partly)
		}
	}
	if len(codes) == 0 || codes[0] == fail.OK {
		return nil
	}
	return silent(codes[0])
}
