package activate

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/nix"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// TestMain makes the test binary the tool that Start starts: `… node activate ID`.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "node" && os.Args[2] == "activate" {
		l, id := statedir.FromEnv(), os.Args[3]
		job, err := ReadJob(l, id)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		res := Run(context.Background(), NewHost(l, id, event.NewEncoder(os.Stdout)), job, event.NewEncoder(os.Stdout))
		_ = json.NewEncoder(os.Stderr).Encode(res)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Every node of this network is one version of the same machine.
const versions = `{ nixlib, ... }:
let
  base = motd: {
    environment.etc."motd".text = motd;
    systemd.services.hello = {
      wantedBy = [ "multi-user.target" ];
      environment.MOTD = motd;
      script = "echo $MOTD > $GIT_DEPLOY_ROOT/run/hello; while :; do sleep 1; done";
    };
  };
in
{
  network.name = "test";
  network.id = "6e0b4c52-8a5c-4a0e-9d0e-0f9f1c0c7f55";
  network.nixpkgs = nixlib + "/mini";
  nodes.one.configuration = base "one";
  nodes.two.configuration = base "two";
  nodes.bad-unit.configuration = {
    imports = [ (base "bad-unit") ];
    systemd.services.broken = { wantedBy = [ "multi-user.target" ]; script = "echo cannot bind port 80; exit 1"; };
  };
  nodes.bad-script.configuration = {
    imports = [ (base "bad-script") ];
    system.activationScripts.broken = "echo the activation script fails; false";
  };
  nodes.hanging.configuration = {
    imports = [ (base "hanging") ];
    system.activationScripts.hanging = "echo hanging now; sleep 7654 & echo $! > $GIT_DEPLOY_ROOT/run/sleeper; wait";
  };
}
`

// rig is a root prefix with a private Nix store and the versions built.
type rig struct {
	t       *testing.T
	layout  statedir.Layout
	bundles map[string]*bundle.Bundle
	n       int

	mu     sync.Mutex
	events []event.Event
}

func newRig(t *testing.T) *rig {
	dir := testenv.Nix(t)
	lib, err := filepath.Abs("../../nixlib")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(nix.NixlibEnv, lib)
	network := filepath.Join(dir, "network")
	if err := os.MkdirAll(network, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(network, "network.nix"), []byte(versions), 0o644); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, bundles: map[string]*bundle.Bundle{}}
	r.reset(t)
	for _, name := range []string{"one", "two", "bad-unit", "bad-script", "hanging"} {
		path, err := nix.New(event.Discard).BuildBundle(t.Context(), network, name, filepath.Join(dir, "result-"+name))
		if err != nil {
			t.Fatal(err)
		}
		if r.bundles[name], err = nix.ReadBundle(path); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// reset gives the rig a new, empty machine for this test.
func (r *rig) reset(t *testing.T) {
	r.t = t
	r.layout = statedir.Layout{Root: t.TempDir()}
	if links, _ := filepath.Glob(r.layout.SystemProfile() + "*"); links != nil {
		for _, l := range links {
			_ = os.Remove(l)
		}
	}
	root := r.layout.Root
	t.Cleanup(func() { stopServices(root) })
}

// stopServices ends what mini started below root.
func stopServices(root string) {
	files, _ := filepath.Glob(filepath.Join(root, "run/mini/services/*/pid"))
	for _, f := range files {
		var pid int
		data, _ := os.ReadFile(f)
		if n, _ := fmt.Sscanf(string(data), "%d", &pid); n == 1 && pid > 1 {
			_ = syscall.Kill(-pid, syscall.SIGKILL)
		}
	}
}

func (r *rig) job(version string, action Action) Job {
	r.n++
	j := Job{ID: fmt.Sprintf("20261123T150405Z-%08x", r.n), Node: version, Action: action, Bundle: *r.bundles[version]}
	if err := os.MkdirAll(r.layout.Deployment(j.ID), 0o700); err != nil {
		r.t.Fatal(err)
	}
	return j
}

func (r *rig) sink() event.Sink {
	return event.SinkFunc(func(e event.Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events = append(r.events, e)
	})
}

func (r *rig) host(id string) *Host { return NewHost(r.layout, id, r.sink()) }

func (r *rig) run(j Job) Result {
	r.events = nil
	if err := WriteJob(r.layout, j); err != nil {
		r.t.Fatal(err)
	}
	return Run(r.t.Context(), r.host(j.ID), j, r.sink())
}

// want checks the outcome, which version lives, and which one boots ("": none).
func (r *rig) want(res Result, outcome event.Outcome, live, boots string) {
	r.t.Helper()
	if res.Outcome != outcome {
		r.t.Errorf("%s: %s\nlog: %s", res.Outcome, res.Reason, r.log())
	}
	motd, _ := os.ReadFile(filepath.Join(r.layout.Root, "etc/motd"))
	if string(motd) != live {
		r.t.Errorf("/etc/motd is of %q, not of %q", motd, live)
	}
	if want := r.system(live); res.Running != want {
		r.t.Errorf("%s runs, not %s", res.Running, want)
	}
	if want := r.system(boots); res.BootDefault != want {
		r.t.Errorf("the profile is %s, not %s", res.BootDefault, want)
	}
	if loader, _ := os.Readlink(filepath.Join(r.layout.Root, "boot/default")); loader != r.system(boots) {
		r.t.Errorf("the boot loader boots %q, not %q", loader, boots)
	}
	var pid int
	data, _ := os.ReadFile(filepath.Join(r.layout.Root, "run/mini/services/hello/pid"))
	if n, _ := fmt.Sscanf(string(data), "%d", &pid); n != 1 || syscall.Kill(pid, 0) != nil {
		r.t.Error("the service hello does not run")
	}
	eventually(r.t, "the service hello is of "+live, func() bool {
		hello, _ := os.ReadFile(filepath.Join(r.layout.Root, "run/hello"))
		return strings.TrimSpace(string(hello)) == live
	})
}

func (r *rig) system(version string) string {
	if version == "" {
		return ""
	}
	return r.bundles[version].System
}

func (r *rig) log() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines []string
	for _, e := range r.events {
		if e.Kind == event.Log {
			lines = append(lines, e.Message)
		}
	}
	return strings.Join(lines, "\n")
}

