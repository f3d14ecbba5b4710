package graph

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/network"
)

// Collect reads what repo knows of remotes and of their history, at most max commits (all for max <= 0).
func Collect(ctx context.Context, repo *gitrepo.Repo, remotes []network.Remote, max int) (*Graph, error) {
	g := &Graph{Nodes: []Node{}, Commits: []Commit{}}
	head, err := repo.RevParse(ctx, "HEAD^{commit}")
	if err != nil && !errors.Is(err, gitrepo.ErrNotFound) {
		return nil, err
	}
	g.Head = head
	branch, err := repo.Head(ctx)
	if err != nil {
		return nil, err
	}
	g.Branch = strings.TrimPrefix(branch, "refs/heads/")
	statuses, err := network.Statuses(ctx, repo, remotes, head)
	if err != nil {
		return nil, err
	}
	refs, err := repo.Refs(ctx, "refs/deploy/nodes")
	if err != nil {
		return nil, err
	}
	history, err := repo.History(ctx)
	if err != nil {
		return nil, err
	}
	defer history.Close()

	tips := []string{head}
	deployments := map[string][]Deployment{} // by commit
	for _, s := range statuses {
		n := Node{Name: s.Node, Branch: s.Branch, Tip: s.Tip, Current: s.Current, Boot: s.Boot, Pinned: s.Pinned}
		prefix := "refs/deploy/nodes/" + s.Name + "/"
		tips = append(tips, s.Tip, s.Current, s.Boot)
		for ref, oid := range refs {
			if strings.HasPrefix(ref, prefix+"failed/") {
				tips = append(tips, oid)
			}
		}
		if log := refs[prefix+"log"]; log != "" {
			records, err := history.Records(log, 0)
			if err != nil && len(records) == 0 {
				return nil, err
			}
			for i, r := range records {
				d := deployment(s.Node, r)
				if i == 0 {
					n.Last = &d
				}
				deployments[r.Commit] = append(deployments[r.Commit], d)
			}
		}
		g.Nodes = append(g.Nodes, n)
	}
	slices.Sort(tips)
	tips = slices.DeleteFunc(slices.Compact(tips), func(oid string) bool { return oid == "" })
	limit := max
	if max > 0 {
		limit++ // to know whether there are more
	}
	commits, err := repo.Newest(ctx, tips, limit)
	if err != nil {
		return nil, err
	}
	if max > 0 && len(commits) > max {
		commits, g.More = commits[:max], true
	}
	for _, c := range commits {
		of := deployments[c.Oid]
		slices.SortStableFunc(of, func(a, b Deployment) int { return b.Finished.Compare(a.Finished) })
		g.Commits = append(g.Commits, Commit{
			ID: c.Oid, Parents: append([]string{}, c.Parents...), Author: c.Author.Name, When: c.When,
			Subject: c.Subject(), Deployments: of,
		})
	}
	g.attribute()
	return g, nil
}

func deployment(node string, r gitrepo.Record) Deployment {
	return Deployment{
		Node: node, ID: r.Deployment, Action: r.Action, Outcome: r.Outcome, Reason: r.Reason, From: r.From,
		By: gitrepo.ParseIdentity(r.DeployedBy).Name, Finished: r.Finished, Millis: r.Finished.Sub(r.Started).Milliseconds(),
	}
}

// Paint gives the nodes their colours, those that they have among all.
func (g *Graph) Paint(all []string) {
	of := colors(all)
	for i := range g.Nodes {
		g.Nodes[i].Color = of[g.Nodes[i].Name]
	}
}

// attribute gives commits off HEAD's own line the node that had them first.
func (g *Graph) attribute() {
	row := rowsOf(g)
	trunk := trunkOf(g, row)
	follow := func(node, id string) {
		for id != "" && !trunk[id] {
			i, ok := row[id]
			if !ok || g.Commits[i].Node != "" {
				return
			}
			g.Commits[i].Node = node
			if id = ""; len(g.Commits[i].Parents) > 0 {
				id = g.Commits[i].Parents[0]
			}
		}
	}
	var all []Deployment
	commit := map[string]string{}
	for _, c := range g.Commits {
		for _, d := range c.Deployments {
			all = append(all, d)
			commit[d.ID] = c.ID
		}
	}
	slices.SortStableFunc(all, func(a, b Deployment) int { return a.Finished.Compare(b.Finished) })
	for _, d := range all {
		follow(d.Node, commit[d.ID])
	}
	for i := range g.Nodes {
		follow(g.Nodes[i].Name, g.Nodes[i].Tip)
	}
}
