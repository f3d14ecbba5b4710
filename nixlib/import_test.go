package nixlib_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/pkg/bundle"
)

// imported does what `git deploy import` does with the example of a tool, and
// returns the folder of the network and what was not carried over. nixpkgs is
// Nix's expression for that of a definition which names none.
func imported(t *testing.T, tool, example, file, nixpkgs string) (dir string, lost []string) {
	t.Helper()
	testenv.Nix(t)
	dir = t.TempDir()
	files, err := filepath.Glob("tests/import/" + example + "/*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	own := map[string]string{"network-id": "11111111-1111\n"}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		own[filepath.Base(f)] = strings.ReplaceAll(string(text), "MINI", abs(t, "mini"))
	}
	write(t, dir, own)
	if own["flake.nix"] != "" {
		if _, errs, err := run(t, "nix", "flake", "lock", dir); err != nil {
			t.Fatalf("nix flake lock: %v\n%s", err, errs)
		}
	}
	var result struct {
		Files map[string]string
		Lost  []string
	}
	if err := json.Unmarshal([]byte(eval(t, "--read-write-mode", abs(t, "from/default.nix"),
		"--argstr", "tool", tool, "--argstr", "dir", dir, "--argstr", "file", file,
		"--arg", "nixpkgs", "let nixlib = "+abs(t, ".")+"; in "+nixpkgs, "--argstr", "nixpkgsText", nixpkgs)), &result); err != nil {
		t.Fatal(err)
	}
	if own["flake.nix"] != "" { // by hand, as the command says
		result.Files["flake.nix"] = strings.Replace(own["flake.nix"], "# OUTPUT", "gitDeploy = import ./git-deploy.nix { inherit self; };", 1)
	}
	write(t, dir, result.Files)
	return dir, result.Lost
}

func node(t *testing.T, m *bundle.Manifest, name, host, user string, port int, build string, tags ...string) {
	t.Helper()
	n := m.Nodes[name]
	if n.Host != host || n.User != user || n.Port != port || n.Build != build || !slices.Equal(n.Tags, tags) && len(n.Tags)+len(tags) > 0 {
		t.Errorf("%s is %+v", name, n)
	}
}

// file checks a file in /etc of a node.
func file(t *testing.T, dir, node, name, want string) {
	t.Helper()
	if got := eval(t, abs(t, "cli.nix"), "--argstr", "dir", dir, "-A", "nodes."+node+".config.environment.etc."+name+".text"); strings.TrimSpace(got) != `"`+want+`"` {
		t.Errorf("%s of %s is %s, want %q", name, node, got, want)
	}
}

func names(t *testing.T, lost []string, want ...string) {
	t.Helper()
	var got []string
	for _, l := range lost {
		name, _, ok := strings.Cut(l, ": ")
		if rest, _, more := strings.Cut(l[len(name)+2:], ": "); more && !strings.Contains(rest, " ") {
			name += " " + rest
		}
		if !ok {
			t.Errorf("%q does not say what to do", l)
		}
		got = append(got, name)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("lost %q, want %q", got, want)
	}
}

// none is the nixpkgs of nobody: whoever asks for it gets an error.
const none = `throw "a nixpkgs was asked for"`

// Each example has the shape of that tool's own, as its documentation shows it.

func TestImportColmena(t *testing.T) {
	dir, lost := imported(t, "colmena", "colmena", "hive.nix", none)
	names(t, lost, "meta.allowApplyAll", "meta.machinesFile", "meta.unheardOf",
		"host-b deployment.keys", "host-b deployment.sshOptions", "host-b deployment.privilegeEscalationCommand",
		"host-b deployment.replaceUnknownProfiles", "host-b deployment.allowLocalDeployment", "host-b deployment.targetEnv",
		"local deployment.targetHost", "local deployment.targetUser")
	if text := strings.Join(lost, "\n"); !strings.Contains(text, "/run/keys/secret") {
		t.Errorf("where the key goes is not said:\n%s", text)
	}
	m := manifest(t, dir)
	if m.Network.Name != "my-hive" || len(m.Nodes) != 3 {
		t.Errorf("manifest %+v", m)
	}
	node(t, m, "host-a", "host-a", "root", 0, "node", "web")
	node(t, m, "host-b", "somehost.example.org", "luser", 1234, "deployer")
	file(t, dir, "host-a", "other", "America/Los_Angeles, hello")
	file(t, dir, "host-a", "greeting", "hello")
	file(t, dir, "host-a", "packages", "overlaid, aarch64-linux, 1")
	file(t, dir, "host-b", "hive", "one hive")
	file(t, dir, "host-b", "system", "1000") // beside a hostPlatform NixOS wants none set
	file(t, dir, "local", "platform", "riscv64-linux")
	text, err := os.ReadFile(filepath.Join(dir, "network.nix"))
	if err != nil || !strings.Contains(string(text), "\n# Hosts of ours.\n") {
		t.Errorf("the description is gone: %v\n%s", err, text)
	}
}

