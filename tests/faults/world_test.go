//go:build linux

package faults

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/tests/lab"
)

const (
	stateDir = "/var/lib/git-deploy"
	repoDir  = stateDir + "/networks/home/repo.git"
)

// world is a node, the network that it is in, and two people who deploy.
// Trials use it one after the other.
type world struct {
	lab     *lab.Lab
	host    *lab.Host
	machine bool // it has a kernel of its own
	dir     string
	ada     *deployer
	bob     *deployer
	page    int    // of the last version written; every version has its own
	good    string // the page of the last system that was confirmed
	bin     string
}

// deployer is one person with a clone.
type deployer struct {
	w    *world
	name string
	home string // HOME, and the clone is its folder net
	tmp  string // TMPDIR, which tells this one's ssh from others'
}

func newWorld(t *testing.T, n int, machine bool) (_ *world, err error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	w := &world{lab: lab.New(t), machine: machine, bin: bin}
	if w.dir, err = os.MkdirTemp("", "f"); err != nil { // short: sockets are below it
		return nil, err
	}
	t.Cleanup(func() { _ = os.RemoveAll(w.dir) })
	opt := lab.Options{Init: lab.Systemd, Prepare: w.prepare}
	if machine {
		opt.Init, opt.Memory, opt.Disk = lab.Machine, 512, 1536
		w.host = w.lab.Host(t, fmt.Sprint("m", n), opt)
	} else if w.host, err = w.lab.AddHost(fmt.Sprint("h", n), opt); err != nil {
		return nil, err
	}
	if err := w.host.WaitSSH(); err != nil {
		return nil, err
	}
	if err := w.host.WaitRunning(); err != nil {
		return nil, err
	}
	if w.ada, err = w.deployer("ada"); err != nil {
		return nil, err
	}
	return w, w.install()
}

// prepare gives the node what it needs to deploy to itself.
func (w *world) prepare(disk string) error {
	if err := os.MkdirAll(filepath.Join(disk, "usr/local/bin"), 0o755); err != nil {
		return err
	}
	for _, program := range []string{"git-deploy", "git-remote-node"} {
		if out, err := exec.Command("cp", "-p", filepath.Join(w.bin, program), filepath.Join(disk, "usr/local/bin", program)).CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
	}
	return os.WriteFile(filepath.Join(disk, "root/.gitconfig"), []byte(gitConfig("Node")), 0o600)
}

func gitConfig(name string) string {
	return fmt.Sprintf("[user]\n\tname = %s\n\temail = %s@example.org\n[init]\n\tdefaultBranch = main\n", name, strings.ToLower(name))
}

func (w *world) deployer(name string) (*deployer, error) {
	d := &deployer{w: w, name: name, home: filepath.Join(w.dir, name), tmp: filepath.Join(w.dir, name[:1])}
	for _, dir := range []string{d.home, d.tmp} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	return d, os.WriteFile(filepath.Join(d.home, ".gitconfig"), []byte(gitConfig(strings.ToUpper(name[:1])+name[1:])), 0o644)
}

// install makes the host a node that runs a first confirmed system.
func (w *world) install() error {
	a := w.ada
	if _, err := a.run(a.home, "git", "deploy", "init", "--nixpkgs", `nixlib + "/mini"`, "home", "net"); err != nil {
		return err
	}
	if _, err := a.git("deploy", "add", "web", "root@"+w.host.Name); err != nil {
		return err
	}
	// The sshd that the host came with goes: from now on it is the system's.
	if _, err := w.host.Try("sh", "-c", "cd /etc/systemd/system && rm sshd.service multi-user.target.wants/sshd.service"); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(a.net(), "nodes/web.nix")); err != nil {
		return err
	}
	if err := a.write(parts{}); err != nil {
		return err
	}
	if out, err := a.git("deploy", "push", "web"); err != nil {
		return fmt.Errorf("first push: %w\n%s", err, out)
	}
	w.good = fmt.Sprint(w.page)
	var err error
	if w.bob, err = w.deployer("bob"); err != nil {
		return err
	}
	if _, err := a.run(w.bob.home, "git", "clone", "-q", "--config", "user.name=Bob", a.net(), "net"); err != nil {
		return err
	}
	_, err = w.bob.git("deploy", "remotes")
	return err
}

// discard lets go of a world that is in no good state.
func (w *world) discard() { _ = w.host.Kill() }

func (d *deployer) net() string { return filepath.Join(d.home, "net") }

func (d *deployer) env() []string {
	return append(append(lab.Environ(), d.w.lab.Env()...),
		"HOME="+d.home, "TMPDIR="+d.tmp, "PATH="+d.w.bin+":"+os.Getenv("PATH"),
		"GIT_CONFIG_GLOBAL="+filepath.Join(d.home, ".gitconfig"), "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"LC_ALL=C.UTF-8", "NO_COLOR=1")
}

func (d *deployer) run(dir string, argv ...string) (string, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	// What exec resolves is this process's PATH.
	if path := filepath.Join(d.w.bin, argv[0]); exists(path) {
		cmd = exec.Command(path, argv[1:]...)
	}
	cmd.Dir, cmd.Env = dir, d.env()
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, out)
	}
	return strings.TrimSpace(string(out)), err
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// git runs git in the clone.
func (d *deployer) git(args ...string) (string, error) {
	return d.run(d.net(), append([]string{"git"}, args...)...)
}

