package fail

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
)

func TestRemedy(t *testing.T) {
	for message, want := range map[string]string{
		fmt.Errorf("write state: %w", syscall.ENOSPC).Error():                                                    "git deploy gc --store web",
		"error: writing to file: No space left on device":                                                        "git deploy gc --store web",
		fmt.Errorf("open lock: %w", syscall.EROFS).Error():                                                       "dmesg on web",
		"nix-build was stopped by a signal: killed (out of memory?)":                                             "build=deployer",
		"error: cannot connect to socket at '/nix/var/nix/daemon-socket/socket': Connection refused":             "restart nix-daemon",
		"error: Nix daemon disconnected unexpectedly (maybe it crashed?)":                                        "restart nix-daemon",
		"unable to download 'https://github.com/NixOS/nixpkgs/archive/1.tar.gz': Couldn't resolve host name (6)": "build=deployer -o evaluate=deployer web",
		"error: program 'git' failed with exit code 128":                                                         "build=deployer -o evaluate=deployer web",
		"health check \"shop\" failed: connection refused":                                                       "",
		"error: undefined variable 'pkgz'":                                                                       "",
	} {
		if got := Remedy(message, "web"); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q", message, got)
		}
	}
}
