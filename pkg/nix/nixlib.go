package nix

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/git-deploy/git-deploy/nixlib"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// NixlibEnv names the variable that replaces the nixlib in this program by a folder, for its developers.
const NixlibEnv = "GIT_DEPLOY_NIXLIB"

// NixlibDir returns the folder of nixlib, which it makes from this program
// when it is not there yet. The folder is named by its content, so it is
// whole, and never changes, once it has its name.
func NixlibDir() (string, error) {
	if dir := os.Getenv(NixlibEnv); dir != "" {
		return filepath.Abs(dir)
	}
	return extracted()
}

var extracted = sync.OnceValues(func() (string, error) {
	parent, err := nixlibParent()
	if err != nil {
		return "", fmt.Errorf("find a folder for nixlib: %w", err)
	}
	dir, err := extract(nixlib.FS, parent)
	if err != nil {
		return "", fmt.Errorf("write nixlib to %s: %w", parent, err)
	}
	return dir, nil
})

// nixlibParent is in the state folder of a node, where a process may have no
// home; in the user's cache elsewhere, also for root.
func nixlibParent() (string, error) {
	l := statedir.FromEnv()
	if _, err := os.Stat(l.Networks()); l.Root != "" || err == nil && os.Geteuid() == 0 {
		return filepath.Join(l.Dir(), "nixlib"), nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "git-deploy", "nixlib"), nil
}

// extract writes fsys below parent unless it is there.
func extract(fsys fs.FS, parent string) (string, error) {
	sum, err := hashTree(fsys)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(parent, sum)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(parent, ".new-")
	if err != nil {
		return "", err
	}
	err = fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		to := filepath.Join(tmp, filepath.FromSlash(path))
		if d.IsDir() {
			return os.Mkdir(to, 0o755)
		}
		return copyFile(fsys, path, to)
	})
	if err == nil {
		err = os.Chmod(tmp, 0o755)
	}
	if err == nil {
		err = os.Rename(tmp, dir)
		if errors.Is(err, fs.ErrExist) { // another process was faster
			err = os.RemoveAll(tmp)
			return dir, err
		}
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(tmp))
	}
	return dir, statedir.SyncDir(parent)
}

// copyFile syncs what it writes: the folder's name promises the content, also after a power cut.
func copyFile(fsys fs.FS, from, to string) error {
	data, err := fs.ReadFile(fsys, from)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// hashTree names a tree by the paths and contents of its files.
func hashTree(fsys fs.FS) (string, error) {
	h := sha256.New()
	field := func(b []byte) {
		_ = binary.Write(h, binary.BigEndian, uint64(len(b)))
		_, _ = h.Write(b)
	}
	err := fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(fsys, path)
		field([]byte(path))
		field(data)
		return err
	})
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil))[:32], nil
}
