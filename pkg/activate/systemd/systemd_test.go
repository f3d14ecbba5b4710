// Package systemd tests activations on hosts that real systemd runs: units,
// journals, a killed unit, and a power cut with the boot that follows.
package systemd

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/pkg/activate"
	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/nix"
	"github.com/git-deploy/git-deploy/pkg/statedir"
	"github.com/git-deploy/git-deploy/tests/lab"
)

// The test binary is three things: the tests that make hosts; run with
// insideEnv on such a host, the test of that name there; and the tool that an
// activation's unit runs.
const (
	insideEnv = "GIT_DEPLOY_TEST_INSIDE"
	program   = statedir.ToolPath // where the unit that nixlib installs looks for it
)

var here statedir.Layout

func TestMain(m *testing.M) {
	switch {
	case len(os.Args) == 4 && os.Args[1] == "node" && os.Args[2] == "activate":
		job, err := activate.ReadJob(here, os.Args[3])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		sink := event.NewEncoder(os.Stdout)
		host := activate.NewHost(here, job.ID, sink)
		if _, begun, err := host.Load(); begun || err != nil {
			activate.Settle(context.Background(), host, job, sink) // started again
		} else {
			activate.Run(context.Background(), host, job, sink)
		}
	case os.Getenv(insideEnv) != "":
		os.Exit(m.Run())
	default:
		lab.Main(m)
	}
}

// host makes a host with systemd that has this test binary.
func host(t *testing.T) *lab.Host {
	l := lab.New(t)
	testenv.Need(t, "systemctl", "nix-build")
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	h := l.Host(t, "web", lab.Options{Init: lab.Systemd, Prepare: func(disk string) error {
		to := filepath.Join(disk, program)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, self, 0o755)
	}})
	check(t, h.WaitSSH())
	check(t, h.WaitRunning())
	return h
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// inside runs the test of that name on the host.
func inside(t *testing.T, h *lab.Host, test string) {
	t.Helper()
	out, err := h.Try("env", insideEnv+"=1", "HOME=/root", program, "-test.run=^"+test+"$", "-test.v")
	t.Log(out)
	if err != nil || !strings.Contains(out, "--- PASS: "+test) {
		t.Fatalf("%s on the host: %v", test, err)
	}
}

func TestSystemd(t *testing.T) {
	h := host(t)
	inside(t, h, "TestInsideDeploy")
	inside(t, h, "TestInsideWaits")
	check(t, h.PowerLoss())
	check(t, h.Start())
	check(t, h.WaitSSH())
	inside(t, h, "TestInsideSettles")
}

const versions = `{ nixlib, ... }:
let
  base = motd: {
    environment.etc."motd.test".text = motd;
    systemd.services.hello = { wantedBy = [ "multi-user.target" ]; script = "echo ${motd} > /run/hello; exec sleep 100000"; };
  };
in
{
  network.name = "test";
  network.id = "6e0b4c52-8a5c-4a0e-9d0e-0f9f1c0c7f55";
  network.nixpkgs = nixlib + "/mini";
  nodes.one.configuration = base "one";
  nodes.two.configuration = base "two";
  nodes.bad.configuration = {
    imports = [ (base "bad") ];
    systemd.services.broken = { wantedBy = [ "multi-user.target" ]; script = "echo cannot bind port 80; exit 1"; };
  };
  nodes.late.configuration = {
    imports = [ (base "late") ];
    systemd.services.tired = { wantedBy = [ "multi-user.target" ]; script = "sleep 1; echo giving up; exit 1"; };
  };
  nodes.hanging.configuration = {
    imports = [ (base "hanging") ];
    system.activationScripts.hanging = "touch /run/hangs; sleep 7654";
  };
}
`

var built = map[string]*bundle.Bundle{}

// build returns the bundle of one version.
func build(t *testing.T, version string) bundle.Bundle {
	t.Helper()
	if b := built[version]; b != nil {
		return *b
	}
	dir := "/root/network"
	check(t, os.MkdirAll(dir, 0o755))
	check(t, os.WriteFile(filepath.Join(dir, "network.nix"), []byte(versions), 0o644))
	path, err := nix.New(event.Discard).BuildBundle(t.Context(), dir, version, "/root/result-"+version)
	check(t, err)
	built[version], err = nix.ReadBundle(path)
	check(t, err)
	return *built[version]
}

