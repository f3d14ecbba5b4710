package nixlib_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/pkg/bundle"
)

// flake writes a locked flake with mini as its nixpkgs and returns its folder.
func flake(t *testing.T, outputs string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"flake.nix": `{
		  inputs.nixpkgs = { url = "path:` + abs(t, "mini") + `"; flake = false; };
		  inputs.nixlib = { url = "path:` + abs(t, ".") + `"; flake = false; };
		  outputs = ` + outputs + `;
		}`,
		"network-id": "0d9cf8ab-7ff1\n",
	})
	if _, errs, err := run(t, "nix", "flake", "lock", dir); err != nil {
		t.Fatalf("nix flake lock: %v\n%s", err, errs)
	}
	return dir
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func manifest(t *testing.T, dir string) *bundle.Manifest {
	t.Helper()
	m, err := bundle.ParseManifest([]byte(eval(t, abs(t, "cli.nix"), "--argstr", "dir", dir, "-A", "manifest")))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// flakeParts is a miniature of flake-parts: its interface as a module sees it.
const flakeParts = `inputs: module:
	let
	  lib = import (inputs.nixpkgs + "/lib");
	  inherit (lib) mkOption types;
	in
	(lib.evalModules {
	  specialArgs = { inherit inputs; inherit (inputs) self; };
	  modules = [
	    { options.flake = mkOption { type = types.submodule { freeformType = types.lazyAttrsOf (types.unique { message = "one output"; } types.raw); }; default = { }; }; }
	    module
	  ];
	}).config.flake`

// TestFlakeModule: the option gitDeploy of a flake made with flake-parts, the
// miniature and, where FLAKE_PARTS names a checkout, the real one.
func TestFlakeModule(t *testing.T) {
	testenv.Nix(t)
	kinds := map[string]string{"miniature": flakeParts}
	if dir := os.Getenv("FLAKE_PARTS"); dir != "" {
		lib := os.Getenv("NIXPKGS")
		if lib == "" {
			t.Fatal("flake-parts needs a real lib: set NIXPKGS too")
		}
		kinds["real"] = `inputs: module: (import ` + dir + `/lib.nix {
		  lib = import ` + lib + `/lib; extraModules = { };
		  builtinModules = { flake = ` + dir + `/modules/flake.nix; nixosConfigurations = ` + dir + `/modules/nixosConfigurations.nix; perSystem = ` + dir + `/modules/perSystem.nix; };
		}).mkFlake { inherit inputs; } { imports = [ module { systems = [ "x86_64-linux" ]; } ]; }`
	}
	for name, mkFlake := range kinds {
		t.Run(name, func(t *testing.T) {
			dir := flake(t, `inputs: (`+mkFlake+`) inputs {
			  imports = [ (inputs.nixlib + "/flake-module.nix") ];
			  gitDeploy = {
			    network.name = "parts";
			    nodes.web.deploy.host = "web.example.org";
			    defaults.configuration = { inputs, ... }: {
			      nixpkgs.hostPlatform = "x86_64-linux";
			      environment.etc.motd.text = "${inputs.nixpkgs}";
			    };
			  };
			}`)
			if m := manifest(t, dir); m.Network.Name != "parts" || m.Network.ID != "0d9cf8ab-7ff1" || m.Nodes["web"].Host != "web.example.org" {
				t.Errorf("manifest = %+v", m)
			}
			if text := eval(t, abs(t, "cli.nix"), "--argstr", "dir", dir, "-A", "nodes.web.config.environment.etc.motd.text"); !strings.Contains(text, "-source") {
				t.Errorf("the configuration's inputs: %s", text)
			}
		})
	}
}

// TestFlakeIsNamed: what a flake itself says has no file of its own.
func TestFlakeIsNamed(t *testing.T) {
	testenv.Nix(t)
	dir := flake(t, `_: { gitDeploy = { nixlib, ... }: { network.name = "home"; network.nixpkgs = nixlib + "/mini"; nodes.web.deploy.tags = "server"; }; }`)
	_, errs, err := run(t, "nix-instantiate", "--eval", "--strict", "--json", abs(t, "cli.nix"), "--argstr", "dir", dir, "-A", "manifest")
	if err == nil || !strings.Contains(errs, "- In `"+dir+"/flake.nix': \"server\"") {
		t.Errorf("%v: %s", err, errs)
	}
}

// TestFlakeWithoutNetwork: flake-parts' module without a network adds no output.
func TestFlakeWithoutNetwork(t *testing.T) {
	testenv.Nix(t)
	dir := flake(t, `inputs: (`+flakeParts+`) inputs { imports = [ (inputs.nixlib + "/flake-module.nix") ]; }`)
	_, errs, err := run(t, "nix-instantiate", "--eval", "--strict", "--json", abs(t, "cli.nix"), "--argstr", "dir", dir, "-A", "manifest")
	if err == nil || !strings.Contains(errs, "neither the output gitDeploy (a network) nor nixosConfigurations") {
		t.Errorf("%v: %s", err, errs)
	}
}

// TestPlainFlake: nixosConfigurations are nodes with nothing else written, and
// deploy settings may stand inside of them.
func TestPlainFlake(t *testing.T) {
	testenv.Nix(t)
	dir := flake(t, `{ self, nixpkgs, nixlib }:
	let
	  system = modules: import (nixpkgs + "/nixos/lib/eval-config.nix") { system = null; modules = modules ++ [ { nixpkgs.hostPlatform = "x86_64-linux"; } ]; };
	in {
	  nixosConfigurations.web = system [ ];
	  nixosConfigurations.db = system [
	    (import (nixlib + "/default.nix") { }).nixosModule
	    { git-deploy.deploy = { host = "db.example.org"; tags = [ "server" ]; generations.keep = 3; }; }
	  ];
	}`)
	m := manifest(t, dir)
	if m.Nodes["web"].Host != "web" || m.Network.Name != "network-0d9cf8ab" {
		t.Errorf("manifest = %+v", m)
	}
	if db := m.Nodes["db"]; db.Host != "db.example.org" || len(db.Tags) != 1 {
		t.Errorf("db = %+v", db)
	}
	for _, node := range []string{"web", "db"} {
		if _, errs, err := run(t, "nix-build", "--no-out-link", abs(t, "cli.nix"), "--argstr", "dir", dir, "-A", "nodes."+node+".bundle"); err != nil {
			t.Errorf("nix-build: %v\n%s", err, errs)
		}
	}
}
