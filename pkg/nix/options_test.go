package nix

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
)

// The words of module systems of different ages.
func TestExplainUnknownOption(t *testing.T) {
	const options = "git deploy man options | man -l -   # "
	for message, want := range map[string]string{
		"The option `nodes.web.deploy.hots' does not exist. Definition values:\n- In `nodes/web.nix': \"x\"\n\nDid you mean `nodes.web.deploy.host'?": "the option `nodes.web.deploy.hots' does not exist, and is set in nodes/web.nix\nDid you mean `nodes.web.deploy.host'?\n" +
			options + "the options of networks and nodes",
		"The option `nodes.\"a.b\".services' does not exist. Definition values:\n- In `x.nix':\n    {\n      nginx = { };\n    }\n- In `y.nix': { }": "the option `nodes.\"a.b\".services' does not exist, and is set in x.nix, y.nix\n" +
			options + "what a node may have; the settings of NixOS stand in nodes.\"a.b\".configuration",
		"The option `vpm' does not exist. Definition values:\n- In `<unknown-file>': { }": "the option `vpm' does not exist\n" +
			"man configuration.nix   # the options of NixOS, which https://search.nixos.org/options has too\n" + options + "those of networks and nodes",
		"The option `a.b' defined in `/net/a.nix' does not exist.": "the option `a.b' does not exist, and is set in /net/a.nix\n" +
			"man configuration.nix   # the options of NixOS, which https://search.nixos.org/options has too\n" + options + "those of networks and nodes",
		"The option `a.b' was accessed but has no value defined.": "The option `a.b' was accessed but has no value defined.",
	} {
		e := &EvalError{Message: message}
		got := strings.Join(append([]string{e.Message}, explainUnknownOption(e)...), "\n")
		if got != want {
			t.Errorf("%s\nbecomes\n%s\nwant\n%s", message, got, want)
		}
	}
}

func TestUnknownOptions(t *testing.T) {
	testenv.Nix(t)
	t.Setenv(NixlibEnv, "../../nixlib")
	dir := t.TempDir()
	for text, want := range map[string]string{
		`nodes.web.services.nginx.enable = true;`:                    "the option `nodes.web.services' does not exist, and is set in network.nix\n",
		`nodes.web.deploy.hots = "x";`:                               "the option `nodes.web.deploy.hots' does not exist, and is set in network.nix\nDid you mean `nodes.web.deploy.host'?\n",
		`nodes.web.configuration.services.openssh.prots = [ 2222 ];`: "the option `services.openssh.prots' does not exist, and is set in network.nix\nDid you mean `services.openssh.ports'?\n",
		`nodes.web = { }; monitoring.sever = "web";`:                 "the option `monitoring.sever' does not exist, and is set in network.nix\nDid you mean `monitoring.server'?\n",
	} {
		write(t, filepath.Join(dir, "network.nix"), `{ nixlib, ... }: { network = { name = "home"; id = "1"; nixpkgs = nixlib + "/mini"; }; `+text+" }")
		_, err := New(event.Discard).BuildBundle(t.Context(), dir, "web", "")
		if err == nil || !strings.HasPrefix(err.Error()+"\n", want) || len(fail.HintsOf(err)) == 0 {
			t.Errorf("%s: %v\nhints %q, want\n%s", text, err, fail.HintsOf(err), want)
		}
	}
}
