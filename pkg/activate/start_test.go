package activate

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

const anID = "20261123T150405Z-0000abcd"

func TestUnitArgv(t *testing.T) {
	environ := []string{"PATH=/bin", "HOME=/root", "NIX_REMOTE=daemon", "GIT_DIR=."}
	got := strings.Join(unitArgv(anID, "/tool", false, environ), " ")
	want := "systemd-run --quiet --no-block --collect --unit=git-deploy-activate@" + anID + ".service" +
		" --description=Activate git-deploy deployment " + anID +
		" --property=Restart=on-abnormal --property=OOMPolicy=continue" +
		" --setenv=PATH=/bin --setenv=NIX_REMOTE=daemon /tool node activate " + anID
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	got = strings.Join(unitArgv(anID, "/tool", true, environ), " ")
	if want := "systemctl start --no-block git-deploy-activate@" + anID + ".service"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestHookVariables(t *testing.T) {
	got := hookVariables([]string{"GIT_DIR=.", "GIT_DEPLOY_ROOT=/r", "PATH=/bin", "GIT_PUSH_OPTION_0=a=b"})
	if !slices.Equal(got, []string{"GIT_DIR", "GIT_PUSH_OPTION_0"}) {
		t.Errorf("%q", got)
	}
}

func TestSwitchEnvIsClean(t *testing.T) {
	environ := []string{"PATH=/home/me/bin", "NIXOS_INSTALL_BOOTLOADER=1", "LOCALE_ARCHIVE=/l", "SSH_AUTH_SOCK=/s", "NIX_STATE_DIR=/n", "NIX_PATH=x"}
	env, unset := switchEnv(statedir.Layout{Root: "/r"}, environ)
	if !slices.Equal(unset, []string{"PATH", "NIXOS_INSTALL_BOOTLOADER", "SSH_AUTH_SOCK", "NIX_PATH"}) {
		t.Errorf("unset %q", unset)
	}
	if !slices.Contains(env, "GIT_DEPLOY_ROOT=/r") || !slices.Contains(env, "PATH="+switchPath) {
		t.Errorf("env %q", env)
	}
	if env, _ := switchEnv(statedir.Layout{}, environ); slices.Contains(env, "GIT_DEPLOY_ROOT=") {
		t.Errorf("env %q", env)
	}
}

func TestSwitchError(t *testing.T) {
	for code, want := range map[int]string{
		1:   "switch-to-configuration test: exit code 1: last words",
		2:   "switch-to-configuration test: its activation script failed: last words",
		4:   "switch-to-configuration test: units failed to start: last words",
		100: "switch-to-configuration test: the running system cannot be switched to it live, only by a reboot (-o action=boot): last words",
		-1:  "switch-to-configuration test: signal: killed: last words",
	} {
		err := &SwitchError{Verb: VerbTest, ExitCode: code, Last: "last words", Err: errors.New("signal: killed")}
		if err.Error() != want {
			t.Errorf("%d: %s", code, err)
		}
	}
}

// TestStateIsWhole fills every field, so that one without a place in the file is noticed.
func TestStateIsWhole(t *testing.T) {
	h := NewHost(statedir.Layout{Root: t.TempDir()}, anID, event.Discard)
	if err := os.MkdirAll(h.layout.Deployment(anID), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := h.Load(); ok || err != nil {
		t.Errorf("nothing saved: %v, %v", ok, err)
	}
	if err := Confirm(h.layout, anID, Confirms, ""); err == nil {
		t.Error("confirmed what never began")
	}
	now := time.Now().UTC().Truncate(time.Second)
	steps := []StepTime{{event.Switch, 3}}
	s := State{
		Version: JobVersion, Phase: Confirming, System: "new", Previous: "old", PreviousBoot: "older", BootID: "b", FailedUnits: []string{"u"},
		Live: true, Boot: true, Trial: true, Once: true, Turned: true, Asked: now, Interrupted: true, Reason: "because", Steps: steps, Updated: now,
		Result: &Result{Outcome: event.RolledBack, Reason: "r", System: "new", Previous: "old", Running: "old", BootDefault: "older", Steps: steps},
	}
	for v, i := reflect.ValueOf(s), 0; i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("the test does not set %s", v.Type().Field(i).Name)
		}
	}
	if err := h.Save(s); err != nil {
		t.Fatal(err)
	}
	if got, ok, err := h.Load(); err != nil || !ok || !reflect.DeepEqual(got, s) {
		t.Errorf("loaded %+v, %v", got, err)
	}
	say := func(a Answer, why string) {
		t.Helper()
		if err := Confirm(h.layout, anID, a, why); err != nil {
			t.Error(err)
		}
	}
	soon := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	if err := h.Reached(soon()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("reached before anybody was there: %v", err)
	}
	say(HasReached, "")
	if err := h.Reached(t.Context()); err != nil {
		t.Error(err)
	}
	if err := h.Confirmed(soon()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("confirmed by reaching: %v", err)
	}
	say(Confirms, "")
	if err := h.Confirmed(t.Context()); err != nil {
		t.Error(err)
	}
	say(Refuses, "health check \"shop\" failed: \x1b[31mred\nsecond line")
	if err := h.Confirmed(t.Context()); err == nil || err.Error() != "seen from the deployer: health check \"shop\" failed: red\nsecond line" {
		t.Errorf("refused: %q", err)
	}
	if err := h.ResetConfirmation(); err != nil {
		t.Error(err)
	}
	for _, file := range []string{ReachedFile(h.layout, anID), ConfirmedFile(h.layout, anID), RefusedFile(h.layout, anID)} {
		if _, err := os.Stat(file); err == nil {
			t.Errorf("%s is still there", file)
		}
	}
	if err := Confirm(h.layout, anID, "maybe", ""); err == nil {
		t.Error("any word is an answer")
	}
	job := Job{Bundle: bundle.Bundle{Timeouts: bundle.Timeouts{Reboot: 60}}}
	for name, c := range map[string]struct {
		state State
		boot  string
		after time.Duration
		want  bool
	}{
		"just asked":   {State{Phase: Rebooting, BootID: "b"}, "b", time.Second, true},
		"back":         {State{Phase: Rebooting, BootID: "b"}, "c", time.Second, false},
		"too long ago": {State{Phase: GoingBack, BootID: "b"}, "b", time.Minute, false},
		"set back":     {State{Phase: GoingBack, BootID: "b"}, "b", -time.Minute, false},
		"not asked":    {State{Phase: Checking, BootID: "b"}, "b", time.Second, false},
	} {
		c.state.Asked = now
		if got := c.state.AwaitsReboot(job, c.boot, now.Add(c.after)); got != c.want {
			t.Errorf("%s: awaits its reboot: %v", name, got)
		}
	}

	s.Version = 99
	if err := h.Save(s); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.Load(); err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("a file of another version: %v", err)
	}
}

func TestFollowFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var lines []string
	fo, err := followFile(path, func(line string) { lines = append(lines, line) })
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	long := strings.Repeat("x", maxLine+10)
	for _, part := range []string{"one\ntw", "o\r\n", "caf\xe9\n", "\n", long, "\nlast without end"} {
		if _, err := f.WriteString(part); err != nil {
			t.Fatal(err)
		}
	}
	if last := fo.stop(); last != "last without end" {
		t.Errorf("last line %q", last)
	}
	want := []string{"one", "two", "caf\uFFFD", "", long[:maxLine], long[maxLine:], "last without end"}
	if !slices.Equal(lines, want) {
		t.Errorf("lines %.60q", lines)
	}
}
