//go:build linux

package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Init is what runs as a host's process 1.
type Init string

const (
	Busybox Init = "busybox" // tier A: busybox init and sshd
	Systemd Init = "systemd" // tier B: the root's own systemd
	Machine Init = "machine" // tier C: a kernel and a disk of its own, the root's own systemd
)

// Options says what a host is like. The zero value is a tier A host over the machine's root.
type Options struct {
	Init    Init     // "" is Busybox
	Root    string   // the root folder below the host's own disk; "" is the machine's (for Machine: Debian sid)
	Without []string // names of programs that the host does not have; may hold wildcards
	Memory  int      // MiB, of a Machine; 0 is 512
	Disk    int      // MiB, of a Machine; 0 is 1536
	// Prepare may write files to the host's disk before the first boot.
	Prepare func(disk string) error
}

// Host is one test host. Its disk outlives every boot.
type Host struct {
	Name  string
	Addr  string
	Addr6 string

	lab *Lab
	t   testing.TB
	n   int64
	opt Options
	dir string

	mu    sync.Mutex
	link  string        // the bridge's end of the current boot's cable
	cut   bool          // the cable is out
	init  *os.Process   // nil: switched off
	off   chan struct{} // closed when the host is off
	boots int
}

// Host adds a host and starts it. It does not wait for sshd.
func (l *Lab) Host(t testing.TB, name string, opt Options) *Host {
	t.Helper()
	if opt.Init == Machine {
		needMachine(t, opt)
	}
	h, err := l.AddHost(name, opt)
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	h.t = t
	return h
}

// AddHost is Host for callers without a test of their own.
func (l *Lab) AddHost(name string, opt Options) (*Host, error) {
	n := lastHost.Add(1)
	h := &Host{Name: name, Addr: fmt.Sprintf("10.77.%d.%d", n/250, n%250+2), Addr6: fmt.Sprintf("fd77::%x", n+1), lab: l, t: l.t, n: n, opt: opt, dir: l.path("host-" + name)}
	if h.opt.Init == "" {
		h.opt.Init = Busybox
	}
	if h.opt.Init == Machine {
		root, err := machineRoot(opt)
		if err != nil {
			return nil, err
		}
		h.opt.Root = root
	}
	if h.opt.Root == "" {
		h.opt.Root = machineDir
	}
	if err := h.makeDisk(); err != nil {
		return nil, err
	}
	if h.opt.Init == Machine {
		if err := h.makeImage(); err != nil {
			return nil, err
		}
	}
	public, err := os.ReadFile(filepath.Join(h.disk(), "etc/ssh/ssh_host_ed25519_key.pub"))
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(public))
	l.mu.Lock()
	if l.hosts[name] != nil {
		l.mu.Unlock()
		return nil, fmt.Errorf("host %s exists", name)
	}
	l.hosts[name] = h
	fmt.Fprintf(&l.known, "%s,%s,%s %s %s\n", name, h.Addr, h.Addr6, fields[0], fields[1])
	err = l.writeSSH()
	l.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return h, h.start()
}

// HostKey is the host's public key, as in known_hosts: type and base64.
func (h *Host) HostKey() string {
	b, err := os.ReadFile(filepath.Join(h.disk(), "etc/ssh/ssh_host_ed25519_key.pub"))
	if err != nil {
		return ""
	}
	return strings.Join(strings.Fields(string(b))[:2], " ")
}

func (h *Host) disk() string        { return filepath.Join(h.dir, "disk") }
func (h *Host) consoleFile() string { return filepath.Join(h.dir, "console.log") }

// boot is what a host's process 1 is told before it becomes init.
type boot struct {
	Name, Addr, Addr6, Dir, Root, Hosts string
	Init                                Init
	Link                                string // of a Machine: its cable
	Memory                              int
}

// start switches the host on and returns when its init runs.
func (h *Host) start() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.init != nil {
		return fmt.Errorf("host %s runs", h.Name)
	}
	h.off = make(chan struct{})
	return h.bootLocked()
}

