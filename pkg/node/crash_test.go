package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// The runner is killed right after each of its events in turn, and the machine
// goes on running or boots. Whoever settles that, the node is as before, or as
// it should become, and the next push works.
func TestRunnerKilledAtEachEvent(t *testing.T) {
	w := newWorld(t)
	bundles := map[string]string{"one": w.build(), "two": "", "sick": ""}
	w.commit("build", "two")
	bundles["two"] = w.build()
	w.commit("build", "sick", "", failing)
	bundles["sick"] = w.build()
	w.git("reset", "-q", "--hard", "HEAD~2")
	w.mustPush()
	for _, kind := range []string{"good", "sick"} {
		for at, over := 1, false; !over; at++ {
			before := w.said()
			says := map[string]string{"one": "two", "two": "one"}[before]
			if kind == "sick" {
				says = kind
			}
			name := fmt.Sprintf("%s, killed at event %d", kind, at)
			w.git("commit", "-q", "--allow-empty", "-m", name)
			commit := w.git("rev-parse", "HEAD")
			id := w.pushAndDie(at, "-o", "bundle="+bundles[says])
			f, err := statedir.FinishedEvent(w.l, id)
			if err != nil {
				t.Fatal(err)
			}
			over = f != nil // there are no more events to die at
			who := []string{"recovery", "boot", "the next push", "the runner, started again"}[at%4]
			switch who {
			case "recovery":
				if err := Recover(context.Background(), w.l, false, event.Discard); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			case "boot":
				w.reboot()
			case "the runner, started again":
				var end *Ended
				if err := Activate(context.Background(), w.l, id); err != nil && !errors.As(err, &end) {
					t.Errorf("%s: %v", name, err)
				}
			case "the next push":
				// It builds on the dead one, which is on the branch, or failed to be.
				w.git("commit", "-q", "--allow-empty", "-m", "next")
				w.mustPush("-o", "bundle="+bundles[before])
			}
			outcome, refs, after := w.outcome(id), w.refs(), w.said()
			wantSays := before
			switch {
			case outcome == event.Succeeded && kind == "good":
				if who != "the next push" {
					wantSays = says
				}
			case outcome == event.Interrupted, outcome == event.RolledBack && kind == "sick":
				if refs[RefFailed+id] != commit || who != "the next push" && refs["refs/heads/main"] == commit {
					t.Errorf("%s: %s by %s, refs %v", name, outcome, who, refs)
				}
			default:
				t.Errorf("%s: %s by %s", name, outcome, who)
			}
			if after != wantSays {
				t.Errorf("%s: %s by %s, says %q", name, outcome, who, after)
			}
			w.idle()
			if t.Failed() {
				for _, e := range w.events(id) {
					t.Log(e.Seq, e.Kind, e.Step, e.Outcome, e.Message)
				}
				t.FailNow()
			}
			w.git("reset", "-q", "--hard", w.refs()["refs/heads/main"])
		}
	}
}

