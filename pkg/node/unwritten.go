package node

import (
	"errors"
	"os"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/activate"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/nix"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// Nix calls a path valid when its database says so, which is on the disk before
// the path's files are. A power cut during a build leaves valid paths with empty
// files: derivations that cannot be parsed, programs that do nothing. So a build
// is marked while it runs, by the id of the boot that it runs in, and the next
// one that finds a mark of another boot has Nix check and repair what it uses.

// unwritten returns the builds that an earlier boot did not end.
func (n *Node) unwritten(boot string) ([]string, error) {
	ids, err := n.Layout.IDs()
	if err != nil {
		return nil, err
	}
	var found []string
	for _, id := range ids {
		mark, err := os.ReadFile(n.Layout.Building(id))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if strings.TrimSpace(string(mark)) != boot { // an empty one too: it was cut
			found = append(found, id)
		}
	}
	return found, nil
}

// building runs build, which puts paths into the store, with a Nix that repairs
// the store where a power cut may have broken it, and returns when what was
// built is on the disk.
func (d *deployment) building(build func(*nix.Nix) error) error {
	l, x := d.n.Layout, nix.New(d.sink)
	boot, _ := activate.BootID() // where there is none, nothing is repaired
	cut, err := d.n.unwritten(boot)
	if err != nil {
		return err
	}
	if len(cut) > 0 {
		x.Repair = true
		d.sink.Emit(event.Event{Kind: event.Warning, Message: "the machine went down while deployment " + cut[0] + " was built: the store paths that this one uses are checked, and repaired"})
	}
	mark := l.Building(d.id)
	if err := statedir.WriteFile(mark, []byte(boot+"\n"), 0o600); err != nil {
		return err
	}
	if err := build(x); err != nil {
		// What was built before it failed is in the store.
		if statedir.SyncFS(nix.StoreDir()) == nil {
			_ = os.Remove(mark)
		}
		return err
	}
	if err := statedir.SyncFS(nix.StoreDir()); err != nil {
		return err
	}
	for _, id := range append(cut, d.id) {
		err = errors.Join(err, removeIfThere(l.Building(id)))
	}
	return err
}
