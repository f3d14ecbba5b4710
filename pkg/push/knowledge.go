package push

import (
	"context"

	"github.com/git-deploy/git-deploy/pkg/network"
)

// knowledge are the refspecs that tell the node what is known here of other nodes.
func (d *deployment) knowledge(ctx context.Context) []string {
	h := d.h
	var others []network.Remote
	var prefixes []string
	for _, r := range network.Nodes(h.config) {
		if r.Name != h.remote && r.Node != h.peer.hello.Node {
			others = append(others, r)
			prefixes = append(prefixes, r.LocalRefs()...)
		}
	}
	if len(others) == 0 {
		return nil
	}
	local, err := h.repo.Refs(ctx, prefixes...)
	if err != nil {
		return nil // not what the user asked for
	}
	return network.Tell(others, local, h.peer.hello.Refs, d.continues)
}

// maxSteps bounds how far back a log is read: two clones hardly ever differ by more.
const maxSteps = 1000

// continues reports whether log is a later state of the log old, each entry of which has the one before as its parent.
func (d *deployment) continues(log, old string) bool {
	later, err := d.objects.Reaches(log, old, maxSteps)
	return err == nil && later
}
