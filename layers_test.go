// Package gitdeploy holds no code: the root folder keeps the tests that look
// at the whole tree.
package gitdeploy

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/git-deploy/git-deploy/"

// layers lists every package of the project by layer. A package imports only
// packages of lower layers, and of its own layer those that siblings allows.
var layers = [][]string{
	1: {"pkg/event", "pkg/proc", "pkg/fail", "pkg/bundle", "pkg/version", "hooks", "nixlib"},
	2: {"pkg/remotehelper", "pkg/statedir", "pkg/ui"},
	3: {"pkg/network", "pkg/gitrepo", "pkg/nix", "pkg/health", "pkg/transport", "pkg/graph"},
	4: {"pkg/push", "pkg/plan", "pkg/node", "pkg/activate", "pkg/install", "pkg/demo"},
	5: {"pkg/cli"},
	6: {"cmd/git-deploy", "cmd/git-remote-node"},
}

// siblings are the imports allowed within a layer.
var siblings = map[string][]string{
	"pkg/fail":    {"pkg/event"},
	"pkg/graph":   {"pkg/gitrepo", "pkg/network"},
	"pkg/network": {"pkg/gitrepo", "pkg/nix", "pkg/transport"},
	"pkg/node":    {"pkg/activate"},
	"pkg/install": {"pkg/node"}, // only what a host answers
}

// exclusive names the only packages that may import a library.
var exclusive = map[string][]string{
	"os/exec":                   {"pkg/proc"},
	"github.com/urfave/cli/":    {"pkg/cli"},
	"github.com/go-git/":        {"pkg/gitrepo"},
	"golang.org/x/crypto/ssh":   {"pkg/transport"},
	"github.com/gliderlabs/ssh": {"pkg/transport"},
	"filippo.io/age":            {"pkg/secrets"},
	"charm.land/":               {"pkg/ui"},
}

// testOnly are packages that only tests import, and which may import anything.
var testOnly = []string{"internal/testenv", "tests"}

// TestLayers parses the files itself: a test that asks `go list` passes from a stale cache.
func TestLayers(t *testing.T) {
	layerOf := map[string]int{}
	for layer, pkgs := range layers {
		for _, p := range pkgs {
			layerOf[p] = layer
		}
	}
	found := map[string]bool{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		dir := path.Dir(filepath.ToSlash(file))
		if under(dir, testOnly) {
			return nil
		}
		found[room(dir)] = true
		layer, ok := layerOf[room(dir)]
		if !ok {
			t.Errorf("%s: the package %s is in no layer: add it to layers", file, dir)
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			for lib, allowed := range exclusive {
				if strings.HasPrefix(imported, lib) && !under(dir, allowed) {
					t.Errorf("%s imports %s, which only %v may", file, imported, allowed)
				}
			}
			ours, ok := strings.CutPrefix(imported, module)
			if !ok {
				continue
			}
			if under(ours, testOnly) {
				t.Errorf("%s imports %s, which is for tests only", file, ours)
				continue
			}
			if room(ours) == room(dir) {
				continue
			}
			switch l, ok := layerOf[room(ours)]; {
			case !ok:
				t.Errorf("%s imports %s, which is in no layer", file, ours)
			case l > layer, l == layer && !under(room(ours), siblings[room(dir)]):
				t.Errorf("%s (layer %d) imports %s (layer %d)", file, layer, ours, l)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for p := range layerOf {
		if !found[p] {
			t.Errorf("layers lists %s, which has no Go file", p)
		}
	}
}

// room is the package that a folder belongs to: pkg/ui/internal/x is part of pkg/ui.
func room(dir string) string {
	parts := strings.Split(dir, "/")
	if len(parts) > 2 && (parts[0] == "pkg" || parts[0] == "cmd") {
		parts = parts[:2]
	}
	return strings.Join(parts, "/")
}

func under(dir string, parents []string) bool {
	for _, p := range parents {
		if dir == p || strings.HasPrefix(dir, p+"/") {
			return true
		}
	}
	return false
}
