package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/git-deploy/git-deploy/internal/testenv"
)

// git runs git in dir and returns its output.
func git(t testing.TB, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSuffix(string(out), "\n")
}

// world isolates git from the machine's configuration.
func world(t testing.TB) {
	t.Helper()
	testenv.Need(t, "git")
	t.Setenv("GIT_CONFIG_GLOBAL", filepath.Join(t.TempDir(), "gitconfig"))
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	for _, name := range []string{"AUTHOR", "COMMITTER"} {
		t.Setenv("GIT_"+name+"_NAME", "Ada")
		t.Setenv("GIT_"+name+"_EMAIL", "ada@example.org")
	}
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// newRepo makes a repository with one commit.
func newRepo(t testing.TB) (*Repo, string) {
	t.Helper()
	world(t)
	dir := filepath.Join(t.TempDir(), "clone")
	git(t, "", "init", "-q", "-b", "main", dir)
	write(t, filepath.Join(dir, "network.nix"), "{ }\n")
	git(t, dir, "add", ".")
	git(t, dir, "commit", "-qm", "first")
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return r, dir
}

func commit(t testing.TB, dir, file, content string) string {
	t.Helper()
	write(t, filepath.Join(dir, file), content)
	git(t, dir, "add", ".")
	git(t, dir, "commit", "-qm", "change "+file)
	return git(t, dir, "rev-parse", "HEAD")
}

func TestOpenFindsEveryKind(t *testing.T) {
	_, dir := newRepo(t)
	linked := filepath.Join(t.TempDir(), "linked")
	git(t, dir, "worktree", "add", "-q", linked, "-b", "other")
	bare := filepath.Join(t.TempDir(), "bare.git")
	git(t, "", "clone", "-q", "--bare", dir, bare)
	sub := filepath.Join(dir, "a", "b")
	write(t, filepath.Join(sub, "f"), "")

	for _, c := range []struct{ at, gitDir, common, work string }{
		{dir, dir + "/.git", dir + "/.git", dir},
		{sub, dir + "/.git", dir + "/.git", dir},
		{dir + "/.git", dir + "/.git", dir + "/.git", dir},
		{linked, dir + "/.git/worktrees/linked", dir + "/.git", linked},
		{bare, bare, bare, ""},
	} {
		// A hook's environment must not lead elsewhere.
		t.Setenv("GIT_DIR", "/nonexistent")
		r, err := Open(t.Context(), c.at)
		if err != nil {
			t.Fatal(err)
		}
		os.Unsetenv("GIT_DIR")
		if r.GitDir != c.gitDir || r.CommonDir != c.common || r.WorkTree != c.work {
			t.Errorf("Open(%s) = %+v", c.at, *r)
		}
		t.Setenv("GIT_DIR", r.GitDir)
		e, err := OpenEnv()
		os.Unsetenv("GIT_DIR")
		if err != nil || e.CommonDir != c.common {
			t.Errorf("OpenEnv for %s: %+v, %v", c.at, e, err)
		}
	}
	if _, err := Open(t.Context(), t.TempDir()); !errors.Is(err, ErrNotARepository) {
		t.Errorf("outside a repository: %v", err)
	}
}

func TestUpdateRefsComparesAndSwaps(t *testing.T) {
	r, dir := newRepo(t)
	ctx := t.Context()
	one := git(t, dir, "rev-parse", "HEAD")
	two := commit(t, dir, "f", "x")

	if err := r.UpdateRef(ctx, "refs/deploy/current", one, ZeroOid, "test"); err != nil {
		t.Fatal(err)
	}
	for name, u := range map[string]RefUpdate{
		"exists":        {"refs/deploy/current", two, ZeroOid},
		"other value":   {"refs/deploy/current", two, two},
		"absent":        {"refs/deploy/none", two, one},
		"delete absent": {"refs/deploy/none", "", one},
	} {
		// A transaction is all or nothing.
		err := r.UpdateRefs(ctx, "test", RefUpdate{"refs/heads/new", two, ""}, u)
		if !errors.Is(err, ErrMoved) {
			t.Errorf("%s: %v", name, err)
		}
	}
	refs, err := r.Refs(ctx, "refs/heads/", "refs/deploy/")
	if err != nil || len(refs) != 2 || refs["refs/deploy/current"] != one || refs["refs/heads/main"] != two {
		t.Errorf("refs = %v, %v", refs, err)
	}
	if err := r.UpdateRef(ctx, "refs/deploy/current", two, one, "test"); err != nil {
		t.Error(err)
	}
	if err := r.UpdateRef(ctx, "refs/deploy/current", "", two, "test"); err != nil {
		t.Error(err)
	}
	if _, err := r.RevParse(ctx, "refs/deploy/current"); !errors.Is(err, ErrNotFound) {
		t.Errorf("after deletion: %v", err)
	}
}

func TestAncestryAndMerge(t *testing.T) {
	r, dir := newRepo(t)
	ctx := t.Context()
	base := git(t, dir, "rev-parse", "HEAD")
	ours := commit(t, dir, "ours", "1")
	git(t, dir, "checkout", "-q", "-b", "theirs", base)
	theirs := commit(t, dir, "theirs", "2")
	conflicting := commit(t, dir, "ours", "3")

	for _, c := range []struct {
		old, new string
		want     bool
	}{{base, ours, true}, {ours, base, false}, {ours, ours, true}, {ours, theirs, false}} {
		if got, err := r.IsAncestor(ctx, c.old, c.new); got != c.want || err != nil {
			t.Errorf("IsAncestor(%s, %s) = %v, %v", c.old, c.new, got, err)
		}
	}
	if got, err := r.MergeBase(ctx, ours, theirs); got != base || err != nil {
		t.Errorf("MergeBase = %s, %v", got, err)
	}
	tree, conflicts, err := r.MergeTree(ctx, ours, theirs)
	if err != nil || len(conflicts) > 0 {
		t.Fatal(conflicts, err)
	}
	merge, err := r.CommitTree(ctx, Commit{Tree: tree, Parents: []string{ours, theirs}, Message: "merge\n",
		Author: &Identity{"-Bo <x>", "bo@example.org"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := git(t, dir, "log", "-1", "--format=%P|%an|%ae|%cn", merge); got != ours+" "+theirs+"|-Bo <x|bo@example.org|Ada" &&
		got != ours+" "+theirs+"|-Bo x|bo@example.org|Ada" {
		t.Errorf("merge = %s", got)
	}
	if got := git(t, dir, "ls-tree", "--name-only", merge); got != "network.nix\nours\ntheirs" {
		t.Errorf("merged tree = %q", got)
	}
	if _, conflicts, err = r.MergeTree(ctx, ours, conflicting); err != nil || len(conflicts) != 1 || conflicts[0] != "ours" {
		t.Errorf("conflicts = %q, %v", conflicts, err)
	}
	git(t, dir, "checkout", "-q", "--orphan", "alone")
	git(t, dir, "commit", "-qm", "alone")
	if _, _, err = r.MergeTree(ctx, ours, "alone"); !errors.Is(err, ErrUnrelated) {
		t.Errorf("unrelated: %v", err)
	}
	if _, _, err := r.MergeTree(ctx, ours, "nothing"); err == nil || errors.Is(err, ErrUnrelated) {
		t.Errorf("no such commit: %v", err)
	}
}

func TestExtractIsExact(t *testing.T) {
	r, dir := newRepo(t)
	write(t, filepath.Join(dir, "a/b/run.sh"), "#!/bin/sh\r\n$Id$\n")
	write(t, filepath.Join(dir, ".gitattributes"), "* text=auto eol=crlf ident export-subst\nnetwork.nix export-ignore\n")
	os.Symlink("../network.nix", filepath.Join(dir, "a/link"))
	git(t, dir, "add", ".")
	git(t, dir, "update-index", "--chmod=+x", "a/b/run.sh")
	git(t, dir, "commit", "-qm", "more")
	out := t.TempDir()
	if err := r.Extract(t.Context(), "HEAD", out); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"network.nix": "{ }\n", "a/link": "{ }\n", "a/b/run.sh": git(t, dir, "show", "HEAD:a/b/run.sh") + "\n"} {
		got, err := os.ReadFile(filepath.Join(out, path))
		if err != nil || string(got) != want {
			t.Errorf("%s = %q, %v; want %q", path, got, err, want)
		}
	}
	if info, err := os.Stat(filepath.Join(out, "a/b/run.sh")); err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("run.sh is not executable: %v", err)
	}
	if _, err := os.Stat(filepath.Join(out, ".git")); err == nil {
		t.Error("a .git folder came along")
	}
}

func TestExtractNamesWhatIsNotThere(t *testing.T) {
	r, dir := newRepo(t)
	head := commit(t, dir, "big.bin", lfsHeader+"v1\noid sha256:0\nsize 5\n")
	if err := r.Extract(t.Context(), head, t.TempDir()); err == nil || !strings.Contains(err.Error(), "big.bin is kept in git-lfs") {
		t.Errorf("lfs: %v", err)
	}
	git(t, dir, "rm", "-q", "big.bin")
	git(t, dir, "update-index", "--add", "--cacheinfo", "160000,"+head+",lib/dep")
	git(t, dir, "commit", "-qm", "submodule")
	if err := r.Extract(t.Context(), "HEAD", t.TempDir()); err == nil || !strings.Contains(err.Error(), "lib/dep is a submodule") {
		t.Errorf("submodule: %v", err)
	}
}

func TestReadFileAndObjects(t *testing.T) {
	r, dir := newRepo(t)
	ctx := t.Context()
	write(t, filepath.Join(dir, "network-id"), "abc\n")
	git(t, dir, "add", ".")
	git(t, dir, "commit", "-qm", "id")
	if data, err := r.ReadFile(ctx, "HEAD", "network-id"); string(data) != "abc\n" || err != nil {
		t.Errorf("ReadFile = %q, %v", data, err)
	}
	for _, path := range []string{"none", "none/at/all", "network-id/x"} {
		if _, err := r.ReadFile(ctx, "HEAD", path); !errors.Is(err, ErrNotFound) {
			t.Errorf("ReadFile(%s): %v", path, err)
		}
	}
	o, err := r.Objects(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if _, _, data, err := o.Read("HEAD:network-id"); string(data) != "abc\n" || err != nil {
		t.Errorf("Read = %q, %v", data, err)
	}
	if _, _, _, err := o.Info("no such thing"); !errors.Is(err, ErrNotFound) {
		t.Errorf("Info: %v", err)
	}
	if _, kind, size, err := o.Info("HEAD:network.nix"); kind != "blob" || size != 4 || err != nil {
		t.Errorf("Info = %s %d %v", kind, size, err)
	}
}

func TestConfig(t *testing.T) {
	r, dir := newRepo(t)
	ctx := t.Context()
	if err := r.SetConfig(ctx, "remote.Web.1.fetch", "+a:b", "+c:d"); err != nil {
		t.Fatal(err)
	}
	git(t, dir, "config", "remote.Web.1.url", "node://root@web\n1")
	c, err := r.Config(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.All("Remote.Web.1.Fetch"); len(got) != 2 || got[1] != "+c:d" {
		t.Errorf("All = %q", got)
	}
	if got := c.Get("remote.Web.1.url"); got != "node://root@web\n1" {
		t.Errorf("Get = %q", got)
	}
	if got := c.Subsections("remote", "url"); len(got) != 1 || got[0] != "Web.1" {
		t.Errorf("Subsections = %q", got)
	}
	if c.Bool("core.bare", true) || !c.Bool("core.none", true) {
		t.Error("Bool")
	}
	for range 2 {
		if err := r.SetConfig(ctx, "remote.Web.1.fetch"); err != nil {
			t.Error(err)
		}
		if err := r.RemoveConfigSection(ctx, "remote.Web.1"); err != nil {
			t.Error(err)
		}
	}
}

// git refuses at once while another git has the configuration locked.
func TestConfigOfManyAtOnce(t *testing.T) {
	r, dir := newRepo(t)
	var all errgroup.Group
	for i := range 16 {
		all.Go(func() error { return r.SetConfig(t.Context(), fmt.Sprintf("remote.n%d.url", i), "node://web") })
	}
	if err := all.Wait(); err != nil {
		t.Error(err)
	}
	if got := strings.Count(git(t, dir, "config", "--get-regexp", `^remote\.n`), "node://web"); got != 16 {
		t.Errorf("%d remotes", got)
	}
}

// A hook's quarantine must be seen by OpenEnv, and OpenBare must be able to move refs beside it.
func TestQuarantine(t *testing.T) {
	_, dir := newRepo(t)
	bare := filepath.Join(t.TempDir(), "bare.git")
	git(t, "", "init", "-q", "--bare", bare)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	hook := "#!/bin/sh\nGITREPO_TEST_HOOK=1 exec '" + exe + "' -test.run '^TestHookProcess$' >&2\n"
	if err := os.WriteFile(filepath.Join(bare, "hooks/pre-receive"), []byte(hook), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GITREPO_TEST_COMMIT", git(t, dir, "rev-parse", "HEAD"))
	git(t, dir, "push", "-q", bare, "main")
}

func TestHookProcess(t *testing.T) {
	if os.Getenv("GITREPO_TEST_HOOK") == "" {
		t.Skip("runs as a hook of TestQuarantine")
	}
	ctx := context.Background()
	r, err := OpenEnv()
	if err != nil {
		t.Fatal(err)
	}
	oid := os.Getenv("GITREPO_TEST_COMMIT")
	if err := r.Extract(ctx, oid, t.TempDir()); err != nil {
		t.Errorf("the quarantine is not seen: %v", err)
	}
	live, err := OpenBare(".")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := live.RevParse(ctx, oid+"^{commit}"); err == nil {
		t.Error("OpenBare sees the quarantine")
	}
}
