package hooks

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// Install writes the hooks called names, which run tool, into the folder dir.
// A hook that is not ours is left as it is, and its path is returned.
func Install(dir string, names []string, tool string) (foreign []string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("install hooks: %w", err)
	}
	for _, name := range names {
		path, text := filepath.Join(dir, name), Render(name, tool)
		have, err := os.ReadFile(path)
		switch {
		case err == nil && bytes.Equal(have, text):
			continue
		case err == nil && !Ours(name, have):
			foreign = append(foreign, path)
			continue
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return foreign, fmt.Errorf("install hooks: %w", err)
		}
		if err := renameio.WriteFile(path, text, 0o755); err != nil {
			return foreign, fmt.Errorf("install hooks: %w", err)
		}
	}
	return foreign, nil
}
