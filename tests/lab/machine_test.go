//go:build linux

package lab

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestMachine(t *testing.T) {
	l := New(t)
	h := l.Host(t, "web", Options{Init: Machine, Memory: 256, Disk: 1024})
	start := time.Now()
	check(t, h.WaitSSH())
	t.Logf("ssh answers after %v", time.Since(start))
	check(t, h.WaitRunning())
	t.Logf("running after %v", time.Since(start))
	got, err := login(t, l, "web", "hostname; systemctl is-system-running")
	check(t, err)
	if got != "web\nrunning" {
		t.Errorf("got %q", got)
	}
	if got := h.Run("printf", "%s|", "a b", "it's", "$HOME", ""); got != "a b|it's|$HOME||" {
		t.Errorf("the console's words are %q", got)
	}

	// Its cable takes more than a few words.
	big := exec.Command("ssh", "-F", l.SSHConfig(), "web", "sha256sum | cut -c1-8")
	big.Stdin = strings.NewReader(strings.Repeat("a line that is sent to the machine\n", 200_000))
	out, err := big.CombinedOutput()
	check(t, err)
	if len(out) != 9 {
		t.Errorf("got %q", out)
	}

	// Its kernel, memory, disk and clock are its own.
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	check(t, err)
	if got := h.Run("uname", "-r"); got == strings.TrimSpace(string(release)) {
		t.Errorf("the kernel is the machine's: %s", got)
	}
	if got := h.Run("sh", "-c", "grep MemTotal /proc/meminfo; grep ' / ' /proc/mounts"); !strings.Contains(got, " ext4 rw") || !strings.Contains(got, " 2") {
		t.Error(got)
	}
	h.Run("date", "-s", "2001-01-01")
	if year := time.Now().Year(); year < 2026 {
		t.Errorf("it is %d here", year)
	}

	check(t, h.Cut())
	if out, err := login(t, l, "web", "true"); err == nil {
		t.Errorf("a cut machine answers: %q", out)
	}
	if got := h.Run("date", "+%Y"); got != "2001" {
		t.Errorf("console of a cut machine says %q", got)
	}
	check(t, h.Heal())
	_, err = login(t, l, "web", "true")
	check(t, err)

	// What the profile names is booted; what was not written yet is lost.
	h.Run("mkdir", "-p", "/nix/store/one", "/nix/var/nix/profiles")
	h.Run("sh", "-c", `printf '#!/bin/sh\necho one >/run/generation\nexec /usr/lib/systemd/systemd\n' >/nix/store/one/init; chmod 755 /nix/store/one/init`)
	h.Run("ln", "-s", "/nix/store/one", "/nix/var/nix/profiles/system")
	h.Run("sh", "-c", "echo kept >/root/kept; sync; echo lost >/root/lost")
	before, err := h.BootID()
	check(t, err)
	check(t, h.PowerLoss())
	if _, err := h.Try("true"); err == nil {
		t.Error("a machine without power has a console")
	}
	start = time.Now()
	check(t, h.Start())
	check(t, h.WaitSSH())
	t.Logf("ssh answers after %v", time.Since(start))
	if got := h.Run("sh", "-c", "cat /run/generation /root/kept /root/lost 2>&1; true"); !strings.HasPrefix(got, "one\nkept\n") || strings.HasSuffix(got, "\nlost") {
		t.Errorf("disk holds %q", got)
	}
	after, err := h.BootID()
	check(t, err)
	if before == after {
		t.Error("the boot id is the same")
	}
	start = time.Now()
	check(t, h.Reboot())
	t.Logf("booted anew after %v", time.Since(start))
	_, _ = login(t, l, "web", "poweroff")
	select {
	case <-h.Off():
	case <-time.After(time.Minute):
		t.Error("the machine does not go off")
	}
}
