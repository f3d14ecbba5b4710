//go:build linux

package lab

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/git-deploy/git-deploy/internal/testenv"
)

// A machine is user-mode Linux: a whole kernel as one process, which boots the
// host's root from a disk of its own. The kernel is that of the host's root
// (Debian sid): older ones do not start on processors with large registers.
// It is on the bridge by one TAP device, and has a console by another one,
// which no cut touches.
const (
	machineKernel = "/usr/bin/linux.uml"
	consolePort   = "1"
	// rebootCode is how the kernel ends that is to be started again.
	rebootCode = 128 + int(unix.SIGHUP)
)

const (
	defaultMemory = 512  // MiB
	defaultDisk   = 1536 // MiB
)

// machineRoot is the root of a Machine.
func machineRoot(opt Options) (string, error) {
	if opt.Root != "" {
		return opt.Root, nil
	}
	return DebianRoot("sid")
}

// needMachine skips the test (in CI: fails it) where no machine can be made.
func needMachine(t testing.TB, opt Options) {
	t.Helper()
	testenv.Need(t, "mmdebstrap", "mke2fs")
	if _, err := machineRoot(opt); err != nil {
		testenv.Missing(t, err.Error())
	}
}

func (h *Host) image() string { return filepath.Join(h.dir, "disk.ext4") }

// consoleAddr is the machine's address at the far end of its console's cable.
func (h *Host) consoleAddr() string { return strings.Replace(h.Addr, "10.77.", "10.78.", 1) }

// consoleLink is the near end of the console's cable in the current boot.
func (h *Host) consoleLink() string { return "c" + h.link }

// makeImage makes the machine's disk from what a host would have as its root.
func (h *Host) makeImage() error {
	for _, f := range []struct {
		name, text string
		mode       os.FileMode
	}{
		{"etc/lab-boot", machineBoot, 0o755},
		{"etc/lab-addr", fmt.Sprintf("name=%s addr=%s addr6=%s console=%s\n", h.Name, h.Addr, h.Addr6, h.consoleAddr()), 0o644},
		{"etc/lab-console", strings.Replace(sshdConfig, "PidFile /run/sshd.pid", "PidFile none\nPort "+consolePort+"\nListenAddress "+h.consoleAddr()+"\nPerSourcePenalties no", 1), 0o600},
	} {
		if err := put(h.disk(), f.name, f.text, f.mode); err != nil {
			return err
		}
	}
	// What the kernel executes in its own place to start again.
	if err := put(filepath.Dir(h.image()), "again", fmt.Sprintf("#!/bin/sh\nexit %d\n", rebootCode), 0o755); err != nil {
		return err
	}
	root := filepath.Join(h.dir, "root")
	data := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s,index=off,xino=off", h.opt.Root, h.disk(), filepath.Join(h.dir, "work"))
	if err := mount("host-"+h.Name, root, "overlay", 0, data); err != nil {
		return err
	}
	err := run("mke2fs", "-q", "-t", "ext4", "-L", "root", "-E", "lazy_itable_init=0,nodiscard", "-d", root,
		h.image(), fmt.Sprintf("%dM", cmp.Or(h.opt.Disk, defaultDisk)))
	if err2 := unix.Unmount(root, 0); err == nil && err2 != nil {
		err = fmt.Errorf("unmount %s: %w", root, err2)
	}
	return err
}

// plugMachine makes the cables that the machine's kernel will hold the far ends of.
func (h *Host) plugMachine() error {
	lines := []string{
		// Larger packets than it has asked for stall what is sent to its kernel.
		"link set br0 gso_max_size 1500 gso_max_segs 1",
		"tuntap add dev " + h.link + " mode tap",
		"link set " + h.link + " up",
		"tuntap add dev " + h.consoleLink() + " mode tap",
		"addr add 10.78.0.1 peer " + h.consoleAddr() + " dev " + h.consoleLink(),
		"link set " + h.consoleLink() + " up",
	}
	if !h.cut {
		lines = append(lines, "link set "+h.link+" master br0")
	}
	return runInput(strings.Join(lines, "\n"), "ip", "-batch", "-")
}

