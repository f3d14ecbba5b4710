//go:build linux

package lab

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Process is one process of a host, by its number in the lab.
type Process struct {
	Pid, Parent int
	Name        string // as the kernel has it, at most 15 bytes
	Args        []string
}

// Kill sends the process SIGKILL. One that is gone already is no error.
func (p Process) Kill() error { return p.Signal(unix.SIGKILL) }

// Signal sends the process a signal. One that is gone already is no error.
func (p Process) Signal(s unix.Signal) error {
	if err := unix.Kill(p.Pid, s); err != nil && err != unix.ESRCH {
		return fmt.Errorf("signal %s (%d): %w", p.Name, p.Pid, err)
	}
	return nil
}

// Processes returns the processes of the lab, hosts included, that keep takes by their number.
func Processes(keep func(pid int) bool) []Process {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var found []Process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || !keep(pid) {
			continue
		}
		dir := filepath.Join("/proc", e.Name())
		stat, err := os.ReadFile(filepath.Join(dir, "stat"))
		if err != nil {
			continue // gone meanwhile
		}
		args, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil || len(args) == 0 {
			continue // gone, or a zombie
		}
		// The name, in parentheses, may hold anything.
		open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
		fields := strings.Fields(string(stat[end+1:]))
		parent, _ := strconv.Atoi(fields[1])
		found = append(found, Process{
			Pid: pid, Parent: parent, Name: string(stat[open+1 : end]),
			Args: strings.Split(strings.TrimSuffix(string(args), "\x00"), "\x00"),
		})
	}
	return found
}

// Processes returns the processes of the host, none while it is off.
func (h *Host) Processes() []Process {
	pid, err := h.pid()
	if err != nil {
		return nil
	}
	mine, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
	if err != nil {
		return nil
	}
	return Processes(func(pid int) bool {
		ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
		return err == nil && ns == mine
	})
}

// Files is the host's root folder with everything that is mounted there, for
// as long as this boot lasts. (An absolute link in it leads out of it.)
func (h *Host) Files() (string, error) {
	pid, err := h.pid()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("/proc/%d/root", pid), nil
}
