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
// returns the folder of the network and what was not carried over.
func imported(t *testing.T, tool, file string) (dir string, lost []string) {
	t.Helper()
	testenv.Nix(t)
	dir = t.TempDir()
	files, err := filepath.Glob("tests/import/" + tool + "/*")
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
		"--arg", "nixpkgs", abs(t, "mini"), "--argstr", "nixpkgsText", `nixlib + "/mini"`)), &result); err != nil {
		t.Fatal(err)
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

// Each example has the shape of that tool's own, as its documentation shows it.

func TestImportColmena(t *testing.T) {
	dir, lost := imported(t, "colmena", "hive.nix")
	names(t, lost, "meta.allowApplyAll", "meta.specialArgs", "host-b deployment.keys", "host-b deployment.sshOptions", "local deployment.targetHost")
	m := manifest(t, dir)
	if m.Network.Name != "my-hive" || len(m.Nodes) != 3 {
		t.Errorf("manifest %+v", m)
	}
	node(t, m, "host-a", "host-a", "root", 0, "node", "web")
	node(t, m, "host-b", "somehost.example.org", "luser", 1234, "deployer")
	file(t, dir, "host-a", "other", "America/Los_Angeles, hello")
	file(t, dir, "host-b", "hive", "one hive")
}

func TestImportMorph(t *testing.T) {
	dir, lost := imported(t, "morph", "morph.nix")
	names(t, lost, "network.ordering", "web01 deployment.secrets", "web01 deployment.healthChecks.cmd")
	m := manifest(t, dir)
	node(t, m, "web01", "web01", "deploy", 0, "deployer", "web")
	node(t, m, "db01", "192.0.2.7", "root", 0, "deployer", "db")
	file(t, dir, "db01", "role", "db")
	var text string
	if err := json.Unmarshal([]byte(eval(t, abs(t, "cli.nix"), "--argstr", "dir", dir, "-A", "nodes.web01.bundle.text")), &text); err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Parse([]byte(text))
	if err != nil || len(b.Health) != 2 || b.Health[0].URL != "https://shop.example.org:443/health" || b.Health[0].From != "deployer" || b.Health[1].URL != "http://web01:80/" {
		t.Errorf("health %+v, %v", b.Health, err)
	}
}

func TestImportNixus(t *testing.T) {
	dir, lost := imported(t, "nixus", "deploy.nix")
	names(t, lost, "nodes in configurations", "foo ignoreFailingSystemdUnits")
	m := manifest(t, dir)
	node(t, m, "foo", "172.20.83.114", "root", 0, "deployer")
	node(t, m, "bar", "bar.example.org", "root", 0, "deployer")
	if to := m.Nodes["foo"].Timeouts; to.Activate != 120 || to.Confirm != 20 {
		t.Errorf("timeouts %+v", to)
	}
	file(t, dir, "bar", "motd", "from its own file")
}

func TestImportDeployRs(t *testing.T) {
	dir, lost := imported(t, "deploy-rs", "flake.nix")
	names(t, lost, "example-hello sshOpts", "example-hello fastConnection", "example-hello", "example-hello path",
		"example sshOpts", "example fastConnection", "example system")
	// By hand, as the command says.
	text, err := os.ReadFile(filepath.Join(dir, "flake.nix"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{"flake.nix": strings.Replace(string(text), "      deploy.sshUser", "      gitDeploy = import ./git-deploy.nix { inherit self; };\n      deploy.sshUser", 1)})
	m := manifest(t, dir)
	node(t, m, "example", "localhost", "admin", 2221, "deployer")
	node(t, m, "example-hello", "localhost", "hello", 2221, "deployer")
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
