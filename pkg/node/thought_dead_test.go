package node

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/pkg/activate"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// The model (pkg/activate/model) found these: what happens to a deployment
// whose runner is only slow when somebody thinks it dead, and settles it.

// git is between its hooks, and nobody works on the deployment: until git is
// gone as well, nobody knows whether the branch will move.
func TestNobodySettlesBeforeGitIsGone(t *testing.T) {
	w := newWorld(t)
	w.mustPush()
	commit := w.commit("second", "two")
	if out, err := run(w.clone, "git", "push", "-q", "web", "main:refs/heads/elsewhere"); err != nil {
		t.Fatal(out)
	}
	id := statedir.NewID()
	held, err := w.l.Create(ctx, id, statedir.Holder{})
	if err != nil {
		t.Fatal(err)
	}
	job := activate.Job{
		ID: id, Network: "home", NetworkID: networkID, Node: "web", Branch: "main", Commit: commit,
		BranchBefore: w.refs()["refs/heads/main"], Action: activate.Switch, Receiver: processName(os.Getpid()),
	}
	settled := func() *event.Event {
		t.Helper()
		if err := activate.WriteJob(w.l, job); err != nil {
			t.Fatal(err)
		}
		if err := settle(ctx, w.l, w.n.lockFile(), id, 0); err != nil {
			t.Fatal(err)
		}
		f, err := statedir.FinishedEvent(w.l, id)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	if err := held.Release(); err != nil {
		t.Fatal(err)
	}
	if f := settled(); f != nil {
		t.Fatalf("settled while git may still move the branch: %s", f.Message)
	}
	job.Receiver = "1 0" // no such process
	if f := settled(); f == nil || f.Outcome != event.Interrupted {
		t.Errorf("git is gone: %+v", f)
	}
	w.idle()
}

// Who settled the deployment wrote the log and died before saying so; then the
// runner wakes up.
func TestALateRunnerRecordsNothingTwice(t *testing.T) {
	w := newWorld(t)
	w.mustPush()
	w.idleSoon()
	id := w.newest()
	data, err := os.ReadFile(w.l.Events(id))
	if err != nil {
		t.Fatal(err)
	}
	cut := bytes.LastIndexByte(bytes.TrimRight(data, "\n"), '\n') + 1
	if err := os.WriteFile(w.l.Events(id), data[:cut], 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := statedir.FinishedEvent(w.l, id); f != nil || err != nil {
		t.Fatalf("%+v, %v", f, err)
	}
	if err := runDeployment(ctx, w.l, id, event.Discard); err != nil {
		t.Error(err)
	}
	if o := w.outcome(id); o != event.Succeeded {
		t.Errorf("outcome %s", o)
	}
	w.idle()
}

// A boot moves the branch back from a commit that was only tested, while a
// deployment of it is half done: it is put back like any other.
func TestWhatHasBegunIsPutBackWhereverTheBranchIs(t *testing.T) {
	w := newWorld(t)
	first := w.commit("first", "one")
	w.mustPush()
	var id string
	for at := 4; w.said() != "two"; at++ {
		w.idleSoon()
		w.git("reset", "-q", "--hard", first)
		w.commit("second", "two")
		id = w.pushAndDie(at)
		if w.said() == "two" {
			break
		}
		if err := Recover(ctx, w.l, false, event.Discard); err != nil {
			t.Fatal(err)
		}
		if f, _ := statedir.FinishedEvent(w.l, id); f == nil || at > 30 {
			t.Fatalf("event %d: it never switched", at)
		}
	}
	if out, err := run(w.l.Repo("home"), "git", "update-ref", "refs/heads/main", first); err != nil {
		t.Fatal(out)
	}
	if err := Recover(ctx, w.l, false, event.Discard); err != nil {
		t.Fatal(err)
	}
	if w.said() != "one" || w.outcome(id) != event.Interrupted {
		t.Errorf("says %q, outcome %s", w.said(), w.outcome(id))
	}
	w.idle()
}

// Nobody looks at refs while another one moves them.
func TestRefsAreLocked(t *testing.T) {
	w := newWorld(t)
	w.mustPush()
	unlock, err := w.n.lockRefs(ctx)
	if err != nil {
		t.Fatal(err)
	}
	soon, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	if _, err := w.n.record(soon, activate.Job{ID: statedir.NewID()}, activate.Result{}); err == nil {
		t.Error("recorded beside another one")
	}
	if _, err := w.n.lookAfterBoot(soon, event.Discard); err == nil {
		t.Error("looked beside another one")
	}
	unlock()
	if _, err := w.n.lookAfterBoot(ctx, event.Discard); err != nil {
		t.Error(err)
	}
}
