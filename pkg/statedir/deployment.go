package statedir

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	idTime = "20060102T150405Z"
	idLen  = len(idTime) + 1 + 8
)

// NewID makes the id of a new deployment: the time to the microsecond, so that
// ids sort in the order in which one clock made them, and chance. Of the eight
// digits after the seconds five are the microsecond, the rest is random.
func NewID() string { return newID(time.Now(), rand.Uint32()) }

func newID(now time.Time, chance uint32) string {
	now = now.UTC()
	micro := now.Nanosecond() / int(time.Microsecond)
	return fmt.Sprintf("%s-%05x%03x", now.Format(idTime), micro, chance&0xfff)
}

// ValidID reports whether id is one that NewID could have made. Ids come from
// pushers and name folders.
func ValidID(id string) bool {
	if len(id) != idLen || id[len(idTime)] != '-' {
		return false
	}
	for _, c := range id[len(idTime)+1:] {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	_, err := time.Parse(idTime, id[:len(idTime)])
	return err == nil
}

// IDTime returns the time that a valid id holds, as its maker's clock had it.
func IDTime(id string) time.Time {
	if !ValidID(id) {
		return time.Time{}
	}
	t, _ := time.Parse(idTime, id[:len(idTime)])
	return t
}

// Create makes the folder of a new deployment and takes its DeploymentLock, so
// that nobody ever finds the folder of a live deployment without its holder.
// An id that was used before is os.ErrExist.
func (l Layout) Create(ctx context.Context, id string, holder Holder) (*Held, error) {
	if !ValidID(id) {
		return nil, fmt.Errorf("deployment id %.40q is not one (want TIME-8HEX, e.g. %s)", id, NewID())
	}
	if err := os.MkdirAll(l.Deployments(), 0o700); err != nil {
		return nil, err
	}
	made, err := os.MkdirTemp(l.Deployments(), newPrefix)
	if err != nil {
		return nil, err
	}
	held, err := Lock(ctx, filepath.Join(made, lockName), holder, 0)
	if err == nil {
		// Fails when the name is taken: such a folder is not empty.
		if err = os.Rename(made, l.Deployment(id)); err == nil {
			held.path = l.DeploymentLock(id)
			return held, nil
		}
		_ = held.Release()
		if _, there := os.Stat(l.Deployment(id)); there == nil {
			err = os.ErrExist
		}
	}
	_ = os.RemoveAll(made)
	return nil, fmt.Errorf("make deployment %s: %w", id, err)
}

const (
	lockName   = "lock"
	newPrefix  = ".new-"  // folders that are being made
	gonePrefix = ".gone-" // folders that are being removed
)

// IDs returns the ids of all deployments that have a folder, oldest first.
func (l Layout) IDs() ([]string, error) {
	entries, err := os.ReadDir(l.Deployments())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() && ValidID(e.Name()) {
			ids = append(ids, e.Name())
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// DeploymentLock is held by whichever process works on a deployment at the
// moment: pre-receive, the runner of the activation, or who settles it. Where
// nobody holds it, nobody works.
func (l Layout) DeploymentLock(id string) string { return filepath.Join(l.Deployment(id), lockName) }

// Result is the GC root of what a deployment built.
func (l Layout) Result(id string) string { return filepath.Join(l.Deployment(id), "result") }

// Source is the checked-out tree that a deployment evaluates.
func (l Layout) Source(id string) string { return filepath.Join(l.Deployment(id), "source") }

// Building is there while a deployment is built, until what was built is on the
// disk: the id of the boot in which that began.
func (l Layout) Building(id string) string { return filepath.Join(l.Deployment(id), "building") }

// Retention says how many folders of ended deployments are kept.
type Retention struct {
	Keep   int           // the newest ones, at least
	MaxAge time.Duration // and all that are younger
}

// DefaultRetention keeps what people still ask about.
var DefaultRetention = Retention{Keep: 30, MaxAge: 7 * 24 * time.Hour}

// Prune removes the folders of old deployments, GC roots included. Those for
// which inUse says true stay, and so do those that have not ended or that
// somebody works on. It returns the ids removed.
func (l Layout) Prune(r Retention, inUse func(id string) bool) ([]string, error) {
	ids, err := l.IDs()
	if err != nil {
		return nil, err
	}
	l.removeLeftovers()
	var removed []string
	for _, id := range ids[:max(0, len(ids)-r.Keep)] {
		if time.Since(IDTime(id)) < r.MaxAge || inUse(id) {
			continue
		}
		holder, lockErr := HolderOf(l.DeploymentLock(id))
		finished, logErr := FinishedEvent(l, id)
		if lockErr != nil || holder != nil || logErr != nil || finished == nil {
			continue
		}
		// Renamed first: a folder that lost only its event log would look unfinished.
		gone := filepath.Join(l.Deployments(), gonePrefix+id)
		if err := errors.Join(os.Rename(l.Deployment(id), gone), os.RemoveAll(gone)); err != nil {
			return removed, fmt.Errorf("remove deployment %s: %w", id, err)
		}
		removed = append(removed, id)
	}
	return removed, nil
}

// removeLeftovers removes what a dead Create or Prune left.
func (l Layout) removeLeftovers() {
	for _, prefix := range []string{newPrefix, gonePrefix} {
		dirs, _ := filepath.Glob(filepath.Join(l.Deployments(), prefix+"*"))
		for _, dir := range dirs {
			if st, err := os.Stat(dir); err == nil && time.Since(st.ModTime()) > time.Minute {
				_ = os.RemoveAll(dir) // tried again the next time
			}
		}
	}
}
