package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/push"
	"github.com/git-deploy/git-deploy/pkg/ui"
)

func fetchCommand() *cli.Command {
	return &cli.Command{
		Name: "fetch", Category: everyday,
		Usage:     "fetch what nodes have changed and deployed",
		ArgsUsage: "[NODE|GLOB|@TAG…]",
		Description: "Fetches from the nodes named (all of them with --all-nodes or without a name) at\n" +
			"once: their branches to refs/remotes/NODE/, their deployments to\n" +
			"refs/deploy/nodes/NODE/, and says what is new. What a node tells of others counts\n" +
			"where it is newer, so that a node that is off is known too. Those that cannot be\n" +
			"reached are named at the end. Plain git fetches the same: git fetch nodes, and\n" +
			"with the shell integration (git deploy shell-init -h) git fetch --all-nodes is\n" +
			"this command.",
		Flags: append(fetchFlags(),
			&cli.BoolFlag{Name: "all-nodes", Usage: "from all nodes"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "say only what went wrong"},
			jsonFlag("a list of nodes, with what is new from each"),
		),
		Action: func(c *cli.Context) error {
			clone, err := openClone(c.Context)
			if err != nil {
				return err
			}
			if c.Bool("all-nodes") && c.NArg() > 0 {
				return usagef(c, "--all-nodes and names exclude each other")
			}
			remotes, err := clone.selected(c.Args().Slice())
			if err != nil {
				return err
			}
			fetched, err := fetchAll(c, clone, remotes)
			if err != nil {
				return err
			}
			switch {
			case c.Bool("json"):
				err = printJSON(c, fetched)
			case !c.Bool("quiet"):
				err = printFetched(c.App.Writer, fetched)
			}
			if err != nil {
				return err
			}
			return fetchOutcome(c, fetched)
		},
	}
}

const (
	// defaultJobs is how many at once: a login takes processor time on both sides.
	defaultJobs      = 8
	defaultFetchJobs = 50
	defaultTimeout   = 10 * time.Second
)

// fetchFlags say how to fetch.
func fetchFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "jobs", Aliases: []string{"j"}, Value: defaultFetchJobs, Usage: "how many `NODES` at once"},
		&cli.DurationFlag{Name: "timeout", Value: defaultTimeout, DefaultText: "10s", Usage: "how long to wait for a node's answer"},
	}
}

// fetched is what came of fetching from one node.
type fetched struct {
	push.FetchResult
	network.News
}

// fetchAll fetches from remotes as the command's flags say, takes over what
// they tell of other nodes, and says what is new of each of the clone's nodes that has news or was asked.
func fetchAll(c *cli.Context, clone *clone, remotes []network.Remote) ([]fetched, error) {
	jobs, err := jobs(c, defaultFetchJobs)
	if err != nil {
		return nil, err
	}
	timeout := defaultTimeout
	if c.IsSet("timeout") {
		timeout = c.Duration("timeout")
	}
	if timeout <= 0 {
		return nil, usagef(c, "--timeout is a duration such as 10s, more than 0")
	}
	before, err := network.KnownRefs(c.Context, clone.Repo)
	if err != nil {
		return nil, err
	}
	results, err := push.Fleet{Repo: clone.Repo, Jobs: jobs}.Fetch(c.Context, remotes, timeout)
	if err != nil {
		return nil, err
	}
	all := clone.nodes()
	told, err := network.TakeOver(c.Context, clone.Repo, all)
	if err != nil {
		return nil, err
	}
	news, err := network.WhatIsNew(c.Context, clone.Repo, all, before)
	if err != nil {
		return nil, err
	}
	var list []fetched
	asked := map[string]bool{}
	for _, r := range results {
		asked[r.Remote] = true
		list = append(list, fetched{r, news[r.Remote]})
	}
	for _, r := range all {
		if n := news[r.Name]; !asked[r.Name] && !n.Nothing() {
			list = append(list, fetched{push.FetchResult{Remote: r.Name, Node: r.Node}, n})
		}
	}
	for i := range list {
		list[i].ToldBy = told[list[i].Remote]
	}
	// Those that could not be reached come last, where they are seen.
	sort.SliceStable(list, func(i, j int) bool { return list[i].Code == 0 && list[j].Code != 0 })
	return list, nil
}

