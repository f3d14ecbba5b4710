package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/activate"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// A push that evaluates or builds is superseded by one that has its commit and
// more: nobody needs the older any longer. Pushes that have diverged do not
// supersede each other, or two people could keep each other from ever deploying:
// the first one to be built wins, and the other merges.

// NewerField is the field of a Finished event with the id of the deployment
// that has superseded this one and has its commit.
const NewerField = "newer"

// supersededPoll is how soon an older push notices.
const supersededPoll = 100 * time.Millisecond

// supersededError ends an older push.
type supersededError struct{ id, by string }

func (e *supersededError) Error() string {
	by := ""
	if e.by != "" {
		by = " by " + e.by
	}
	return fmt.Sprintf("a newer push%s has this commit and more (deployment %s)", by, e.id)
}

// The files that both sides meet in. Each is written whole, and means nothing after a reboot.
func (d *deployment) commitFile() string { return commitFile(d.n.Layout, d.id) }
func commitFile(l statedir.Layout, id string) string {
	return filepath.Join(l.Deployment(id), "commit")
}
func newerFile(l statedir.Layout, id string) string { return filepath.Join(l.Deployment(id), "newer") }

func writeWhole(file, text string) error {
	if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// whileNewest says what is being built, and returns a context that ends when a
// newer push has it too.
func (d *deployment) whileNewest(ctx context.Context, commit string) (context.Context, context.CancelFunc, error) {
	if err := writeWhole(d.commitFile(), d.n.Network.ID+" "+commit); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		tick := time.NewTicker(supersededPoll)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if text, err := os.ReadFile(newerFile(d.n.Layout, d.id)); err == nil {
				id, by, _ := strings.Cut(string(text), " ")
				cancel(&supersededError{id, by})
			}
		}
	}()
	return ctx, func() { cancel(context.Canceled) }, nil
}

// supersede ends the pushes that build what commit, which repo sees, contains.
// One that cannot be ended builds in vain.
func (d *deployment) supersede(ctx context.Context, repo *gitrepo.Repo, commit, by string) {
	l := d.n.Layout
	ids, _ := l.IDs()
	for _, id := range slices.Backward(ids) {
		if time.Since(statedir.IDTime(id)) > oldQuarantine {
			return
		}
		text, err := os.ReadFile(commitFile(l, id))
		if err != nil || id == d.id {
			continue
		}
		network, older, _ := strings.Cut(string(text), " ")
		if network != d.n.Network.ID || older == commit || !gitrepo.Oid(older) {
			continue
		}
		if _, err := os.Stat(activate.JobFile(l, id)); !errors.Is(err, os.ErrNotExist) {
			continue // built: whose turn it is, the branch tells
		}
		if holder, err := statedir.HolderOf(l.DeploymentLock(id)); err != nil || holder == nil {
			continue
		}
		// What is not here is not contained.
		if contained, err := repo.IsAncestor(ctx, older, commit); err == nil && contained {
			_ = writeWhole(newerFile(l, id), d.id+" "+by)
		}
	}
}
