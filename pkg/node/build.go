package node

import (
	"context"
	"fmt"
	"os"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/nix"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// built is what evaluating and building gave.
type built struct {
	path   string // of deploy.json
	bundle *bundle.Bundle
}

// build evaluates and builds commit, as far as the deployer has not done so,
// and keeps the result alive by the deployment's GC root.
func (d *deployment) build(ctx context.Context, objects *gitrepo.Objects, commit string, o Options) (*built, error) {
	l, x := d.n.Layout, nix.New(d.sink)
	result := l.Result(d.id)
	b := &built{}
	var err error
	switch {
	case o.Bundle != "":
		b.path = o.Bundle
		if err = x.Root(ctx, o.Bundle, result); err != nil {
			err = fmt.Errorf("the system that was built by the deployer is not here: %w", err)
		}
	case o.Drv != "":
		b.path, err = x.Realise(ctx, o.Drv, result)
	case o.Build == "deployer" || o.Evaluate == "deployer":
		err = refused("git push -o build=node REMOTE", "evaluating or building on the deployer needs git-remote-node (a node:// address): this push came without a result")
	default:
		source := l.Source(d.id)
		if err = os.Mkdir(source, 0o700); err != nil {
			return nil, err
		}
		defer func() { _ = os.RemoveAll(source) }() // what Nix needs of it is in its store
		if err = objects.Extract(commit, source); err != nil {
			return nil, fmt.Errorf("write out commit %s: %w", gitrepo.Short(commit), err)
		}
		b.path, err = x.BuildBundle(ctx, source, d.n.Node, result)
	}
	if err != nil {
		return nil, err
	}
	if b.bundle, err = nix.ReadBundle(b.path); err != nil {
		return nil, err
	}
	// Nix calls valid what the kernel has yet to write: after a power cut it
	// would take empty files for this system, also when that is pushed again.
	if err = statedir.SyncFS(b.path); err != nil {
		return nil, err
	}
	if b.bundle.Network.ID != d.n.Network.ID || b.bundle.Node != d.n.Node {
		return nil, refused("", "what was built is for node %q of the network with id %s, and this is node %q of %s",
			b.bundle.Node, b.bundle.Network.ID, d.n.Node, d.n.Network.ID)
	}
	if err := d.n.checkScope(b.bundle.Profile); err != nil {
		return nil, err
	}
	for _, w := range b.bundle.Warnings {
		d.sink.Emit(event.Event{Kind: event.Warning, Message: "node " + d.n.Node + ": " + w})
	}
	return b, nil
}

// compare reports the difference between two systems.
func (d *deployment) compare(ctx context.Context, from, to string) {
	diff, err := nix.New(d.sink).ClosureDiff(ctx, from, to)
	if err != nil {
		// Nothing hangs on it: the running system may be no store path of ours.
		d.sink.Emit(event.Event{Kind: event.Warning, Message: "cannot compare with the running system: " + err.Error()})
		return
	}
	d.sink.Emit(event.Event{Kind: event.Closure, Diff: diff})
}
