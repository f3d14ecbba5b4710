package node

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/network"
)

// checkUpdates refuses a push for what it does to refs. repo and objects see
// the pushed objects (quarantine).
func (n *Node) checkUpdates(ctx context.Context, repo *gitrepo.Repo, objects *gitrepo.Objects, updates []update) error {
	for _, u := range updates {
		if err := n.checkUpdate(ctx, repo, objects, u); err != nil {
			return err
		}
	}
	return nil
}

// near is how many commits before a pushed one are read before git is asked
// whether it goes on from where the ref was. A push may tell of hundreds of
// nodes, each a few commits further on, and a process takes as long as hundreds of reads.
const near = 100

func (n *Node) checkUpdate(ctx context.Context, repo *gitrepo.Repo, objects *gitrepo.Objects, u update) error {
	deployed, told := u.ref == n.Ref(), strings.HasPrefix(u.ref, RefNodes)
	switch {
	case network.ToldState(u.ref):
		// Its log only grows. Were this refused for a race of two tellers, so would be the push that it travels with.
		return nil
	case !u.deletes() && (strings.HasPrefix(u.ref, "refs/replace/") || strings.HasPrefix(u.ref, "refs/tags/refs/") || strings.HasPrefix(u.ref, "refs/heads/refs/")):
		return refused("", "%s would make git on this node take one thing for another", u.ref)
	case strings.HasPrefix(u.ref, RefFormer):
		return refused("", "%s is history of another network: nobody can push below %s", u.ref, RefFormer)
	case strings.HasPrefix(u.ref, RefPrefix):
		return refused("", "%s is written by the node itself: nobody can push below %s", u.ref, RefPrefix)
	case deployed && u.deletes():
		return refused("", "%s is what node %q deploys: it cannot be deleted", u.ref, n.Node)
	case told && u.deletes():
		return refused("", "%s tells of another node: it cannot be deleted by a push", u.ref)
	case !deployed && !told, u.creates():
		return nil
	}
	if forward, err := objects.Reaches(u.new, u.old, near); err == nil && forward {
		return nil
	}
	forward, err := repo.IsAncestor(ctx, u.old, u.new)
	if err != nil || forward {
		return err
	}
	if told {
		return refused("", "%s tells of another node: it only moves forward, and %s is not newer than %s",
			u.ref, gitrepo.Short(u.new), gitrepo.Short(u.old))
	}
	return refused("git pull --no-rebase REMOTE "+n.Branch+" && git push REMOTE "+n.Branch,
		"commit %s does not contain %s, which node %q has: nothing on a node is ever rewound. Merge it (git-remote-node does that by itself; its --force keeps your side) and push the merge",
		gitrepo.Short(u.new), gitrepo.Short(u.old), n.Node)
}

// checkMeant refuses a push that was meant for another machine.
func (n *Node) checkMeant(o Options) error {
	if o.Network != "" && o.Network != n.Network.ID {
		return refused("git deploy remotes", "this machine is a node of network %q (id %s), and the push is for the network with id %s: does the address belong to another machine now?",
			n.Network.Name, n.Network.ID, o.Network)
	}
	if o.Node != "" && o.Node != n.Node {
		return refused("git deploy remotes", "this machine is node %q of network %q, and the push is for node %q: does the address belong to another machine now? Correct deploy.host of %q, then make the remotes anew",
			n.Node, n.Network.Name, o.Node, o.Node)
	}
	return n.checkAction(o)
}

// checkCommit refuses the repository of another network.
func (n *Node) checkCommit(objects *gitrepo.Objects, commit string) error {
	_, kind, content, err := objects.Read(commit + ":" + network.IDFile)
	if errors.Is(err, gitrepo.ErrNotFound) || err == nil && kind != "blob" {
		return refused("git deploy init", "commit %s has no file %s: it is not of a git-deploy network", gitrepo.Short(commit), network.IDFile)
	}
	if err != nil {
		return err
	}
	id, err := network.ParseID(content)
	if err != nil {
		return fmt.Errorf("commit %s: %w", gitrepo.Short(commit), err)
	}
	if id != n.Network.ID {
		return refused(adoptHint(n.Node),
			"commit %s is of another network (id %s); this machine is node %q of network %q (id %s)",
			gitrepo.Short(commit), id, n.Node, n.Network.Name, n.Network.ID)
	}
	return nil
}

// readSubject returns the first line of a commit's message.
func readSubject(objects *gitrepo.Objects, commit string) (string, error) {
	_, kind, data, err := objects.Read(commit)
	if err != nil {
		return "", err
	}
	if kind != "commit" {
		return "", fmt.Errorf("%s is a %s and not a commit: it cannot be deployed", commit, kind)
	}
	_, message, _ := strings.Cut(string(data), "\n\n")
	first, _, _ := strings.Cut(strings.TrimLeft(message, "\n"), "\n")
	return gitrepo.Clean(first), nil
}
