package nixlib_test

import (
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/nix"
)

// pinned is a folder with the miniature as a tarball and as a git repository,
// and a network whose nodes have their nixpkgs by pins of npins and niv, which
// Nix fetches. The text before each colon is the node's name.
func pinned(t *testing.T, nodes ...string) string {
	t.Helper()
	dir := t.TempDir()
	do := func(name string, args ...string) string {
		t.Helper()
		out, errs, err := run(t, name, args...)
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, args, err, errs)
		}
		return strings.TrimSpace(out)
	}
	do("cp", "-r", abs(t, "mini"), dir+"/mini")
	do("tar", "-C", dir, "-czf", dir+"/mini.tar.gz", "mini")
	git := []string{"-C", dir + "/mini", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"}
	base32 := do("nix-hash", "--type", "sha256", "--base32", dir+"/mini")
	sum, err := hex.DecodeString(do("nix-hash", "--type", "sha256", dir+"/mini"))
	if err != nil {
		t.Fatal(err)
	}
	sri := "sha256-" + base64.StdEncoding.EncodeToString(sum)
	do("git", append(git, "init", "-q", "-b", "main")...)
	do("git", append(git, "add", ".")...)
	do("git", append(git, "commit", "-q", "-m", "mini")...)
	rev := do("git", append(git, "rev-parse", "HEAD")...)

	fill := strings.NewReplacer("DIR", dir, "BASE32", base32, "SRI", sri, "REV", rev, "MINI", abs(t, "mini"))
	files := map[string]string{
		"network-id":  "11111111-1111\n",
		"network.nix": "{\n  network = { name = \"pins\"; nixpkgs = MINI; };\n  defaults.configuration.nixpkgs.hostPlatform = \"aarch64-linux\";\n",
		"npins/sources.json": `{ "version": 7, "pins": {
  "git": { "type": "Git", "repository": { "type": "Git", "url": "file://DIR/mini" }, "branch": "main", "submodules": false, "revision": "REV", "url": null, "hash": "SRI" },
  "tarball": { "type": "Tarball", "url": "file://DIR/mini.tar.gz", "hash": "SRI" },
  "channel": { "type": "Channel", "name": "nixos-unstable", "url": "file://DIR/mini.tar.gz", "hash": "BASE32" },
  "changed": { "type": "Git", "repository": { "type": "GitHub", "owner": "o", "repo": "r" }, "branch": "main", "submodules": false, "revision": "REV", "url": "file://DIR/mini.tar.gz?", "hash": "0000000000000000000000000000000000000000000000000001" },
  "gone": { "type": "Channel", "name": "nixos-unstable", "url": "file://DIR/gone.tar.gz", "hash": "0000000000000000000000000000000000000000000000000002" }
} }`,
		"old/sources.json":   `{ "version": 3, "pins": { "nixpkgs": { "type": "Channel", "name": "nixos-22.05", "url": "file://DIR/mini.tar.gz", "hash": "BASE32" } } }`,
		"new/sources.json":   `{ "version": 8, "pins": { "nixpkgs": { "type": "Url", "unpack": true, "url": "file://DIR/mini.tar.gz", "hash": "SRI" } } }`,
		"later/sources.json": `{ "version": 99, "pins": { } }`,
		"nix/sources.json": `{
  "tarball": { "type": "tarball", "url": "file://DIR/mini.tar.gz", "sha256": "BASE32", "branch": "main", "builtin": true, "url_template": "file://<x>" },
  "git": { "type": "git", "repo": "file://DIR/mini", "branch": "main", "rev": "REV" },
  "nowhere": { "type": "git", "repo": "file://DIR/nowhere", "branch": "main", "rev": "REV" },
  "local": { "type": "local", "path": "DIR/mini" }
}`,
	}
	for _, n := range nodes {
		name, expr, _ := strings.Cut(n, ": ")
		files["network.nix"] += "  nodes." + name + ".nixpkgs = " + expr + ";\n"
	}
	files["network.nix"] += "}\n"
	for name, from := range map[string]string{"npins/default.nix": "npins/default.nix", "old/default.nix": "npins/default.nix",
		"new/default.nix": "npins/default.nix", "later/default.nix": "npins/default.nix", "nix/sources.nix": "niv/sources.nix"} {
		text, err := os.ReadFile(filepath.Join("tests/fixtures", from))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	network := dir + "/network"
	for name, text := range files {
		files[name] = fill.Replace(text)
	}
	write(t, network, files)
	return network
}

// TestPins evaluates nodes of another system than this machine's, each by a pin
// that is fetched.
func TestPins(t *testing.T) {
	testenv.Nix(t)
	nodes := []string{
		"npins-git: (import ./npins).git",
		"npins-tarball: (import ./npins).tarball",
		"npins-channel: (import ./npins).channel",
		"npins-old: (import ./old).nixpkgs",
		"npins-new: (import ./new).nixpkgs",
		"niv-tarball: (import ./nix/sources.nix).tarball",
		"niv-git: (import ./nix/sources.nix { }).git",
		"niv-local: (import ./nix/sources.nix).local",
		"fetched: fetchTarball \"file://DIR/mini.tar.gz\"",
	}
	dir := pinned(t, nodes...)
	args := []string{"--eval", "--strict", abs(t, "cli.nix"), "--argstr", "dir", dir}
	for _, n := range nodes {
		name, _, _ := strings.Cut(n, ":")
		args = append(args, "-A", "nodes."+name+".config.nixpkgs.hostPlatform", "-A", "nodes."+name+".config.networking.hostName")
	}
	out, errs, err := run(t, "nix-instantiate", args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, errs)
	}
	var want []string
	for _, n := range nodes {
		name, _, _ := strings.Cut(n, ":")
		want = append(want, `"aarch64-linux"`, `"`+name+`"`)
	}
	if got := strings.Fields(out); !slices.Equal(got, want) {
		t.Errorf("evaluated to %q, want %q", got, want)
	}
}

