//go:build linux

package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// kept are the folders at the top of the root below that a host sees;
// everything else there (the machine's homes, work trees, mounts) it does not.
var kept = map[string]bool{"bin": true, "etc": true, "lib": true, "lib32": true, "lib64": true, "libx32": true, "sbin": true, "usr": true, "var": true}

// emptied are folders that a host has to itself: the machine's keys, units,
// jobs, state and Nix store must not show.
var emptied = []string{
	"boot", "dev", "home", "mnt", "nix", "proc", "root", "run", "srv", "sys", "tmp",
	"etc/cron.d", "etc/nix", "etc/ssh", "etc/systemd/system", "etc/systemd/user", "etc/network",
	"usr/local", "var/lib/git-deploy", "var/lib/systemd", "var/log", "var/cache", "var/tmp",
}

// makeDisk makes what the host has over the root below it.
func (h *Host) makeDisk() error {
	for _, dir := range []string{"disk", "work", "root"} {
		if err := os.MkdirAll(filepath.Join(h.dir, dir), 0o755); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(h.opt.Root)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !kept[e.Name()] && e.Type()&os.ModeSymlink == 0 {
			if err := h.hide(e.Name()); err != nil {
				return err
			}
		}
	}
	for _, dir := range emptied {
		if err := h.empty(dir); err != nil {
			return err
		}
	}
	for _, pattern := range h.opt.Without {
		for _, dir := range []string{"usr/bin", "usr/sbin"} {
			found, err := filepath.Glob(filepath.Join(h.opt.Root, dir, pattern))
			if err != nil {
				return err
			}
			for _, f := range found {
				if err := h.hide(filepath.Join(dir, filepath.Base(f))); err != nil {
					return err
				}
			}
		}
	}
	if err := h.writeFiles(); err != nil {
		return err
	}
	if h.opt.Prepare != nil {
		return h.opt.Prepare(h.disk())
	}
	return nil
}

