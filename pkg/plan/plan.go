// Package plan says which nodes a commit changes: it compares the system that
// each node would build with the one that it runs. It connects to no node and
// builds nothing; what nodes run is what the clone knows from the last push or
// fetch, and what they would build is evaluated here.
//
// A node that has commits of its own would build the merge, as a push makes
// it, so that is what is evaluated. Answers are kept in the git folder and
// depend on the tree, the node, nixlib and Nix alone (see nix.Fingerprint);
// errors are not kept.
package plan

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/nix"
)

// State says what a commit would do to a node.
type State string

const (
	Affected   State = "affected"   // its system would change
	Unaffected State = "unaffected" // it lacks the commit, but its system would stay
	Has        State = "has"        // it has the commit already
	Unknown    State = "unknown"    // Reason says why
)

// Node is the plan for one node.
type Node struct {
	Remote  string `json:"remote"`
	Node    string `json:"node"`
	State   State  `json:"state"`
	Reason  string `json:"reason,omitempty"` // why it is unknown
	Hint    string `json:"hint,omitempty"`   // what helps then, a line each
	Commit  string `json:"commit,omitempty"` // that is to be deployed
	Merge   bool   `json:"merge"`            // it would be merged with what the node has
	Tree    string `json:"tree,omitempty"`   // what would be evaluated on the node
	Runs    string `json:"runs,omitempty"`   // the commit that runs
	Running string `json:"running,omitempty"`
	System  string `json:"system,omitempty"` // that it would run, as a path of the store here
	Pinned  bool   `json:"pinned"`
	Cached  bool   `json:"cached"` // nothing had to be evaluated
	// Diff is the difference between the two systems, by package where both
	// are in this machine's store, else by derivation; NoDiff says why there is none.
	Diff   *event.ClosureDiff `json:"diff,omitempty"`
	NoDiff string             `json:"noDiff,omitempty"`
}

// Planner makes plans for the nodes of a clone.
type Planner struct {
	Repo *gitrepo.Repo
	Jobs int        // evaluations at once; 0: as many as there are processors
	Diff bool       // say what differs too
	New  bool       // evaluate even what is known
	Sink event.Sink // gets the steps of each evaluation, with the node's name
}

// planning is one run.
type planning struct {
	Planner
	cache *cache
	dir   string // temporary

	mu    sync.Mutex
	trees map[string]func() (string, error) // extracted once, by tree
}

// Plan returns the plans for nodes, whose statuses are given, in the same order. commit says what is to be deployed to one.
func (p Planner) Plan(ctx context.Context, statuses []network.Status, commit func(network.Remote) (string, error)) ([]Node, error) {
	dir, err := os.MkdirTemp("", "git-deploy-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	c, err := openCache(p.Repo)
	if err != nil {
		return nil, err
	}
	c.prune(time.Now())
	run := &planning{Planner: p, cache: c, dir: dir, trees: map[string]func() (string, error){}}
	nodes := make([]Node, len(statuses))
	for i, s := range statuses {
		n := &nodes[i]
		*n = Node{Remote: s.Name, Node: s.Node, Runs: s.Current, Running: s.System, Pinned: s.Pinned}
		if n.Commit, err = commit(s.Remote); err != nil {
			return nil, err
		}
		if err := run.aim(ctx, n, s.Tip); err != nil {
			return nil, err
		}
	}
	jobs := p.Jobs
	if jobs <= 0 {
		jobs = runtime.NumCPU()
	}
	var group errgroup.Group
	group.SetLimit(jobs)
	for i := range nodes {
		if n := &nodes[i]; n.State == "" {
			group.Go(func() error { return run.compare(ctx, n) })
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return nodes, ctx.Err()
}

// aim finds out which tree a push would have the node evaluate, and settles n where that is plain already.
func (p *planning) aim(ctx context.Context, n *Node, tip string) error {
	unknown := func(format string, args ...any) error {
		n.State, n.Reason = Unknown, fmt.Sprintf(format, args...)
		return nil
	}
	if tip == "" || n.Running == "" {
		return unknown("nothing is known of what it runs")
	}
	if n.elsewhere() && n.Runs == "" {
		return unknown("its Nix store is %s, and %s here, and it is not known which commit runs", filepath.Dir(n.Running), nix.StoreDir())
	}
	relation, err := p.Repo.Relate(ctx, n.Commit, tip)
	if errors.Is(err, gitrepo.ErrUnrelated) {
		if p.Repo.IsShallow() {
			return unknown("this clone is shallow, and the commit at which its branch and %s part is not in it", gitrepo.Short(n.Commit))
		}
		return unknown("its branch and %s have no commit in common", gitrepo.Short(n.Commit))
	}
	if err != nil {
		return err
	}
	switch relation {
	case gitrepo.Same, gitrepo.Behind:
		n.State = Has
		return nil
	case gitrepo.Ahead:
		n.Tree, err = p.Repo.RevParse(ctx, n.Commit+"^{tree}")
		return err
	}
	n.Merge = true
	m, ok := p.cache.merge(n.Commit, tip)
	if !ok {
		m = merge{Ours: n.Commit, Theirs: tip}
		if m.Tree, m.Conflicts, err = p.Repo.MergeTree(ctx, n.Commit, tip); err != nil {
			return err
		}
		if err := p.cache.putMerge(m); err != nil {
			return err
		}
	}
	if len(m.Conflicts) > 0 {
		return unknown("merging what it changed conflicts in %s", strings.Join(m.Conflicts, ", "))
	}
	n.Tree = m.Tree
	return nil
}

// compare evaluates what the node would build. Only what stops all is an error.
func (p *planning) compare(ctx context.Context, n *Node) error {
	would, cached, err := p.evaluate(ctx, n.Tree, n.Node, p.New)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		n.State, n.Reason, n.Hint = Unknown, err.Error(), strings.Join(fail.HintsOf(err), "\n")
		return nil
	}
	running := n.Running
	if n.elsewhere() {
		// Its paths are named after its own store: what it runs is evaluated here too.
		runs, known, err := p.running(ctx, n)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			n.State, n.Reason = Unknown, fmt.Sprintf("its Nix store is %s, and what it runs does not evaluate here: %v", filepath.Dir(n.Running), err)
			return nil
		}
		running, cached = runs.System, cached && known
	}
	n.System, n.Cached = would.System, cached
	if would.System == running {
		n.State = Unaffected
		return nil
	}
	n.State = Affected
	if p.Diff {
		n.Diff, err = p.diff(ctx, n, would)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			n.NoDiff = err.Error()
		}
	}
	return nil
}