// A runner that is started again leaves its deployment to whoever has the node:
// the next activation must not begin before the dead one is settled.
func TestRunnerStartedAgainWaitsForTheNodeFirst(t *testing.T) {
	w := newWorld(t)
	w.mustPush()
	w.commit("next", "two")
	id := ""
	for at := 1; id == "" || !begun(w.l, id); at++ {
		w.git("commit", "-q", "--allow-empty", "-m", fmt.Sprint("killed at event ", at))
		id = w.pushAndDie(at)
	}
	held, err := statedir.Lock(t.Context(), w.l.LockFile(), statedir.Holder{Deployment: "next"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	again := make(chan error, 1)
	go func() { again <- Activate(t.Context(), w.l, id) }()
	eventually(t, "the next deployment settles the dead one", func() bool {
		settleAll(t.Context(), w.l, w.l.LockFile(), nil, 0, event.Discard)
		f, err := statedir.FinishedEvent(w.l, id)
		return err == nil && f != nil
	})
	if err := held.Release(); err != nil {
		t.Fatal(err)
	}
	var end *Ended
	if err := <-again; !errors.As(err, &end) || end.Outcome != event.Interrupted {
		t.Errorf("the runner ends with %v", err)
	}
	if says := w.said(); says != "one" {
		t.Errorf("says %q", says)
	}
	w.idle()
}

// pushAndDie pushes with a runner that dies after its event number at, and returns the deployment.
func (w *world) pushAndDie(at int, args ...string) string {
	w.t.Helper()
	if err := os.Setenv(dieEnv, strconv.Itoa(at)); err != nil {
		w.t.Fatal(err)
	}
	id := statedir.NewID()
	w.mustPush(append(args, "-o", "follow=false", "-o", "deployment="+id)...)
	if err := os.Unsetenv(dieEnv); err != nil {
		w.t.Fatal(err)
	}
	runs := false
	eventually(w.t, "the runner is over", func() bool {
		h, err := statedir.HolderOf(w.l.DeploymentLock(id))
		if err != nil {
			w.t.Fatal(err)
		}
		f, _ := statedir.FinishedEvent(w.l, id)
		for _, e := range w.events(id) {
			runs = runs || e.Step == event.Wait
		}
		return h == nil && (f != nil || runs)
	})
	// As if the time for the hand-over were past.
	old := time.Now().Add(-2 * handOver)
	if err := os.Chtimes(filepath.Join(w.l.Deployment(id), "job.json"), old, old); err != nil {
		w.t.Fatal(err)
	}
	return id
}

// A follower brings a dead deployment to its end.
func TestFollowSettles(t *testing.T) {
	w := newWorld(t)
	w.mustPush()
	w.commit("second", "two")
	id := w.pushAndDie(4)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var last event.Event
	if err := Follow(ctx, w.l, id, 0, func(e event.Event) error { last = e; return nil }); err != nil {
		t.Fatal(err)
	}
	if last.Kind != event.Finished || last.Outcome != event.Interrupted {
		t.Errorf("%+v", last)
	}
	if w.said() != "one" {
		t.Errorf("says %q", w.said())
	}
	eventually(t, "the recovery is over", func() bool {
		h, err := statedir.HolderOf(w.l.LockFile())
		return h == nil && err == nil
	})
	w.idle()
}

const slowBuild = `environment.etc."x".source = derivation { name = "slow"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "exec /bin/sleep 600" ]; };`

// descendants lists the processes below pid.
func descendants(pid int) []int {
	out, _ := exec.Command("ps", "-e", "-o", "pid=,ppid=").Output()
	children := map[int][]int{}
	for line := range strings.Lines(string(out)) {
		var p, parent int
		if n, _ := fmt.Sscan(line, &p, &parent); n == 2 {
			children[parent] = append(children[parent], p)
		}
	}
	var all []int
	for next := []int{pid}; len(next) > 0; {
		p := next[0]
		next = append(next[1:], children[p]...)
		if p != pid {
			all = append(all, p)
		}
	}
	return all
}

func alive(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(data), ") Z ")
}

// The pusher, or git on the node, is killed while Nix builds: Nix is stopped
// and nothing is left behind.
func TestConnectionEndsDuringBuild(t *testing.T) {
	for _, victim := range []string{"git push", "git receive-pack", "pre-receive"} {
		t.Run(victim, func(t *testing.T) {
			w := newWorld(t)
			w.mustPush()
			before := w.refs()
			bad := w.commit("slow", "two", "", slowBuild)
			id := statedir.NewID()
			push := exec.Command("git", "push", "web", "main", "-o", "deployment="+id)
			push.Dir = w.clone
			push.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			if err := push.Start(); err != nil {
				t.Fatal(err)
			}
			building := func() bool {
				events, _ := statedir.ReadEvents(w.l, id)
				for _, e := range events {
					if e.Step == event.Build && e.Kind == event.StepStarted {
						return true
					}
				}
				return false
			}
			eventually(t, "it builds", building)
			all := descendants(push.Process.Pid)
			target := push.Process.Pid
			for _, pid := range all {
				cmd, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
				line := strings.ReplaceAll(string(cmd), "\x00", " ")
				if victim == "git receive-pack" && strings.HasPrefix(line, "git-receive-pack ") ||
					victim == "pre-receive" && strings.Contains(line, "hook pre-receive") {
					target = pid
				}
			}
			if victim != "git push" && target == push.Process.Pid {
				t.Fatal("no such process")
			}
			if err := syscall.Kill(target, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			_ = push.Wait()
			start := time.Now()
			if victim == "pre-receive" { // which cannot stop Nix any more; the next one settles
				for _, pid := range all {
					_ = syscall.Kill(pid, syscall.SIGKILL)
				}
				if err := Recover(context.Background(), w.l, false, event.Discard); err != nil {
					t.Fatal(err)
				}
			}
			left := ""
			eventually(t, "all processes are gone", func() bool {
				left = ""
				for _, pid := range all {
					if alive(pid) {
						cmd, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
						left += fmt.Sprintf("%d %q\n", pid, cmd)
					}
				}
				if time.Since(start) > 20*time.Second {
					t.Fatal(left)
				}
				return left == ""
			})
			if o := w.outcome(id); o != event.Interrupted {
				for _, e := range w.events(id) {
					t.Log(e.Seq, e.Kind, e.Step, e.Outcome, e.Message)
				}
				t.Errorf("outcome %s", o)
			}
			if _, err := os.Lstat(w.l.Result(id)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("GC root: %v", err)
			}
			if _, err := run("/", "git", "-C", w.n.Repo.GitDir, "cat-file", "-e", bad); err == nil && victim != "pre-receive" {
				t.Error("its objects stayed")
			}
			if fmt.Sprint(before) != fmt.Sprint(w.refs()) {
				t.Errorf("refs: %v", w.refs())
			}
			w.idle()
			w.git("reset", "-q", "--hard", before["refs/heads/main"])
			w.commit("next", "three")
			w.mustPush()
			if w.said() != "three" {
				t.Errorf("says %q", w.said())
			}
		})
	}
}

// The pusher is killed once the activation has begun: it goes on.
func TestConnectionEndsDuringActivation(t *testing.T) {
	w := newWorld(t)
	w.mustPush()
	w.commit("second", "two", "", `system.activationScripts.slow = "for i in 1 2 3 4 5 6 7 8 9; do sleep 0.1; done";`)
	id := statedir.NewID()
	push := exec.Command("git", "push", "web", "main", "-o", "deployment="+id)
	push.Dir = w.clone
	if err := push.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it switches", func() bool {
		events, _ := statedir.ReadEvents(w.l, id)
		return len(events) > 0 && events[len(events)-1].Step == event.Switch
	})
	session, err := unix.Getsid(push.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range append(descendants(push.Process.Pid), push.Process.Pid) {
		// The runner is a child of the hook still, but in a session of its own.
		if sid, err := unix.Getsid(pid); err == nil && sid == session {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	_ = push.Wait()
	eventually(t, "it ends", func() bool {
		f, _ := statedir.FinishedEvent(w.l, id)
		return f != nil
	})
	if o := w.outcome(id); o != event.Succeeded || w.said() != "two" {
		t.Errorf("outcome %s, says %q", o, w.said())
	}
	eventually(t, "the runner is over", func() bool {
		h, _ := statedir.HolderOf(w.l.DeploymentLock(id))
		return h == nil
	})
	w.idle()
}

// A git that died in the middle of moving refs leaves locks on them.
func TestStaleLocks(t *testing.T) {
	w := newWorld(t)
	w.mustPush()
	old := time.Now().Add(-time.Hour)
	for _, ref := range []string{RefCurrent, RefLog, RefFailed + "x", "refs/heads/main", "packed-refs", "HEAD"} {
		lock := filepath.Join(w.n.Repo.GitDir, ref+".lock")
		write(t, lock, "")
		if err := os.Chtimes(lock, old, old); err != nil {
			t.Fatal(err)
		}
	}
	w.reboot()
	w.commit("second", "two")
	w.mustPush()
	w.idle()
}
