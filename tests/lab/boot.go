//go:build linux

package lab

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

const hostPath = "/run/current-system/sw/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// hostInit is process 1 of a host before init: it is told who it is on
// descriptor 3, makes its root, executes init, and says what went wrong on 4.
func hostInit() int {
	// Namespaces belong to threads, and exec keeps those of the calling one.
	runtime.LockOSThread()
	unix.CloseOnExec(3)
	unix.CloseOnExec(4)
	err := becomeHost()
	fmt.Fprint(os.NewFile(4, "report"), err)
	return 1
}

func becomeHost() error {
	var b boot
	if err := json.NewDecoder(os.NewFile(3, "order")).Decode(&b); err != nil {
		return err
	}
	if b.Init == Machine {
		return b.becomeMachine()
	}
	if err := unix.Sethostname([]byte(b.Name)); err != nil {
		return err
	}
	if err := runInput("link set lo up\naddr add "+b.Addr+"/16 dev eth0\naddr add "+b.Addr6+"/64 dev eth0 nodad\nlink set eth0 up\nroute add default via 10.77.0.1\n", "ip", "-batch", "-"); err != nil {
		return err
	}
	if b.Init == Systemd {
		// Only now: the root of a cgroup namespace is the cgroup one is in.
		if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
			return fmt.Errorf("cgroup namespace: %w", err)
		}
	}
	if err := b.mountRoot(); err != nil {
		return err
	}
	env := []string{"PATH=" + hostPath, "HOME=/root", "TERM=dumb"}
	if b.Init == Busybox {
		return unix.Exec("/usr/bin/busybox", []string{"init"}, env)
	}
	init := "/usr/lib/systemd/systemd"
	// The boot loader of a host is this link; and this file, for one boot.
	if profile := "/nix/var/nix/profiles/system/init"; executable(profile) {
		init = profile
	}
	if once, err := os.ReadFile(bootOnce); err == nil {
		if err := os.Remove(bootOnce); err != nil {
			return err
		}
		init = strings.TrimSpace(string(once)) + "/init"
	}
	return unix.Exec(init, []string{init}, append(env, "container=git-deploy-lab"))
}

// bootOnce names the system that a host with systemd boots next, and then no more.
const bootOnce = "/boot/once"

func executable(name string) bool { return unix.Access(name, unix.X_OK) == nil }

// mountRoot makes the host's root from its disk and enters it.
func (b boot) mountRoot() error {
	root := filepath.Join(b.Dir, "root")
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	data := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s,index=off,xino=off", b.Root, filepath.Join(b.Dir, "disk"), filepath.Join(b.Dir, "work"))
	if err := mount("host-"+b.Name, root, "overlay", 0, data); err != nil {
		return err
	}
	at := func(p string) string { return filepath.Join(root, p) }
	for _, m := range []struct{ source, target, kind, data string }{
		{"run", "/run", "tmpfs", "mode=755"},
		{"tmp", "/tmp", "tmpfs", "mode=1777"},
		{"proc", "/proc", "proc", ""},
		{"sysfs", "/sys", "sysfs", ""},
		{"dev", "/dev", "tmpfs", "mode=755"},
	} {
		if err := mount(m.source, at(m.target), m.kind, 0, m.data); err != nil {
			return err
		}
	}
	if err := mount("", at("/sys"), "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
		return err
	}
	if err := mount(b.Hosts, at("/etc/hosts"), "", unix.MS_BIND, ""); err != nil {
		return err
	}
	// All hosts share the kernel and would share its boot id.
	id, err := os.ReadFile("/proc/sys/kernel/random/uuid")
	if err != nil {
		return err
	}
	if err := os.WriteFile(at("/run/.boot_id"), id, 0o444); err != nil {
		return err
	}
	if err := mount(at("/run/.boot_id"), at("/proc/sys/kernel/random/boot_id"), "", unix.MS_BIND, ""); err != nil {
		return err
	}
	if err := b.makeDev(at); err != nil {
		return err
	}
	if b.Init == Systemd {
		if err := mount("cgroup2", at("/sys/fs/cgroup"), "cgroup2", 0, ""); err != nil {
			return err
		}
	}
	if err := os.Mkdir(at("/run/old"), 0o700); err != nil {
		return err
	}
	if err := unix.PivotRoot(root, at("/run/old")); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Unmount("/run/old", unix.MNT_DETACH); err != nil {
		return err
	}
	return os.Remove("/run/old")
}

// makeDev fills /dev as containers have it.
func (b boot) makeDev(at func(string) string) error {
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		if err := os.WriteFile(at("/dev/"+name), nil, 0o666); err != nil {
			return err
		}
		if err := mount("/dev/"+name, at("/dev/"+name), "", unix.MS_BIND, ""); err != nil {
			return err
		}
	}
	if err := os.Mkdir(at("/dev/net"), 0o755); err != nil {
		return err
	}
	// A machine may lack it; a host's network is its own, so it may use it.
	if _, err := os.Stat(tun); err == nil {
		if err := os.WriteFile(at(tun), nil, 0o600); err != nil {
			return err
		}
		if err := mount(tun, at(tun), "", unix.MS_BIND, ""); err != nil {
			return err
		}
	}
	for _, dir := range []string{"/dev/pts", "/dev/shm"} {
		if err := os.Mkdir(at(dir), 0o755); err != nil {
			return err
		}
	}
	if err := mount("devpts", at("/dev/pts"), "devpts", 0, "newinstance,ptmxmode=0666,mode=0620"); err != nil {
		return err
	}
	if err := mount("shm", at("/dev/shm"), "tmpfs", 0, "mode=1777"); err != nil {
		return err
	}
	for name, to := range map[string]string{"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"} {
		if err := os.Symlink(to, at("/dev/"+name)); err != nil {
			return err
		}
	}
	return os.WriteFile(at("/dev/console"), nil, 0o600)
}

// join makes the lines of a configuration file.
func join(lines ...string) string { return strings.Join(lines, "\n") + "\n" }
