package gitrepo

import (
	"bytes"
	"context"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing"
	commitgraph "github.com/go-git/go-git/v5/plumbing/format/commitgraph/v2"

	"github.com/git-deploy/git-deploy/pkg/proc"
)

// ancestry numbers commits and keeps their parents, so that walking a long
// history costs next to nothing. What git's commit-graph file holds has its
// position there as its number; other commits are read and get the numbers after.
type ancestry struct {
	index   commitgraph.Index // nil without one
	base    int32             // numbers below are positions in index
	numbers map[string]int32
	oids    []string  // from base on
	parents [][]int32 // nil: not read yet
	seen    []uint32  // the walk that has last been at a commit
	walks   uint32
}

// memory is a file that was read as a whole: the index is asked some 40,000
// times for the history of 10,000 commits.
type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

// commitGraph reads git's commit-graph, which may be a chain of files; nil where there is none that can be used.
func (r *Repo) commitGraph() commitgraph.Index {
	if r.IsShallow() { // it would know parents that are not here
		return nil
	}
	info := filepath.Join(r.CommonDir, "objects", "info")
	files := []string{filepath.Join(info, "commit-graph")}
	if chain, err := os.ReadFile(filepath.Join(info, "commit-graphs", "commit-graph-chain")); err == nil {
		hashes, err := commitgraph.OpenChainFile(bytes.NewReader(chain))
		if err != nil {
			return nil
		}
		files = files[:0]
		for _, hash := range hashes {
			files = append(files, filepath.Join(info, "commit-graphs", "graph-"+hash+".graph"))
		}
	}
	var index commitgraph.Index
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil
		}
		if index, err = commitgraph.OpenFileIndexWithParent(memory{bytes.NewReader(data)}, index); err != nil {
			return nil
		}
	}
	return index
}

func (r *Repo) ancestry() *ancestry {
	a := &ancestry{index: r.commitGraph(), numbers: map[string]int32{}}
	if a.index != nil {
		a.base = int32(a.index.MaximumNumberOfHashes())
	}
	a.parents = make([][]int32, a.base)
	a.seen = make([]uint32, a.base)
	return a
}

// number returns the number of a commit, which need not be here.
func (a *ancestry) number(oid string) int32 {
	n, ok := a.numbers[oid]
	if ok {
		return n
	}
	n = -1
	if a.index != nil && len(oid) == 40 {
		if at, err := a.index.GetIndexByHash(plumbing.NewHash(oid)); err == nil {
			n = int32(at)
		}
	}
	if n < 0 {
		n = a.base + int32(len(a.oids))
		a.oids, a.parents, a.seen = append(a.oids, oid), append(a.parents, nil), append(a.seen, 0)
	}
	a.numbers[oid] = n
	return n
}

// parentsOf returns the parents of a commit.
func (h *History) parentsOf(n int32) ([]int32, error) {
	a := h.ancestry
	if a.parents[n] != nil {
		return a.parents[n], nil
	}
	list := []int32{}
	if n < a.base {
		data, err := a.index.GetCommitDataByIndex(uint32(n))
		if err != nil {
			return nil, err
		}
		for _, p := range data.ParentIndexes {
			list = append(list, int32(p))
		}
	} else {
		if err := h.ctx.Err(); err != nil {
			return nil, err
		}
		c, err := h.Commit(a.oids[n-a.base])
		if err != nil {
			return nil, err
		}
		for _, p := range c.Parents {
			list = append(list, a.number(p))
		}
	}
	a.parents[n] = list
	return list, nil
}

// manyCommits is how many commits may have to be read one by one before an index of them pays.
const manyCommits = 1000

// IndexCommits lets git write its commit-graph, as git gc does, where h had to
// read many commits one by one. That it does not work stops nothing.
func (r *Repo) IndexCommits(ctx context.Context, h *History) {
	if len(h.ancestry.oids) < manyCommits || r.IsShallow() {
		return
	}
	_ = r.run(ctx, proc.Cmd{}, "commit-graph", "write", "--reachable", "--split", "--no-progress")
}
