package push

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/network"
)

// integration is the user's commit together with what the node has.
type integration struct {
	tip    string // the node's branch, "" when it has none
	local  string // the commit that the user pushes
	result string // what the node's branch shall be
	merged bool   // result is a new commit
}

// checkNetwork refuses a commit of another network, before anything is sent.
func (d *deployment) checkNetwork(objects *gitrepo.Objects) error {
	h, commit := d.h, d.local
	want := h.peer.hello.Network
	_, _, data, err := objects.Read(commit + ":" + network.IDFile)
	if errors.Is(err, gitrepo.ErrNotFound) {
		return fail.New(fail.Failed, fmt.Errorf("commit %s is not of a network: it has no file %s", gitrepo.Short(commit), network.IDFile),
			"git deploy init NAME   # makes this repository a network",
			fmt.Sprintf("git fetch %s   # brings the network %q that the node belongs to", h.nameOrURL(), want.Name))
	}
	if err != nil {
		return err
	}
	id, err := network.ParseID(data)
	if err != nil {
		return err
	}
	if want.ID == "" || id == want.ID {
		return nil
	}
	return fail.New(fail.Failed, fmt.Errorf("%s belongs to the network %q (id %s), this repository is another one (id %s)", h.called(), want.Name, want.ID, id),
		fmt.Sprintf("git clone %s   # gets the network of the node", h.address.String()),
		fmt.Sprintf("git deploy adopt %s ADDRESS   # gives the node to this network", h.called()))
}

// integrate merges what the node has into the user's commit, in the object
// database alone.
func (d *deployment) integrate(ctx context.Context) (integration, error) {
	h := d.h
	m := integration{tip: h.peer.hello.tip(), local: d.local, result: d.local}
	if m.tip == "" || m.tip == m.local {
		return m, nil
	}
	// Mostly the user has added one commit to what the node has; that needs no further process to see.
	if parents, err := d.objects.Parents(m.local); err == nil && slices.Contains(parents, m.tip) {
		return m, nil
	}
	_, _, _, err := d.objects.Info(m.tip)
	here := err == nil
	if here {
		relation, err := h.repo.Relate(ctx, m.local, m.tip)
		if err == nil && relation == gitrepo.Ahead {
			return m, nil
		}
		if err == nil && relation == gitrepo.Behind && !d.spec.Force {
			m.result = m.tip
			return m, nil
		}
	}
	err = event.RunStep(h.sink(), event.Merge, func() error {
		if !here {
			peer, err := h.peer.git()
			if err != nil {
				return err
			}
			if err := h.repo.Fetch(ctx, peer, h.peer.hello.branchRef()); err != nil {
				return err
			}
		}
		relation, err := h.repo.Relate(ctx, m.local, m.tip)
		switch {
		case errors.Is(err, gitrepo.ErrUnrelated):
			return d.unrelated(m, err)
		case err != nil:
			return err
		case relation == gitrepo.Same || relation == gitrepo.Ahead:
			return nil
		case relation == gitrepo.Behind && !d.spec.Force:
			m.result = m.tip
			return nil
		}
		m.result, err = d.merge(ctx, m)
		m.merged = err == nil
		return err
	})
	if err != nil {
		h.track(ctx, m.tip)
	}
	return m, err
}

func (d *deployment) unrelated(m integration, err error) error {
	if d.h.repo.IsShallow() {
		return fail.New(fail.Failed, fmt.Errorf("this clone is shallow, and the commit at which %s and it part is not in it", d.h.called()),
			d.h.config.Unshallow(d.h.nameOrURL()))
	}
	return fail.New(fail.Conflict, err, fmt.Sprintf("git merge --allow-unrelated-histories %s   # if both are the same network", gitrepo.Short(m.tip)))
}

// merge makes the commit that has both sides' changes; with force it has the
// user's tree, and the node's commits stay in its history.
func (d *deployment) merge(ctx context.Context, m integration) (string, error) {
	h := d.h
	c := gitrepo.Commit{Parents: []string{m.local, m.tip}, Sign: h.config.Bool("commit.gpgSign", false)}
	if d.spec.Force {
		tree, _, _, err := d.objects.Info(m.local + "^{tree}")
		if err != nil {
			return "", err
		}
		c.Tree = tree
	} else {
		tree, conflicts, err := h.repo.MergeTree(ctx, m.local, m.tip)
		if err != nil {
			return "", err
		}
		if len(conflicts) > 0 {
			return "", d.conflict(ctx, conflicts)
		}
		c.Tree = tree
	}
	subjects, err := h.repo.Subjects(ctx, m.local, m.tip)
	if err != nil {
		return "", err
	}
	c.Message = mergeMessage(h.peer.hello.Node, subjects, d.spec.Force)
	return h.repo.CommitTree(ctx, c)
}

// mergeMessage tells what came in from the node.
func mergeMessage(node string, subjects []string, force bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Merge what %s changed itself\n", node)
	if force {
		b.Reset()
		fmt.Fprintf(&b, "Merge %s, keeping nothing of what it changed itself\n", node)
	}
	const most = 20
	for i, s := range subjects {
		if i == 0 {
			b.WriteByte('\n')
		}
		if i == most {
			fmt.Fprintf(&b, "and %d more\n", len(subjects)-most)
			break
		}
		fmt.Fprintf(&b, "* %s\n", gitrepo.Clean(s))
	}
	return b.String()
}

func (d *deployment) conflict(ctx context.Context, files []string) error {
	h := d.h
	branch := h.peer.hello.branchRef()
	again := "git push " + h.nameOrURL()
	resolve := fmt.Sprintf("git pull --no-rebase %s %s", h.nameOrURL(), shortRef(branch))
	if ref := h.tracking(branch); ref != "" && !h.dryRun {
		resolve = "git merge " + shortRef(ref)
	}
	if head, err := h.repo.Head(ctx); err == nil && d.localBranch != "" && d.localBranch != head {
		resolve = fmt.Sprintf("git switch %s && %s", shortRef(d.localBranch), resolve)
	}
	return fail.New(fail.Conflict,
		fmt.Errorf("merge conflict in %s: %s changed the same lines as you", enumerate(files), h.called()),
		resolve+"   # resolve, git commit, and then: "+again)
}
