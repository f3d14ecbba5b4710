package nix

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/pkg/event"
)

func TestLocalInputs(t *testing.T) {
	lock := `{"nodes": {
	  "root": {"inputs": {"a": "a"}},
	  "nixpkgs": {"locked": {"type": "github", "owner": "NixOS", "repo": "nixpkgs", "narHash": "x"}},
	  "path": {"locked": {"type": "path", "path": "/home/ada/x", "narHash": "x"}},
	  "inside": {"locked": {"type": "path", "path": "./sub", "narHash": "x"}},
	  "file": {"locked": {"type": "git", "url": "file:///home/ada/y", "narHash": "x"}},
	  "ssh": {"locked": {"type": "git", "url": "ssh://git@example.org/z", "narHash": "x"}},
	  "scp": {"locked": {"type": "git", "url": "git@example.org:z", "narHash": "x"}},
	  "https": {"locked": {"type": "git", "url": "https://example.org/z", "narHash": "x"}},
	  "tarball": {"locked": {"type": "tarball", "url": "https://example.org/z.tar.gz", "narHash": "x"}},
	  "own": {"locked": {"type": "tarball", "url": "file:///z.tar.gz", "narHash": "x"}},
	  "unlocked": {"locked": {"type": "path", "path": "/home/ada/x"}}
	}, "root": "root", "version": 7}`
	inputs, err := LocalInputs([]byte(lock))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, i := range inputs {
		names = append(names, i.Name)
	}
	if got := strings.Join(names, " "); got != "file own path scp ssh" {
		t.Errorf("got %s", got)
	}
	for _, bad := range []string{"", "[]", `{"nodes": 3}`, "hello"} {
		if _, err := LocalInputs([]byte(bad)); err == nil || !strings.Contains(err.Error(), "flake.lock") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzLocalInputs(f *testing.F) {
	f.Add([]byte(`{"nodes": {"a": {"locked": {"type": "path", "path": "/x", "narHash": "x"}}}}`))
	f.Fuzz(func(t *testing.T, lock []byte) {
		inputs, err := LocalInputs(lock)
		if err != nil && len(inputs) > 0 {
			t.Error("inputs and an error")
		}
		for _, i := range inputs {
			if len(i.locked) == 0 {
				t.Error("an input without its lock")
			}
		}
	})
}

func TestFetch(t *testing.T) {
	testenv.Nix(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	lock := `{"nodes": {"in": {"locked": {"type": "path", "path": "` + dir + `", "narHash": "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}}}`
	inputs, err := LocalInputs([]byte(lock))
	if err != nil || len(inputs) != 1 {
		t.Fatal(inputs, err)
	}
	// It is not what was locked any more.
	if path, err := New(event.Discard).Fetch(t.Context(), inputs[0]); err == nil || !strings.Contains(err.Error(), "the flake's input in: ") {
		t.Errorf("%s, %v", path, err)
	}
}
