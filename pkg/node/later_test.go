package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/pkg/activate"
	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// The model (pkg/activate/model) has these: what waits for a boot, and what
// happens on the way to one.

// A rollback by hand to a system that cannot be switched to live boots it next,
// as a push would. It pins the node at once, and the boot leaves the branch alone.
func TestRollbackThatTakesABoot(t *testing.T) {
	w := newWorld(t)
	one := w.git("rev-parse", "HEAD")
	w.mustPush()
	runs := map[string]string{one: w.system(w.l.CurrentSystem())} // commit to system
	two := w.commit("second", "two", "", "system.initInterface = 2;")
	out := w.mustPush()
	w.reboot()
	runs[two] = w.system(w.l.CurrentSystem())
	check := func(when, current string) {
		t.Helper()
		refs := w.refs()
		if system := w.system(w.l.CurrentSystem()); system != runs[current] || refs[RefCurrent] != current || refs[RefBoot] != one || refs["refs/heads/main"] != two {
			t.Errorf("%s: runs %q of %v, refs %v", when, system, runs, refs)
		}
		if h, err := Hello(ctx, w.l, "home", "v"); err != nil || !h.Pinned {
			t.Errorf("%s: not pinned: %v", when, err)
		}
		events, _, err := w.tool("deploy", "home")
		if o, why := last(events); err == nil || o != event.Refused || !strings.Contains(why, "pinned to "+gitrepo.Short(one)) {
			t.Errorf("%s: redeployed: %v, %s: %s", when, err, o, why)
		}
		w.idle()
	}
	if runs[one] == runs[two] || w.refs()[RefCurrent] != two {
		t.Fatalf("systems %v, refs %v\n%s", runs, w.refs(), out)
	}
	events, text, err := w.tool("rollback", "home")
	if o, why := last(events); err != nil || o != event.Succeeded || !strings.Contains(why, "next reboot") {
		t.Fatalf("%v, %s: %s\n%s", err, o, why, text)
	}
	if r := w.log()[0]; r.Action != "rollback-boot" || r.Commit != one {
		t.Errorf("record: %+v", r)
	}
	check("before the boot", two)
	w.reboot()
	check("after the boot", one)
}

