//go:build linux

package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Where things are inside the lab. All of it is on the lab's own tmpfs.
const (
	labDir     = "/run/lab"
	machineDir = labDir + "/machine" // the machine's root, without what is mounted in it
	cgroupDir  = labDir + "/cgroup"  // the machine's cgroup2 tree
	nixConfDir = labDir + "/nix"     // Nix's configuration for the deployer
	tmpDir     = labDir + "/tmp"     // TMPDIR: short, for sockets, and gone with the lab
)

// nixConf lets Nix build here: no substituters (without name service each
// build would wait for them), no sandbox, no builder users.
const nixConf = `substituters =
sandbox = false
build-users-group =
experimental-features = nix-command flakes
`

// enterRoot makes this process's root a new tmpfs with the machine's folders
// bound into it, except /proc, /run and /nix, which are the lab's own.
func enterRoot() error {
	cwd, err := os.Getwd()
	if err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	// The new root is built on top of /proc, which every machine has and
	// which the lab replaces anyway.
	const top = "/proc"
	if err := mount("lab", top, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	entries, err := os.ReadDir("/")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := bindTop(top, e); err != nil {
			return err
		}
	}
	for _, dir := range []string{"/proc", "/nix", machineDir, cgroupDir, nixConfDir, tmpDir, "/run/old", "/run/sshd"} {
		if err := os.MkdirAll(top+dir, 0o755); err != nil {
			return err
		}
	}
	// Inside another lab "the machine" is still the machine.
	machine := "/"
	if _, err := os.Stat(machineDir); err == nil {
		machine = machineDir
	}
	if err := mount(machine, top+machineDir, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	if err := mount("cgroup2", top+cgroupDir, "cgroup2", 0, ""); err != nil {
		return err
	}
	if err := os.WriteFile(top+nixConfDir+"/nix.conf", []byte(nixConf), 0o644); err != nil {
		return err
	}
	if err := unix.PivotRoot(top, top+"/run/old"); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Unmount("/run/old", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount /run/old: %w", err)
	}
	if err := mount("proc", "/proc", "proc", 0, ""); err != nil {
		return err
	}
	return os.Chdir(cwd)
}

// bindTop gives the new root what the old one has under the name of e.
func bindTop(top string, e os.DirEntry) error {
	source, target := "/"+e.Name(), filepath.Join(top, e.Name())
	switch {
	case e.Name() == "proc" || e.Name() == "run" || e.Name() == "nix":
		return nil
	case e.Type()&os.ModeSymlink != 0:
		to, err := os.Readlink(source)
		if err != nil {
			return err
		}
		return os.Symlink(to, target)
	case e.IsDir():
		if err := os.Mkdir(target, 0o755); err != nil {
			return err
		}
		return mount(source, target, "", unix.MS_BIND|unix.MS_REC, "")
	}
	return nil
}

func mount(source, target, kind string, flags uintptr, data string) error {
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		return fmt.Errorf("mount %s on %s: %w", source, target, err)
	}
	return nil
}

// makeBridge makes the network that the hosts will be on.
func makeBridge() error {
	return runInput(strings.Join([]string{
		"link set lo up",
		// Without an address of its own the bridge takes that of some host's cable,
		// another one whenever a host comes or goes, and the others lose it for a while.
		"link add br0 address 02:00:00:00:00:01 type bridge forward_delay 0",
		"addr add 10.77.0.1/16 dev br0",
		"addr add fd77::1/64 dev br0 nodad",
		"link set br0 up",
	}, "\n"), "ip", "-batch", "-")
}