// elsewhere reports whether the node's store is not this machine's, so that one system has two paths.
func (n *Node) elsewhere() bool { return filepath.Dir(n.Running) != nix.StoreDir() }

// running evaluates the commit that runs.
func (p *planning) running(ctx context.Context, n *Node) (answer, bool, error) {
	tree, err := p.Repo.RevParse(ctx, n.Runs+"^{tree}")
	if err != nil {
		return answer{}, false, err
	}
	return p.evaluate(ctx, tree, n.Node, p.New)
}

// evaluate returns what node would get from a tree.
func (p *planning) evaluate(ctx context.Context, tree, node string, anew bool) (answer, bool, error) {
	if !anew {
		if a, ok := p.cache.get(tree, node); ok {
			return a, true, nil
		}
	}
	source, err := p.extract(ctx, tree)
	if err != nil {
		return answer{}, false, err
	}
	e, err := nix.New(event.Stamp(p.sink(), node, "")).Evaluate(ctx, source, node)
	if err != nil {
		return answer{}, false, err
	}
	a := answer{Tree: tree, Node: node, System: e.Bundle.System, Drv: e.Drv}
	return a, false, p.cache.put(a)
}

func (p *planning) sink() event.Sink {
	if p.Sink == nil {
		return event.Discard
	}
	return p.Sink
}

// extract writes out a tree once. The folder has the name that it has on
// nodes, since a path that Nix copies is named after it.
func (p *planning) extract(ctx context.Context, tree string) (string, error) {
	p.mu.Lock()
	once := p.trees[tree]
	if once == nil {
		once = sync.OnceValues(func() (string, error) {
			source := filepath.Join(p.dir, tree, "source")
			if err := os.MkdirAll(source, 0o700); err != nil {
				return "", err
			}
			return source, p.Repo.Extract(ctx, tree, source)
		})
		p.trees[tree] = once
	}
	p.mu.Unlock()
	return once()
}

// diff says what differs between the system that runs and the one that would.
func (p *planning) diff(ctx context.Context, n *Node, would answer) (*event.ClosureDiff, error) {
	x := nix.New(event.Discard)
	both := true
	for _, path := range []string{n.Running, would.System} {
		if both = both && !n.elsewhere(); !both {
			break
		}
		ok, err := x.ValidPath(ctx, path)
		if err != nil {
			return nil, err
		}
		both = both && ok
	}
	if both {
		return x.ClosureDiff(ctx, n.Running, would.System)
	}
	tree, err := p.Repo.RevParse(ctx, n.Runs+"^{tree}")
	if err != nil {
		return nil, err
	}
	runs, err := p.derivation(ctx, tree, n.Node, p.New)
	if err != nil {
		return nil, err
	}
	if runs.System != n.Running && !n.elsewhere() {
		return nil, fmt.Errorf("what it runs is not here, and evaluating %s here gives another system", gitrepo.Short(n.Runs))
	}
	if would, err = p.derivation(ctx, n.Tree, n.Node, false); err != nil {
		return nil, err
	}
	d, err := x.DerivationDiff(ctx, runs.Drv, would.Drv)
	if err != nil {
		return nil, err
	}
	d.From, d.To = runs.System, would.System
	return d, nil
}

// derivation is evaluate where the derivation must be in the store: a cached one may have been collected.
func (p *planning) derivation(ctx context.Context, tree, node string, anew bool) (answer, error) {
	a, _, err := p.evaluate(ctx, tree, node, anew)
	if err != nil {
		return a, err
	}
	ok, err := nix.New(event.Discard).ValidPath(ctx, a.Drv)
	if err == nil && !ok {
		a, _, err = p.evaluate(ctx, tree, node, true)
	}
	return a, err
}