// becomeMachine executes the kernel. Its programs and libraries are those of
// the machine's root.
func (b boot) becomeMachine() error {
	root := filepath.Join(b.Dir, "root")
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	at := func(p string) string { return filepath.Join(root, p) }
	for _, m := range []struct {
		source, target, kind string
		flags                uintptr
		data                 string
	}{
		{b.Root, "", "", unix.MS_BIND, ""},
		{"/dev", "/dev", "", unix.MS_BIND | unix.MS_REC, ""},
		{"proc", "/proc", "proc", 0, ""},
		{"tmp", "/tmp", "tmpfs", 0, "mode=1777"}, // the machine's memory is a file there
		{b.Dir, "/mnt", "", unix.MS_BIND, ""},
	} {
		if err := mount(m.source, at(m.target), m.kind, m.flags, m.data); err != nil {
			return err
		}
	}
	if err := unix.Chroot(root); err != nil {
		return fmt.Errorf("chroot: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	null, err := os.Open("/dev/null")
	if err != nil {
		return err
	}
	if err := unix.Dup3(int(null.Fd()), 0, 0); err != nil {
		return err
	}
	if err := unix.Access(machineKernel, unix.X_OK); err != nil {
		return fmt.Errorf("%s: %w", machineKernel, err)
	}
	// At a reboot the kernel executes the first of these words.
	return unix.Exec(machineKernel, []string{"/mnt/again",
		"seccomp=on", // much faster than ptrace
		fmt.Sprintf("mem=%dM", cmp.Or(b.Memory, defaultMemory)),
		"umid=machine", "uml_dir=/tmp",
		"ubd0=/mnt/disk.ext4", "root=/dev/ubda", "rootfstype=ext4", "rw",
		"vec0:transport=tap,ifname=" + b.Link + ",depth=64,gro=0",
		"vec1:transport=tap,ifname=c" + b.Link + ",depth=64,gro=0",
		"con=null", "con0=null,fd:1", "ssl=null",
		"net.ifnames=0", "panic=-1", "audit=0", "selinux=0", "apparmor=0", "quiet", "loglevel=4",
		"init=/etc/lab-boot",
	}, []string{"PATH=" + hostPath, "HOME=/tmp", "TMPDIR=/tmp"})
}

// machineBoot is the machine's boot loader and initrd: what it executes as
// process 1 is what the other hosts execute.
const machineBoot = `#!/bin/sh
export PATH=` + hostPath + ` HOME=/root TERM=dumb
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null # or the kernel has
mount -t tmpfs -o mode=755 run /run
. /etc/lab-addr
hostname "$name"
ip -batch - <<.
link set lo up
link set vec0 name eth0
addr add $addr/16 dev eth0
addr add $addr6/64 dev eth0 nodad
link set eth0 up
route add default via 10.77.0.1
addr add $console peer 10.78.0.1 dev vec1
link set vec1 up
.
# The console: it needs no unit and nothing that a system may change.
mkdir -p /run/sshd
/usr/sbin/sshd -f /etc/lab-console
init=/usr/lib/systemd/systemd
if [ -x /nix/var/nix/profiles/system/init ]; then
	init=/nix/var/nix/profiles/system/init
fi
exec "$init" >/dev/console 2>&1
`

// consoleArgv runs argv at the machine's console.
func (h *Host) consoleArgv(argv []string) []string {
	quoted := make([]string, len(argv))
	for i, a := range argv {
		quoted[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
	}
	return []string{"ssh", "-F", "none", "-i", h.lab.Key(), "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none",
		"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "BatchMode=yes",
		"-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=6",
		"-p", consolePort, "root@" + h.consoleAddr(), strings.Join(quoted, " ")}
}
