package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/internal/testenv"
)

// emptyClone is a repository without a commit, whose remotes are nodes that were never fetched from. It is the current folder.
func emptyClone(t *testing.T, nodes ...string) (git func(args ...string)) {
	t.Helper()
	testenv.Need(t, "git")
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(dir))
	git = func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.org", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.org")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("init", "-q", "-b", "main")
	for _, n := range nodes {
		git("config", "remote."+n+".url", "node://root@"+n+".invalid/home")
		git("config", "remote."+n+".deployNode", n)
	}
	return git
}

// Where there is no commit yet, commands say so, and not how git calls what is missing.
func TestCommandsBeforeTheFirstCommit(t *testing.T) {
	git := emptyClone(t, "db", "web")
	check := func(args string, code int, says ...string) {
		t.Helper()
		got, stdout, stderr := run(t, strings.Fields(args)...)
		if got != code || strings.Contains(stdout+stderr, "refs/") || strings.Contains(stderr, "refspec") {
			t.Errorf("%s: exit code %d, want %d:\n%s%s", args, got, code, stdout, stderr)
		}
		for _, s := range says {
			if !strings.Contains(stdout+stderr, s) {
				t.Errorf("%s: no %q in\n%s%s", args, s, stdout, stderr)
			}
		}
	}
	check("status", 0, "no deployment seen")
	check("graph", 0, "no deployment seen")
	check("log", 1, "no deployment of any node is known here", "hint: git deploy log --fetch\n")
	check("log web", 1, "no deployment of web is known here", "hint: git deploy log --fetch\n")
	for _, args := range []string{"plan", "push --all", "push --affected"} {
		check(args, 2, "error: the branch main, which is deployed to db, has no commit here yet\n", "hint: git pull db main ")
	}
	check("diff web", 2, "the branch main, which is deployed to web, has no commit here yet\n", "hint: git pull web main ")
	check("push web", 2, "hint: git pull web main ")
	git("checkout", "-q", "-b", "elsewhere")
	git("commit", "-q", "--allow-empty", "-m", "First")
	check("push web", 2, "hint: git branch main ")
}
