package gitrepo

import (
	"os"
	"path/filepath"
	"strings"
)

// BrokenRef is a ref whose file names no object, as after a power cut or a full
// disk. git passes over it with a warning, as if it did not exist, and then
// refuses what is pushed with "missing necessary objects".
type BrokenRef struct {
	Name, Path string
	Last       string // the object that it was at last, by its reflog; "" is not known
}

// BrokenRefs returns the refs in files of their own that name no object. It starts no program.
func (r *Repo) BrokenRefs() []BrokenRef {
	var broken []BrokenRef
	_ = r.loose("refs", func(path string) error {
		name, err := filepath.Rel(r.CommonDir, path)
		// refs/heads is a file where git keeps refs in tables.
		if name = filepath.ToSlash(name); err != nil || strings.Count(name, "/") < 2 || strings.HasSuffix(name, ".lock") {
			return nil
		}
		data, err := os.ReadFile(path)
		value := strings.TrimSpace(string(data))
		if err == nil && !Oid(value) && !strings.HasPrefix(value, "ref: ") {
			broken = append(broken, BrokenRef{Name: name, Path: path, Last: r.lastOf(name)})
		}
		return nil
	})
	return broken
}

// lastOf is the newest value in the log of a ref.
func (r *Repo) lastOf(ref string) string {
	data, err := os.ReadFile(filepath.Join(r.CommonDir, "logs", filepath.FromSlash(ref)))
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	f := strings.Fields(lines[len(lines)-1]) // old, new, who, when, why
	if len(f) < 2 || !Oid(f[1]) || Zero(f[1]) {
		return ""
	}
	return f[1]
}
