// Package testenv is what tests need of the machine: programs, and a Nix
// store of their own. It is imported by tests only.
package testenv

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Need skips the test when a program is missing; in CI it fails it.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			Missing(t, "the program "+p)
		}
	}
}

// Missing skips the test because what is not here; in CI (CI=true) it fails it.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing, and CI must have it", what)
	}
	t.Skipf("%s is missing", what)
}

// NixEnv returns the environment of a Nix store below dir, which needs
// neither root nor /nix and never asks a substituter.
func NixEnv(dir string) []string {
	return []string{
		"NIX_STORE_DIR=" + filepath.Join(dir, "nix/store"),
		"NIX_STATE_DIR=" + filepath.Join(dir, "nix/var/nix"),
		"NIX_LOG_DIR=" + filepath.Join(dir, "nix/var/log/nix"),
		"NIX_CONF_DIR=" + filepath.Join(dir, "nix/etc"),
		"NIX_REMOTE=",
		"NIX_PATH=",
		"NIX_CONFIG=substituters =\nsandbox = false\nbuild-users-group =\nexperimental-features = nix-command flakes",
	}
}

// Nix gives the test a Nix store of its own through the environment of the
// whole test process (so not for parallel tests) and returns its folder.
func Nix(t testing.TB) string {
	t.Helper()
	Need(t, "nix-build", "nix-store", "nix-instantiate")
	dir := t.TempDir()
	// Store paths are read-only, and TempDir's cleanup fails on them.
	t.Cleanup(func() { _ = exec.Command("chmod", "-R", "u+w", dir).Run() })
	for _, kv := range NixEnv(dir) {
		for i := range kv {
			if kv[i] == '=' {
				t.Setenv(kv[:i], kv[i+1:])
				break
			}
		}
	}
	return dir
}