func (h *Host) bootLocked() (err error) {
	h.boots++
	defer func() {
		if err != nil {
			err = fmt.Errorf("start host %s: %w", h.Name, err)
		}
	}()
	console, err := os.OpenFile(h.consoleFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer console.Close()
	order, orders, err := os.Pipe()
	if err != nil {
		return err
	}
	defer order.Close()
	defer orders.Close()
	report, reports, err := os.Pipe()
	if err != nil {
		return err
	}
	defer report.Close()
	defer reports.Close()

	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(Environ(), stageEnv+"=host")
	cmd.Stdout, cmd.Stderr = console, console
	cmd.ExtraFiles = []*os.File{order, reports} // 3 and 4
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
	}
	if h.opt.Init != Machine { // it has its own; its cables end here
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWNET
	}
	if h.opt.Init == Systemd {
		dir, err := hostCgroup(h.n)
		if err != nil {
			return err
		}
		group, err := os.Open(dir)
		if err != nil {
			return err
		}
		defer group.Close()
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(group.Fd())
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	h.init = cmd.Process
	go h.supervise(cmd)
	_ = reports.Close()

	if err := h.plug(cmd.Process.Pid); err != nil {
		_ = cmd.Process.Kill()
		return err
	}
	b := boot{Name: h.Name, Addr: h.Addr, Addr6: h.Addr6, Dir: h.dir, Root: h.opt.Root, Hosts: h.lab.path("hosts"), Init: h.opt.Init, Link: h.link, Memory: h.opt.Memory}
	if err := json.NewEncoder(orders).Encode(b); err != nil {
		_ = cmd.Process.Kill()
		return err
	}
	_ = orders.Close()
	// Closed without a word when init has been executed.
	if said, _ := io.ReadAll(report); len(said) > 0 {
		_ = cmd.Process.Kill()
		return errors.New(string(said))
	}
	return nil
}

// plug makes the cable between the bridge and the network of process pid.
func (h *Host) plug(pid int) error {
	// A new name each time: the kernel takes a while to remove the old one.
	h.link = fmt.Sprintf("v%d.%d", h.n, h.boots)
	if h.opt.Init == Machine {
		return h.plugMachine()
	}
	up := "up"
	if h.cut {
		up = "down"
	}
	// The host's card is the same at every boot.
	card := fmt.Sprintf("02:00:00:01:%02x:%02x", h.n>>8&0xff, h.n&0xff)
	return runInput(fmt.Sprintf("link add %s type veth peer name eth0 address %s netns %d\nlink set %s master br0 %s\n", h.link, card, pid, h.link, up), "ip", "-batch", "-")
}

// supervise waits for the end of one boot and starts the next, as a machine
// does: reboot(2) in a process namespace ends init with SIGHUP, power-off with SIGINT.
func (h *Host) supervise(cmd *exec.Cmd) {
	err := cmd.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.init = nil
	_ = run("ip", "link", "del", h.link)
	if h.opt.Init == Machine {
		_ = run("ip", "link", "del", h.consoleLink())
	}
	if exitCode(err) == rebootCode {
		if err := h.bootLocked(); err == nil {
			return
		}
		h.t.Errorf("lab: %v", err)
	}
	close(h.off)
}

// pid is the process 1 of the host as the lab sees it.
func (h *Host) pid() (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.init == nil {
		return 0, fmt.Errorf("host %s is off", h.Name)
	}
	return h.init.Pid, nil
}

// Argv is the command line that runs argv at the host's console: as root, in
// /root, and also when the network is cut.
func (h *Host) Argv(argv ...string) ([]string, error) {
	pid, err := h.pid()
	if err != nil {
		return nil, err
	}
	if h.opt.Init == Machine {
		return h.consoleArgv(append([]string{"/usr/bin/env", "-i", "-C", "/root", "HOME=/root", "USER=root", "TERM=dumb", "PATH=" + hostPath}, argv...)), nil
	}
	// Debian's nsenter stops itself when its child is stopped, as systemd does
	// to every process before it ends them all at a reboot: nobody would
	// continue it. busybox's does not, but knows no cgroup namespaces.
	line := []string{"nsenter", "-t", fmt.Sprint(pid), "-C", "busybox", "nsenter", "-t", fmt.Sprint(pid), "-m", "-u", "-i", "-n", "-p", "-r",
		"/usr/bin/env", "-i", "-C", "/root", "HOME=/root", "USER=root", "TERM=dumb", "PATH=" + hostPath}
	if h.opt.Init == Systemd {
		dir, err := hostCgroup(h.n)
		if err != nil {
			return nil, err
		}
		line = append([]string{"sh", "-c", `echo $$ >"$0"/cgroup.procs && exec "$@"`, dir}, line...)
	}
	return append(line, argv...), nil
}

// Try runs a command at the console and returns its output without the last
// newline. A command that does not end within tryLimit is an error.
func (h *Host) Try(argv ...string) (string, error) {
	line, err := h.Argv(argv...)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), tryLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	if ctx.Err() != nil {
		err = fmt.Errorf("no end after %v", tryLimit)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %s: %w: %s%s", h.Name, strings.Join(argv, " "), err, stdout.Bytes(), stderr.Bytes())
	}
	return strings.TrimSuffix(stdout.String(), "\n"), nil
}

