package node

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// What is emptied in a node's repository is named, and what the hint says brings it back as it was.
func TestDamageIsNamedAndMended(t *testing.T) {
	testenv.Need(t, "git")
	t.Setenv(HostKeysEnv, "ssh-ed25519 AAAA")
	l := statedir.Layout{Root: t.TempDir()}
	o := initOptions("home", networkID, "web")
	if _, err := Init(ctx, l, o); err != nil {
		t.Fatal(err)
	}
	repo := l.Repo("home")
	commit, err := run(repo, "git", "-c", "user.name=A", "-c", "user.email=a@b", "commit-tree", "-m", "x", "4b825dc642cb6eb9a060e54bf8d69288fbee4904")
	if err != nil {
		t.Fatal(commit, err)
	}
	for _, ref := range []string{"refs/heads/main", "refs/deploy/current", "refs/tags/v1"} {
		if out, err := run(repo, "git", "update-ref", ref, commit); err != nil {
			t.Fatal(out, err)
		}
	}
	if err := os.Remove(filepath.Join(repo, "logs/refs/tags/v1")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ file, content string }{
		{"refs/heads/main", ""},
		{"refs/deploy/current", "\x00\x00\x00"},
		{"refs/tags/v1", ""},
		{"HEAD", ""},
		{"config", ""},
	} {
		path := filepath.Join(repo, c.file)
		write(t, path, c.content)
		_, err := Hello(ctx, l, "", "test")
		hints := fail.HintsOf(err)
		if err == nil || !strings.Contains(err.Error(), path) || len(hints) != 1 {
			t.Errorf("%s: %v, %q", c.file, err, hints)
			continue
		}
		if _, err := serve(l, "home"); err == nil {
			t.Errorf("%s: it is served", c.file)
		}
		command, _, _ := strings.Cut(hints[0], "   #")
		if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
			t.Errorf("%s: %s: %s", c.file, command, out)
		}
		if _, err := Init(ctx, l, o); err != nil {
			t.Errorf("%s, making it a node again: %v", c.file, err)
		}
		h, err := Hello(ctx, l, "", "test")
		if err != nil || h.Refs["refs/heads/main"] != commit || h.Refs["refs/deploy/current"] != commit {
			t.Errorf("%s, mended: %v, %+v", c.file, err, h)
		}
	}
}
