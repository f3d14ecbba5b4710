package hooks

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"

	"github.com/google/renameio/v2"
)

// Installed is what Install found and did.
type Installed struct {
	Written []string // names of hooks that were absent, not executable, or ours with another text
	Foreign []string // paths of hooks that are not ours, and were left as they are
}

// Install writes the hooks called names, which run tool, into the folder dir.
// A hook that is not ours is left as it is.
func Install(dir string, names []string, tool string) (in Installed, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return in, fmt.Errorf("install hooks: %w", err)
	}
	for _, name := range names {
		path, text := filepath.Join(dir, name), Render(name, tool)
		have, err := os.ReadFile(path)
		switch {
		case err == nil && bytes.Equal(have, text) && executable(path):
			continue
		case err == nil && !Ours(name, have), errors.Is(err, syscall.EISDIR):
			in.Foreign = append(in.Foreign, path)
			continue
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return in, fmt.Errorf("install hooks: %w", err)
		}
		if err := write(path, text); err != nil {
			return in, fmt.Errorf("install hooks: %w", err)
		}
		in.Written = append(in.Written, name)
	}
	return in, nil
}

// write makes path a program. renameio.WriteFile would keep the permissions of
// a file that is there.
func write(path string, text []byte) error {
	f, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o755))
	if err != nil {
		return err
	}
	defer func() { _ = f.Cleanup() }()
	if _, err := f.Write(text); err != nil {
		return err
	}
	return f.CloseAtomicallyReplace()
}

// executable reports whether git would run the file: it passes over others.
func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().Perm()&0o111 != 0
}

// Runs reports whether git runs ours where it runs the hook at path: it is
// ours, or somebody else's that mentions the command which runs ours.
func Runs(path string) bool {
	content, err := os.ReadFile(path)
	name := filepath.Base(path)
	mentions := regexp.MustCompile(`git-deploy['"]?\s+hook\s+` + regexp.QuoteMeta(name) + `\b`)
	return err == nil && executable(path) && (Ours(name, content) || mentions.Match(content))
}

// State is what a node tells of its hooks.
type State struct {
	// Restored are the names of hooks that were absent, not executable or of
	// another version, and "core.hooksPath" where that led elsewhere.
	Restored []string `json:"restored,omitempty"`
	// Problem says why pushes would not be deployed, "" where they would be.
	Problem string `json:"problem,omitempty"`
	Hint    string `json:"hint,omitempty"` // a command to type on the node
}