// On its way down, what runs may be what a deployment has left for the next boot
// to put back: no ref says that it runs, and nothing begins on top of it.
func TestNothingBeginsOnAMachineThatShutsDown(t *testing.T) {
	w := newWorld(t)
	one := w.git("rev-parse", "HEAD")
	w.mustPush()
	w.idleSoon()
	first := w.newest()
	two := w.commit("second", "two")
	w.mustPush("-o", "action=test")
	w.idleSoon()

	down := true
	goingDown = func(context.Context, statedir.Layout) bool { return down }
	t.Cleanup(func() { goingDown = activate.GoingDown })
	// A rollback to what boots has made that live, and not come further.
	link := w.l.CurrentSystem()
	boots, tested := w.system(w.l.SystemProfile()), w.system(link)
	if err := errors.Join(os.Remove(link), os.Symlink(boots, link)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.n.lookAfterBoot(ctx, event.Discard); err != nil || w.refs()[RefCurrent] != two {
		t.Errorf("on the way down: %v, refs %v", err, w.refs())
	}
	if err := errors.Join(os.Remove(link), os.Symlink(tested, link)); err != nil {
		t.Fatal(err)
	}
	job, err := activate.ReadJob(w.l, first)
	if err != nil {
		t.Fatal(err)
	}
	job.ID, job.Action = statedir.NewID(), activate.Rollback
	held, err := w.l.Create(ctx, job.ID, statedir.Holder{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(activate.WriteJob(w.l, job), held.Release()); err != nil {
		t.Fatal(err)
	}
	var end *Ended
	if err := runDeployment(ctx, w.l, job.ID, event.Discard); !errors.As(err, &end) || end.Outcome != event.Interrupted || w.said() != "two" {
		t.Errorf("begun on the way down: %v, says %q", err, w.said())
	}
	w.idle()
	down = false
	w.reboot()
	if refs := w.refs(); refs[RefCurrent] != one || refs["refs/heads/main"] != one {
		t.Errorf("after the boot: refs %v", refs)
	}
	w.idle()
}

// Whether the machine may restart into a system says that system itself, while
// it is known, and not what failed.
func TestWhoAllowsARebootBack(t *testing.T) {
	w := newWorld(t)
	allowed := func() string {
		t.Helper()
		job, err := activate.ReadJob(w.l, w.newest())
		switch {
		case err != nil:
			t.Fatal(err)
		case job.RebootBack == nil:
			return "unknown"
		case *job.RebootBack:
			return "yes"
		}
		return "no"
	}
	for i, c := range []struct{ new, want string }{{"true", "unknown"}, {"false", "yes"}, {"true", "no"}} {
		w.commit(c.new, strings.Repeat("x", i+1), "deploy.rebootOnFailedRollback = "+c.new+";")
		w.mustPush()
		w.idleSoon()
		if got := allowed(); got != c.want {
			t.Errorf("deployment %d: %s, want %s", i+1, got, c.want)
		}
	}
}

// A deployment of the system does not wait for one of a profile: not even where
// somebody settles what dead processes left behind, and waits for the profile.
func TestRecoveryKeepsTheSystemFreeWhileItWaitsForAProfile(t *testing.T) {
	w := newWorld(t)
	w.mustPush()
	w.idleSoon()
	if _, err := Init(ctx, w.l, InitOptions{Network: bundle.NetworkID{Name: "dots", ID: "00000000-1111"}, Node: "web", Scope: "dotfiles"}); err != nil {
		t.Fatal(err)
	}
	// The system's network has something to settle, by which one sees how far Recover is.
	id := statedir.NewID()
	dead, err := w.l.Create(ctx, id, statedir.Holder{})
	if err != nil {
		t.Fatal(err)
	}
	if err := dead.Release(); err != nil {
		t.Fatal(err)
	}
	profile, err := statedir.Lock(ctx, w.l.NetworkLock("dots"), statedir.Holder{Deployment: "x"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	recovered := make(chan error, 1)
	go func() { recovered <- Recover(ctx, w.l, false, event.Discard) }()
	eventually(t, "the system's deployment is settled", func() bool {
		f, err := statedir.FinishedEvent(w.l, id)
		return err == nil && f != nil
	})
	eventually(t, "the system's lock is free", func() bool {
		h, err := statedir.HolderOf(w.l.LockFile())
		return err == nil && h == nil
	})
	select {
	case err := <-recovered:
		t.Errorf("it did not wait for the profile: %v", err)
	default:
	}
	if err := profile.Release(); err != nil {
		t.Fatal(err)
	}
	if err := <-recovered; err != nil {
		t.Error(err)
	}
}

// A push ends those that build a part of what it has, and no others.
func TestWhomAPushSupersedes(t *testing.T) {
	w := newWorld(t)
	w.mustPush()
	w.idleSoon()
	older := w.commit("older", "older")
	newer := w.commit("newer", "newer")
	w.git("checkout", "-q", "-b", "other", older+"~")
	diverged := w.commit("diverged", "diverged")
	w.git("push", "-q", "web", newer+":refs/heads/a", diverged+":refs/heads/b")

	building := func(commit string) *deployment {
		t.Helper()
		d, err := w.n.begin(ctx, "", "Ann", event.Discard)
		if err != nil {
			t.Fatal(err)
		}
		_, stop, err := d.whileNewest(ctx, commit)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
		return d
	}
	contained, same, apart, built, gone := building(older), building(newer), building(diverged), building(older), building(older)
	if err := activate.WriteJob(w.l, activate.Job{ID: built.id, Commit: older}); err != nil {
		t.Fatal(err)
	}
	if err := gone.close(); err != nil {
		t.Fatal(err)
	}
	push := building(newer)
	push.supersede(ctx, w.n.Repo, newer, "Bob")
	for what, c := range map[string]struct {
		d    *deployment
		want bool
	}{"contained": {contained, true}, "the same commit": {same, false}, "diverged": {apart, false}, "built": {built, false}, "dead": {gone, false}, "itself": {push, false}} {
		text, err := os.ReadFile(newerFile(w.l, c.d.id))
		if (err == nil) != c.want || c.want && string(text) != push.id+" Bob" {
			t.Errorf("%s: %q, %v", what, text, err)
		}
	}
	for _, d := range []*deployment{contained, same, apart, built, push} {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(w.l.Deployments(), "*/newer.new")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
