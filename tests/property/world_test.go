//go:build linux

package property

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/proc"
	"github.com/git-deploy/git-deploy/pkg/statedir"
	"github.com/git-deploy/git-deploy/tests/property/schedule"
)

// limit is far longer than anything takes here.
const limit = 3 * time.Minute

// problem is a property that does not hold; steps panic with it.
type problem struct{ text string }

func fail(format string, args ...any) { panic(problem{fmt.Sprintf(format, args...)}) }

func must(err error) {
	if err != nil {
		fail("%v", err)
	}
}

// world is five nodes and the clones of three people, below one folder.
type world struct {
	dir     string
	bin     string
	log     strings.Builder // what was run and said
	nodes   [schedule.Nodes]*machine
	people  [schedule.People]*clone
	history schedule.History
	made    map[string]bool // commits that somebody made
	spy     *gitrepo.Repo   // sees the objects of all repositories
	objects *gitrepo.Objects
	files   map[string]map[string]string // places of a blob
	step    schedule.Step
	lastErr string
}

// machine is one of the nodes: a folder behind an ssh server.
type machine struct {
	w       *world
	name    string
	layout  statedir.Layout
	address string // port, for ever
	port    string // "" while it is off
	own     *clone // a clone on the machine itself
	good    string // where its branch was when nothing was under way
	logTip  string
}

// clone is a clone that somebody works in.
type clone struct {
	w    *world
	who  string
	dir  string
	skew time.Duration
	env  []string
	cut  [schedule.Nodes]bool
	node *machine // of a clone on a machine
}

// template is the network that all worlds begin with, and an ssh key.
var template = sync.OnceValues(func() (dir string, err error) {
	defer func() {
		if p, ok := recover().(problem); ok {
			err = fmt.Errorf("%s", p.text)
		}
	}()
	dir = filepath.Join(base, "template")
	must(os.MkdirAll(filepath.Join(dir, "t"), 0o700))
	w := &world{dir: dir, bin: filepath.Join(base, "bin")}
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, "id")).CombinedOutput(); err != nil {
		return "", fmt.Errorf("ssh-keygen: %w %s", err, out)
	}
	w.gitconfig()
	c := &clone{w: w, who: "Ada", dir: dir}
	c.env = w.env(c.who, c.who)
	c.must("git", "deploy", "init", "home", "home", "--nixpkgs", `nixlib + "/mini"`)
	c.dir = filepath.Join(dir, "home")
	write(c.dir, "network.nix", networkFile)
	write(c.dir, "site.nix", siteFile)
	for n := range schedule.Nodes {
		name := schedule.NodeName(n)
		write(c.dir, "nodes/"+name+".nix", "{ deploy.host = \""+name+"\"; }\n")
		write(c.dir, "data/"+schedule.FaultFile(n), render(schedule.FaultFile(n), map[string]string{schedule.Place(schedule.FaultFile(n), 0): "none at first"}))
	}
	for _, file := range schedule.Files() {
		write(c.dir, "data/"+file, render(file, nil))
	}
	c.must("git", "add", "-A")
	c.must("git", "commit", "-qm", "The network")
	c.must("git", "deploy", "remotes")
	return dir, nil
})

const networkFile = `{ importNodes, nixlib, ... }:
{
  imports = [ (importNodes ./nodes) ];
  network.name = "home";
  network.nixpkgs = nixlib + "/mini";
  defaults = {
    configuration = ./site.nix;
    deploy.user = "root";
    deploy.timeouts.confirm = 3600;
    deploy.timeouts.activate = 600;
    health.command.gate = {
      command = [ "/bin/sh" "-c" ''
        cd "$GIT_DEPLOY_ROOT" || exit 2
        if [ -e gate-health ]; then : > at-health; while [ -e gate-health ]; do /bin/sleep 0.02; done; fi
        read -r slot fault rest < etc/fault
        [ "$fault" != health ]
      '' ];
      timeout = 3600;
      retries = 0;
    };
  };
}
`

