package push

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/network"
)

// MergeState is what became of a node's branch in a sync.
type MergeState string

const (
	SyncNothing   MergeState = "up-to-date" // the current branch has it all
	SyncForwarded MergeState = "fast-forward"
	SyncMerged    MergeState = "merged"
	SyncConflict  MergeState = "conflict"
	SyncUnrelated MergeState = "unrelated" // no common commit
	SyncUnknown   MergeState = "unknown"   // its branch was never fetched
)

// NodeMerge is the merge of one node's branch.
type NodeMerge struct {
	Remote    string     `json:"remote"`
	Node      string     `json:"node"`
	State     MergeState `json:"state"`
	Commits   int        `json:"commits"`             // that came in
	Conflicts []string   `json:"conflicts,omitempty"` // files
	Hint      string     `json:"hint,omitempty"`      // a command that goes on
}

// Merges is what came of merging the nodes' branches.
type Merges struct {
	Branch string      `json:"branch"` // the current branch, short
	Before string      `json:"before"`
	After  string      `json:"after"`
	Nodes  []NodeMerge `json:"nodes"`
}

// Merge merges the deploy branches of remotes, as last fetched, into the
// current branch: in the object database, one after the other, and what
// conflicts is left out. The branch and its work tree then follow in one step,
// which leaves uncommitted changes alone (the error matches gitrepo.ErrDirty, and nothing has moved).
func Merge(ctx context.Context, repo *gitrepo.Repo, config *gitrepo.Config, remotes []network.Remote) (*Merges, error) {
	branch, err := repo.Head(ctx)
	if err != nil {
		return nil, err
	}
	if branch == "" {
		return nil, fail.New(fail.Usage, errors.New("HEAD is detached: there is no current branch to merge into"), "git switch main")
	}
	m := &Merges{Branch: shortRef(branch)}
	if m.Before, err = repo.RevParse(ctx, branch); errors.Is(err, gitrepo.ErrNotFound) {
		return nil, fail.New(fail.Usage, fmt.Errorf("the branch %s has no commit yet", m.Branch), "git pull NODE main")
	} else if err != nil {
		return nil, err
	}
	m.After = m.Before
	tips, err := repo.Refs(ctx, "refs/remotes")
	if err != nil {
		return nil, err
	}
	for _, r := range remotes {
		n := NodeMerge{Remote: r.Name, Node: r.Node, State: SyncUnknown}
		if tip := tips["refs/remotes/"+r.Name+"/"+r.Branch]; tip != "" {
			if m.After, err = n.merge(ctx, repo, config, r, m.After, tip); err != nil {
				return nil, fmt.Errorf("merge what %s has: %w", r.Node, err)
			}
		}
		m.Nodes = append(m.Nodes, n)
	}
	if m.After == m.Before {
		return m, nil
	}
	return m, repo.FastForward(ctx, branch, m.After)
}

// merge returns ours with tip in it, or ours where that is not possible.
func (n *NodeMerge) merge(ctx context.Context, repo *gitrepo.Repo, config *gitrepo.Config, r network.Remote, ours, tip string) (string, error) {
	theirs := r.Name + "/" + r.Branch
	relation, err := repo.Relate(ctx, ours, tip)
	switch {
	case errors.Is(err, gitrepo.ErrUnrelated):
		n.State, n.Hint = SyncUnrelated, "git merge --allow-unrelated-histories "+theirs+"   # if both are the same network"
		if repo.IsShallow() {
			n.Hint = config.Unshallow(r.Name)
		}
		return ours, nil
	case err != nil:
		return ours, err
	case relation == gitrepo.Same || relation == gitrepo.Ahead:
		n.State = SyncNothing
		return ours, nil
	}
	subjects, err := repo.Subjects(ctx, ours, tip)
	if err != nil {
		return ours, err
	}
	if n.Commits = len(subjects); relation == gitrepo.Behind {
		n.State = SyncForwarded
		return tip, nil
	}
	tree, conflicts, err := repo.MergeTree(ctx, ours, tip)
	switch {
	case err != nil:
		return ours, err
	case len(conflicts) > 0:
		n.State, n.Commits, n.Conflicts = SyncConflict, 0, conflicts
		n.Hint = "git merge " + theirs + "   # resolve, git commit"
		return ours, nil
	}
	n.State = SyncMerged
	return repo.CommitTree(ctx, gitrepo.Commit{
		Tree: tree, Parents: []string{ours, tip}, Sign: config.Bool("commit.gpgSign", false),
		Message: mergeMessage(r.Node, subjects, false),
	})
}

// Conflicts describes the nodes whose branches could not be merged, and "" when all could.
func (m *Merges) Conflicts() string {
	var lines []string
	for _, n := range m.Nodes {
		switch n.State {
		case SyncConflict:
			lines = append(lines, fmt.Sprintf("%s: merge conflict in %s", n.Node, enumerate(n.Conflicts)))
		case SyncUnrelated:
			lines = append(lines, n.Node+": its history and yours have no common commit")
		}
	}
	return strings.Join(lines, "\n")
}
