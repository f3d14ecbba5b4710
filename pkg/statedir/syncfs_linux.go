package statedir

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// SyncFS makes everything in the file system that holds path survive a power cut.
func SyncFS(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return fmt.Errorf("sync the file system of %s: %w", path, err)
	}
	return nil
}
