package health

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/tests/lab"
)

// Run with insideEnv on a host of systemd's, this binary is the test of that name there.
const (
	insideEnv = "GIT_DEPLOY_TEST_INSIDE"
	program   = "/usr/local/bin/health.test"
)

func TestMain(m *testing.M) {
	if os.Getenv(insideEnv) != "" {
		os.Exit(m.Run())
	}
	lab.Main(m)
}

// TestSystemd runs TestInside on a host.
func TestSystemd(t *testing.T) {
	l := lab.New(t)
	testenv.Need(t, "systemctl")
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
	for _, err := range []error{h.WaitSSH(), h.WaitRunning()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	out, err := h.Try("env", insideEnv+"=1", program, "-test.run=^TestInside$", "-test.v")
	t.Log(out)
	if err != nil || !strings.Contains(out, "--- PASS: TestInside") {
		t.Fatal(err)
	}
}

func systemctl(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("systemctl", args...).CombinedOutput(); err != nil {
		t.Fatalf("systemctl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// define makes units known; each is the lines of its section Service.
func define(t *testing.T, units map[string]string) {
	t.Helper()
	for name, text := range units {
		if err := os.WriteFile("/run/systemd/system/"+name+".service", []byte("[Unit]\nStartLimitIntervalSec=0\n[Service]\n"+text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	systemctl(t, "daemon-reload")
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !f(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what + ": not within a minute")
		}
	}
}

func TestInside(t *testing.T) {
	if os.Getenv(insideEnv) == "" {
		t.SkipNow()
	}
	calm, settle, settlePoll = 2*time.Second, 5*time.Second, 100*time.Millisecond
	define(t, map[string]string{
		"old-failed": "ExecStart=/bin/sh -c 'echo old; exit 1'\n",
		"old-loop":   "ExecStart=/bin/sh -c 'echo old; exit 1'\nRestart=always\nRestartSec=200ms\n",
		"steady":     "ExecStart=/bin/sleep 7654\n",
		"done":       "Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n",
		"ended":      "Type=oneshot\nExecStart=/bin/true\n",
		// Twice it finds no database, then it stays.
		"third":     "ExecStart=/bin/sh -c 'echo x >> /run/third; [ $(wc -l < /run/third) -ge 3 ] && exec sleep 7654; echo no database; exit 1'\nRestart=on-failure\nRestartSec=200ms\n",
		"loop":      "ExecStart=/bin/sh -c 'echo cannot bind port 80; exit 1'\nRestart=always\nRestartSec=200ms\n",
		"slow-loop": "ExecStart=/bin/sh -c 'printf \"\\\\033[31mout of memory\\\\033[0m\\\\n\"; exit 3'\nRestart=always\nRestartSec=60\n",
		"dies":      "ExecStart=/bin/sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do echo line $i; done; exit 3'\n",
	})
	ctx := t.Context()

	began := time.Now()
	for _, name := range []string{"steady", "done", "ended", "old-loop"} {
		systemctl(t, "start", name)
	}
	systemctl(t, "start", "old-failed")
	var before []string
	eventually(t, "the old units are in trouble", func() (ok bool) {
		var err error
		if before, err = FailedUnits(ctx); err != nil {
			t.Fatal(err)
		}
		return slices.Contains(before, "old-failed.service") && slices.Contains(before, "old-loop.service")
	})
	if slices.Contains(before, "steady.service") {
		t.Errorf("before: %q", before)
	}
	// What was in trouble before is not blamed, and without it there is no wait.
	if err := UnitsFailed(ctx, before, began); err != nil {
		t.Error(err)
	}
	// What is blamed without knowing of before.
	err := UnitsFailed(ctx, nil, began)
	if err == nil || !strings.Contains(err.Error(), "failed since the switch: old-failed.service\n  old-failed.service: ") || !strings.Contains(err.Error(), "restarted again and again since the switch: old-loop.service") {
		t.Error(err)
	}

	// One that comes up at last is well.
	systemctl(t, "start", "third")
	eventually(t, "it is restarted", func() bool { u, err := show(ctx, "third"); return err == nil && u[0].restarts > 0 })
	if err := UnitsFailed(ctx, before, began); err != nil {
		t.Error(err)
	}
	if out, _ := exec.Command("systemctl", "is-active", "third").Output(); string(out) != "active\n" {
		t.Errorf("the answer came while it was %s", out)
	}
	systemctl(t, "stop", "third")

	for unit, said := range map[string]string{"loop": "cannot bind port 80", "slow-loop": "out of memory"} {
		systemctl(t, "start", unit)
		eventually(t, unit+" is seen", func() bool { u, err := show(ctx, unit); return err == nil && u[0].restless() })
		want := "restarted again and again since the switch: " + unit + ".service\n  " + unit + ".service: "
		if err := UnitsFailed(ctx, before, began); err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), unit+".service: "+said+"\n") {
			t.Errorf("%s: %v", unit, err)
		}
		systemctl(t, "stop", unit)
		if err := UnitsFailed(ctx, before, began); err != nil {
			t.Errorf("%s is stopped: %v", unit, err)
		}
	}

	// The last lines, and of since the switch only.
	systemctl(t, "start", "dies")
	eventually(t, "it is dead", func() bool { u, err := show(ctx, "dies"); return err == nil && u[0].state == "failed" })
	err = UnitsFailed(ctx, before, began)
	if err == nil || strings.Count(err.Error(), "\n") != journalLines || !strings.Contains(err.Error(), "dies.service: line 15\n") || !strings.Contains(err.Error(), "dies.service: line 9\n") || strings.Contains(err.Error(), "line 1\n") {
		t.Error(err)
	}
	if err := UnitsFailed(ctx, before, time.Now().Add(time.Hour)); err == nil || strings.Contains(err.Error(), "line 15") {
		t.Errorf("lines from before the switch: %v", err)
	}

	for _, c := range []struct {
		units []string
		err   string
	}{
		{[]string{"steady", "done.service", "basic.target"}, ""},
		{[]string{"ended.service"}, "ended.service is inactive (dead)"},
		{[]string{"steady", "no-such"}, "no-such.service is inactive (dead, not-found)"},
		// Its last run's. Which line is the first of the last ones depends on whether
		// systemd's "Started" or the service's output came to the journal first.
		{[]string{"dies", "ended"}, "dies.service is failed (failed, exit-code)\n  line "},
		{[]string{"*"}, "is a pattern"},
		{nil, "names no units"},
	} {
		want(t, strings.Join(c.units, " "), one(t, bundle.Check{Type: "units", Units: c.units}), c.err)
	}
}
