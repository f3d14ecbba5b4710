package nix

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

const module = `{ nixlib, ... }: {
  network.name = "home";
  network.id = "6e0b4c52-8a5c-4a0e-9d0e-0f9f1c0c7f55";
  network.nixpkgs = nixlib + "/mini";
  nodes.web.configuration.environment.etc."motd".text = "hello";
  nodes."db.example".configuration = ./db.nix;
}`

// TestCarriedNixlib evaluates both kinds of networks with the nixlib that is in this program.
func TestCarriedNixlib(t *testing.T) {
	store := testenv.Nix(t)
	t.Setenv(NixlibEnv, "")
	t.Setenv(statedir.RootEnv, filepath.Join(store, "root"))
	for entry, text := range map[Entry]string{NetworkEntry: module, FlakeEntry: "{ outputs = _: { gitDeploy = " + module + "; }; }"} {
		t.Run(string(entry), func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, string(entry)), text)
			write(t, filepath.Join(dir, "db.nix"), "{\n  environment.etc.x.text = wrong;\n}\n")
			n := New(event.Discard)
			m, err := n.Manifest(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			if m.Network.Name != "home" || strings.Join(m.Names(), " ") != "db.example web" {
				t.Errorf("manifest %+v", m)
			}
			path, err := n.BuildBundle(t.Context(), dir, "web", "")
			if err != nil {
				t.Fatal(err)
			}
			b, err := ReadBundle(path)
			if err != nil || b.Node != "web" || b.Timeouts.Activate == 0 || b.Timeouts.Confirm == 0 {
				t.Errorf("bundle %+v, %v", b, err)
			}
			// Evaluating alone says the same, and which errors there are.
			if e, err := n.Evaluate(t.Context(), dir, "web"); err != nil || !cmp.Equal(e.Bundle, b) {
				t.Errorf("evaluated: %+v, %v", e, err)
			}
			if _, err := n.Evaluate(t.Context(), dir, "db.example"); err == nil || !strings.Contains(err.Error(), "undefined variable 'wrong'\n  at db.nix:2:28\n") {
				t.Errorf("error %v", err)
			}
			if _, err := n.Evaluate(t.Context(), dir, "nobody"); err == nil || !strings.Contains(err.Error(), "only: db.example, web") {
				t.Errorf("error %v", err)
			}
			// The position is in the network's tree, also where Nix evaluates a copy of it.
			_, err = n.BuildBundle(t.Context(), dir, "db.example", "")
			if err == nil || !strings.Contains(err.Error(), "undefined variable 'wrong'\n  at db.nix:2:28\n    2 |   environment.etc.x.text = wrong;\n") {
				t.Errorf("error %v", err)
			}
			_, err = n.BuildBundle(t.Context(), dir, "nobody", "")
			if err == nil || !strings.Contains(err.Error(), "only: db.example, web") {
				t.Errorf("error %v", err)
			}
		})
	}
}
