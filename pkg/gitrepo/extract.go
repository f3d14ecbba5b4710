package gitrepo

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// lfsHeader begins the stand-in that git-lfs commits in place of a file.
const lfsHeader = "version https://git-lfs.github.com/spec/"

// Extract writes the tree of a commit to dir, which must exist, exactly as git holds it: attributes such as
// export-ignore and filters do not apply. A submodule or a git-lfs stand-in is an error that names it, since
// the files that the configuration means are not in the repository.
func (r *Repo) Extract(ctx context.Context, commit, dir string) error {
	objects, err := r.Objects(ctx)
	if err != nil {
		return err
	}
	defer objects.Close()
	if err := objects.Extract(commit, dir); err != nil {
		return fmt.Errorf("write out commit %s: %w", Short(commit), err)
	}
	return nil
}

// Extract is Repo.Extract through a process that runs already.
func (o *Objects) Extract(commit, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return o.extractTree(root, commit+"^{tree}", "")
}

// TreeEntry is one line of a tree object.
type TreeEntry struct {
	Mode string // "100644", "100755", "120000", "40000", "160000"
	Name string
	Oid  string
}

// parseTree reads a tree object; hashLen is 20 or 32.
func parseTree(data []byte, hashLen int) ([]TreeEntry, error) {
	var entries []TreeEntry
	for len(data) > 0 {
		head, rest, ok := bytes.Cut(data, []byte{0})
		mode, name, ok2 := strings.Cut(string(head), " ")
		if !ok || !ok2 || len(rest) < hashLen {
			return nil, fmt.Errorf("broken tree object")
		}
		entries = append(entries, TreeEntry{Mode: mode, Name: name, Oid: fmt.Sprintf("%x", rest[:hashLen])})
		data = rest[hashLen:]
	}
	return entries, nil
}

func (o *Objects) extractTree(root *os.Root, tree, prefix string) error {
	oid, kind, data, err := o.Read(tree)
	if err != nil {
		return err
	}
	if kind != "tree" {
		return fmt.Errorf("%s is a %s, not a tree", tree, kind)
	}
	entries, err := parseTree(data, len(oid)/2)
	if err != nil {
		return fmt.Errorf("%s: %w", oid, err)
	}
	for _, e := range entries {
		if e.Name == "" || e.Name == "." || e.Name == ".." || strings.EqualFold(e.Name, ".git") || strings.Contains(e.Name, "/") {
			return fmt.Errorf("the tree holds a file named %q", filepath.Join(prefix, e.Name))
		}
		path := filepath.Join(prefix, e.Name)
		if err := o.extractEntry(root, e, path); err != nil {
			return err
		}
	}
	return nil
}

func (o *Objects) extractEntry(root *os.Root, e TreeEntry, path string) error {
	switch e.Mode {
	case "40000":
		if err := root.Mkdir(path, 0o755); err != nil {
			return err
		}
		return o.extractTree(root, e.Oid, path)
	case "160000":
		return fmt.Errorf("%s is a submodule: a node gets this repository alone, without submodules; add its files to the repository, or fetch them in Nix with a fixed hash", path)
	}
	_, _, data, err := o.Read(e.Oid)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if e.Mode == "120000" {
		return root.Symlink(string(data), path)
	}
	if len(data) < 1024 && bytes.HasPrefix(data, []byte(lfsHeader)) {
		return fmt.Errorf("%s is kept in git-lfs: a node gets this repository alone, and git holds only a reference to the file; commit the file itself (git lfs untrack, git add --renormalize), or fetch it in Nix with a fixed hash", path)
	}
	mode := os.FileMode(0o644)
	if e.Mode == "100755" {
		mode = 0o755
	}
	return root.WriteFile(path, data, mode)
}
