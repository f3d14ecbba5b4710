package network

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

type statusWorld struct {
	t    *testing.T
	dir  string
	repo *gitrepo.Repo
	n    int
}

func (w *statusWorld) git(args ...string) string {
	w.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = w.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (w *statusWorld) commit(subject string) string {
	w.git("commit", "-q", "--allow-empty", "-m", subject)
	return w.git("rev-parse", "HEAD")
}

// deploy adds an entry to the log of a node as the clone has it, and moves the refs that it would have moved.
func (w *statusWorld) deploy(node string, r gitrepo.Record, refs ...string) {
	w.t.Helper()
	w.n++
	r.Deployment, r.Node, r.DeployedBy = "d"+string(rune('0'+w.n)), node, "Ada <ada@example.org>"
	r.Finished = time.Unix(1_700_000_000+int64(w.n), 0)
	log := "refs/deploy/nodes/" + node + "/log"
	before, _ := w.repo.RevParse(w.t.Context(), log)
	c, err := r.LogCommit(w.git("rev-parse", r.Commit+"^{tree}"), before)
	if err != nil {
		w.t.Fatal(err)
	}
	entry, err := w.repo.CommitTree(w.t.Context(), c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.git("update-ref", log, entry)
	for _, ref := range refs {
		name := "refs/deploy/nodes/" + node + "/" + ref
		if ref == "main" {
			name = "refs/remotes/" + node + "/main"
		}
		w.git("update-ref", name, r.Commit)
	}
}

func TestStatuses(t *testing.T) {
	testenv.Need(t, "git")
	for name, value := range map[string]string{"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
		"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "a@x", "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "a@x"} {
		t.Setenv(name, value)
	}
	w := &statusWorld{t: t, dir: t.TempDir()}
	w.git("init", "-q", "-b", "main")
	first, second := w.commit("First"), w.commit("Second")
	var err error
	if w.repo, err = gitrepo.Open(t.Context(), w.dir); err != nil {
		t.Fatal(err)
	}
	good := func(commit, action, system string) gitrepo.Record {
		return gitrepo.Record{Commit: commit, Action: action, Outcome: event.Succeeded, System: system}
	}
	w.deploy("step", good(second, "switch", "/s2"), "main", "current", "boot")
	w.deploy("lags", good(first, "switch", "/s1"), "main", "current", "boot")
	w.deploy("pinned", good(first, "switch", "/s1"), "main", "current", "boot")
	w.deploy("pinned", good(second, "switch", "/s2"), "main", "current", "boot")
	w.deploy("pinned", good(first, "rollback", "/s1"), "current", "boot")
	w.deploy("back", good(first, "switch", "/s1"), "main", "current", "boot")
	w.deploy("back", good(second, "switch", "/s2"), "main", "current", "boot")
	w.deploy("back", good(first, "rollback-boot", "/s1"), "boot") // from the next boot on
	w.deploy("waits", good(first, "switch", "/s1"), "main", "current", "boot")
	w.deploy("waits", good(second, "boot", "/s2"), "main", "boot")
	w.deploy("failed", good(first, "switch", "/s1"), "main", "current", "boot")
	for _, outcome := range []event.Outcome{event.Failed, event.RollbackFailed, event.RolledBack} {
		w.deploy("failed", gitrepo.Record{Commit: second, Action: "switch", Outcome: outcome, System: "/s2"})
	}
	w.deploy("rolled", good(first, "switch", "/s1"), "main", "current", "boot")
	w.deploy("rolled", gitrepo.Record{Commit: second, Action: "switch", Outcome: event.RolledBack, System: "/s2", PreviousSystem: "/s1", PreviousCommit: first})

	now := time.Now().Round(time.Second)
	NoteContact(w.repo.CommonDir, "lags", fail.New(fail.Unreachable, errors.New("no route")), now.Add(-time.Hour))
	NoteContact(w.repo.CommonDir, "lags", fail.New(fail.Unreachable, errors.New("still no route")), now)
	NoteContact(w.repo.CommonDir, "lags", context.Canceled, now)
	NoteContact(w.repo.CommonDir, "step", fail.New(fail.Unreachable, errors.New("no route")), now)
	NoteContact(w.repo.CommonDir, "step", nil, now)
	noNode := fmt.Errorf("rolled is %w", statedir.ErrNotANode)
	NoteContact(w.repo.CommonDir, "rolled", fail.New(fail.Unreachable, errors.New("no route")), now.Add(-2*time.Hour))
	NoteContact(w.repo.CommonDir, "rolled", noNode, now.Add(-time.Hour))
	NoteContact(w.repo.CommonDir, "rolled", errors.New("something else"), now)
	NoteContact(w.repo.CommonDir, "rolled", noNode, now)

	var remotes []Remote
	for _, name := range []string{"back", "failed", "lags", "never", "pinned", "rolled", "step", "waits"} {
		remotes = append(remotes, Remote{Name: name, Node: name, Branch: "main", URL: "node://root@" + name + "/home"})
	}
	statuses, err := Statuses(t.Context(), w.repo, remotes, second)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statuses {
		got := []any{s.Relation, s.Current, s.System, s.Pinned, s.Waits, s.Failed(), s.Unreachable != nil}
		want := map[string][]any{
			"step":   {InStep, second, "/s2", false, false, false, false},
			"lags":   {Behind, first, "/s1", false, false, false, true},
			"never":  {Unknown, "", "", false, false, false, false},
			"pinned": {InStep, first, "/s1", true, false, false, false},
			"back":   {InStep, second, "/s2", true, true, false, false},
			"waits":  {InStep, first, "/s1", false, true, false, false},
			"failed": {Behind, first, "/s1", false, false, true, false},
			"rolled": {Behind, first, "/s1", false, false, true, false},
		}[s.Name]
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: got %v, want %v", s.Name, got, want)
				break
			}
		}
		if s.Network != "home" || s.Current == first && s.Subject != "First" {
			t.Errorf("%s: %+v", s.Name, s)
		}
		if c := s.NotANode; (c != nil) != (s.Name == "rolled") || c != nil && (!c.Since.Equal(now.Add(-time.Hour)) || !c.Tried.Equal(now) || c.Reason != "rolled is not a node") {
			t.Errorf("not a node: %s, %+v", s.Name, c)
		}
		if c := s.Unreachable; c != nil && (!c.Since.Equal(now.Add(-time.Hour)) || !c.Tried.Equal(now) || c.Reason != "still no route") {
			t.Errorf("unreachable: %+v", c)
		}
	}
	// What cannot be read is as good as not there.
	if err := os.WriteFile(filepath.Join(w.repo.CommonDir, "git-deploy/unreachable/lags.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if statuses, err = Statuses(t.Context(), w.repo, remotes, second); err != nil || statuses[2].Unreachable != nil {
		t.Errorf("%+v, %v", statuses[2], err)
	}
}
