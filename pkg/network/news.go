package network

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/proc"
)

// News is what a clone has learned of one node since Refs were read.
type News struct {
	Tip string `json:"tip,omitempty"` // of the deploy branch
	// Commits are those of the deploy branch that were nowhere in this clone before.
	Commits     []Author         `json:"commits"`
	Deployments []gitrepo.Record `json:"deployments"`      // newest first
	ToldBy      string           `json:"toldBy,omitempty"` // the remote that told it, if not the node itself
}

// Author is how many commits somebody made.
type Author struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// maxNews bounds the deployments of a node that was not known before.
const maxNews = 1000

// KnownRefs are the refs that hold what a clone knows, for WhatIsNew.
func KnownRefs(ctx context.Context, repo *gitrepo.Repo) (map[string]string, error) {
	return repo.Refs(ctx, "refs/heads", "refs/remotes", "refs/deploy/nodes")
}

// WhatIsNew says for each of remotes, by its name, what came in since before was read.
func WhatIsNew(ctx context.Context, repo *gitrepo.Repo, remotes []Remote, before map[string]string) (map[string]News, error) {
	after, err := KnownRefs(ctx, repo)
	if err != nil {
		return nil, err
	}
	commits, err := newCommits(ctx, repo, remotes, before, after)
	if err != nil {
		return nil, err
	}
	history, err := repo.History(ctx)
	if err != nil {
		return nil, err
	}
	defer history.Close()
	all := map[string]News{}
	for _, r := range remotes {
		n := News{Tip: after[r.tracked("refs/heads/"+r.Branch)], Commits: []Author{}, Deployments: []gitrepo.Record{}}
		n.Commits = append(n.Commits, authors(commits, n.Tip)...)
		log := r.tracked(gitrepo.LogRef)
		if after[log] != before[log] {
			var bad error
			err := history.Log(after[log], func(c gitrepo.CommitInfo) bool {
				if c.Oid == before[log] || len(n.Deployments) == maxNews {
					return false
				}
				record, err := gitrepo.ParseRecord(c.Message)
				if err != nil {
					bad = err
					return false
				}
				n.Deployments = append(n.Deployments, record)
				return true
			})
			if err := cmp.Or(err, bad); err != nil {
				return nil, fmt.Errorf("deployment log of %q: %w", r.Name, err)
			}
		}
		all[r.Name] = n
	}
	return all, nil
}

// Nothing reports whether there is none.
func (n News) Nothing() bool { return len(n.Commits) == 0 && len(n.Deployments) == 0 }

type authored struct {
	author  string
	parents []string
}

// newCommits reads, with one process, the commits of all remotes' branches that nothing in before has.
func newCommits(ctx context.Context, repo *gitrepo.Repo, remotes []Remote, before, after map[string]string) (map[string]authored, error) {
	old := map[string]bool{}
	for _, oid := range before {
		old[oid] = true
	}
	var in strings.Builder
	for _, r := range remotes {
		if tip := after[r.tracked("refs/heads/"+r.Branch)]; tip != "" && !old[tip] {
			fmt.Fprintln(&in, tip)
		}
	}
	if in.Len() == 0 {
		return nil, nil
	}
	for _, oid := range slices.Sorted(maps.Keys(old)) {
		fmt.Fprintln(&in, "^"+oid)
	}
	c := repo.Cmd("log", "--no-show-signature", "--format=%H%x00%P%x00%aN", "--ignore-missing", "--stdin")
	c.Stdin = strings.NewReader(in.String())
	out, err := proc.Output(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("read what is new: %w", err)
	}
	commits := map[string]authored{}
	for line := range bytes.Lines(out) {
		f := strings.Split(strings.TrimSuffix(string(line), "\n"), "\x00")
		if len(f) == 3 {
			commits[f[0]] = authored{author: gitrepo.Clean(f[2]), parents: strings.Fields(f[1])}
		}
	}
	return commits, nil
}

// authors counts those of commits that tip has, by author, most first.
func authors(commits map[string]authored, tip string) []Author {
	count, seen, todo := map[string]int{}, map[string]bool{}, []string{tip}
	for len(todo) > 0 {
		oid := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		c, ok := commits[oid]
		if !ok || seen[oid] {
			continue
		}
		seen[oid] = true
		count[c.author]++
		todo = append(todo, c.parents...)
	}
	var list []Author
	for name, n := range count {
		list = append(list, Author{name, n})
	}
	slices.SortFunc(list, func(a, b Author) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
	})
	return list
}
