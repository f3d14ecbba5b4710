package nix

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
)

// TestExplain: mistakes that fail within a library are told where the user made them.
func TestExplain(t *testing.T) {
	testenv.Nix(t)
	t.Setenv(NixlibEnv, "../../nixlib")
	lib := `nixlib + "/mini"`
	if dir := os.Getenv("NIXPKGS"); dir != "" {
		lib = dir
	}
	dir := t.TempDir()
	const reference = "git deploy man options | man -l -"
	for name, c := range map[string]struct{ web, module, want, hint string }{
		"argument of a module":        {"{ }", "{ wbe, ... }: { nodes.web.configuration.networking.hostName = wbe; }", "the module modules/m.nix asks for the argument `wbe', and there is none of this name", "modules of a network are given config,"},
		"argument of a configuration": {"{ configuration = { wbe, ... }: { networking.hostName = wbe; }; }", "{ }", "a module asks for the argument `wbe', and there is none of this name", "modules of a network are given config,"},
		"arguments that are closed":   {"{ wbe }: { }", "{ }", "called with unexpected argument", "let the arguments of the function at nodes/web.nix:1:1 end with ..., "},
		"infinite recursion":          {"{ configuration = { config, ... }: { networking.hostName = config.networking.hostName; }; }", "{ }", "infinite recursion encountered", ""},
		"node that a module names":    {"{ }", "{ nodes, ... }: { nodes.web.deploy.user = nodes.wbe.deploy.user; }", "there is no node \"wbe\" (nodes: db, web)\n  at modules/m.nix:1:43", ""},
		"no node beside nodes":        {"{ configuration = { pkgs, nodes, ... }: { environment.etc.a.text = nodes.db.name + pkgs.nosuch; }; }", "{ }", "attribute 'name' missing\n  at nodes/web.nix:1:", ""},
		"wrong type":                  {`{ deploy.port = "22"; }`, "{ }", "A definition for option `nodes.web.deploy.port' is not of type", reference},
		"no value":                    {"{ health.http.site = { }; }", "{ }", "The option `nodes.web.health.http.site.url' ", reference},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, filepath.Join(dir, "network.nix"), `{ importNodes, nixlib, ... }: { imports = [ (importNodes ./nodes) ./modules/m.nix ]; network = { name = "home"; id = "1"; nixpkgs = `+lib+`; }; defaults.nixpkgs = nixlib + "/mini"; }`)
			write(t, filepath.Join(dir, "nodes/web.nix"), c.web)
			write(t, filepath.Join(dir, "nodes/db.nix"), "{ }")
			write(t, filepath.Join(dir, "modules/m.nix"), c.module)
			_, err := New(event.Discard).BuildBundle(t.Context(), dir, "web", "")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error is\n%v\nwant\n%s", err, c.want)
			}
			hints := strings.Join(fail.HintsOf(err), "\n")
			if !strings.HasPrefix(hints, c.hint) || c.hint == "" && hints != "" {
				t.Errorf("hints %q, want %q", hints, c.hint)
			}
			for _, internal := range []string{"/lib/", "nixlib", dir} {
				if strings.Contains(err.Error(), internal) {
					t.Errorf("the error names %s:\n%v", internal, err)
				}
			}
			if name == "infinite recursion" && !strings.Contains(err.Error(), "nodes/web.nix") {
				t.Errorf("where? %v", err)
			}
		})
	}
}