// A builder tells its node by where its output goes.
const siteFile = `{ name, pkgs, ... }:
let
  read = file: builtins.readFile (./data + "/${file}");
  fault = read "fault-${name}";
  is = kind: builtins.match "[^ ]+ ${kind} .*\n" fault != null;
in
{
  environment.etc."shared".text = read "shared";
  environment.etc."own".text = read "own-${name}";
  environment.etc."fault".text = if is "evaluate" then throw "broken on purpose" else fault;
  environment.etc."built".source = pkgs.runCommand "built" { own = read "own-${name}"; bad = if is "build" then fault else ""; } ''
    root=''${out%%/nix/store/*}
    if [ -e "$root/gate-build" ]; then : > "$root/at-build"; while [ -e "$root/gate-build" ]; do /bin/sleep 0.02; done; fi
    [ -z "$bad" ] || { echo broken on purpose; exit 1; }
    echo "$own" > $out
  '';
}
`

func write(dir, file, text string) {
	path := filepath.Join(dir, file)
	must(os.MkdirAll(filepath.Dir(path), 0o755))
	must(os.WriteFile(path, []byte(text), 0o644))
}

func (w *world) path(elem ...string) string {
	return filepath.Join(append([]string{w.dir}, elem...)...)
}

func (w *world) gitconfig() {
	write(w.dir, "gitconfig", "[init]\n\tdefaultBranch = main\n[user]\n\tuseConfigOnly = true\n[advice]\n\tdetachedHead = false\n[merge]\n\tconflictStyle = merge\n\trenames = false\n[gc]\n\tauto = 0\n")
}

// env is the environment of a person, or of a machine, whose ssh reads the file of that name.
func (w *world) env(who, ssh string) []string {
	env := testenv.NixEnv(w.path("deployer"))
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); !strings.HasPrefix(name, "GIT_") && !strings.HasPrefix(name, "NIX_") && !strings.HasPrefix(name, "SSH_") {
			env = append(env, kv)
		}
	}
	return append(env,
		"PATH="+w.bin+":"+os.Getenv("PATH"), "HOME="+w.dir, "TMPDIR="+w.path("t"), "XDG_CACHE_HOME="+w.path("cache"),
		"GIT_CONFIG_GLOBAL="+w.path("gitconfig"), "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_EDITOR=true",
		"GIT_SSH_COMMAND=ssh -F "+w.path("ssh-"+ssh), "LC_ALL=C", "NO_COLOR=1",
		"GIT_AUTHOR_NAME="+who, "GIT_AUTHOR_EMAIL="+who+"@example.org", "GIT_COMMITTER_NAME="+who, "GIT_COMMITTER_EMAIL="+who+"@example.org")
}

// newWorld makes a world below base; end removes it.
func newWorld(t testing.TB, number int) *world {
	from, err := template()
	must(err)
	w := &world{dir: filepath.Join(base, fmt.Sprint("w", number)), bin: filepath.Join(base, "bin"), made: map[string]bool{}, files: map[string]map[string]string{}}
	must(os.MkdirAll(w.path("t"), 0o700))
	w.gitconfig()
	for i, name := range schedule.Names {
		c := &clone{w: w, who: name, dir: w.path("clones", name)}
		c.env = w.env(name, name)
		w.people[i] = c
		must(os.CopyFS(c.dir, os.DirFS(filepath.Join(from, "home"))))
	}
	id, err := os.ReadFile(filepath.Join(from, "home/network-id"))
	must(err)
	var wg sync.WaitGroup
	errs := make([]error, schedule.Nodes)
	for i := range w.nodes {
		n := &machine{w: w, name: schedule.NodeName(i)}
		n.layout = statedir.Layout{Root: w.path("nodes", n.name)}
		n.own = &clone{w: w, who: "Root-" + n.name, dir: filepath.Join(n.layout.Root, "root/home"), node: n}
		n.own.env = append(w.env(n.own.who, n.own.who), n.env()...)
		w.nodes[i] = n
		wg.Go(func() {
			defer func() {
				if p, ok := recover().(problem); ok {
					errs[i] = fmt.Errorf("%s", p.text)
				}
			}()
			must(os.MkdirAll(n.own.dir, 0o700))
			n.tool("node", "init", "--network=home", "--id="+strings.TrimSpace(string(id)), "--node="+n.name)
			n.own.must("git", "init", "-q")
			n.own.must("git", "remote", "add", "-t", "main", "origin", n.layout.Repo("home"))
			n.on()
		})
	}
	wg.Wait()
	for _, err := range errs {
		must(err)
	}
	w.ssh()
	w.watchObjects()
	root := w.people[0].head()
	w.history.Add(root, nil, w.tree(root), false)
	w.made[root] = true
	w.people[0].pushes([]int{0, 1, 2}) // the others wait for their first deployment
	w.check()
	return w
}

