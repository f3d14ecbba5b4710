//go:build linux

package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// stageEnv says which part of the harness this process is. A test binary runs
// itself as: (unset) what `go test` started, which stays on the machine;
// "init", process 1 of the lab; "tests", the tests; "host", which becomes
// process 1 of a test host.
const stageEnv = "GIT_DEPLOY_LAB_STAGE"

// errorEnv tells the tests why there is no lab, idEnv how its cgroup is called.
const (
	errorEnv = "GIT_DEPLOY_LAB_ERROR"
	idEnv    = "GIT_DEPLOY_LAB_ID"
)

// machineNet is the machine's network namespace, as a descriptor of the tests.
const machineNet = 3

// Main runs the tests of a binary inside the lab's namespaces. Call it from
// TestMain, first. Where the lab cannot be made, the tests run all the same
// and New skips them.
func Main(m *testing.M) { os.Exit(stage(m)) }

func stage(m *testing.M) int {
	switch os.Getenv(stageEnv) {
	case "":
		if os.Geteuid() != 0 {
			_ = os.Setenv(errorEnv, "not root")
			return m.Run()
		}
		return enter(m)
	case "init":
		return labInit()
	case "host":
		return hostInit()
	}
	unix.CloseOnExec(machineNet)
	return m.Run()
}

// enterError says why this process is not in a lab.
func enterError() error {
	if s := os.Getenv(errorEnv); s != "" {
		return errors.New(s)
	}
	if os.Getenv(stageEnv) != "tests" {
		return errors.New("TestMain does not call lab.Main")
	}
	return nil
}

// enter runs this binary again as the lab's process 1 and waits for it. The
// lab notices by the pipe when this process is gone, and ends.
func enter(m *testing.M) int {
	alive, hold, err := os.Pipe()
	if err != nil {
		return fatal(err)
	}
	net, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return fatal(err)
	}
	id := newCgroupID()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), stageEnv+"=init", idEnv+"="+id)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{alive, net} // 3 and 4
	cmd.SysProcAttr = &syscall.SysProcAttr{
		// A session of its own: signals to `go test` and all its children
		// must not hit the process that tidies up.
		Setsid:     true,
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
	}
	if err := cmd.Start(); err != nil {
		// A container without the right to make namespaces.
		_ = os.Setenv(errorEnv, err.Error())
		return m.Run()
	}
	_, _ = alive.Close(), net.Close()
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT)
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s)
		}
	}()
	err = cmd.Wait()
	_ = hold.Close()
	if mount := cgroupMount(); mount != "" {
		removeCgroups(mount, id)
		sweepCgroups(mount)
	}
	return exitCode(err)
}

// exitCode is what a shell would make of how a command ended.
func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		if status := exit.Sys().(syscall.WaitStatus); status.Signaled() {
			return 128 + int(status.Signal())
		}
		return exit.ExitCode()
	}
	return fatal(err)
}

func fatal(err error) int {
	fmt.Fprintln(os.Stderr, "lab:", err)
	return 1
}

// labInit is process 1 of the lab: it builds the lab's root and network, runs
// the tests, reaps every orphan, and when the tests or the process on the
// machine are gone, kills what is left and removes the cgroups.
func labInit() int {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT)
	unix.CloseOnExec(3)
	unix.CloseOnExec(4)
	if err := enterRoot(); err != nil {
		return fatal(err)
	}
	if err := makeBridge(); err != nil {
		return fatal(err)
	}
	id := os.Getenv(idEnv)
	env := append(Environ(), stageEnv+"=tests", idEnv+"="+id, "TMPDIR="+tmpDir)
	tests, err := syscall.ForkExec("/proc/self/exe", os.Args, &syscall.ProcAttr{
		Env:   env,
		Files: []uintptr{0, 1, 2, 4}, // the machine's network becomes 3
	})
	if err != nil {
		return fatal(err)
	}
	go func() {
		for s := range signals {
			_ = unix.Kill(tests, s.(syscall.Signal))
		}
	}()
	go func() {
		// Blocks until the process on the machine is gone.
		_, _ = os.NewFile(3, "alive").Read(make([]byte, 1))
		_ = unix.Kill(tests, unix.SIGKILL)
	}()
	code := reap(tests)
	killAll()
	removeCgroups(cgroupDir, id)
	return code
}

// reap waits for every child until pid ends, and returns its exit code.
func reap(pid int) int {
	for {
		var status syscall.WaitStatus
		switch got, err := syscall.Wait4(-1, &status, 0, nil); {
		case err == syscall.EINTR:
		case err != nil:
			return fatal(err)
		case got != pid:
		case status.Exited():
			return status.ExitStatus()
		case status.Signaled():
			return 128 + int(status.Signal())
		}
	}
}

// killAll ends every other process of the lab.
func killAll() {
	for {
		_ = unix.Kill(-1, unix.SIGKILL)
		if _, err := syscall.Wait4(-1, nil, 0, nil); err != nil && err != syscall.EINTR {
			return
		}
	}
}

// Environ is the environment without the harness's own variables.
func Environ() []string {
	return slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return name == stageEnv || name == errorEnv || name == idEnv
	})
}
