package cli

import (
	"context"
	"sync"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/node"
	"github.com/git-deploy/git-deploy/pkg/push"
	"github.com/git-deploy/git-deploy/pkg/ui"
)

func gcCommand() *cli.Command {
	return &cli.Command{
		Name: "gc", Category: setup,
		Usage:     "remove old generations from nodes",
		ArgsUsage: "[NODE|GLOB|@TAG…]",
		Description: "Removes from the nodes named (from all without a name) what deploy.generations no\n" +
			"longer keeps: generations of the system, records of deployments, failed commits.\n" +
			"Each successful deployment does so too. What runs, was booted, boots or was\n" +
			"confirmed last always stays. With --store it then frees what the Nix store holds\n" +
			"for nobody, as nix-collect-garbage does.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "store", Usage: "collect the garbage of the Nix store too"},
			jsonFlag("one node a line"),
		},
		Action: func(c *cli.Context) error {
			clone, remotes, err := openSelected(c.Context, c.Args().Slice())
			if err != nil {
				return err
			}
			results := collectAll(c.Context, clone, remotes, c.Bool("store"))
			codes := make([]fail.Code, len(results))
			table := ui.Table{Columns: []ui.Column{{Title: "NODE"}, {Title: "OLD GENERATIONS", Min: 20, Wrap: true}}}
			for i, r := range results {
				codes[i] = r.Code
				if c.Bool("json") {
					if err := printJSON(c, r); err != nil {
						return err
					}
					continue
				}
				table.Add(ui.Cell{Text: r.Node, Tone: ui.Strong}, r.cell())
			}
			if !c.Bool("json") {
				if err := table.Print(c.App.Writer); err != nil {
					return err
				}
			}
			return codeOf(codes)
		},
	}
}

// collected is what was removed from one node, or why nothing was.
type collected struct {
	Remote string    `json:"remote"`
	Code   fail.Code `json:"code"`
	Error  string    `json:"error,omitempty"`
	node.Collected
}

func collectAll(ctx context.Context, clone *clone, remotes []network.Remote, store bool) []collected {
	results := make([]collected, len(remotes))
	var wg sync.WaitGroup
	limit := make(chan struct{}, defaultJobs)
	for i, r := range remotes {
		wg.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			results[i] = collected{Remote: r.Name}
			err := func() error {
				n, err := push.Connect(ctx, clone.Repo, r)
				if err != nil {
					return err
				}
				defer n.Close()
				return n.GC(ctx, store, &results[i].Collected)
			}()
			if err != nil {
				results[i].Node, results[i].Code, results[i].Error = r.Node, fail.CodeOf(err), err.Error()
			}
		})
	}
	wg.Wait()
	return results
}

func (r *collected) cell() ui.Cell {
	if r.Error != "" {
		return ui.Cell{Text: r.Error, Tone: ui.Bad}
	}
	cell := ui.Cell{Text: r.String()}
	if cell.Text == "" {
		cell = ui.Cell{Text: "nothing to remove", Tone: ui.Faint}
	}
	if r.Store != "" {
		cell.Text += "; " + r.Store
	}
	return cell
}