// hide makes the host not see a file or folder of the root below.
func (h *Host) hide(name string) error {
	file := filepath.Join(h.disk(), name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := unix.Mknod(file, unix.S_IFCHR, 0); err != nil {
		return fmt.Errorf("hide %s: %w", name, err)
	}
	return nil
}

// empty gives the host a folder of its own in place of one of the root below.
func (h *Host) empty(name string) error {
	dir := filepath.Join(h.disk(), name)
	if err := os.Remove(dir); err != nil && !os.IsNotExist(err) {
		return err
	}
	mode := os.FileMode(0o755)
	switch name {
	case "root":
		mode = 0o700
	case "tmp", "var/tmp":
		mode = 0o777 | os.ModeSticky
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(dir, mode); err != nil {
		return err
	}
	if err := unix.Setxattr(dir, "trusted.overlay.opaque", []byte("y"), 0); err != nil {
		return fmt.Errorf("empty %s: %w", name, err)
	}
	return nil
}

// put writes a file of the host's disk before its first boot.
func put(disk, name, text string, mode os.FileMode) error {
	file := filepath.Join(disk, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		return err
	}
	return os.Chmod(file, mode)
}

func (h *Host) writeFiles() error {
	key := filepath.Join(h.disk(), "etc/ssh/ssh_host_ed25519_key")
	if err := keygen(key, h.Name); err != nil {
		return err
	}
	authorized, err := os.ReadFile(h.lab.Key() + ".pub")
	if err != nil {
		return err
	}
	shadow, err := os.ReadFile(filepath.Join(h.opt.Root, "etc/shadow"))
	if err != nil {
		return err
	}
	files := []struct {
		name, text string
		mode       os.FileMode
	}{
		{"root/.ssh/authorized_keys", string(authorized), 0o600},
		{"etc/hostname", h.Name + "\n", 0o644},
		{"etc/hosts", "", 0o644},
		{"etc/resolv.conf", "", 0o644},
		// One that is there: a first boot would enable the root's own units.
		{"etc/machine-id", fmt.Sprintf("%032x\n", h.n), 0o444},
		{"etc/shadow", unlockRoot(string(shadow)), 0o640},
		{"etc/nix/nix.conf", nixConf, 0o644},
		{"etc/ssh/sshd_config", sshdConfig, 0o600},
		{"etc/lab-rc", rc, 0o755},
		{"etc/inittab", join("::sysinit:/etc/lab-rc", "::respawn:/usr/sbin/sshd -D -e", "::ctrlaltdel:/usr/bin/busybox reboot"), 0o644},
		{"etc/systemd/journald.conf", join("[Journal]", "Storage=volatile", "RuntimeMaxUse=8M"), 0o644},
		{"etc/systemd/system/sshd.service", sshdUnit, 0o644},
		{"etc/systemd/system/lab-rc.service", rcUnit, 0o644},
	}
	if h.opt.Init == Busybox {
		// The machine's own are links to systemctl.
		for _, verb := range []string{"reboot", "poweroff", "halt"} {
			files = append(files, struct {
				name, text string
				mode       os.FileMode
			}{"usr/local/sbin/" + verb, "#!/bin/sh\nexec /usr/bin/busybox " + verb + ` "$@"` + "\n", 0o755})
		}
	}
	for _, f := range files {
		if err := put(h.disk(), f.name, f.text, f.mode); err != nil {
			return err
		}
	}
	if err := os.Chmod(filepath.Join(h.disk(), "root/.ssh"), 0o700); err != nil {
		return err
	}
	system := filepath.Join(h.disk(), "etc/systemd/system")
	wants := filepath.Join(system, "multi-user.target.wants")
	if err := os.Mkdir(wants, 0o755); err != nil {
		return err
	}
	for _, unit := range []string{"sshd.service", "lab-rc.service"} {
		if err := os.Symlink("../"+unit, filepath.Join(wants, unit)); err != nil {
			return err
		}
	}
	for _, unit := range masked {
		if err := os.Symlink("/dev/null", filepath.Join(system, unit)); err != nil {
			return err
		}
	}
	return os.Symlink("/usr/lib/systemd/system/multi-user.target", filepath.Join(system, "default.target"))
}

// unlockRoot lets root log in by key: without PAM, sshd refuses an account
// whose password begins with an exclamation mark.
func unlockRoot(shadow string) string {
	lines := strings.Split(shadow, "\n")
	for i, line := range lines {
		if f := strings.Split(line, ":"); f[0] == "root" && len(f) > 1 {
			f[1] = "*"
			lines[i] = strings.Join(f, ":")
		}
	}
	return strings.Join(lines, "\n")
}

// masked are units that have nothing to do on a test host, or would touch the machine.
var masked = []string{
	"getty.target", "systemd-networkd.service", "systemd-resolved.service", "systemd-timesyncd.service",
	"systemd-udevd.service", "systemd-udev-trigger.service", "systemd-udevd-control.socket", "systemd-udevd-kernel.socket",
	"systemd-firstboot.service", "systemd-hwdb-update.service", "systemd-journal-catalog-update.service", "ldconfig.service",
	"systemd-sysusers.service", "systemd-modules-load.service", "systemd-sysctl.service", "modprobe@.service",
	"e2scrub_reap.service", "apt-daily.timer", "apt-daily-upgrade.timer", "fstrim.timer", "dpkg-db-backup.timer",
}

const sshdConfig = `HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PrintMotd no
ExposeAuthInfo yes
AcceptEnv GIT_PROTOCOL
PidFile /run/sshd.pid
Subsystem sftp internal-sftp
MaxStartups 100
MaxSessions 100
SetEnv PATH=` + hostPath + `
`

// rc runs at every boot. On tier A it is also the boot loader: it runs the
// init of the generation that the profile names.
const rc = `#!/bin/sh
mkdir -p /run/sshd
exec >>/var/log/lab-rc.log 2>&1
echo "boot $(cat /proc/sys/kernel/random/boot_id)"
if [ ! -d /run/systemd/system ] && [ -x /nix/var/nix/profiles/system/init ]; then
	/nix/var/nix/profiles/system/init
fi
if [ -x /etc/rc.local ]; then
	/etc/rc.local
fi
exit 0
`

const rcUnit = `[Unit]
Description=What a test host does at boot
Before=sshd.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/etc/lab-rc
[Install]
WantedBy=multi-user.target
`

const sshdUnit = `[Unit]
Description=OpenSSH server of a test host
After=network.target lab-rc.service
[Service]
ExecStart=/usr/sbin/sshd -D -e
KillMode=process
Restart=on-failure
[Install]
WantedBy=multi-user.target
`
