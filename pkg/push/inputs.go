package push

import (
	"context"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/nix"
)

// sendInputs copies those inputs of a flake to the node that it cannot fetch
// itself. The lock file names them, so that a network without any costs one
// look into the commit. What cannot be sent is a warning: the node may have it.
func (d *deployment) sendInputs(ctx context.Context, commit string) {
	h := d.h
	if h.peer.local {
		return
	}
	_, _, lock, err := d.objects.Read(commit + ":" + nix.LockFile)
	if err != nil {
		return // no flake, or one without inputs
	}
	warn := func(err error) {
		if ctx.Err() == nil {
			h.sink().Emit(event.Event{Kind: event.Warning, Message: "cannot send what the node may need: " + err.Error()})
		}
	}
	inputs, err := nix.LocalInputs(lock)
	if err != nil {
		warn(err)
		return
	}
	if there := h.peer.hello.StoreDir; len(inputs) == 0 || there != "" && there != nix.StoreDir() {
		return // its paths are others there
	}
	n := nix.New(h.sink())
	var paths []string
	for _, input := range inputs {
		path, err := n.Fetch(ctx, input)
		if err != nil {
			warn(err)
			continue
		}
		paths = append(paths, path)
	}
	if len(paths) == 0 {
		return
	}
	if err := n.CopyTo(ctx, h.peer.nixStore, paths...); err != nil {
		warn(err)
	}
}
