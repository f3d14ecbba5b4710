package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/nix"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// keepFor is how long an answer is kept.
const keepFor = 60 * 24 * time.Hour

// cache keeps in the git folder what evaluations gave, one small file each, so
// that processes need no lock. A file's name is a hash of all that the answer
// depends on; nothing in it is ever changed.
type cache struct {
	dir         string
	fingerprint string
}

// answer is what an evaluation of one node in one tree gave.
type answer struct {
	Tree   string `json:"tree"`
	Node   string `json:"node"`
	System string `json:"system"`
	Drv    string `json:"drv"` // of the bundle
}

func openCache(repo *gitrepo.Repo) (*cache, error) {
	fingerprint, err := nix.Fingerprint()
	if err != nil {
		return nil, err
	}
	return &cache{filepath.Join(repo.CommonDir, "git-deploy", "plan"), fingerprint}, nil
}

func (c *cache) path(words ...string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", words))
	return filepath.Join(c.dir, hex.EncodeToString(sum[:16])+".json")
}

func (c *cache) file(tree, node string) string { return c.path("answer", c.fingerprint, tree, node) }

func (c *cache) get(tree, node string) (answer, bool) {
	var a answer
	ok := read(c.file(tree, node), &a)
	return a, ok && a.Tree == tree && a.Node == node
}

func (c *cache) put(a answer) error { return c.write(c.file(a.Tree, a.Node), a) }

// merge is the tree that a merge of two commits has: it never changes either.
type merge struct {
	Ours, Theirs string
	Tree         string   `json:",omitempty"`
	Conflicts    []string `json:",omitempty"`
}

func (c *cache) merge(ours, theirs string) (merge, bool) {
	var m merge
	ok := read(c.path("merge", ours, theirs), &m)
	return m, ok && m.Ours == ours && m.Theirs == theirs
}

func (c *cache) putMerge(m merge) error { return c.write(c.path("merge", m.Ours, m.Theirs), m) }

func read(path string, into any) bool {
	data, err := os.ReadFile(path)
	return err == nil && json.Unmarshal(data, into) == nil
}

func (c *cache) write(path string, v any) error {
	if err := os.MkdirAll(c.dir, 0o777); err != nil {
		return err
	}
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return statedir.WriteFile(path, data, 0o666)
}

// prune drops what is old. That it does not work stops nothing.
func (c *cache) prune(now time.Time) {
	entries, _ := os.ReadDir(c.dir)
	for _, e := range entries {
		if st, err := e.Info(); err == nil && now.Sub(st.ModTime()) > keepFor {
			_ = os.Remove(filepath.Join(c.dir, e.Name()))
		}
	}
}
