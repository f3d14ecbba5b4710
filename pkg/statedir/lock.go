package statedir

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// Holder says who holds a lock.
type Holder struct {
	Deployment string    `json:"deployment"`
	By         string    `json:"by"`
	Since      time.Time `json:"since"`
	Pid        int       `json:"pid"`
}

func (h Holder) String() string {
	by := ""
	if h.By != "" {
		by = " by " + h.By
	}
	return fmt.Sprintf("deployment %s%s since %s", h.Deployment, by, h.Since.Local().Format("15:04:05"))
}

// LockedError says that somebody else held the lock for as long as one would wait.
type LockedError struct {
	Holder *Holder // its Deployment is "" when the holder has not yet said who it is
	Waited time.Duration
}

func (e *LockedError) Error() string {
	who := "another deployment"
	if e.Holder.Deployment != "" {
		who = e.Holder.String()
	}
	if e.Waited < time.Second {
		return "locked: " + who + " is active"
	}
	return fmt.Sprintf("locked: %s is still active after a wait of %v", who, e.Waited.Round(time.Second))
}

// Held is a lock that this process holds.
//
// The lock is the kernel's (flock on a file that is never removed), so that it
// goes with its process, however that dies. The holder's name inside the file
// is for people only and decides nothing.
type Held struct {
	lock *flock.Flock
	path string
}

// lockPoll is how often a waiting Lock tries.
const lockPoll = 20 * time.Millisecond

// Lock takes the lock at path and writes holder into it. It waits for at most
// wait (0: does not wait) and fails with a *LockedError that names the holder.
// Pid and Since are filled in when zero.
func Lock(ctx context.Context, path string, holder Holder, wait time.Duration) (*Held, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	l := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	if err := acquire(ctx, l, wait); err != nil {
		_ = l.Close()
		return nil, err
	}
	if holder.Pid == 0 {
		holder.Pid = os.Getpid()
	}
	if holder.Since.IsZero() {
		holder.Since = time.Now()
	}
	h := &Held{lock: l, path: path}
	_ = h.write(&holder) // a full disk must not keep anybody from putting back a system
	return h, nil
}

func acquire(ctx context.Context, l *flock.Flock, wait time.Duration) error {
	start := time.Now()
	for {
		ok, err := l.TryLock()
		if err != nil {
			return fmt.Errorf("lock %s: %w", l.Path(), err)
		}
		if ok {
			return nil
		}
		poll := lockPoll
		if waited := time.Since(start); waited >= wait {
			holder, err := HolderOf(l.Path())
			if err != nil {
				return err
			}
			if holder != nil {
				return &LockedError{Holder: holder, Waited: waited}
			}
			poll = time.Millisecond // only somebody who asked, as HolderOf does, was in the way
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(poll):
		}
	}
}

// write replaces the holder's name. The file stays the same file: a rename
// would leave the lock on one that no longer has a name.
func (h *Held) write(holder *Holder) error {
	f, err := os.OpenFile(h.path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	var data []byte
	if holder != nil {
		if data, err = json.Marshal(holder); err != nil {
			return err
		}
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	return err
}

// Release gives the lock back.
func (h *Held) Release() error {
	_ = h.write(nil)
	return h.lock.Close()
}

// HolderOf tells whether somebody holds the lock at path, and who. The
// Holder is nil when the lock is free, also when the last one died without
// releasing it.
func HolderOf(path string) (*Holder, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	l := flock.New(path, flock.SetFlag(os.O_RDONLY))
	free, err := l.TryRLock()
	_ = l.Close()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if free {
		return nil, nil
	}
	if h := readHolder(path); h != nil {
		return h, nil
	}
	return &Holder{}, nil
}

func readHolder(path string) *Holder {
	var h Holder
	if ReadJSON(path, &h) != nil {
		return nil // empty or half-written: its holder is just taking or leaving it
	}
	return &h
}