// eventually polls until f holds.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

func TestHost(t *testing.T) {
	testenv.Need(t, "nix-build", "setsid")
	r := newRig(t)

	t.Run("in a row", func(t *testing.T) {
		r.reset(t)
		r.want(r.run(r.job("one", Switch)), event.Succeeded, "one", "one")

		j := r.job("two", Switch)
		j.Confirm = true
		confirmed := make(chan error, 1)
		go func() {
			for {
				if err := Confirm(r.layout, j.ID, Confirms, ""); err == nil || !strings.Contains(err.Error(), "wait for a confirmation") && !strings.Contains(err.Error(), "not being activated") {
					confirmed <- err
					return
				}
				time.Sleep(time.Millisecond)
			}
		}()
		res := r.run(j)
		r.want(res, event.Succeeded, "two", "two")
		if err := <-confirmed; err != nil {
			t.Error(err)
		}
		if err := Confirm(r.layout, j.ID, Confirms, ""); err == nil || !strings.Contains(err.Error(), "over already: succeeded") {
			t.Errorf("confirming again: %v", err)
		}
		var steps []string
		for _, s := range res.Steps {
			steps = append(steps, string(s.Step))
		}
		if got := strings.Join(steps, " "); got != "switch health confirm boot" {
			t.Errorf("steps: %s", got)
		}

		// The same again changes nothing, confirmed or not.
		j = r.job("two", Switch)
		j.Confirm = true
		r.want(r.run(j), event.Succeeded, "two", "two")
		if _, err := os.Stat(filepath.Join(r.layout.Deployment(j.ID), "switch.log")); err == nil {
			t.Error("the same system was switched to")
		}
		if gens, err := nix.Generations(r.layout.SystemProfile()); err != nil || len(gens) != 2 {
			t.Errorf("generations %v, %v", gens, err)
		}

		res = r.run(r.job("bad-unit", Switch))
		r.want(res, event.RolledBack, "two", "two")
		if !strings.Contains(res.Reason, "units failed to start") || !strings.Contains(r.log(), "cannot bind port 80") {
			t.Errorf("reason %q, log %q", res.Reason, r.log())
		}
		if _, err := os.Stat(filepath.Join(r.layout.Root, "run/mini/services/broken")); err == nil {
			t.Error("the broken service is still there")
		}

		res = r.run(r.job("bad-script", Switch))
		r.want(res, event.RolledBack, "two", "two")
		if !strings.Contains(res.Reason, "activation script failed") || !strings.Contains(r.log(), "the activation script fails") {
			t.Errorf("reason %q, log %q", res.Reason, r.log())
		}

		j = r.job("hanging", Switch)
		j.Bundle.Timeouts.Activate = 1
		res = r.run(j)
		r.want(res, event.RolledBack, "two", "two")
		if !strings.Contains(res.Reason, "took longer than 1s") {
			t.Errorf("reason %q", res.Reason)
		}
		r.sleeperIsGone(t)

		j = r.job("one", Switch)
		j.Confirm, j.Bundle.Timeouts.Confirm = true, 1
		res = r.run(j)
		r.want(res, event.RolledBack, "two", "two")
		if !strings.Contains(res.Reason, "did not reach the node again within 1s") {
			t.Errorf("reason %q", res.Reason)
		}

		j = r.job("one", Switch)
		j.Bundle.Health = []bundle.Check{{Name: "self", Type: "command", Command: []string{"/bin/sh", "-c", "echo I am not well; exit 3"}, Timeout: 5}}
		res = r.run(j)
		r.want(res, event.RolledBack, "two", "two")
		if !strings.Contains(res.Reason, `health check "self" failed`) || !strings.Contains(res.Reason, "I am not well") {
			t.Errorf("reason %q", res.Reason)
		}

		r.want(r.run(r.job("one", Test)), event.Succeeded, "one", "two")
		r.want(r.run(r.job("two", Rollback)), event.Succeeded, "two", "two")
		r.want(r.run(r.job("one", Boot)), event.Succeeded, "two", "one")
	})

	t.Run("first deployment fails", func(t *testing.T) {
		r.reset(t)
		res := r.run(r.job("bad-script", Switch))
		r.want(res, event.RollbackFailed, "bad-script", "")
		if !strings.Contains(res.Reason, "activation script failed") || !strings.Contains(res.Reason, "no previous system") {
			t.Errorf("reason %q", res.Reason)
		}
	})

	t.Run("previous system of another tool", func(t *testing.T) {
		r.reset(t)
		cmd := exec.Command(filepath.Join(r.system("one"), "bin/switch-to-configuration"), "switch")
		cmd.Env = append(os.Environ(), statedir.RootEnv+"="+r.layout.Root)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		res := r.run(r.job("bad-unit", Switch))
		// No profile was ever made, and none is.
		if res.Outcome != event.RolledBack || res.Running != r.system("one") || res.BootDefault != "" {
			t.Errorf("%+v", res)
		}
	})

	t.Run("not a system", func(t *testing.T) {
		r.reset(t)
		r.want(r.run(r.job("one", Switch)), event.Succeeded, "one", "one")
		j := r.job("two", Switch)
		j.Bundle.System = nix.StoreDir() + "/00000000000000000000000000000000-gone"
		res := r.run(j)
		r.want(res, event.RolledBack, "one", "one")
		if !strings.Contains(res.Reason, "cannot be") && !strings.Contains(res.Reason, "not a NixOS system") {
			t.Errorf("reason %q", res.Reason)
		}
	})

	t.Run("nothing can be written", func(t *testing.T) {
		r.reset(t)
		r.events = nil
		h := r.host(anID) // its folder does not exist
		if err := h.Switch(t.Context(), event.Rollback, r.system("one"), VerbTest); err != nil {
			t.Error(err)
		}
		if running, err := h.Running(); err != nil || running != r.system("one") {
			t.Errorf("%s runs, %v", running, err)
		}
		warnings := 0
		for _, e := range r.events {
			if e.Kind == event.Warning {
				warnings++
			}
		}
		if warnings != 2 {
			t.Errorf("%d warnings", warnings)
		}
	})

	t.Run("runner killed", func(t *testing.T) {
		r.reset(t)
		r.want(r.run(r.job("one", Switch)), event.Succeeded, "one", "one")
		j := r.job("hanging", Switch)
		pid := r.start(t, j)
		sleeper := filepath.Join(r.layout.Root, "run/sleeper")
		eventually(t, "the switch hangs", func() bool { data, _ := os.ReadFile(sleeper); return len(data) > 0 })
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		r.events = nil
		res := Settle(t.Context(), r.host(j.ID), j, r.sink())
		r.want(res, event.Interrupted, "one", "one")
		r.sleeperIsGone(t)
		if again := Settle(t.Context(), r.host(j.ID), j, r.sink()); again.Outcome != res.Outcome || again.Reason != res.Reason {
			t.Errorf("settled twice: %+v", again)
		}
	})

	t.Run("runner killed while it sets the profile", func(t *testing.T) {
		r.reset(t)
		r.want(r.run(r.job("one", Switch)), event.Succeeded, "one", "one")
		bin, path := t.TempDir(), os.Getenv("PATH")
		slow := "#!/bin/sh\nsleep 7654 & echo $! > $GIT_DEPLOY_ROOT/run/sleeper; wait\nPATH=" + path + "; exec nix-env \"$@\"\n"
		if err := os.WriteFile(filepath.Join(bin, "nix-env"), []byte(slow), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", bin+":"+path)
		j := r.job("two", Switch)
		pid := r.start(t, j)
		sleeper := filepath.Join(r.layout.Root, "run/sleeper")
		eventually(t, "the profile is being set", func() bool {
			data, _ := os.ReadFile(sleeper)
			_, err := os.Stat(r.host(j.ID).childFile())
			return len(data) > 0 && err == nil
		})
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", path)
		r.want(Settle(t.Context(), r.host(j.ID), j, r.sink()), event.Succeeded, "two", "two") // it was confirmed
		r.sleeperIsGone(t)
	})

	t.Run("restarted", func(t *testing.T) {
		r.reset(t)
		r.want(r.run(r.job("one", Switch)), event.Succeeded, "one", "one")
		j := r.job("two", Switch)
		j.Confirm = true
		pid := r.start(t, j)
		eventually(t, "it waits for the confirmation", func() bool { s, _ := ReadState(r.layout, j.ID); return s.Phase == Confirming })
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		// What a boot does: the loader's system, and a new boot id.
		stopServices(r.layout.Root)
		_ = os.RemoveAll(filepath.Join(r.layout.Root, "run"))
		boot := exec.Command(filepath.Join(r.layout.Root, "boot/default/bin/switch-to-configuration"), "test")
		boot.Env = append(os.Environ(), statedir.RootEnv+"="+r.layout.Root)
		if out, err := boot.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		h := r.host(j.ID)
		h.bootID = filepath.Join(r.layout.Root, "boot-id")
		if err := os.WriteFile(h.bootID, []byte("another\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		res := Settle(t.Context(), h, j, r.sink())
		r.want(res, event.Interrupted, "one", "one")
		if !strings.Contains(res.Reason, "restarted while confirming") {
			t.Errorf("reason %q", res.Reason)
		}
	})
}

// start starts the runner as a node without systemd does, and returns its process id.
func (r *rig) start(t *testing.T, j Job) int {
	t.Helper()
	if err := WriteJob(r.layout, j); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// What git sets for hooks must not reach the runner.
	t.Setenv("GIT_DIR", "/nowhere")
	if err := Start(t.Context(), r.layout, j.ID, self); err != nil {
		t.Fatal(err)
	}
	pid := 0
	eventually(t, "the runner runs", func() bool {
		cmdlines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, f := range cmdlines {
			data, _ := os.ReadFile(f)
			if strings.Contains(string(data), "\x00activate\x00"+j.ID) && strings.Contains(string(data), self) {
				_, _ = fmt.Sscanf(f, "/proc/%d/cmdline", &pid)
				environ, _ := os.ReadFile(filepath.Join(filepath.Dir(f), "environ"))
				if strings.Contains(string(environ), "GIT_DIR=") {
					t.Error("the runner has GIT_DIR")
				}
				return true
			}
		}
		return false
	})
	return pid
}

func (r *rig) sleeperIsGone(t *testing.T) {
	t.Helper()
	var pid int
	data, _ := os.ReadFile(filepath.Join(r.layout.Root, "run/sleeper"))
	if n, _ := fmt.Sscanf(string(data), "%d", &pid); n != 1 {
		t.Fatal("the activation script did not hang")
	}
	eventually(t, "what the switch started is gone", func() bool { return startTime(pid) == "-" })
}
