package demo

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/pkg/fail"
)

// The demo is what a newcomer sees first: it runs to its end, says what it
// should, and nothing of it is left.
func TestDemo(t *testing.T) {
	testenv.Need(t, "git", "ssh", "ssh-keygen", "nix-build", "busybox", "go")
	// A short path: sockets lie below it.
	dir, err := os.MkdirTemp("", "demo")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := Clean(dir); err != nil {
			t.Error(err)
		}
		if left := processes(dir); len(left) > 0 {
			t.Errorf("processes are left: %v", left)
		}
	})
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin+"/", "./cmd/...")
	build.Dir = "../.."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	run := func(args ...string) string {
		t.Helper()
		var out bytes.Buffer
		cmd := exec.Command(filepath.Join(bin, "git-deploy"), append([]string{"demo", "--dir", dir}, args...)...)
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil {
			t.Fatalf("demo %v: %v\n%s", args, err, out.String())
		}
		return out.String()
	}
	text := run()
	for _, want := range []string{
		"Hello from web.", "The shop is open.", "Mind the step.", "Merge what gateway changed itself",
		"rolled back", "site.prot", "2 nodes: 2 succeeded", "in step", "The end of it: " + filepath.Join(bin, "git-deploy") + " demo --clean --dir " + dir,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
	if n := len(processes(dir)); n < 6 { // three servers, three pages
		t.Errorf("only %d processes of the network are left for the user", n)
	}
	run("--clean")
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", dir, err)
	}
	run("--clean")
}

func TestCleanLeavesForeignFoldersAlone(t *testing.T) {
	target := t.TempDir()
	link := filepath.Join(t.TempDir(), "demo")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := Clean(link); err == nil {
		t.Error("a link was followed")
	}
	if _, err := os.Stat(target); err != nil {
		t.Error(err)
	}
	file := filepath.Join(target, "thesis")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Clean(target); fail.CodeOf(err) != fail.Usage {
		t.Errorf("a folder in which no demo was: %v", err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}