// TestWrongPins checks that an error names the pin, its file and the way out.
func TestWrongPins(t *testing.T) {
	testenv.Nix(t)
	t.Setenv(nix.NixlibEnv, abs(t, "."))
	for _, c := range []struct{ name, nixpkgs, text, hint string }{
		{"changed", "(import ./npins).changed", "hash mismatch", "npins update --full changed"},
		{"gone", "(import ./npins).gone", "unable to download", ""},
		{"nowhere", "(import ./nix/sources.nix).nowhere", "", ""},
		{"later", "(import ./later).nixpkgs", "format version 99 of sources.json: try `npins upgrade`", ""},
		{"nosuch", "(import ./npins).nosuch", "there is no pin \"nosuch\" in npins/sources.json (pins: changed, channel, git, gone, tarball)\n  at network.nix:4:", ""},
		{"nosource", "(import ./nix/sources.nix).nosource", "there is no pin \"nosource\" in nix/sources.json (pins: git, local, nowhere, tarball)", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := pinned(t, "web: "+c.nixpkgs)
			if c.name == "nowhere" { // Nix 2.8 does not say which repository it is
				if err := os.RemoveAll(dir + "/npins"); err != nil {
					t.Fatal(err)
				}
				write(t, dir, map[string]string{"nix/sources.json": `{ "nowhere": { "type": "git", "repo": "file://` + dir + `/nowhere", "branch": "main", "rev": "1111111111111111111111111111111111111111" } }`})
			}
			_, err := nix.New(event.Discard).Instantiate(t.Context(), dir, "web", "")
			if err == nil {
				t.Fatal("it evaluates")
			}
			wanted := []string{c.text}
			switch c.name {
			case "changed", "gone":
				wanted = append(wanted, "It is the pin "+c.name+" of npins/sources.json.")
			case "nowhere":
				wanted = append(wanted, "It is the pin nowhere of nix/sources.json.")
			}
			for _, text := range wanted {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q is not in:\n%v", text, err)
				}
			}
			if hints := strings.Join(fail.HintsOf(err), "\n"); !strings.Contains(hints, c.hint) {
				t.Errorf("hints: %q", hints)
			}
		})
	}
}
