package node

import (
	"context"
	"fmt"
	"os"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/nix"
)

// built is what evaluating and building gave.
type built struct {
	path   string // of deploy.json
	bundle *bundle.Bundle
}

// build evaluates and builds commit, as far as the deployer has not done so,
// and keeps the result alive by the deployment's GC root.
func (d *deployment) build(ctx context.Context, objects *gitrepo.Objects, commit string, o Options) (*built, error) {
	b := &built{}
	err := d.building(func(x *nix.Nix) (err error) {
		b.path, err = d.realise(ctx, x, objects, commit, o)
		return err
	})
	if err != nil {
		return nil, err
	}
	if b.bundle, err = nix.ReadBundle(b.path); err != nil {
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

// realise returns the bundle's path, as far as the deployer has not made it.
func (d *deployment) realise(ctx context.Context, x *nix.Nix, objects *gitrepo.Objects, commit string, o Options) (string, error) {
	result := d.n.Layout.Result(d.id)
	switch {
	case o.Bundle != "":
		if err := x.Root(ctx, o.Bundle, result); err != nil {
			return "", fmt.Errorf("the system that was built by the deployer is not here: %w", err)
		}
		return o.Bundle, nil
	case o.Drv != "":
		return x.Realise(ctx, o.Drv, result)
	case o.Build == "deployer" || o.Evaluate == "deployer":
		return "", refused("git push -o build=node REMOTE", "evaluating or building on the deployer needs git-remote-node (a node:// address): this push came without a result")
	}
	source := d.n.Layout.Source(d.id)
	if err := os.Mkdir(source, 0o700); err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(source) }() // what Nix needs of it is in its store
	if err := objects.Extract(commit, source); err != nil {
		return "", fmt.Errorf("write out commit %s: %w", gitrepo.Short(commit), err)
	}
	return x.BuildBundle(ctx, source, d.n.Node, result)
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
