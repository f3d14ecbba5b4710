//go:build linux

package lab

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// command is a program of the deployer.
func command(t *testing.T, l *Lab, argv ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Env = append(Environ(), l.Env()...)
	return cmd
}

// TestHold is not a test of its own: it has hosts up until it is killed.
func TestHold(t *testing.T) {
	if os.Getenv("GIT_DEPLOY_LAB_HOLD") == "" {
		t.Skip("runs for TestNothingIsLeft only")
	}
	l := New(t)
	inits := []Init{Busybox, Systemd}
	if os.Getenv("GIT_DEPLOY_LAB_HOLD") == "machine-outer-killed" {
		inits = []Init{Machine}
	}
	for _, init := range inits {
		check(t, l.Host(t, string(init), Options{Init: init}).WaitSSH())
	}
	fmt.Println("up")
	switch os.Getenv("GIT_DEPLOY_LAB_HOLD") {
	case "return":
	case "kill":
		check(t, exec.Command("kill", "-9", fmt.Sprint(os.Getpid())).Run())
	case "fail":
		t.Fatal("as asked")
	default:
		select {}
	}
}

// world is what a test binary could leave behind: mounts, network interfaces,
// cgroups, temporary files, processes.
func world(t *testing.T, binary string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	mounts, err := os.ReadFile("/proc/self/mounts")
	check(t, err)
	for line := range strings.Lines(string(mounts)) {
		found["mount "+strings.TrimSpace(line)] = true
	}
	links, err := exec.Command("ip", "-o", "link").Output()
	check(t, err)
	for line := range strings.Lines(string(links)) {
		found["link "+strings.Fields(line)[1]] = true
	}
	for what, pattern := range map[string]string{"cgroup ": cgroupDir + "/" + cgroupPrefix + "*", "temporary file ": tmpDir + "/*", "file in /tmp ": "/tmp/lab*", "network namespace ": "/run/netns/*"} {
		files, err := filepath.Glob(pattern)
		check(t, err)
		for _, f := range files {
			found[what+f] = true
		}
	}
	processes, err := filepath.Glob("/proc/[0-9]*/exe")
	check(t, err)
	for _, p := range processes {
		if to, err := os.Readlink(p); err == nil && (to == binary || strings.HasSuffix(to, machineKernel)) {
			found["process "+p] = true
		}
	}
	return found
}

// The test binary is started once more, inside this lab, which is "the
// machine" to it, and ends in all the ways a test binary can.
func TestNothingIsLeft(t *testing.T) {
	New(t)
	own, err := os.Executable()
	check(t, err)
	binary := filepath.Join(t.TempDir(), "lab.test")
	text, err := os.ReadFile(own)
	check(t, err)
	check(t, os.WriteFile(binary, text, 0o755))
	for _, end := range []string{"return", "fail", "kill", "outer-killed", "outer-terminated", "machine-outer-killed"} {
		t.Run(end, func(t *testing.T) {
			if strings.HasPrefix(end, "machine") {
				needMachine(t, Options{})
			}
			before := world(t, binary)
			cmd := exec.CommandContext(t.Context(), binary, "-test.run=^TestHold$")
			cmd.Env = append(Environ(), "GIT_DEPLOY_LAB_HOLD="+end)
			cmd.Stderr = os.Stderr
			out, err := cmd.StdoutPipe()
			check(t, err)
			check(t, cmd.Start())
			lines := bufio.NewScanner(out)
			for lines.Scan() && lines.Text() != "up" {
			}
			if lines.Text() != "up" {
				t.Fatalf("no hosts: %v", lines.Err())
			}
			switch end {
			case "outer-killed", "machine-outer-killed":
				check(t, cmd.Process.Kill())
			case "outer-terminated":
				check(t, cmd.Process.Signal(os.Interrupt))
			}
			for lines.Scan() {
			}
			code := exitCode(cmd.Wait())
			if (code == 0) != (end == "return") {
				t.Errorf("exit code %d", code)
			}
			check(t, Eventually(10*time.Second, func() error {
				for what := range world(t, binary) {
					if !before[what] {
						return fmt.Errorf("%s is left", what)
					}
				}
				return nil
			}))
		})
	}
}
