package push

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMerge(t *testing.T) {
	for _, c := range []struct {
		name   string
		before func(w *world) // what the clone is like
		dir    string         // where to push from
		moved  bool           // the local branch and its work tree follow
		says   string
	}{
		{"clean", func(*world) {}, "clone", true, "main has it now too"},
		{"dirty", func(w *world) { w.write(filepath.Join(w.clone, "network.nix"), "{ dirty = 1; }\n") }, "clone", false, "git merge --ff-only web/main"},
		{"untracked in the way", func(w *world) { w.write(filepath.Join(w.clone, "theirs"), "mine") }, "clone", false, "git merge --ff-only web/main"},
		{"elsewhere", func(w *world) { w.git(w.clone, "switch", "-qc", "topic") }, "clone", true, "main has it now too"},
		{"linked", func(w *world) {
			w.git(w.clone, "switch", "-qc", "topic")
			w.git(w.clone, "worktree", "add", "-q", "../linked", "main")
		}, "linked", true, "main has it now too"},
		{"from another work tree", func(w *world) {
			w.git(w.clone, "worktree", "add", "-q", "../linked", "-b", "topic")
		}, "linked", true, "main has it now too"},
		{"subfolder", func(w *world) { os.MkdirAll(filepath.Join(w.clone, "sub"), 0o755) }, "clone/sub", true, "main has it now too"},
		{"rebasing", func(w *world) {
			w.git(w.clone, "switch", "-qc", "base", "HEAD~1")
			w.commit(w.clone, "ours", "conflict")
			w.git(w.clone, "switch", "-q", "main")
			w.try(w.clone, "rebase", "base")
		}, "clone", false, "git merge web/main"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, repo := site(t)
			theirs := w.theirs(repo, "theirs", "from web\n")
			ours := w.commit(w.clone, "ours", "from here\n")
			c.before(w)
			out := w.git(filepath.Join(w.dir, c.dir), "push", "web", "main")
			w.says(out, c.says, "what web changed itself is merged")
			merge := w.rev(repo, "main")
			w.equal("parents", w.git(repo, "log", "-1", "--format=%P", "main"), ours+" "+theirs)
			w.equal("message", w.git(repo, "log", "-1", "--format=%an: %B", "main"), "Ada: Merge what web changed itself\n\n* change theirs\n")
			w.equal("files", w.git(repo, "ls-tree", "--name-only", "main"), "network-id\nnetwork.nix\nours\ntheirs")
			w.equal("tracking", w.rev(w.clone, "refs/remotes/web/main"), merge)
			w.says(out, theirs[:7]+".."+merge[:7])
			want := ours
			if c.moved {
				want = merge
			}
			w.equal("local branch", w.rev(w.clone, "refs/heads/main"), want)
			if c.moved && c.name != "elsewhere" {
				dir := w.clone
				if c.name == "linked" {
					dir = filepath.Join(w.dir, "linked")
				}
				w.equal("work tree", w.git(dir, "status", "--porcelain"), "")
				if data, _ := os.ReadFile(filepath.Join(dir, "theirs")); string(data) != "from web\n" {
					t.Errorf("the work tree has %q", data)
				}
			}
			if c.name == "dirty" {
				w.says(out, "uncommitted changes in network.nix stay here")
				if data, _ := os.ReadFile(filepath.Join(w.clone, "network.nix")); string(data) != "{ dirty = 1; }\n" {
					t.Errorf("the change is gone: %q", data)
				}
			}
		})
	}
}

func TestMergeFromDetachedHeadAndBare(t *testing.T) {
	w, repo := site(t)
	w.theirs(repo, "theirs", "1")
	w.git(w.clone, "switch", "-q", "--detach")
	w.commit(w.clone, "ours", "1")
	w.says(w.git(w.clone, "push", "web", "HEAD:main"), "git merge web/main")

	bare := filepath.Join(w.dir, "bare.git")
	w.git("", "clone", "-q", "--bare", w.clone, bare)
	w.git(bare, "remote", "add", "web", "node://localhost")
	w.theirs(repo, "theirs", "2")
	w.git(bare, "branch", "-f", "main", w.rev(w.clone, "HEAD"))
	w.says(w.git(bare, "push", "web", "main"), "main has it now too")
	w.equal("bare", w.rev(bare, "main"), w.rev(repo, "main"))
}

func TestBehindIsFastForwarded(t *testing.T) {
	w, repo := site(t)
	theirs := w.theirs(repo, "theirs", "1")
	out := w.git(w.clone, "push", "web")
	w.says(out, "was already there; main has it now too")
	w.equal("local", w.rev(w.clone, "main"), theirs)
	w.equal("tracking", w.rev(w.clone, "refs/remotes/web/main"), theirs)
	w.equal("current", w.rev(repo, refCurrent), theirs)
}

func TestConflictAndTheWayOut(t *testing.T) {
	w, repo := site(t)
	theirs := w.theirs(repo, "network.nix", "{ theirs = 1; }\n")
	ours := w.commit(w.clone, "network.nix", "{ ours = 1; }\n")
	out := w.fails(w.clone, []string{"push", "web"}, "merge conflict in network.nix", "git merge web/main", "[remote rejected] main -> main (merge conflict in network.nix")
	w.equal("branch", w.rev(repo, "main"), theirs)
	w.equal("tracking", w.rev(w.clone, "web/main"), theirs)
	w.equal("work tree", w.git(w.clone, "status", "--porcelain"), "")
	if !strings.Contains(out, "git push web") {
		t.Errorf("no way out: %s", out)
	}
	if _, err := w.try(w.clone, "merge", "web/main"); err == nil {
		t.Error("merged without conflict")
	}
	w.commit(w.clone, "network.nix", "{ both = 1; }\n")
	w.git(w.clone, "push", "web")
	w.equal("branch", w.git(repo, "log", "-1", "--format=%P", "main"), ours+" "+theirs)
}

func TestForceKeepsTheNodesHistory(t *testing.T) {
	w, repo := site(t)
	theirs := w.theirs(repo, "network.nix", "{ theirs = 1; }\n")
	ours := w.commit(w.clone, "network.nix", "{ ours = 1; }\n")
	w.git(w.clone, "push", "--force", "web")
	w.equal("parents", w.git(repo, "log", "-1", "--format=%P", "main"), ours+" "+theirs)
	w.equal("tree", w.rev(repo, "main^{tree}"), w.rev(w.clone, ours+"^{tree}"))
	// Rewound and forced: the tree of the old commit, on top of all history.
	w.git(w.clone, "reset", "-q", "--hard", ours+"~1")
	w.git(w.clone, "push", "--force", "web")
	w.equal("tree", w.rev(repo, "main^{tree}"), w.rev(w.clone, ours+"~1^{tree}"))
	w.equal("history", w.git(repo, "merge-base", "main", theirs), theirs)
}
