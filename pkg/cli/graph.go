package cli

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/pkg/graph"
	"github.com/git-deploy/git-deploy/pkg/ui"
)

func graphCommand() *cli.Command {
	return &cli.Command{
		Name: "graph", Category: answers,
		Usage:     "draw the branches of all nodes, with merges and deployments",
		ArgsUsage: "[NODE|GLOB|@TAG…]",
		Description: "Draws the commits of the nodes named (of all without a name) as one graph, and for\n" +
			"each node a track with what was deployed there and how it ended, as last seen by a\n" +
			"push or fetch. --svg and --html write a picture, and a page with details, to a file\n" +
			"(- is standard output); both are whole in themselves.",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "max-count", Aliases: []string{"n"}, Value: 200, Usage: "at most `N` commits; 0: all"},
			&cli.StringFlag{Name: "svg", Usage: "write an SVG picture to `FILE`"},
			&cli.StringFlag{Name: "html", Usage: "write an HTML page to `FILE`"},
			jsonFlag("commits, nodes and deployments"),
		},
		Action: func(c *cli.Context) error {
			n := 0
			for _, name := range []string{"svg", "html", "json"} {
				if c.IsSet(name) {
					n++
				}
			}
			if n > 1 {
				return usagef(c, "--svg, --html and --json exclude each other")
			}
			clone, remotes, err := openSelected(c.Context, c.Args().Slice())
			if err != nil {
				return err
			}
			g, err := graph.Collect(c.Context, clone.Repo, remotes, c.Int("max-count"))
			if err != nil {
				return err
			}
			// Colours are those that the nodes have among all nodes.
			g.Paint(clone.names())
			switch {
			case c.Bool("json"):
				return printJSON(c, g)
			case c.IsSet("svg"):
				return writeTo(c, c.String("svg"), func(w io.Writer) error { return graph.SVG(w, graph.Arrange(g)) })
			case c.IsSet("html"):
				return writeTo(c, c.String("html"), func(w io.Writer) error { return graph.HTML(w, graph.Arrange(g)) })
			}
			return graph.Terminal(c.App.Writer, graph.Arrange(g), ui.AnswerStyle(c.App.Writer), time.Now())
		},
	}
}

// writeTo lets write write a whole file, or standard output for "-".
func writeTo(c *cli.Context, path string, write func(io.Writer) error) error {
	if path == "-" {
		return write(c.App.Writer)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	err = write(f)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
