package transport

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxSocketDir is how long the path of a private folder may be: a socket's
// path has at most 107 bytes, and ssh first binds to the ControlPath with 17 more behind it.
const maxSocketDir = 107 - 17 - len("/relay")

// safePath has no character that ssh, a shell or an ssh option gives a meaning.
var safePath = regexp.MustCompile(`^/[A-Za-z0-9/._+,:@-]*$`)

// privateDir is a folder of mode 0700 for sockets and files of one Transport. Its lock
// file is locked as long as this process lives, so that others can tell what was left behind.
type privateDir struct {
	path string
	lock *os.File
}

func newPrivateDir() (*privateDir, error) {
	var errs []error
	for _, base := range []string{os.Getenv("XDG_RUNTIME_DIR"), os.TempDir(), "/tmp"} {
		if !safePath.MatchString(base) {
			continue
		}
		dir, err := privateDirIn(base)
		if err == nil {
			return dir, nil
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("make a private folder for ssh's socket: %w", errors.Join(errs...))
}

func privateDirIn(base string) (*privateDir, error) {
	parent, err := ownDir(filepath.Join(base, "git-deploy-"+strconv.Itoa(os.Getuid())))
	if err != nil {
		return nil, err
	}
	sweep(parent)
	path, err := os.MkdirTemp(parent, "s")
	if err != nil {
		return nil, err
	}
	if len(path) > maxSocketDir {
		_ = os.Remove(path)
		return nil, fmt.Errorf("%s: the path is too long for a socket", path)
	}
	// Locked before it has the name by which others look for what was left behind.
	unlocked := filepath.Join(path, "unlocked")
	lock, err := os.OpenFile(unlocked, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		err = os.Rename(unlocked, filepath.Join(path, "lock"))
	}
	if err != nil {
		lock.Close()
		return nil, err
	}
	return &privateDir{path: path, lock: lock}, nil
}

// ownDir makes path, or makes sure that it is a folder that only we can use.
func ownDir(path string) (string, error) {
	err := os.Mkdir(path, 0o700)
	if err == nil || !errors.Is(err, os.ErrExist) {
		return path, err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !ok || int(st.Uid) != os.Getuid() || info.Mode().Perm() != 0o700 {
		return "", fmt.Errorf("%s is not a folder of mode 0700 of ours", path)
	}
	return path, nil
}

// sweep removes the folders of processes that were killed.
func sweep(parent string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		path := filepath.Join(parent, e.Name())
		f, err := os.OpenFile(filepath.Join(path, "lock"), os.O_RDWR, 0)
		if err != nil {
			continue // being made just now
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			_ = os.RemoveAll(path)
		}
		f.Close()
	}
}

func (d *privateDir) file(name string) string { return filepath.Join(d.path, name) }

func (d *privateDir) remove() {
	_ = os.RemoveAll(d.path)
	d.lock.Close()
}