// end ends all processes of the world and removes it.
func (w *world) end() error {
	if w.objects != nil {
		w.objects.Close()
	}
	return remove(w.dir)
}

// remove ends what has to do with the world in dir, and removes it.
func remove(dir string) error {
	killAll("TMPDIR=" + dir + "/t")
	killAll(statedir.RootEnv + "=" + dir + "/nodes/")
	// The Nix stores are read-only.
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}

// killAll kills all processes with a variable in their environment that begins so.
func killAll(mark string) {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		pids := proc.WithEnv(mark)
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if len(pids) == 0 {
			return
		}
	}
}

// ssh writes how everybody reaches the nodes, or does not.
func (w *world) ssh() {
	from, _ := template()
	known := w.path("known_hosts")
	rest := fmt.Sprintf("Host *\n  HostName 127.0.0.1\n  User root\n  IdentityFile %s\n  IdentitiesOnly yes\n  UserKnownHostsFile %s\n  StrictHostKeyChecking accept-new\n  LogLevel ERROR\n", filepath.Join(from, "id"), known)
	all := append([]*clone{}, w.people[:]...)
	for _, n := range w.nodes {
		all = append(all, n.own)
	}
	for _, c := range all {
		var b strings.Builder
		for i, n := range w.nodes {
			port := n.port
			if port == "" || c.cut[i] {
				port = "1" // nobody answers
			}
			fmt.Fprintf(&b, "Host %s\n  Port %s\n", n.name, port)
		}
		write(w.dir, "ssh-"+c.who, b.String()+rest)
	}
}

func (n *machine) mark() string { return statedir.RootEnv + "=" + n.layout.Root }

// env is what every process of the machine has.
func (n *machine) env() []string {
	return append(testenv.NixEnv(n.layout.Root), n.mark(), "XDG_CACHE_HOME="+filepath.Join(n.layout.Root, "cache"))
}

// tool runs git-deploy on the machine, which must go well.
func (n *machine) tool(args ...string) { n.own.must(filepath.Join(n.w.bin, "git-deploy"), args...) }