// tryLimit is more than any command of a test takes, and less than `go test` waits.
const tryLimit = 5 * time.Minute

// Run is Try that ends the test on an error.
func (h *Host) Run(argv ...string) string {
	h.t.Helper()
	out, err := h.Try(argv...)
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// BootID is the id of the current boot.
func (h *Host) BootID() (string, error) {
	return h.Try("cat", "/proc/sys/kernel/random/boot_id")
}

// Reboot asks the host's init for a reboot and waits until the next boot answers.
func (h *Host) Reboot() error {
	before, err := h.BootID()
	if err != nil {
		return err
	}
	_, _ = h.Try("reboot") // often killed by what it asks for
	err = Eventually(h.bootLimit(), func() error {
		if id, err := h.BootID(); err != nil || id == before {
			return fmt.Errorf("%s has boot id %q, %v", h.Name, id, err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("wait for the reboot: %w", err)
	}
	return h.WaitSSH()
}

// Cut pulls the cable: packets are lost in both directions, nobody is told.
func (h *Host) Cut() error { return h.setCut(true) }

// Heal puts the cable back.
func (h *Host) Heal() error { return h.setCut(false) }

func (h *Host) setCut(cut bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cut = cut
	if h.init == nil {
		return nil
	}
	return h.setLink(!cut)
}

// setLink connects the current boot's cable, or disconnects it.
func (h *Host) setLink(up bool) error {
	words := []string{"ip", "link", "set", h.link}
	switch {
	case h.opt.Init == Machine && up: // its kernel would take offence at a cable that is down
		words = append(words, "master", "br0")
	case h.opt.Init == Machine:
		words = append(words, "nomaster")
	case up:
		words = append(words, "up")
	default:
		words = append(words, "down")
	}
	return run(words...)
}

// Kill ends all processes of the host at once. Its kernel goes on for a
// moment and closes its connections politely: see PowerLoss.
func (h *Host) Kill() error {
	h.mu.Lock()
	init, off := h.init, h.off
	h.mu.Unlock()
	if init == nil {
		return nil
	}
	if err := init.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-off:
		return nil
	case <-time.After(10 * time.Second):
		return fmt.Errorf("host %s does not die", h.Name)
	}
}

// PowerLoss ends the host without a word to its peers. Start brings it back.
func (h *Host) PowerLoss() error {
	h.mu.Lock()
	if h.init != nil {
		if err := h.setLink(false); err != nil {
			h.mu.Unlock()
			return err
		}
	}
	h.mu.Unlock()
	return h.Kill()
}

// Start switches on a host that is off.
func (h *Host) Start() error { return h.start() }

// Off is closed when the host is off.
func (h *Host) Off() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.off
}

// bootLimit is far more than a boot takes.
func (h *Host) bootLimit() time.Duration {
	if h.opt.Init == Machine {
		return 3 * time.Minute
	}
	return time.Minute
}

// WaitSSH waits until the host's sshd answers.
func (h *Host) WaitSSH() error {
	err := Eventually(h.bootLimit(), func() error {
		conn, err := net.DialTimeout("tcp", h.Addr+":22", time.Second)
		if err != nil {
			return err
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		banner := make([]byte, 4)
		if _, err := io.ReadFull(conn, banner); err != nil {
			return err
		}
		if string(banner) != "SSH-" {
			return fmt.Errorf("no ssh banner but %q", banner)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("wait for sshd of %s: %w\nconsole:\n%s", h.Name, err, tail(h.consoleFile(), 4096))
	}
	return nil
}

// WaitRunning waits until systemd has started all there is to start.
func (h *Host) WaitRunning() error {
	err := Eventually(60*time.Second, func() error {
		state, err := h.Try("systemctl", "is-system-running", "--wait")
		if err != nil && strings.Contains(err.Error(), "degraded") {
			return nil
		}
		if err == nil && state != "running" {
			err = errors.New(state)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("wait for systemd of %s: %w", h.Name, err)
	}
	if failed, err := h.Try("systemctl", "list-units", "--state=failed", "--plain", "--no-legend"); err != nil || failed != "" {
		return fmt.Errorf("units of %s failed: %s %v", h.Name, failed, err)
	}
	return nil
}

// remove ends the host for good.
func (h *Host) remove() {
	if err := h.Kill(); err != nil {
		h.t.Errorf("lab: %v", err)
	}
	if h.opt.Init == Systemd {
		removeCgroups(filepath.Join(cgroupDir, os.Getenv(idEnv)), fmt.Sprint("host", h.n))
	}
}
