package node

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
)

// checkRepo names what a power cut or a full disk has emptied in the node's
// repository, and what mends it: git takes such a file for absent, or says no
// more than that something is missing. It starts no program.
func (n *Node) checkRepo() error {
	if err := n.checkRefs(); err != nil {
		return err
	}
	path := filepath.Join(n.Repo.GitDir, "config")
	config, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if !bytes.Contains(bytes.ToLower(config), []byte("advertisepushoptions")) {
		return fail.New(fail.Failed, fmt.Errorf("the node's repository is damaged: its settings are not in %s", path),
			fmt.Sprintf("rm -f %s   # on %s, and then here: git deploy add %s ADDRESS, which writes it anew", path, n.Node, n.Node))
	}
	return nil
}

// checkRefs is checkRepo for what making a node does not write anew by itself.
func (n *Node) checkRefs() error {
	head := filepath.Join(n.Repo.GitDir, "HEAD")
	if data, err := os.ReadFile(head); err == nil && len(bytes.TrimSpace(data)) == 0 {
		return damaged(head, fmt.Sprintf("echo ref: %s >%s   # on %s", n.Ref(), head, n.Node))
	}
	for _, ref := range n.Repo.BrokenRefs() {
		return damaged(ref.Path, n.mend(ref))
	}
	return nil
}

// mend is the command that puts a ref back to where it was, and lets the next push make it where that is not known.
func (n *Node) mend(ref gitrepo.BrokenRef) string {
	if ref.Last == "" {
		return fmt.Sprintf("rm %s   # on %s", ref.Path, n.Node)
	}
	return fmt.Sprintf("rm %s && git --git-dir=%s update-ref %s %s   # on %s: its value before, as its log says", ref.Path, n.Repo.GitDir, ref.Name, ref.Last, n.Node)
}

func damaged(path, hint string) error {
	return fail.New(fail.Failed, fmt.Errorf("the node's repository is damaged: %s holds nothing that git can read", path), hint)
}
