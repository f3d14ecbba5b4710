//go:build linux

package lab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// tun is the device of which programs make network interfaces.
const tun = "/dev/net/tun"

// WireGuard returns the program wireguard-go: hosts share the machine's kernel,
// which may have no WireGuard of its own. It is built once for a test binary.
var WireGuard = sync.OnceValues(func() (string, error) {
	if _, err := exec.LookPath("wg"); err != nil {
		return "", err
	}
	if err := unix.Access(tun, unix.R_OK|unix.W_OK); err != nil {
		return "", fmt.Errorf("%s: %w", tun, err)
	}
	dir, err := os.MkdirTemp("", "wireguard")
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "wireguard-go")
	// The lab has no way out; modules come through the machine's network.
	cmd := exec.Command("nsenter", "--net=/proc/self/fd/3", "go", "build", "-o", program, "golang.zx2c4.com/wireguard")
	cmd.Env = append(Environ(), "CGO_ENABLED=0")
	cmd.ExtraFiles = []*os.File{os.NewFile(machineNet, "machine's network")}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.New("build wireguard-go: " + string(bytes.TrimSpace(out)))
	}
	return program, nil
})

// InstallWireGuard gives a host the program; for Options.Prepare.
func InstallWireGuard(disk string) error {
	program, err := WireGuard()
	if err != nil {
		return err
	}
	data, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	return put(disk, "usr/bin/wireguard-go", string(data), 0o755)
}
