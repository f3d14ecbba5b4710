//go:build linux

package lab

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// rootPackages is what the root of another release holds.
var rootPackages = []string{
	"systemd-sysv", "dbus", "openssh-server", "openssh-client", "git", "nix-bin", "iproute2", "busybox-static",
	"iputils-ping", "procps", "ca-certificates", "curl", "mount",
	"user-mode-linux", // the kernel of machines
}

// DebianRoot returns the root folder of another release of Debian (trixie,
// sid) for Options.Root: with newer git, Nix, OpenSSH and systemd than the
// machine's. It is made once, kept in the user's cache folder, and only read.
func DebianRoot(suite string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	cache = filepath.Join(cache, "git-deploy-tests")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	// Other packages make another root.
	key := fnv.New32a()
	key.Write([]byte(strings.Join(rootPackages, " ")))
	dir := filepath.Join(cache, fmt.Sprintf("%s-%08x", suite, key.Sum32()))
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return "", err
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	mirror, err := debianMirror()
	if err != nil {
		return "", err
	}
	half := dir + ".half"
	if err := os.RemoveAll(half); err != nil {
		return "", err
	}
	// The lab has no way out; packages come through the machine's network.
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "nsenter", "--net=/proc/self/fd/3", "mmdebstrap", "--mode=root", "--variant=apt", "--quiet",
		"--include="+strings.Join(rootPackages, ","),
		`--aptopt=Acquire::Retries "3"`, `--aptopt=Acquire::http::Timeout "30"`,
		`--aptopt=Acquire::Languages "none"`, `--aptopt=Acquire::Check-Valid-Until "false"`, `--aptopt=APT::Install-Recommends "false"`,
		"--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
		"--dpkgopt=path-exclude=/usr/lib/uml/modules/*",
		suite, half, "deb "+mirror+" "+suite+" main")
	cmd.Env = append(Environ(), "TMPDIR=/tmp")
	cmd.WaitDelay = time.Second
	cmd.ExtraFiles = []*os.File{os.NewFile(machineNet, "machine's network")}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("make a root of %s: %w: %s", suite, err, bytes.TrimSpace(out))
	}
	return dir, os.Rename(half, dir)
}

// debianMirror is where this machine gets its packages.
func debianMirror() (string, error) {
	out, err := exec.Command("apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages").Output()
	if err != nil {
		return "", fmt.Errorf("ask apt for its mirror: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		if site := strings.TrimSuffix(strings.TrimSpace(line), "/"); strings.HasSuffix(site, "/debian") {
			return site, nil
		}
	}
	return "", fmt.Errorf("apt knows no Debian mirror")
}
