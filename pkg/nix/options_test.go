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

// The words of module systems of different ages.
func TestFindUnknownOption(t *testing.T) {
	for message, want := range map[string]string{
		"The option `nodes.web.deploy.hots' does not exist. Definition values:\n- In `nodes/web.nix': \"x\"\n\nDid you mean `nodes.web.deploy.host'?": "the option `nodes.web.deploy.hots' does not exist, and is set in nodes/web.nix\nDid you mean `nodes.web.deploy.host'?",
		"The option `nodes.\"a.b\".services' does not exist. Definition values:\n- In `x.nix':\n    {\n      nginx = { };\n    }\n- In `y.nix': { }":  "the option `nodes.\"a.b\".services' does not exist, and is set in x.nix, y.nix",
		"The option `vpm' does not exist. Definition values:\n- In `<unknown-file>': { }":                                                             "the option `vpm' does not exist",
		"The option `a.b' defined in `/net/a.nix' does not exist.":                                                                                    "the option `a.b' does not exist, and is set in /net/a.nix",
		"The option `a.b' was accessed but has no value defined.":                                                                                     "",
	} {
		got := ""
		if o := findUnknownOption(message); o != nil {
			got = o.message(nil)
			if len(o.hints(nil)) == 0 {
				t.Errorf("no hint for %s", message)
			}
		}
		if got != want {
			t.Errorf("%s\nbecomes\n%s\nwant\n%s", message, got, want)
		}
	}
}

// Where there are many, the likest are named unless the module system did that.
func TestManyChoices(t *testing.T) {
	c := &choices{Names: strings.Fields("a b c d e f g h i j k l m n o p q r s t nginx ngnix nix")}
	for more, want := range map[string]string{
		"":                           "the option `services.ngnxi' does not exist\nDid you mean `services.nginx' or `services.ngnix'?",
		"Did you mean `services.x'?": "the option `services.ngnxi' does not exist\nDid you mean `services.x'?",
	} {
		o := unknownOption{path: []string{"services", "ngnxi"}, more: more}
		if got := o.message(c); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestUnknownOptions(t *testing.T) {
	testenv.Nix(t)
	t.Setenv(NixlibEnv, "../../nixlib")
	libs := []string{`nixlib + "/mini"`}
	if dir := os.Getenv("NIXPKGS"); dir != "" {
		libs = append(libs, dir)
	}
	const (
		options = "git deploy man options | man -l -   # "
		nixos   = "man configuration.nix "
		deploy  = "\nIn nodes.web.deploy there are: branch, build, evaluate,"
	)
	dir := t.TempDir()
	for _, lib := range libs {
		types, _ := os.ReadFile(filepath.Join(lib, "lib/types.nix"))
		old := len(types) > 0 && !strings.Contains(string(types), "submoduleWith")
		for text, want := range map[string]struct{ option, choices, hint string }{
			`nodes.web.services.nginx.enable = true;`:               {"nodes.web.services", "\nIn nodes.web there are: configuration, deploy, dns, health,", options + "what a node may have; the settings of NixOS stand in nodes.web.configuration"},
			`nodes.web.deploy.hots = "x";`:                          {"nodes.web.deploy.hots", deploy, options},
			`nodes.web.health.http.site = { url = "a"; uri = 1; };`: {"nodes.web.health.http.site.uri", "\nIn nodes.web.health.http.site there are: body, ca, from,", options},
			`nodes.web = { }; monitoring.sever = "web";`:            {"monitoring.sever", "\nIn monitoring there are: exporters, server, via", options},
			`nodes.web = { }; services.nginx.enable = true;`:        {"services", "\nThere are: assertions, backups, defaults, dns,", options + "the options of networks; the settings of NixOS stand in nodes.<name>.configuration"},
			`nodes.web.configuration.services.openssh.prots = [ ];`: {"services.openssh.prots", "services.openssh", nixos},
			`nodes.web.configuration.deploy.host = "a";`:            {"deploy", "", "write nodes.<name>.deploy beside the configuration, or git-deploy.deploy in it"},
			`nodes.web.configuration.git-deploy.deploy.hots = "";`:  {"git-deploy.deploy.hots", "\nIn git-deploy.deploy there are: branch, build,", nixos},
		} {
			write(t, filepath.Join(dir, "network.nix"), `{ nixlib, ... }: { network = { name = "home"; id = "1"; nixpkgs = `+lib+`; }; defaults.nixpkgs = nixlib + "/mini"; `+text+" }")
			_, err := New(event.Discard).BuildBundle(t.Context(), dir, "web", "")
			if err == nil {
				t.Errorf("%s: no error", text)
				continue
			}
			if old && want.option == "services" {
				want.choices, want.hint = "", nixos // it tells nothing of a network that does not evaluate
			}
			got := err.Error() + "\n"
			if !strings.HasPrefix(got, "the option `"+want.option+"' does not exist, and is set in network.nix\n") || !strings.Contains(got, want.choices) {
				t.Errorf("%s with %s: %v\nwant %s: %s", text, lib, err, want.option, want.choices)
			}
			if hints := strings.Join(fail.HintsOf(err), "\n"); !strings.HasPrefix(hints, want.hint) {
				t.Errorf("%s with %s: hints %q, want %q", text, lib, hints, want.hint)
			}
		}
		if old {
			continue // and does not quote names
		}
		// Without a node.
		write(t, filepath.Join(dir, "network.nix"), `{ nixlib, ... }: { network = { name = "home"; id = "1"; nixpkgs = `+lib+`; }; nodes."w.b".deploy.hots = "x"; }`)
		if _, err := New(event.Discard).Manifest(t.Context(), dir); err == nil || !strings.Contains(err.Error()+"\n", strings.Replace(deploy, "web", `"w.b"`, 1)) {
			t.Errorf("manifest: %v", err)
		}
	}
}
