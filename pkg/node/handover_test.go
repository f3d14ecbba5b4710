package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// git dies with its connection between the two hooks: before it has moved the
// branch, or after. Either the branch moves and is activated, or neither.
func TestConnectionEndsBetweenTheHooks(t *testing.T) {
	for state, want := range map[string]event.Outcome{"prepared": event.Interrupted, "committed": event.Succeeded} {
		t.Run(state, func(t *testing.T) {
			w := newWorld(t)
			w.mustPush()
			before := w.refs()["refs/heads/main"]
			commit := w.commit("two", "two")
			// git runs this hook around the moment at which it moves refs.
			hook := filepath.Join(w.l.Repo("home"), "hooks/reference-transaction")
			script := "#!/bin/sh\nwhile read old new ref; do [ \"$1 $ref\" != '" + state + " refs/heads/main' ] || kill -9 $PPID; done\n"
			if err := os.WriteFile(hook, []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
			id := statedir.NewID()
			_, _ = w.push("-o", "deployment="+id, "-o", "follow=false")
			eventually(t, "the deployment ends", func() bool {
				f, err := statedir.FinishedEvent(w.l, id)
				return err == nil && f != nil
			})
			if err := os.Remove(hook); err != nil {
				t.Fatal(err)
			}
			if got := w.outcome(id); got != want {
				t.Errorf("outcome %s, want %s", got, want)
			}
			tip := before
			if want == event.Succeeded {
				tip = commit
			}
			if got := w.refs()["refs/heads/main"]; got != tip {
				t.Errorf("the branch is at %s, want %s", got, tip)
			}
			// What git itself leaves when it is killed is in the way for a moment only.
			locks, _ := filepath.Glob(filepath.Join(w.l.Repo("home"), "refs/heads/*.lock"))
			more, _ := filepath.Glob(filepath.Join(w.l.Repo("home"), "*.lock"))
			past := time.Now().Add(-2 * staleLock)
			for _, lock := range append(locks, more...) {
				if err := os.Chtimes(lock, past, past); err != nil {
					t.Fatal(err)
				}
			}
			w.commit("three", "three")
			w.mustPush()
			w.idle()
		})
	}
}

// git is dead before the hook looks: nobody will move the branch, and no
// runner waits for whoever took the hook over from git.
func TestGitDiesBeforeTheHook(t *testing.T) {
	w := newWorld(t)
	w.mustPush()
	before := w.refs()["refs/heads/main"]
	w.commit("two", "two")
	hook := filepath.Join(w.l.Repo("home"), "hooks/pre-receive")
	ours, err := os.ReadFile(hook)
	if err != nil {
		t.Fatal(err)
	}
	_, command, _ := strings.Cut(string(ours), "\n")
	script := "#!/bin/sh\nkill -9 $PPID\nwhile kill -0 $PPID 2>/dev/null; do :; done\n" + command
	if err := os.WriteFile(hook, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	_, _ = w.push("-o", "follow=false")
	if err := os.WriteFile(hook, ours, 0o755); err != nil {
		t.Fatal(err)
	}
	if now := w.refs()["refs/heads/main"]; now != before {
		t.Errorf("the branch is at %s, was at %s", now, before)
	}
	w.mustPush()
	ids, err := w.l.IDs()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		eventually(t, "deployment "+id+" ends", func() bool {
			f, err := statedir.FinishedEvent(w.l, id)
			return err == nil && f != nil
		})
	}
	w.idle()
}