// on starts the machine's server. Its address stays the same for ever: those
// who look for it again have it. (Below the ports that the kernel gives to those who ask for any.)
func (n *machine) on() {
	from := filepath.Join(base, "template")
	file := n.w.path(n.name + ".log")
	n.w.eventually(n.name+" serves", func() bool {
		port := n.address
		if port == "" {
			port = fmt.Sprint(20000 + rand.IntN(12000))
		}
		log, err := os.Create(file)
		must(err)
		defer log.Close()
		pid, err := proc.Detach(proc.Cmd{
			Argv: []string{filepath.Join(n.w.bin, "git-deploy"), "serve", "--listen", "127.0.0.1:" + port, "--root", n.layout.Root,
				"--host-key", filepath.Join(n.layout.Root, "host_key"), "--authorized-keys", filepath.Join(from, "id.pub")},
			Dir: n.layout.Root, Env: append(n.env(), "TMPDIR="+n.w.path("t"), "GIT_CONFIG_GLOBAL="+n.w.path("gitconfig"), "GIT_CONFIG_NOSYSTEM=1"), Stdout: log, Stderr: log,
		})
		must(err)
		for {
			said, _ := os.ReadFile(file)
			if bytes.Contains(said, []byte("msg=serving")) {
				n.port, n.address = port, port
				return true
			}
			if bytes.Contains(said, []byte("address already in use")) || !slices.Contains(proc.WithEnv(n.mark()), pid) {
				return false
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
}

// off is the end of the machine's power.
func (n *machine) off() {
	n.port = ""
	n.gate("")
	killAll(n.mark())
	n.w.ssh()
}

// boot is on after off: what boots is up, and what was interrupted is settled.
func (n *machine) boot() {
	must(os.RemoveAll(filepath.Join(n.layout.Root, "run")))
	if system, err := os.Readlink(filepath.Join(n.layout.Root, "boot/default")); err == nil {
		// 4: the unit that recovers is of the real system's tool, and has none here; it is run below.
		if said, code := n.own.run(filepath.Join(system, "bin/switch-to-configuration"), "up"); code != 0 && code != 4 {
			fail("%s does not boot: exit code %d\n%s", n.name, code, said)
		}
		must(os.Symlink(system, n.layout.BootedSystem()))
	}
	n.tool("node", "recover")
	n.on()
	n.w.ssh()
}

// gate holds deployments up at a point, or none at "".
func (n *machine) gate(at string) {
	for _, point := range []string{"build", "health"} {
		_ = os.Remove(filepath.Join(n.layout.Root, "at-"+point))
		if point != at {
			_ = os.Remove(filepath.Join(n.layout.Root, "gate-"+point))
		} else {
			write(n.layout.Root, "gate-"+point, "")
		}
	}
}

// quiet waits until nothing is under way on the machine.
func (n *machine) quiet() { n.w.quiet(n.mark()) }

// quiet waits until nothing is under way on the machines with that mark.
func (w *world) quiet(mark string) {
	w.eventually("nothing is under way where "+mark, func() bool {
		for _, pid := range proc.WithEnv(mark) {
			line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			if len(line) > 0 && !bytes.Contains(line, []byte("\x00serve\x00")) {
				return false
			}
		}
		return true
	})
}

func (w *world) eventually(what string, f func() bool) {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if f() {
			return
		}
	}
	fail("not within %s: %s", limit, what)
}

// command is a command in the clone. Its commits bear the person's clock.
func (c *clone) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	path := name
	if !filepath.IsAbs(name) {
		for _, kv := range c.env {
			if list, ok := strings.CutPrefix(kv, "PATH="); ok {
				for _, dir := range filepath.SplitList(list) {
					if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
						path = filepath.Join(dir, name)
						break
					}
				}
			}
		}
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = c.dir
	when := fmt.Sprintf("%d +0000", time.Now().Add(c.skew).Unix())
	cmd.Env = append(slices.Clone(c.env), "GIT_AUTHOR_DATE="+when, "GIT_COMMITTER_DATE="+when)
	cmd.WaitDelay = limit
	return cmd
}

// run runs a command in the clone and returns what it says and its exit code.
func (c *clone) run(name string, args ...string) (string, int) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var out bytes.Buffer
	cmd := c.command(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if ctx.Err() != nil {
		fail("%s: %s %s does not end:\n%s", c.who, name, strings.Join(args, " "), out.String())
	}
	if cmd.ProcessState == nil {
		fail("%s: %s: %v", c.who, name, err)
	}
	c.w.note(c, cmd.Args, out.String(), cmd.ProcessState.ExitCode())
	return strings.TrimSuffix(out.String(), "\n"), cmd.ProcessState.ExitCode()
}

var notes sync.Mutex

// note remembers for a failure what was run and said.
func (w *world) note(c *clone, argv []string, said string, code int) {
	notes.Lock()
	defer notes.Unlock()
	fmt.Fprintf(&w.log, "%s$ %s %s\n%s(exit code %d)\n", c.who, filepath.Base(argv[0]), strings.Join(argv[1:], " "), said, code)
}

// must runs a command that goes well.
func (c *clone) must(name string, args ...string) string {
	out, code := c.run(name, args...)
	if code != 0 {
		fail("%s: %s %s exits with %d:\n%s", c.who, name, strings.Join(args, " "), code, out)
	}
	return out
}

// head is the tip of the clone's branch, "" while it has none.
func (c *clone) head() string { return refs(filepath.Join(c.dir, ".git"))["refs/heads/main"] }