// write commits a new version of the node's configuration.
func (d *deployer) write(change parts) error {
	d.w.page++
	page := fmt.Sprint(d.w.page)
	dir := filepath.Join(d.net(), "nodes/web")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "page"), []byte(page), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "default.nix"), d.w.configuration(page, change), 0o644); err != nil {
		return err
	}
	return d.commit("Version " + page)
}

// commit commits all there is, after removing what a killed git may have left.
func (d *deployer) commit(message string) error {
	for _, lock := range []string{"index.lock", "HEAD.lock", "refs/heads/main.lock", "refs/remotes/web/main.lock", "packed-refs.lock"} {
		_ = os.Remove(filepath.Join(d.net(), ".git", lock))
	}
	if _, err := d.git("add", "-A"); err != nil {
		return err
	}
	_, err := d.git("commit", "-qm", message)
	return err
}

// parts are the parts of a configuration that differ from a good one's.
type parts map[string]string

// configuration is a node that sees to its own sshd, firewall, route and keys,
// so that each can be broken.
func (w *world) configuration(page string, change parts) []byte {
	key, err := os.ReadFile(w.lab.Key() + ".pub")
	if err != nil {
		panic(err)
	}
	all := parts{
		"confirm": "5", "activate": "30", "sshd": "", "keys": string(bytes.TrimSpace(key)),
		"firewall": "accept", "route": "ip route replace default dev eth0",
		"activation": "", "services": "", "health": "", "network": "", "packages": "", "addr": w.host.Addr, "host": w.host.Name,
	}
	for name, text := range change {
		if _, ok := all[name]; !ok {
			panic("a configuration has no part " + name)
		}
		all[name] = text
	}
	text := nodeFile
	if !w.machine { // those have no nft
		all["network"] = networkPart
	}
	text = strings.ReplaceAll(text, "@network@", all["network"])
	for name, with := range all {
		text = strings.ReplaceAll(text, "@"+name+"@", with)
	}
	for _, gate := range []string{"build", "switch", "health"} {
		text = strings.ReplaceAll(text, "@gate "+gate+"@",
			`while [ "$(/bin/cat /run/gate/`+gate+` 2>/dev/null)" = @page@ ]; do /bin/sleep 0.02; done`)
	}
	return []byte(strings.ReplaceAll(text, "@page@", page))
}

// What several people write side by side is "who". A gate holds up the version that it names for as long as its file is there.
const nodeFile = `{
  deploy.host = "@host@";
  deploy.timeouts.confirm = @confirm@;
  deploy.timeouts.activate = @activate@;
  health.command.gate = {
    command = [ "/bin/sh" "-c" ''@gate health@'' ];
    timeout = 60;
  };
  @health@
  configuration =
    { pkgs, ... }:
    {
      environment.etc."site/index.html".text = "@page@";
      environment.etc."site/who".text = builtins.concatStringsSep "," (
        map (name: if builtins.pathExists (./. + "/${name}") then builtins.readFile (./. + "/${name}") else "") [ "ada" "bob" "self" ]
      );
      environment.systemPackages = [
        (pkgs.runCommand "gate-@page@" { } ''@gate build@; echo >$out'')
        @packages@
      ];
      system.activationScripts.faults.text = ''
        @gate switch@
        mkdir -p /root/.ssh
        echo "@keys@" >/root/.ssh/authorized_keys
        @activation@
      '';
      systemd.services.sshd = {
        wantedBy = [ "multi-user.target" ];
        preStart = "mkdir -p /run/sshd";
        serviceConfig = {
          ExecStart = "/usr/sbin/sshd -D -e @sshd@";
          KillMode = "process";
          # A session has a scope of its own where sshd uses PAM, and that is its policy.
          OOMPolicy = "continue";
        };
      };
      systemd.services.site = {
        wantedBy = [ "multi-user.target" ];
        serviceConfig.ExecStart = "/usr/bin/busybox httpd -f -p 8080 -h /etc/site";
      };
      @network@
      @services@
    };
}
`

// The deployer is reached by the default route only.
const networkPart = `
      systemd.services.firewall = {
        wantedBy = [ "multi-user.target" ];
        script = "/usr/sbin/nft 'flush ruleset; add table inet filter; add chain inet filter input { type filter hook input priority 0; }; add rule inet filter input tcp dport 22 @firewall@'";
        serviceConfig = {
          Type = "oneshot";
          RemainAfterExit = true;
        };
      };
      systemd.services.route = {
        wantedBy = [ "multi-user.target" ];
        script = ''
          PATH=/usr/sbin:/usr/bin
          ip link set eth0 up
          ip addr replace @addr@/16 dev eth0
          @route@
          ip route del 10.77.0.0/16 dev eth0 2>/dev/null || true
        '';
        serviceConfig = {
          Type = "oneshot";
          RemainAfterExit = true;
        };
      };
`
