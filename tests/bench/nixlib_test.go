//go:build linux

package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// network writes a network of n nodes on nixlib/mini and returns its folder.
func (x *bench) network(n int) string {
	return x.networkOn(fmt.Sprintf("net%d", n), n, `nixlib + "/mini"`, `system.stateVersion = "24.11";`)
}

// networkOn writes a network of n nodes with that configuration on a nixpkgs (a Nix expression).
func (x *bench) networkOn(name string, n int, nixpkgs, configuration string) string {
	dir := filepath.Join(x.dir, name)
	files := map[string]string{
		"network-id":  "11111111-1111-4111-8111-111111111111\n",
		"network.nix": "{ importNodes, nixlib, ... }: { imports = [ (importNodes ./nodes) ]; network.name = \"bench\"; network.nixpkgs = " + nixpkgs + "; }\n",
		"nodes/.keep": "",
	}
	for i := range n {
		files[fmt.Sprintf("nodes/node%d.nix", i)] = fmt.Sprintf("{ deploy.host = \"node%d\"; deploy.tags = [ \"server\" ]; configuration = { %s }; }\n", i, configuration)
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			x.b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			x.b.Fatal(err)
		}
	}
	return dir
}

// evaluate returns a function that evaluates attr of the network in dir.
func (x *bench) evaluate(program, dir, attr string) func() time.Duration {
	return func() time.Duration {
		d, _ := x.run(program + ` ` + nixlib(x.b) + `/cli.nix --argstr dir ` + dir + ` -A ` + attr + ` >/dev/null 2>&1`)
		return d
	}
}

const manifest = "nix-instantiate --eval --strict --json"

func BenchmarkManifest(b *testing.B) {
	x := newBench(b)
	empty, hundred, thousand := x.network(0), x.network(100), x.network(1000)
	ours, floor := x.median(x.evaluate(manifest, hundred, "manifest"), x.evaluate(manifest, empty, "manifest"))
	x.ratio("manifest-100-nodes", ours, floor, 2)
	ours, floor = x.median(x.evaluate(manifest, thousand, "manifest"), x.evaluate(manifest, hundred, "manifest"))
	x.ratio("manifest-1000-nodes", ours, floor, 12)
	memory := func(dir string) int64 {
		_, kib := x.run(`exec ` + manifest + ` ` + nixlib(b) + `/cli.nix --argstr dir ` + dir + ` -A manifest >/dev/null`)
		return kib
	}
	large, small := memory(thousand), memory(hundred)
	figure("manifest-1000-memory", fmt.Sprintf("%dMiB", large>>10), fmt.Sprintf("%dMiB", small>>10), float64(large)/float64(small), 12)
}

func BenchmarkNode(b *testing.B) {
	x := newBench(b)
	const attr = "nodes.node0.bundle"
	ours, floor := x.median(x.evaluate("nix-instantiate", x.network(100), attr), x.evaluate("nix-instantiate", x.network(1), attr))
	x.ratio("one-node-of-100", ours, floor, 1.2)
	x.overhead("nixlib-overhead", `nixlib + "/mini"`, nixlib(b)+"/mini", `system.stateVersion = "24.11";`)
	if dir := os.Getenv("NIXPKGS"); dir != "" {
		x.overhead("nixlib-overhead-nixpkgs", dir, dir, `boot.isContainer = true;`)
	}
}

// overhead compares a node with the same system by eval-config.nix alone, and
// with that system when it has what a node needs (docs/decisions/0016).
func (x *bench) overhead(name, nixpkgs, dir, configuration string) {
	system := func(module string) func() time.Duration {
		return func() time.Duration {
			d, _ := x.run(`nix-instantiate -E '(import ` + dir + `/nixos/lib/eval-config.nix { system = builtins.currentSystem; modules = [ ` + module + ` { ` + configuration + ` } ]; }).config.system.build.toplevel' >/dev/null 2>&1`)
			return d
		}
	}
	node := x.evaluate("nix-instantiate", x.networkOn(name, 1, nixpkgs, configuration), "nodes.node0.bundle")
	ours, floor := x.median(node, system(""))
	x.ratio(name, ours, floor, 1.1)
	ours, floor = x.median(node, system(nixlib(x.b)+"/nixos"))
	x.ratio(name+"-of-a-node", ours, floor, 1.1)
}
