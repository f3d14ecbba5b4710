package nixlib_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/internal/testenv"
)

// block is a fenced block of a page: a file ("nix network.nix") or questions
// with their answers ("console").
var block = regexp.MustCompile("(?ms)^```(\\w+)(?: (\\S+))?\n(.*?)^```$")

// TestTutorial does what the tutorial says: writes its files in their order,
// asks its questions and compares the answers.
func TestTutorial(t *testing.T) {
	testenv.Nix(t)
	page, err := os.ReadFile("../docs/tutorial-multi-host-module.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "network-id"), []byte("0d9cf8ab-7ff1-4c2a-9b1b-2b9d0ad7c0de\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, m := range block.FindAllStringSubmatch(string(page), -1) {
		language, file, text := m[1], m[2], m[3]
		switch {
		case file != "":
			path := filepath.Join(dir, file)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		case language == "console":
			for _, question := range strings.Split("\n"+text, "\n$ show ")[1:] {
				attribute, answer, _ := strings.Cut(question, "\n")
				answerIs(t, dir, attribute, strings.TrimSpace(answer))
				asked++
			}
		}
	}
	if asked < 10 {
		t.Errorf("only %d questions were asked", asked)
	}
}

// answerIs evaluates an attribute of the network in dir. An answer that begins
// with "error:" is lines that the error has.
func answerIs(t *testing.T, dir, attribute, want string) {
	t.Helper()
	stdout, stderr, err := run(t, "nix-instantiate", "--eval", "--strict", "--json", abs(t, "cli.nix"), "--argstr", "dir", dir, "-A", attribute)
	words := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	message, fails := strings.CutPrefix(want, "error:")
	switch {
	case fails && err == nil:
		t.Errorf("%s: no error, but %s", attribute, stdout)
	case fails:
		for line := range strings.Lines(message) {
			if !strings.Contains(words(stderr), words(line)) {
				t.Errorf("%s: %q is not in:\n%s", attribute, strings.TrimSpace(line), stderr)
			}
		}
	case err != nil:
		t.Errorf("%s: %v\n%s", attribute, err, stderr)
	case strings.TrimSpace(stdout) != want:
		t.Errorf("%s is\n%s\nand not\n%s", attribute, stdout, want)
	}
}