// start starts the activation of a version as its own unit.
func start(t *testing.T, n int, version string, change func(*activate.Job)) activate.Job {
	t.Helper()
	j := activate.Job{ID: fmt.Sprintf("20261123T150405Z-%08x", n), Node: version, Action: activate.Switch, Bundle: build(t, version)}
	if change != nil {
		change(&j)
	}
	check(t, os.MkdirAll(here.Deployment(j.ID), 0o700))
	check(t, activate.WriteJob(here, j))
	check(t, activate.Start(t.Context(), here, j.ID, program))
	return j
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !f(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			log, _ := exec.Command("journalctl", "--no-pager", "-n", "30").CombinedOutput()
			t.Fatalf("%s: not within a minute\n%s", what, log)
		}
	}
}

// result waits for the outcome of a deployment.
func result(t *testing.T, id string) activate.Result {
	t.Helper()
	var s activate.State
	eventually(t, "deployment "+id+" ends", func() bool {
		s, _ = activate.ReadState(here, id)
		return s.Phase == activate.Finished
	})
	return *s.Result
}

// want checks the outcome and which version lives.
func want(t *testing.T, res activate.Result, outcome event.Outcome, live string, reasons ...string) {
	t.Helper()
	if res.Outcome != outcome {
		t.Errorf("%s: %s", res.Outcome, res.Reason)
	}
	for _, r := range reasons {
		if !strings.Contains(res.Reason, r) {
			t.Errorf("the reason does not say %q: %s", r, res.Reason)
		}
	}
	if motd, _ := os.ReadFile("/etc/motd.test"); string(motd) != live {
		t.Errorf("/etc is of %q, not of %q", motd, live)
	}
	eventually(t, "the service is of "+live, func() bool {
		hello, _ := os.ReadFile("/run/hello")
		return strings.TrimSpace(string(hello)) == live && exec.Command("systemctl", "-q", "is-active", "hello.service").Run() == nil
	})
	if b := build(t, live); res.Running != b.System || res.BootDefault != b.System {
		t.Errorf("%s runs and %s boots, not %s", res.Running, res.BootDefault, b.System)
	}
}

// onHost skips what is run on hosts only.
func onHost(t *testing.T) {
	if os.Getenv(insideEnv) == "" {
		t.SkipNow()
	}
}

func TestInsideDeploy(t *testing.T) {
	onHost(t)
	j := start(t, 1, "one", nil)
	want(t, result(t, j.ID), event.Succeeded, "one")

	j = start(t, 2, "two", func(j *activate.Job) { j.Confirm = true })
	eventually(t, "it waits for the confirmation", func() bool { s, _ := activate.ReadState(here, j.ID); return s.Phase == activate.Confirming })
	check(t, activate.Confirm(here, j.ID, activate.Confirms, ""))
	want(t, result(t, j.ID), event.Succeeded, "two")

	j = start(t, 3, "bad", nil)
	want(t, result(t, j.ID), event.RolledBack, "two", "units failed to start", "broken.service")

	// It dies after the switch, while the checks run: its journal says why.
	j = start(t, 4, "late", func(j *activate.Job) {
		j.Bundle.Health = []bundle.Check{{Name: "patience", Type: "command", Command: []string{"sleep", "3"}, Timeout: 20}}
	})
	want(t, result(t, j.ID), event.RolledBack, "two", "failed since the switch: tired.service", "tired.service: giving up")

	// The unit is killed with all its processes: systemd starts it again, and it settles that.
	j = start(t, 5, "hanging", nil)
	eventually(t, "the switch hangs", func() bool { _, err := os.Stat("/run/hangs"); return err == nil })
	if out, err := exec.Command("systemctl", "kill", "--signal=KILL", activate.UnitName(j.ID)).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want(t, result(t, j.ID), event.Interrupted, "two", "interrupted while switching")
}

// TestInsideWaits leaves the host with an unproved system live.
func TestInsideWaits(t *testing.T) {
	onHost(t)
	j := start(t, 6, "one", func(j *activate.Job) { j.Confirm, j.Bundle.Timeouts.Confirm = true, 600 })
	eventually(t, "it waits for the confirmation", func() bool { s, _ := activate.ReadState(here, j.ID); return s.Phase == activate.Confirming })
	if motd, _ := os.ReadFile("/etc/motd.test"); string(motd) != "one" {
		t.Errorf("/etc is of %q", motd)
	}
}

// TestInsideSettles runs after the power cut.
func TestInsideSettles(t *testing.T) {
	onHost(t)
	if motd, _ := os.ReadFile("/etc/motd.test"); string(motd) != "two" {
		t.Errorf("after the boot /etc is of %q", motd)
	}
	j, err := activate.ReadJob(here, fmt.Sprintf("20261123T150405Z-%08x", 6))
	check(t, err)
	want(t, activate.Settle(t.Context(), activate.NewHost(here, j.ID, event.Discard), j, event.Discard), event.Interrupted, "two", "restarted while confirming")
}
