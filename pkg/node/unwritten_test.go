package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/pkg/nix"
)

// A power cut during a build leaves paths that Nix calls valid, with empty files.
func TestPowerCutDuringBuild(t *testing.T) {
	w := newWorld(t)
	w.mustPush()
	old := storePaths(t)

	// Something is built, and the next thing stops the push.
	const part = `let sh = args: derivation ({ system = builtins.currentSystem; builder = "/bin/sh"; } // args);
		part = sh { name = "part"; args = [ "-c" "echo whole >$out" ]; }; in `
	w.commit("cut", "one", "", `environment.etc."part".source = `+part+`sh { name = "rest"; args = [ "-c" "read x <${part}; exit 1" ]; };`)
	if out, err := w.push(); err == nil {
		t.Fatalf("pushed what cannot be built:\n%s", out)
	}
	cut := w.newest()
	if _, err := os.Stat(w.l.Building(cut)); err == nil {
		t.Error("a build that has ended is still marked")
	}
	emptied := 0
	for path := range storePaths(t) {
		if st, err := os.Lstat(path); err == nil && !old[path] && st.Mode().IsRegular() {
			if err := os.Chmod(path, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, 0); err != nil {
				t.Fatal(err)
			}
			emptied++
		}
	}

	w.commit("whole", "two", "", `environment.etc."part".source = `+part+`part;`)
	if out, err := w.push(); err == nil || emptied < 3 {
		t.Fatalf("%d paths are empty, and it does not matter:\n%s", emptied, out)
	}
	write(t, w.l.Building(cut), "1c5e3a02-5c0e-4c5b-9d2c-6d2b8c0f3a11\n") // of another boot
	if out := w.mustPush(); !strings.Contains(out, "the machine went down while deployment "+cut+" was built") {
		t.Errorf("it repairs and does not say so:\n%s", out)
	}
	if data, err := os.ReadFile(filepath.Join(w.l.Root, "etc/part")); err != nil || string(data) != "whole\n" {
		t.Errorf("the system has %q, %v", data, err)
	}
	w.commit("next", "three")
	if out := w.mustPush(); strings.Contains(out, "went down") {
		t.Errorf("repaired twice:\n%s", out)
	}
	w.idle()
}

func storePaths(t *testing.T) map[string]bool {
	t.Helper()
	found, err := filepath.Glob(nix.StoreDir() + "/*-*")
	if err != nil {
		t.Fatal(err)
	}
	paths := map[string]bool{}
	for _, path := range found {
		paths[path] = true
	}
	return paths
}
