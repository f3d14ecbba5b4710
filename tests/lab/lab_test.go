//go:build linux

package lab

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/internal/testenv"
)

func TestMain(m *testing.M) { Main(m) }

// login runs a command over ssh.
func login(t *testing.T, l *Lab, host string, command string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out, err := l.SSH(ctx, host, command).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestHostAnswersOverSSH(t *testing.T) {
	l := New(t)
	start := time.Now()
	h := l.Host(t, "web", Options{})
	check(t, h.WaitSSH())
	t.Logf("ssh answers after %v", time.Since(start))
	got, err := login(t, l, "web", "hostname; cat $SSH_USER_AUTH")
	check(t, err)
	if !strings.HasPrefix(got, "web\npublickey ssh-ed25519 ") {
		t.Errorf("got %q", got)
	}
	if got := h.Run("sh", "-c", "ls -A / /root; ls /home /nix /var/lib/git-deploy"); strings.Contains(got, "work") || strings.Contains(got, ".bashrc") {
		t.Errorf("the host sees the machine:\n%s", got)
	}
}

func TestHostsReachEachOtherByName(t *testing.T) {
	l := New(t)
	a, b := l.Host(t, "a", Options{}), l.Host(t, "b", Options{})
	check(t, b.WaitSSH())
	a.Run("busybox", "nc", "-w", "5", "b", "22", "-e", "true")
}

func TestCutAndHeal(t *testing.T) {
	l := New(t)
	h := l.Host(t, "web", Options{})
	check(t, h.WaitSSH())
	check(t, h.Cut())
	if out, err := login(t, l, "web", "true"); err == nil {
		t.Errorf("a cut host answers: %q", out)
	}
	if got := h.Run("hostname"); got != "web" {
		t.Errorf("console of a cut host says %q", got)
	}
	check(t, h.Heal())
	_, err := login(t, l, "web", "true")
	check(t, err)
}

func TestPowerLoss(t *testing.T) {
	l := New(t)
	h := l.Host(t, "web", Options{})
	check(t, h.WaitSSH())
	before, err := h.BootID()
	check(t, err)
	h.Run("sh", "-c", "echo kept >/root/kept; echo lost >/run/lost; mkdir -p /nix/store; echo kept >/nix/store/kept")
	// A connection that is open meanwhile must not be told.
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	open := l.SSH(ctx, "web", "echo here; sleep 60")
	out, err := open.StdoutPipe()
	check(t, err)
	check(t, open.Start())
	_, err = out.Read(make([]byte, 4))
	check(t, err)
	check(t, h.PowerLoss())
	if _, err := h.Try("true"); err == nil {
		t.Error("a host without power has a console")
	}
	if err := open.Wait(); err == nil || ctx.Err() == nil {
		t.Errorf("the open connection ended with %v before its time", err)
	}
	check(t, h.Start())
	check(t, h.WaitSSH())
	if got := h.Run("cat", "/root/kept", "/nix/store/kept"); got != "kept\nkept" {
		t.Errorf("disk holds %q", got)
	}
	if _, err := h.Try("cat", "/run/lost"); err == nil {
		t.Error("/run outlived the power")
	}
	after, err := h.BootID()
	check(t, err)
	if before == after {
		t.Error("the boot id is the same")
	}
}

func TestRebootBootsWhatTheProfileNames(t *testing.T) {
	for _, init := range []Init{Busybox, Systemd} {
		t.Run(string(init), func(t *testing.T) {
			l := New(t)
			h := l.Host(t, "web", Options{Init: init})
			check(t, h.WaitSSH())
			h.Run("mkdir", "-p", "/nix/store/one", "/nix/var/nix/profiles")
			h.Run("sh", "-c", `printf '#!/bin/sh\necho one >/run/generation\n[ $$ != 1 ] || exec /usr/lib/systemd/systemd\n' >/nix/store/one/init`)
			h.Run("chmod", "755", "/nix/store/one/init")
			h.Run("ln", "-s", "/nix/store/one", "/nix/var/nix/profiles/system")
			start := time.Now()
			check(t, h.Reboot())
			t.Logf("booted anew after %v", time.Since(start))
			if got := h.Run("cat", "/run/generation"); got != "one" {
				t.Errorf("generation %q runs", got)
			}
			_, _ = login(t, l, "web", "poweroff")
			select {
			case <-h.Off():
			case <-time.After(30 * time.Second):
				t.Error("the host does not go off")
			}
		})
	}
}

func TestSystemdRuns(t *testing.T) {
	l := New(t)
	start := time.Now()
	h := l.Host(t, "web", Options{Init: Systemd})
	check(t, h.WaitSSH())
	t.Logf("ssh answers after %v", time.Since(start))
	check(t, h.WaitRunning())
	t.Logf("running after %v", time.Since(start))
	if got := h.Run("systemd-run", "--wait", "--pipe", "-q", "grep", "^0:", "/proc/self/cgroup"); !strings.HasPrefix(got, "0::/system.slice/") {
		t.Errorf("a unit's cgroup is %q", got)
	}
	got, err := login(t, l, "web", "systemctl is-system-running")
	check(t, err)
	if got != "running" {
		t.Errorf("system is %q", got)
	}
}

func TestTenHosts(t *testing.T) {
	l := New(t)
	start := time.Now()
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			h, err := l.AddHost(fmt.Sprint("h", i), Options{})
			if err == nil {
				err = h.WaitSSH()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	t.Logf("10 hosts after %v", time.Since(start))
}

func TestHostLacksPrograms(t *testing.T) {
	l := New(t)
	h := l.Host(t, "bare", Options{Without: []string{"nix*", "git"}})
	if got := h.Run("sh", "-c", "command -v nix nix-store git || echo none"); got != "none" {
		t.Errorf("the host has %s", got)
	}
}

func TestNixWorksOnHostAndDeployer(t *testing.T) {
	l := New(t)
	h := l.Host(t, "web", Options{})
	const expr = `derivation { name = "x"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "echo hi >$out" ]; }`
	there := h.Run("nix-build", "--no-out-link", "-E", expr)
	if got := h.Run("cat", there); got != "hi" {
		t.Errorf("built %q", got)
	}
	cmd := command(t, l, "nix-build", "--no-out-link", "-E", expr)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Fields(string(out))
	here := lines[len(lines)-1]
	if here != there {
		t.Errorf("%s here, %s there", here, there)
	}
	if _, err := os.Stat(machineDir + here); err == nil {
		t.Errorf("%s is on the machine", here)
	}
}

func TestHostOfAnotherRelease(t *testing.T) {
	testenv.Need(t, "mmdebstrap")
	l := New(t)
	root, err := DebianRoot("sid")
	if err != nil {
		testenv.Missing(t, err.Error())
	}
	for _, init := range []Init{Busybox, Systemd} {
		h := l.Host(t, string(init), Options{Init: init, Root: root})
		check(t, h.WaitSSH())
		if init == Systemd {
			check(t, h.WaitRunning())
		}
		t.Log(h.Run("sh", "-c", "git --version; nix --version; ssh -V 2>&1; systemctl --version | head -n1"))
	}
}
