package node

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// clones makes n further clones, each with its own change on the same commit.
func (w *world) clones(n int) []string {
	w.t.Helper()
	var dirs []string
	for i := range n {
		dir := filepath.Join(w.t.TempDir(), "clone")
		w.git("clone", "-q", w.clone, dir)
		write(w.t, dir+"/network.nix", networkFile(fmt.Sprintf("change %d", i), "", ""))
		for _, args := range [][]string{{"remote", "add", "web", w.l.Repo("home")}, {"commit", "-q", "-am", fmt.Sprintf("change %d", i)}} {
			if out, err := run(dir, append([]string{"git"}, args...)...); err != nil {
				w.t.Fatal(out)
			}
		}
		dirs = append(dirs, dir)
	}
	return dirs
}

// Several push at the same moment, each on the same commit: one is deployed,
// the others are refused and told why; nothing is lost by force.
func TestPushersAtOnce(t *testing.T) {
	w := newWorld(t)
	w.mustPush()
	dirs := w.clones(3)
	outs, errs := make([]string, len(dirs)), make([]error, len(dirs))
	var wg sync.WaitGroup
	for i, dir := range dirs {
		wg.Go(func() { outs[i], errs[i] = run(dir, "git", "push", "web", "main") })
	}
	wg.Wait()
	winners := 0
	for i := range dirs {
		if errs[i] == nil {
			winners++
			if w.said() != fmt.Sprintf("change %d", i) || !strings.Contains(outs[i], "succeeded") {
				t.Errorf("says %q\n%s", w.said(), outs[i])
			}
			continue
		}
		if !strings.Contains(outs[i], "moved") && !strings.Contains(outs[i], "rejected") && !strings.Contains(outs[i], "rewound") {
			t.Errorf("the loser was told: %s", outs[i])
		}
	}
	if winners != 1 {
		t.Errorf("%d winners\n%s", winners, strings.Join(outs, "\n---\n"))
	}
	w.settled()
	w.idle()
}

// settled settles pushes that lost the race in the last moment, whose
// deployments have not ended by themselves.
func (w *world) settled() {
	w.t.Helper()
	if err := Recover(ctx, w.l, true, event.SinkFunc(func(e event.Event) { w.t.Log(e.Message) })); err != nil {
		w.t.Fatal(err)
	}
}

const slowSwitch = `system.activationScripts.slow = "while [ -e $GIT_DEPLOY_ROOT/slow ]; do sleep 0.05; done";`

// A push comes while another one is being activated.
func TestPushDuringActivation(t *testing.T) {
	for _, first := range []string{"succeeds", "fails"} {
		t.Run("the first "+first, func(t *testing.T) {
			w := newWorld(t)
			good := w.git("rev-parse", "HEAD")
			w.mustPush()
			gate := filepath.Join(w.l.Root, "slow")
			write(t, gate, "")
			more := slowSwitch
			if first == "fails" {
				more += `system.activationScripts.z = "exit 1";`
			}
			one := w.commit("first", "slow", "", more)
			a, b, c := statedir.NewID(), statedir.NewID(), statedir.NewID()
			w.mustPush("-o", "follow=false", "-o", "deployment="+a, "-o", "by=Ann <ann@x>")
			eventually(t, "it switches", func() bool {
				for _, e := range w.events(a) {
					if e.Step == event.Switch {
						return true
					}
				}
				return false
			})
			h, err := Hello(ctx, w.l, "", "")
			if err != nil || h.Holder == nil || h.Holder.Deployment != a || h.Holder.By != "Ann <ann@x>" {
				t.Errorf("hello: %+v, %v", h.Holder, err)
			}
			two := w.commit("second", "second", "")
			out, err := w.push("-o", "wait=0")
			if err == nil || !strings.Contains(out, a) || !strings.Contains(out, "Ann <ann@x>") || !strings.Contains(out, "since") {
				t.Errorf("wait=0: %v\n%s", err, out)
			}
			w.mustPush("-o", "follow=false", "-o", "deployment="+c, "-o", "wait=1ms")
			eventually(t, "it gives up", func() bool { f, _ := statedir.FinishedEvent(w.l, c); return f != nil })
			if f, _ := statedir.FinishedEvent(w.l, c); f.Outcome != event.Locked || !strings.Contains(f.Message, "Ann <ann@x>") {
				t.Errorf("wait=1ms: %s: %s", f.Outcome, f.Message)
			}
			if refs := w.refs(); refs["refs/heads/main"] != one || refs[RefFailed+c] != two {
				t.Errorf("wait=1ms: refs %v", refs)
			}
			w.mustPush("-o", "follow=false", "-o", "deployment="+b)
			eventually(t, "it waits", func() bool {
				for _, e := range w.events(b) {
					if e.Kind == event.Notice && strings.Contains(e.Message, a) {
						return true
					}
				}
				return false
			})
			if err := exec.Command("rm", gate).Run(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "both end", func() bool {
				x, _ := statedir.FinishedEvent(w.l, a)
				y, _ := statedir.FinishedEvent(w.l, b)
				return x != nil && y != nil
			})
			want := map[string]event.Outcome{"succeeds": event.Succeeded, "fails": event.RolledBack}[first]
			if o := w.outcome(a); o != want {
				t.Errorf("the first: %s", o)
			}
			if o := w.outcome(b); o != event.Succeeded || w.said() != "second" || w.refs()[RefCurrent] != two {
				t.Errorf("the second: %s, says %q", o, w.said())
			}
			w.idleSoon()

			// And one that fails on top of another that failed: back to what runs.
			w.git("reset", "-q", "--hard", two)
			write(t, gate, "")
			w.commit("third", "third", "", slowSwitch+`system.activationScripts.z = "exit 1";`)
			d, e := statedir.NewID(), statedir.NewID()
			w.mustPush("-o", "follow=false", "-o", "deployment="+d)
			w.commit("fourth", "fourth", "", failing)
			w.mustPush("-o", "follow=false", "-o", "deployment="+e)
			if err := exec.Command("rm", gate).Run(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "both end", func() bool {
				x, _ := statedir.FinishedEvent(w.l, d)
				y, _ := statedir.FinishedEvent(w.l, e)
				return x != nil && y != nil
			})
			if refs := w.refs(); refs["refs/heads/main"] != two || refs[RefCurrent] != two || w.said() != "second" {
				t.Errorf("two failures: %s, %s, says %q, refs %v", w.outcome(d), w.outcome(e), w.said(), refs)
			}
			w.idleSoon()
			_ = good
		})
	}
}

// idleSoon is idle once the last runner has let go.
func (w *world) idleSoon() {
	w.t.Helper()
	eventually(w.t, "nobody works", func() bool {
		ids, _ := w.l.IDs()
		for _, id := range ids {
			if h, err := statedir.HolderOf(w.l.DeploymentLock(id)); err != nil || h != nil {
				return false
			}
		}
		h, err := statedir.HolderOf(w.l.LockFile())
		return err == nil && h == nil
	})
	w.idle()
}