// fetchNodes fetches without saying what is new.
func fetchNodes(c *cli.Context, clone *clone, remotes []network.Remote) error {
	list, err := fetchAll(c, clone, remotes)
	if err != nil {
		return err
	}
	return fetchOutcome(c, list)
}

// fetchOutcome names the nodes that failed, and makes them an exit code.
func fetchOutcome(c *cli.Context, list []fetched) error {
	var failed []fetched
	for _, f := range list {
		if f.Code != fail.OK {
			failed = append(failed, f)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	for _, f := range failed {
		hints := []string{}
		if f.Hint != "" {
			hints = append(hints, f.Hint)
		}
		reason := f.Reason
		if !strings.HasPrefix(reason, f.Node+" ") {
			reason = f.Node + ": " + reason
		}
		ui.Error(c.App.ErrWriter, "git-deploy", fail.New(f.Code, errors.New(reason), hints...))
	}
	if len(list) == 1 {
		return silent(failed[0].Code)
	}
	return silent(fail.Partly)
}

func printFetched(w io.Writer, list []fetched) error {
	table := ui.Table{Columns: []ui.Column{{Title: "NODE"}, {Title: "COMMITS", Min: 12}, {Title: "DEPLOYMENTS", Min: 20, Wrap: true}}}
	for _, f := range list {
		row := []ui.Cell{{Text: f.Node, Tone: ui.Strong}, commitsCell(f), deploymentsCell(f)}
		table.Add(row...)
	}
	return table.Print(w)
}

func commitsCell(f fetched) ui.Cell {
	total := 0
	var by []string
	for _, a := range f.Commits {
		total += a.Count
		by = append(by, fmt.Sprintf("%d by %s", a.Count, a.Name))
	}
	switch {
	case total > 0 && len(by) == 1:
		return ui.Cell{Text: by[0]}
	case total > 0:
		return ui.Cell{Text: fmt.Sprintf("%d: %s", total, strings.Join(by, ", "))}
	}
	return ui.Cell{Text: "nothing new", Tone: ui.Faint}
}

func deploymentsCell(f fetched) ui.Cell {
	var parts []string
	tone := ui.Normal
	if n := len(f.Deployments); n > 0 {
		var by []string
		failures := 0
		for _, d := range f.Deployments {
			if who := gitrepo.ParseIdentity(d.DeployedBy).Name; who != "" && !slices.Contains(by, who) {
				by = append(by, who)
			}
			if !d.Outcome.OK() {
				failures++
			}
		}
		text := fmt.Sprint(n)
		if len(by) > 0 {
			text += " by " + strings.Join(by, ", ")
		}
		parts = append(parts, text)
		if failures > 0 {
			tone = ui.Bad
			parts = append(parts, fmt.Sprintf("%d not successful, the last: %s", failures, lastFailure(f.Deployments)))
		}
	}
	if f.ToldBy != "" {
		parts = append(parts, "told by "+f.ToldBy)
	}
	if f.Code != fail.OK {
		tone = ui.Bad
		if f.Code == fail.Unreachable {
			parts = append(parts, "not reached") // why is said below
		} else {
			parts = append(parts, "not fetched")
		}
	}
	if len(parts) == 0 {
		return ui.Cell{Text: "nothing new", Tone: ui.Faint}
	}
	return ui.Cell{Text: strings.Join(parts, "; "), Tone: tone}
}

func lastFailure(records []gitrepo.Record) string {
	for _, r := range records {
		if !r.Outcome.OK() {
			if r.Reason == "" {
				return string(r.Outcome)
			}
			return string(r.Outcome) + ", " + r.Reason
		}
	}
	return ""
}
