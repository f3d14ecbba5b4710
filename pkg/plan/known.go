package plan

import (
	"path/filepath"

	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/nix"
)

// Known returns what is known without an evaluation of what deploying head
// (whose tree is given) would do to nodes, in the order of statuses; State is
// "" where a plan would have to evaluate. It starts no program.
func Known(repo *gitrepo.Repo, statuses []network.Status, head, tree string) []Node {
	nodes := make([]Node, len(statuses))
	c, err := openCache(repo)
	for i, s := range statuses {
		n := &nodes[i]
		*n = Node{Remote: s.Name, Node: s.Node, Commit: head, Runs: s.Current, Running: s.System, Pinned: s.Pinned}
		switch s.Relation {
		case network.InStep, network.Ahead:
			n.State = Has
			continue
		case network.Behind:
			n.Tree = tree
		case network.Diverged:
			if err != nil {
				continue
			}
			n.Merge = true
			m, _ := c.merge(head, s.Tip)
			n.Tree = m.Tree
		}
		if err != nil || n.Tree == "" || n.Running == "" || filepath.Dir(n.Running) != nix.StoreDir() {
			continue
		}
		a, ok := c.get(n.Tree, n.Node)
		if !ok {
			continue
		}
		n.System, n.Cached, n.State = a.System, true, Affected
		if a.System == n.Running {
			n.State = Unaffected
		}
	}
	return nodes
}
