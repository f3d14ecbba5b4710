package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/push"
	"github.com/git-deploy/git-deploy/pkg/ui"
)

func pushCommand() *cli.Command {
	return &cli.Command{
		Name: "push", Category: everyday,
		Usage:     "deploy to nodes, several at once",
		ArgsUsage: "NODE|GLOB|@TAG|- …",
		Description: "Deploys each node's deploy branch (main unless configured) to the nodes named, all at\n" +
			"the same time, each through `git push` and as `git push NODE` does. Nodes are named\n" +
			"by name, by glob ('db-*') or by tag ('@server'); with - they are read from standard\n" +
			"input. One that fails does not stop the others.\n\n" +
			"    git deploy push web\n" +
			"    git deploy push --dry-run @server 'laptop-*'\n\n" +
			"The exit code is precise where git push has only 0 and 1: 4 rolled back, 5 merge\n" +
			"conflict, 6 unreachable, 7 locked; 3 when some of several nodes failed.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "all", Usage: "all nodes"},
			&cli.BoolFlag{Name: "affected", Usage: "of these (of all without a name) only the nodes whose system would change; see git deploy plan"},
			&cli.StringFlag{Name: "action", Usage: "`ACTION` on the node: switch (default), boot, test, build"},
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "everything up to the switch, then the difference it would make"},
			&cli.BoolFlag{Name: "reboot", Usage: "restart into the new system, and keep it if it proves well"},
			&cli.BoolFlag{Name: "force-unhealthy", Usage: "also where the checks before the switch say that a node is sick"},
			&cli.BoolFlag{Name: "unpin", Usage: "also where a rollback by hand keeps a node off its branch"},
			&cli.BoolFlag{Name: "force", Aliases: []string{"f"}, Usage: "where a node has changes of its own, merge keeping ours"},
			&cli.StringSliceFlag{Name: "push-option", Aliases: []string{"o"}, Usage: "push option `KEY=VALUE`, as for git push"},
			&cli.IntFlag{Name: "jobs", Aliases: []string{"j"}, DefaultText: "all", Usage: "how many `NODES` at once"},
			jsonFlag("one event a line, then one of kind \"result\" for each node"),
			verboseFlag(),
		},
		Action: pushMany,
	}
}

func pushMany(c *cli.Context) error {
	if _, err := jobs(c, 0); err != nil { // before anything is evaluated
		return err
	}
	patterns, err := patterns(c)
	if err != nil {
		return err
	}
	if c.Bool("all") {
		if len(patterns) > 0 {
			return usagef(c, "--all and names exclude each other")
		}
	} else if len(patterns) == 0 && !c.Bool("affected") {
		return usagef(c, "which nodes? name them, or --all")
	}
	clone, remotes, err := openSelected(c.Context, patterns)
	if err != nil {
		return err
	}
	if err := clone.branches(c.Context, remotes); err != nil {
		return err
	}
	var unsure error
	if c.Bool("affected") {
		if remotes, unsure, err = affected(c, clone, remotes); err != nil {
			return err
		}
		switch {
		case len(remotes) == 0 && unsure != nil:
			return unsure
		case len(remotes) == 0:
			fmt.Fprintln(c.App.ErrWriter, "git-deploy: nothing to deploy: no node's system would change")
			return nil
		}
	}
	err = deploy(c, clone, remotes, newRenderer(c), nil, pushFlags(c), func(r network.Remote) string {
		return "refs/heads/" + r.Branch + ":refs/heads/" + r.Branch
	})
	if err == nil {
		err = unsure
	}
	return err
}

func pushFlags(c *cli.Context) []string {
	var flags []string
	if c.Bool("dry-run") {
		flags = append(flags, "--dry-run")
	}
	if c.Bool("force") {
		flags = append(flags, "--force")
	}
	options := c.StringSlice("push-option")
	if action := c.String("action"); action != "" {
		options = append(options, "action="+action)
	}
	for _, name := range []string{"reboot", "force-unhealthy", "unpin"} {
		if c.Bool(name) {
			options = append(options, name+"=true")
		}
	}
	for _, o := range options {
		flags = append(flags, "--push-option="+o)
	}
	return flags
}

// deploy pushes to remotes, shows what happens, and returns an error with the
// precise code. keep, unless nil, takes events that are not to be shown.
func deploy(c *cli.Context, clone *clone, remotes []network.Remote, renderer *ui.Renderer, keep func(event.Event) bool, flags []string, refspec func(network.Remote) string) error {
	jobs, _ := jobs(c, 0) // pushMany has looked
	sink := event.SinkFunc(func(e event.Event) {
		if keep == nil || !keep(e) {
			renderer.Emit(e)
		}
	})
	fleet := push.Fleet{Repo: clone.Repo, Jobs: jobs, Flags: flags, Sink: sink}
	results, err := fleet.Push(c.Context, remotes, refspec)
	renderer.Close()
	if err != nil {
		return err
	}
	if c.Bool("json") {
		for _, r := range results {
			if err := printJSON(c, struct {
				Kind string `json:"kind"`
				push.NodeResult
			}{"result", r}); err != nil {
				return err
			}
		}
	}
	var failed []push.NodeResult
	for _, r := range results {
		if r.Code != fail.OK {
			failed = append(failed, r)
		}
	}
	switch {
	case len(failed) == 0:
		return nil
	case len(results) == 1:
		return silent(failed[0].Code)
	}
	if !c.Bool("json") {
		fmt.Fprintf(c.App.ErrWriter, "git-deploy: %d of %d nodes failed:\n", len(failed), len(results))
		for _, r := range failed {
			fmt.Fprint(c.App.ErrWriter, ui.AnswerStyle(c.App.ErrWriter).Paragraph("  ", "    ", ui.Clean(r.Node+": "+r.Reason)))
		}
	}
	if len(failed) == len(results) && same(failed) {
		return silent(failed[0].Code)
	}
	return silent(fail.Partly)
}

func same(results []push.NodeResult) bool {
	for _, r := range results {
		if r.Code != results[0].Code {
			return false
		}
	}
	return true
}

// patterns are the command's words; "-" stands for those on standard input.
func patterns(c *cli.Context) ([]string, error) {
	var words []string
	for _, arg := range c.Args().Slice() {
		if arg != "-" {
			words = append(words, arg)
			continue
		}
		in := bufio.NewScanner(c.App.Reader)
		for in.Scan() {
			words = append(words, strings.Fields(in.Text())...)
		}
		if err := in.Err(); err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read node names from standard input: %w", err)
		}
		if len(words) == 0 {
			return nil, fail.Errorf(fail.Usage, "standard input names no node")
		}
	}
	return words, nil
}
