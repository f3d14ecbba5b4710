package activate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/proc"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// exitUnitsFailed is what switch-to-configuration exits with when it has
// switched, but units did not start.
const exitUnitsFailed = 4

// exitReboot is what it exits with when it will not switch live, before it touches anything.
const exitReboot = 100

// SwitchError is a switch-to-configuration that did not exit with 0.
type SwitchError struct {
	Verb     Verb
	ExitCode int // -1: killed by a signal, or not started
	Last     string
	Err      error
}

func (e *SwitchError) Unwrap() error { return e.Err }

func (e *SwitchError) Error() string {
	what := map[int]string{
		2:               "its activation script failed",
		3:               "systemd could not reload its units",
		exitUnitsFailed: "units failed to start",
		exitReboot:      "the running system cannot be switched to it live, only by a reboot (-o action=boot)",
	}[e.ExitCode]
	switch {
	case what != "":
	case e.ExitCode > 0:
		what = fmt.Sprintf("exit code %d", e.ExitCode)
	default:
		what = e.Err.Error()
	}
	if e.Last != "" {
		what += ": " + e.Last
	}
	return fmt.Sprintf("switch-to-configuration %s: %s", e.Verb, what)
}

// Switch gives the program a file for its output and not a pipe: it outlives a
// runner that dies, services that it starts may keep the descriptor, and what
// it said can be read later. Neither the log nor the note of its process id
// may keep it from running: on a full disk the way back must still be open.
func (h *Host) Switch(ctx context.Context, step event.Step, system string, verb Verb) error {
	program := filepath.Join(system, "bin/switch-to-configuration")
	if _, err := os.Stat(program); err != nil {
		return fmt.Errorf("%s is not a NixOS system that can be activated: %w", system, err)
	}
	cmd := proc.Cmd{Argv: []string{program, string(verb)}, Dir: "/"}
	cmd.Env, cmd.Unset = switchEnv(h.layout, os.Environ())
	if last, err := h.execute(ctx, step, cmd); err != nil {
		return &SwitchError{Verb: verb, ExitCode: proc.ExitCode(err), Last: last, Err: err}
	}
	return nil
}

// execute runs a program that changes what runs, and returns the last line that it said.
func (h *Host) execute(ctx context.Context, step event.Step, cmd proc.Cmd) (last string, err error) {
	if err := h.stopLeftover(); err != nil {
		return "", err
	}
	if step == event.Rollback {
		_ = h.layout.DropReserve() // the disk may be full
	}
	log, err := os.OpenFile(filepath.Join(h.layout.Deployment(h.id), "switch.log"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		h.warn("the output of "+cmd.Argv[0]+" is lost", err)
		if log, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
			return "", err
		}
	}
	defer func() { _ = log.Close() }()
	lines, err := followFile(log.Name(), func(line string) {
		h.sink.Emit(event.Event{Kind: event.Log, Step: step, Message: line, Time: time.Now()})
	})
	if err != nil {
		return "", err
	}
	cmd.Stdout, cmd.Stderr = log, log
	p, err := proc.Start(ctx, cmd)
	if err != nil {
		lines.stop()
		return "", err
	}
	h.noteChild(p.Pid())
	defer h.forgetChild()
	err = p.Wait() // after a time limit: when its whole group is gone
	return lines.stop(), err
}

func (h *Host) warn(what string, err error) {
	h.sink.Emit(event.Event{Kind: event.Warning, Message: what + ": " + err.Error(), Time: time.Now()})
}

// switchPath serves NixOS and, for its first system, any other distribution.
const switchPath = "/run/wrappers/bin:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// switchEnv returns the environment of switch-to-configuration: nothing of a
// deployer's session, so that every deployment activates in the same way.
func switchEnv(l statedir.Layout, environ []string) (env, unset []string) {
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		switch name {
		case "LOCALE_ARCHIVE", "NIX_STORE_DIR", "NIX_STATE_DIR", "NIX_LOG_DIR", "NIX_CONF_DIR", "NIX_REMOTE":
			// where things are on this machine
		default:
			unset = append(unset, name)
		}
	}
	env = []string{"PATH=" + switchPath, "HOME=/root"}
	if l.Root != "" {
		env = append(env, statedir.RootEnv+"="+l.Root)
	}
	return env, unset
}

// childFile names the process that changes the machine at the moment,
// switch-to-configuration or nix-env, for a Settle that comes after the runner
// was killed alone.
func (h *Host) childFile() string {
	return filepath.Join(h.layout.Deployment(h.id), "switch.pid")
}

func (h *Host) noteChild(pid int) {
	boot, err := h.BootID()
	if err == nil {
		err = os.WriteFile(h.childFile(), fmt.Appendf(nil, "%d %s %s", pid, startTime(pid), boot), 0o600)
	}
	if err != nil {
		h.warn("cannot note what changes the machine", err)
	}
}

func (h *Host) forgetChild() { _ = os.Remove(h.childFile()) } // a stale one is recognised

// stopLeftover kills what a dead runner left behind that changes the machine: two
// at the same time would leave anything.
func (h *Host) stopLeftover() error {
	data, err := os.ReadFile(h.childFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	boot, err := h.BootID()
	if err != nil {
		return err
	}
	var pid int
	var start, was string
	if n, _ := fmt.Sscanf(string(data), "%d %s %s", &pid, &start, &was); n == 3 && was == boot && pid > 1 {
		// A leader with another start time is a stranger that got the same id.
		if now := startTime(pid); now == "-" || now == start {
			if err := killGroup(pid); err != nil {
				return err
			}
		}
	}
	h.forgetChild()
	return nil
}

// killGroup asks the process group to end, then makes it, and returns when it is gone.
func killGroup(pid int) error {
	signal := syscall.SIGTERM
	for deadline := time.Now().Add(proc.DefaultGrace); ; {
		if err := syscall.Kill(-pid, signal); errors.Is(err, syscall.ESRCH) {
			return nil
		} else if err != nil {
			return fmt.Errorf("stop the switch-to-configuration that was left running (process group %d): %w", pid, err)
		}
		if time.Now().After(deadline) {
			if signal == syscall.SIGKILL {
				return fmt.Errorf("the switch-to-configuration that was left running (process group %d) cannot be stopped", pid)
			}
			signal, deadline = syscall.SIGKILL, time.Now().Add(proc.DefaultGrace)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// startTime is the kernel's start time of a process, "-" when there is none or it is a zombie.
func startTime(pid int) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "-"
	}
	// The name, in parentheses, may hold anything.
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" {
		return "-"
	}
	return fields[19]
}
