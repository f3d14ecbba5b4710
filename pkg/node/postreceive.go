package node

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/git-deploy/git-deploy/pkg/activate"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/statedir"
	"github.com/git-deploy/git-deploy/pkg/ui"
)

// PostReceive is the hook post-receive. It shows the activation of what
// pre-receive built, which has begun by now, to a pusher who has nothing better
// (plain git). If the pusher goes, the activation goes on. git ignores how this hook
// ends: only who reads its words, or the event log, learns the outcome.
func PostReceive(ctx context.Context, h HookEnv) error {
	n, updates, o, err := h.receive()
	if err != nil {
		return err
	}
	for _, u := range updates {
		if u.ref != n.Ref() || u.deletes() {
			continue
		}
		id, err := n.built(o.Deployment, u.new, processName(os.Getppid()))
		if err != nil || !o.Follow {
			return err
		}
		ctx, stop := whileClient(ctx)
		defer stop()
		show := ui.New(h.Stderr, ui.Options{Mode: ui.Plain})
		defer show.Close()
		return n.watch(ctx, id, show)
	}
	return nil
}

// built finds the deployment that pre-receive made for commit. Without its id
// it is known by the git that ran both hooks: the same commit may be deployed
// again within a second, and ids do not tell which was later.
func (n *Node) built(id, commit, receiver string) (string, error) {
	ids := []string{id}
	if id == "" {
		var err error
		if ids, err = n.Layout.IDs(); err != nil {
			return "", err
		}
		slices.Reverse(ids)
	}
	for _, id := range ids {
		job, err := activate.ReadJob(n.Layout, id)
		if err == nil && job.Commit == commit && job.NetworkID == n.Network.ID && job.Receiver == receiver {
			return id, nil
		}
	}
	return "", fmt.Errorf("commit %s came in, and no deployment was prepared for it: is the hook pre-receive in place?", commit)
}

// watch shows the part of a deployment that comes after pre-receive.
func (n *Node) watch(ctx context.Context, id string, show event.Sink) error {
	from := int64(1)
	seen, err := statedir.ReadEvents(n.Layout, id)
	if err != nil {
		return err
	}
	for _, e := range seen {
		if e.Step == event.Wait {
			break // the runner was quick
		}
		from = e.Seq + 1
	}
	var end *event.Event
	err = Follow(ctx, n.Layout, id, from, func(e event.Event) error {
		show.Emit(e)
		if e.Kind == event.Finished {
			end = &e
		}
		return nil
	})
	if err != nil {
		return err
	}
	return ended(end)
}
