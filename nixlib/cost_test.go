package nixlib_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/internal/testenv"
)

// thunks returns how many values nix-instantiate delayed for these arguments:
// what an evaluation costs, the same on every machine and in every run.
func thunks(t *testing.T, args ...string) float64 {
	t.Helper()
	file := filepath.Join(t.TempDir(), "stats")
	cmd := exec.Command("nix-instantiate", args...)
	cmd.Env = append(os.Environ(), "NIX_SHOW_STATS=1", "NIX_SHOW_STATS_PATH="+file)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("nix-instantiate: %v\n%s", err, out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var stats struct {
		Thunks float64 `json:"nrThunks"`
	}
	if err := json.Unmarshal(data, &stats); err != nil || stats.Thunks == 0 {
		t.Fatalf("no count of thunks (%v) in:\n%s", err, data)
	}
	return stats.Thunks
}

// networkOf writes a network of so many nodes on mini and returns its folder.
func networkOf(t *testing.T, nodes int) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{
		"network-id":  "11111111-1111-4111-8111-111111111111\n",
		"network.nix": `{ importNodes, nixlib, ... }: { imports = [ (importNodes ./nodes) ]; network.name = "cost"; network.nixpkgs = nixlib + "/mini"; }`,
	}
	for i := range nodes {
		files[fmt.Sprintf("nodes/node%d.nix", i)] = fmt.Sprintf(`{ deploy.host = "node%d"; deploy.tags = [ "server" ]; configuration.system.stateVersion = "24.11"; }`, i)
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestCost keeps what docs/decisions/0016-what-a-node-costs.md measured: one node of a
// network costs little more than its system, and other nodes next to nothing.
func TestCost(t *testing.T) {
	testenv.Nix(t)
	of := func(dir, attr string) []string {
		return []string{abs(t, "cli.nix"), "--argstr", "dir", dir, "-A", attr}
	}
	manifest := func(dir string) []string {
		return append([]string{"--eval", "--strict", "--json"}, of(dir, "manifest")...)
	}
	one, hundred, thousand := networkOf(t, 1), networkOf(t, 100), networkOf(t, 1000)
	const node = "nodes.node0.bundle"
	system := []string{"-E", `(import ` + abs(t, "mini/nixos/lib/eval-config.nix") + ` {
	  system = builtins.currentSystem;
	  modules = [ ` + abs(t, "nixos") + ` { networking.hostName = "node0"; system.stateVersion = "24.11"; } ];
	}).config.system.build.toplevel`}

	for _, c := range []struct {
		name         string
		costs, floor []string
		most         float64
	}{
		{"node and its system", of(one, node), system, 1.35},
		{"node of 100 and of 1", of(hundred, node), of(one, node), 1.25},
		{"manifest of 1000 and of 100", manifest(thousand), manifest(hundred), 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			costs, floor := thunks(t, c.costs...), thunks(t, c.floor...)
			t.Logf("%.0f thunks, floor %.0f, ratio %.3f", costs, floor, costs/floor)
			if costs > c.most*floor {
				t.Errorf("%.0f thunks are %.2f times those of the floor, %.0f; at most %.2f. What is evaluated that nobody needs? NIX_COUNT_CALLS=1 tells", costs, costs/floor, floor, c.most)
			}
		})
	}

	// Parsing is more than half of what nixlib costs, and no thunk counts it.
	t.Run("files read", func(t *testing.T) {
		out, err := exec.Command("nix-instantiate", append(of(one, node), "-vv")...).CombinedOutput()
		if err != nil {
			t.Fatalf("nix-instantiate: %v\n%s", err, out)
		}
		var read []string
		var size int64
		for line := range strings.Lines(string(out)) {
			_, file, ok := strings.Cut(line, "evaluating file '")
			if file = strings.TrimRight(file, "'\n"); !ok || !strings.HasPrefix(file, abs(t, ".")+"/") || strings.HasPrefix(file, abs(t, "mini")+"/") {
				continue
			}
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			read, size = append(read, fmt.Sprintf("%6d %s", info.Size(), file)), size+info.Size()
		}
		if len(read) == 0 {
			t.Skip("this Nix does not say which files it reads")
		}
		t.Logf("%d files, %d bytes", len(read), size)
		if most := int64(62 << 10); size > most {
			t.Errorf("%d bytes of nixlib are parsed for a node that uses nothing special, at most %d:\n%s", size, most, strings.Join(read, "\n"))
		}
	})
}
