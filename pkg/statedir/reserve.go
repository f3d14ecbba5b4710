package statedir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// reserveSize is ample for what it takes to put back a system and to say so:
// links in /etc, some small files, the objects of one log entry.
const reserveSize = 4 << 20

// MakeReserve takes room on the disk that DropReserve gives back: a disk may
// fill up in the middle of an activation, and the way back needs some of it.
func (l Layout) MakeReserve() error {
	if st, err := os.Stat(l.Reserve()); err == nil && st.Size() == reserveSize {
		return nil
	}
	// Written, because a hole takes no room.
	err := os.WriteFile(l.Reserve(), make([]byte, reserveSize), 0o600)
	if err != nil {
		return fmt.Errorf("keep some room on the disk: %w", errors.Join(err, l.DropReserve()))
	}
	return nil
}

// DropReserve gives the room back.
func (l Layout) DropReserve() error {
	if err := os.Remove(l.Reserve()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
