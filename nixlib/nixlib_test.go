package nixlib_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/pkg/bundle"
)

// nixpkgs are the libraries that everything is tested with: mini, and the one
// that NIXPKGS names (a whole nixpkgs, or a checkout of its lib).
func nixpkgs(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{"mini": abs(t, "mini")}
	if dir := os.Getenv("NIXPKGS"); dir != "" {
		all["NIXPKGS"] = dir
	}
	return all
}

func abs(t *testing.T, path string) string {
	t.Helper()
	p, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// run returns what a program wrote to stdout and stderr.
func run(t *testing.T, name string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

func eval(t *testing.T, args ...string) string {
	t.Helper()
	out, errs, err := run(t, "nix-instantiate", append([]string{"--eval", "--strict", "--json"}, args...)...)
	if err != nil {
		t.Fatalf("nix-instantiate: %v\n%s", err, errs)
	}
	return out
}

// TestNix runs the tests that are written in Nix.
func TestNix(t *testing.T) {
	testenv.Nix(t)
	for name, dir := range nixpkgs(t) {
		t.Run(name, func(t *testing.T) {
			var result struct {
				Count  int
				Failed []struct {
					Name              string
					Outcome, Expected json.RawMessage
				}
			}
			out := eval(t, abs(t, "tests"), "--arg", "nixpkgs", dir)
			if err := json.Unmarshal([]byte(out), &result); err != nil {
				t.Fatal(err)
			}
			for _, f := range result.Failed {
				t.Errorf("%s: got %s, want %s", f.Name, f.Outcome, f.Expected)
			}
			// An old module system lacks what many are about.
			if least := map[bool]int{true: 400, false: 90}[name == "mini"]; result.Count < least {
				t.Errorf("only %d tests ran", result.Count)
			}
		})
	}
}

// TestErrors checks that an error says what, where and the way out.
func TestErrors(t *testing.T) {
	testenv.Nix(t)
	out := eval(t, abs(t, "tests/errors.nix"), "--arg", "nixpkgs", abs(t, "mini"), "-A", "wanted")
	var wanted map[string][]string
	if err := json.Unmarshal([]byte(out), &wanted); err != nil {
		t.Fatal(err)
	}
	for lib, dir := range nixpkgs(t) {
		for name, texts := range wanted {
			t.Run(lib+"/"+name, func(t *testing.T) {
				if lib != "mini" && eval(t, abs(t, "tests/errors.nix"), "--arg", "nixpkgs", dir, "-A", "modern") != "true" {
					t.Skip("a module system of before 2021 has other words")
				}
				_, stderr, err := run(t, "nix-instantiate", "--eval", "--strict", "--json", abs(t, "tests/errors.nix"),
					"--arg", "nixpkgs", dir, "-A", "cases."+name)
				if err == nil {
					t.Fatal("no error")
				}
				// Nix of after 2.20 indents the lines of a message.
				flat := strings.Join(strings.Fields(stderr), " ")
				for _, text := range texts {
					// Module systems of different ages have different words.
					holds := func(words string) bool { return strings.Contains(flat, strings.Join(strings.Fields(words), " ")) }
					if !slices.ContainsFunc(strings.Split(text, " || "), holds) {
						t.Errorf("%q is not in:\n%s", text, stderr)
					}
				}
			})
		}
	}
}

// TestBundle builds the bundle of an example and reads it as Go does.
func TestBundle(t *testing.T) {
	testenv.Nix(t)
	for example, node := range map[string]string{"minimal": "web", "web": "web1", "flake": "web"} {
		t.Run(example, func(t *testing.T) {
			dir := abs(t, filepath.Join("examples", example))
			manifest, err := bundle.ParseManifest([]byte(eval(t, abs(t, "cli.nix"), "--argstr", "dir", dir, "-A", "manifest")))
			if err != nil {
				t.Fatal(err)
			}
			if manifest.Network.Name != example || manifest.Network.ID == "" {
				t.Errorf("manifest.Network = %+v", manifest.Network)
			}
			out, errs, err := run(t, "nix-build", "--no-out-link", abs(t, "cli.nix"), "--argstr", "dir", dir, "-A", "nodes."+node+".bundle")
			if err != nil {
				t.Fatalf("nix-build: %v\n%s", err, errs)
			}
			data, err := os.ReadFile(strings.TrimSpace(out))
			if err != nil {
				t.Fatal(err)
			}
			b, err := bundle.Parse(data)
			if err != nil {
				t.Fatal(err)
			}
			if b.Node != node || b.Network != manifest.Network {
				t.Errorf("bundle is of %s, %+v", b.Node, b.Network)
			}
			if _, err := os.Stat(filepath.Join(b.System, "bin/switch-to-configuration")); err != nil {
				t.Error(err)
			}
			refs, _, err := run(t, "nix-store", "--query", "--references", strings.TrimSpace(out))
			if err != nil || !strings.Contains(refs, b.System) {
				t.Errorf("the system is not in the bundle's closure: %v, %s", err, refs)
			}
		})
	}
}

// TestLargeBundle: a text longer than what fits in an argument or variable.
func TestLargeBundle(t *testing.T) {
	testenv.Nix(t)
	dir := t.TempDir()
	network := `{ nixlib, lib, ... }: {
	  network = { name = "large"; id = "1"; nixpkgs = nixlib + "/mini"; };
	  nodes.web.health.command = lib.genAttrs (map toString (lib.range 1 2000)) (n: {
	    command = [ "/bin/echo" (lib.strings.replicate 8 "0123456789\\\"'%s\n") ];
	  });
	}`
	if err := os.WriteFile(filepath.Join(dir, "network.nix"), []byte(network), 0o644); err != nil {
		t.Fatal(err)
	}
	out, errs, err := run(t, "nix-build", "--no-out-link", abs(t, "cli.nix"), "--argstr", "dir", dir, "-A", "nodes.web.bundle")
	if err != nil {
		t.Fatalf("nix-build: %v\n%s", err, errs)
	}
	data, err := os.ReadFile(strings.TrimSpace(out))
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) < 256<<10 || len(b.Health) != 2000 || b.Health[0].Command[1] != strings.Repeat("0123456789\\\"'%s\n", 8) {
		t.Errorf("%d bytes, %d checks, %q", len(data), len(b.Health), b.Health[0].Command)
	}
}

// TestPureFlake evaluates mkNetwork as a flake does, without the search path,
// the environment and the current system.
func TestPureFlake(t *testing.T) {
	testenv.Nix(t)
	dir := t.TempDir()
	flake := `{
	  inputs.nixlib = { url = "path:` + abs(t, ".") + `"; flake = false; };
	  outputs = { self, nixlib }: {
	    gitDeploy = (import (nixlib + "/default.nix") { }).mkNetwork {
	      inherit self;
	      modules = [
	        { network = { name = "pure"; nixpkgs.outPath = nixlib + "/mini"; }; }
	        { nodes.web.configuration.nixpkgs.hostPlatform = "x86_64-linux"; }
	        { vpn.networks.home = { subnets = [ "10.10.0.0/16" ]; nodes.web = { }; }; }
	      ];
	    };
	  };
	}`
	if err := os.MkdirAll(filepath.Join(dir, "vpn/home"), 0o755); err != nil {
		t.Fatal(err)
	}
	key := "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
	for name, text := range map[string]string{"flake.nix": flake, "network-id": "1\n", "vpn/home/web.pub": key + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, errs, err := run(t, "nix", "flake", "lock", dir); err != nil {
		t.Fatalf("nix flake lock: %v\n%s", err, errs)
	}
	out, errs, err := run(t, "nix", "eval", "--json", "path:"+dir+"#gitDeploy.manifest")
	if err != nil {
		t.Fatalf("nix eval: %v\n%s", err, errs)
	}
	if m, err := bundle.ParseManifest([]byte(out)); err != nil || m.Network.ID != "1" || m.Nodes["web"].Host != "web" {
		t.Errorf("manifest = %+v, %v", m, err)
	}
	if _, errs, err := run(t, "nix-build", "--no-out-link", abs(t, "cli.nix"), "--argstr", "dir", dir, "-A", "nodes.web.bundle"); err != nil {
		t.Errorf("nix-build: %v\n%s", err, errs)
	}
	if _, errs, err := run(t, "nix", "eval", "--raw", "path:"+dir+"#gitDeploy.nodes.web.bundle"); err != nil {
		t.Errorf("nix eval: %v\n%s", err, errs)
	}
	// What modules read of the repository they read of the flake.
	out, errs, err = run(t, "nix", "eval", "--raw", "path:"+dir+"#gitDeploy.config.vpn.networks.home.nodes.web.publicKey")
	if err != nil || out != key {
		t.Errorf("public key = %q, %v\n%s", out, err, errs)
	}
}
