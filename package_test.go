package gitdeploy

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/internal/testenv"
)

var update = flag.Bool("update", false, "write generated values anew")

// package.nix names the hash of what `go mod vendor` yields; `make generate` writes it.
func TestVendorHash(t *testing.T) {
	testenv.Need(t, "nix", "go")
	testenv.Nix(t)
	vendor := filepath.Join(t.TempDir(), "vendor")
	if out, err := exec.Command("go", "mod", "vendor", "-o", vendor).CombinedOutput(); err != nil {
		t.Fatalf("go mod vendor: %v\n%s", err, out)
	}
	out, err := exec.Command("nix", "--extra-experimental-features", "nix-command", "hash", "path", vendor).Output()
	if err != nil {
		t.Fatalf("nix hash path: %v", err)
	}
	want := `vendorHash = "` + strings.TrimSpace(string(out)) + `"`
	text, err := os.ReadFile("package.nix")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		text = regexp.MustCompile(`vendorHash = ".*"`).ReplaceAll(text, []byte(want))
		if err := os.WriteFile("package.nix", text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(string(text), want) {
		t.Errorf("package.nix is stale (make generate): it should say %s", want)
	}
}