func TestImportColmenaFlake(t *testing.T) {
	for example, want := range map[string]struct{ name, host, user, build string }{
		"colmena-flake": {"our-hive", "host-a", "root", "deployer"},
		"colmena-hive":  {"my-hive", "somehost.example.org", "luser", "node"},
	} {
		t.Run(example, func(t *testing.T) {
			dir, lost := imported(t, "colmena", example, "flake.nix", none)
			m := manifest(t, dir)
			n := m.Nodes["host-a"]
			if m.Network.Name != want.name || n.Host != want.host || n.User != want.user || n.Build != want.build || !slices.Equal(n.Tags, []string{"web"}) {
				t.Errorf("%s: %+v", m.Network.Name, n)
			}
			file(t, dir, "host-a", "motd", "from a flake")
			if example == "colmena-flake" {
				names(t, lost, "meta.name")
				file(t, dir, "host-a", "platform", "aarch64-linux")
			} else {
				names(t, lost, "meta.allowApplyAll", "colmenaHive")
			}
		})
	}
}

func TestImportMorph(t *testing.T) {
	dir, lost := imported(t, "morph", "morph", "morph.nix", none)
	names(t, lost, "network.nixConfig", "web01 deployment.secrets", "web01 deployment.healthChecks", "web01 deployment.healthChecks.cmd",
		"web01 deployment.preDeployChecks.http", "db01 deployment.targetUser", "other deployment.targetUser")
	m := manifest(t, dir)
	node(t, m, "web01", "web01", "deploy", 0, "deployer", "web")
	node(t, m, "db01", "192.0.2.7", "root", 0, "deployer", "db")
	for name, order := range map[string]int{"db01": 0, "web01": 1, "other": 2} {
		if got := m.Nodes[name].Profile.Order; got != order {
			t.Errorf("%s is deployed as number %d, want %d", name, got, order)
		}
	}
	file(t, dir, "db01", "role", "db")
	file(t, dir, "web01", "role", "web")
	file(t, dir, "web01", "platform", "aarch64-linux")
	var text string
	if err := json.Unmarshal([]byte(eval(t, abs(t, "cli.nix"), "--argstr", "dir", dir, "-A", "nodes.web01.bundle.text")), &text); err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var checks []string
	for _, c := range append(b.Health, b.PreSwitch...) {
		checks = append(checks, strings.Join(strings.Fields(strings.Join(append([]string{c.Name, c.From, c.URL}, c.Command...), " ")), " "))
	}
	slices.Sort(checks)
	want := []string{
		"Check whether nginx is running. deployer http://web01:80/",
		"Check whether the shop is open. deployer https://shop.example.org:443/health",
		"Idle. /bin/sh -c true",
		"Same words. /bin/sh -c test -e /etc/motd",
		"Same words. 2 /bin/sh -c true",
	}
	if !slices.Equal(checks, want) {
		t.Errorf("checks %q, want %q", checks, want)
	}
}

func TestImportNixus(t *testing.T) {
	dir, lost := imported(t, "nixus", "nixus", "deploy.nix", none)
	names(t, lost, "nodes in configurations", "secrets.files and networking.public in configurations", "deployHost", "options.defaults",
		"foo ignoreFailingSystemdUnits", "foo hasFastConnection", "foo closurePaths", "foo preparationPhases", "foo postDeployScript", "bar host")
	m := manifest(t, dir)
	node(t, m, "foo", "172.20.83.114", "root", 0, "deployer")
	node(t, m, "bar", "bar.example.org", "root", 0, "deployer")
	if to := m.Nodes["foo"].Timeouts; to.Activate != 120 || to.Confirm != 20 {
		t.Errorf("timeouts %+v", to)
	}
	file(t, dir, "bar", "motd", "from its own file")
}

func TestImportDeployRs(t *testing.T) {
	dir, lost := imported(t, "deploy-rs", "deploy-rs", "flake.nix", none)
	names(t, lost, "example-hello sshOpts", "example-hello fastConnection", "example-hello", "example-hello path",
		"example-hello magicRollback", "example-hello autoRollback", "example-hello interactiveSudo", "example-hello sudo", "example-hello tempPath",
		"example sshOpts", "example fastConnection", "example system", "example profilePath", "example unheardOf")
	m := manifest(t, dir)
	node(t, m, "example", "localhost", "admin", 2221, "deployer")
	node(t, m, "example-hello", "localhost", "hello", 2222, "node")
	if p := m.Nodes["example-hello"].Profile; p.Kind != "custom" || p.Name != "hello" || p.User != "hello" || p.Activate[0] != "deploy-rs-activate" || p.Order != 0 {
		t.Errorf("profile %+v", p)
	}
	if n := m.Nodes["example"]; n.Profile.Kind != "nixos" || n.Timeouts.Confirm != 60 || n.Profile.Order != 1 {
		t.Errorf("example %+v", n)
	}
	file(t, dir, "example", "motd", "a system")
	if out, errs, err := run(t, "nix-build", "--no-out-link", abs(t, "cli.nix"), "--argstr", "dir", dir, "-A", "nodes.example-hello.bundle"); err != nil {
		t.Errorf("%v: %s%s", err, out, errs)
	}
}
