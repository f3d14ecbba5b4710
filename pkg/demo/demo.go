// Package demo runs a small network on this machine: three nodes behind
// embedded ssh servers, each with its own folder, Nix store and web service.
// It is not a simulation: git, the hooks, Nix and the activation are the real
// ones, only the machines are folders.
//
// Everything lies below one folder, and every process that belongs to it has
// that folder in its environment, so that Clean finds them all.
package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/proc"
	"github.com/git-deploy/git-deploy/pkg/statedir"
	"github.com/git-deploy/git-deploy/pkg/transport"
)

// Options say where and how.
type Options struct {
	Dir    string // "": Dir()
	Tool   string // path of git-deploy; git-remote-node lies beside it
	Out    *os.File
	Errors *os.File
}

// Dir is the demo's folder: one for each user, so that Clean finds it.
func Dir() string {
	return filepath.Join(os.TempDir(), "git-deploy-demo-"+strconv.Itoa(os.Getuid()))
}

// node is one machine of the demo.
type node struct {
	name      string
	ssh, site int // ports
}

// demo is a demo that runs.
type demo struct {
	Options
	nodes []*node
	env   []string
}

func (d *demo) clone() string           { return filepath.Join(d.Dir, "home") }
func (d *demo) root(n *node) string     { return filepath.Join(d.Dir, "nodes", n.name) }
func (d *demo) file(name string) string { return filepath.Join(d.Dir, name) }
func (d *demo) node(name string) *node {
	for _, n := range d.nodes {
		if n.name == name {
			return n
		}
	}
	return nil
}

// Run sets the network up, tells its story, and leaves it running.
func Run(ctx context.Context, o Options) error {
	if o.Dir == "" {
		o.Dir = Dir()
	}
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return err
	}
	for _, program := range []string{"git", "ssh", "ssh-keygen", "nix-build", "busybox"} {
		if _, err := proc.Find(program); err != nil {
			return fail.New(fail.Failed, err, "make demo    # installs what is missing on Debian and Ubuntu")
		}
	}
	if err := Clean(o.Dir); err != nil {
		return err
	}
	d := &demo{Options: o}
	if err = d.setUp(ctx); err == nil {
		err = d.story(ctx)
	}
	if err != nil {
		return fail.New(fail.CodeOf(err), err, d.cleaning()+"    # or look around in "+o.Dir)
	}
	d.farewell()
	return nil
}

// cleaning is the command that removes this demo, wherever it and the tool are.
func (d *demo) cleaning() string {
	argv := []string{"git", "deploy", "demo", "--clean"}
	if found, err := proc.Find("git-deploy"); err != nil || found != d.Tool {
		argv = []string{d.Tool, "demo", "--clean"}
	}
	if d.Dir != Dir() {
		argv = append(argv, "--dir", d.Dir)
	}
	line, err := transport.CommandLine(argv)
	if err != nil { // no path holds a NUL
		return strings.Join(argv, " ")
	}
	return line
}

func (d *demo) setUp(ctx context.Context) error {
	if err := os.MkdirAll(d.file("ssh"), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(d.file(mark), nil, 0o600); err != nil {
		return err
	}
	keygen := proc.Cmd{Argv: []string{"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "demo", "-f", d.file("ssh/id")}}
	if err := proc.Run(ctx, keygen); err != nil {
		return fmt.Errorf("make an ssh key: %w", err)
	}
	ports, err := freePorts(6)
	if err != nil {
		return err
	}
	for i, name := range []string{"alice-laptop", "web", "gateway"} {
		d.nodes = append(d.nodes, &node{name: name, ssh: ports[2*i], site: ports[2*i+1]})
	}
	// The demo's own ssh configuration: the user's is neither read nor written.
	config := fmt.Sprintf("Host *\n  User root\n  IdentityFile %s\n  IdentitiesOnly yes\n  UserKnownHostsFile %s\n  StrictHostKeyChecking accept-new\n  LogLevel ERROR\n",
		d.file("ssh/id"), d.file("ssh/known_hosts"))
	if err := os.WriteFile(d.file("ssh/config"), []byte(config), 0o600); err != nil {
		return err
	}
	d.env = []string{
		"PATH=" + filepath.Dir(d.Tool) + ":" + os.Getenv("PATH"),
		"GIT_SSH_COMMAND=ssh -F " + d.file("ssh/config"),
		"GIT_CONFIG_GLOBAL=" + d.file("gitconfig"),
		"GIT_CONFIG_NOSYSTEM=1",
		"XDG_CACHE_HOME=" + d.file("cache"),
	}
	d.env = append(d.env, nixEnv(d.file("deployer"))...)
	gitconfig := "[user]\n\tname = You\n\temail = you@example.org\n[init]\n\tdefaultBranch = main\n[advice]\n\tdetachedHead = false\n"
	if err := os.WriteFile(d.file("gitconfig"), []byte(gitconfig), 0o600); err != nil {
		return err
	}
	var script strings.Builder
	script.WriteString("# . this file to work in the demo's network\n")
	for _, kv := range d.env {
		name, value, _ := strings.Cut(kv, "=")
		fmt.Fprintf(&script, "export %s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`))
	}
	if err := os.WriteFile(d.file(mark), []byte(script.String()), 0o600); err != nil {
		return err
	}
	for _, n := range d.nodes {
		if err := d.startServer(n); err != nil {
			return fmt.Errorf("start the node %s: %w", n.name, err)
		}
	}
	for _, n := range d.nodes {
		if err := waitPort(ctx, n.ssh); err != nil {
			log, _ := os.ReadFile(d.file(n.name + ".log"))
			return fmt.Errorf("the node %s does not answer: %w\n%s", n.name, err, log)
		}
	}
	return nil
}

// startServer starts the embedded ssh server of one node, which stands for the machine.
func (d *demo) startServer(n *node) error {
	root := d.root(n)
	if err := os.MkdirAll(root, 0o700); err != nil {
		return err
	}
	log, err := os.OpenFile(d.file(n.name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	env := append(nixEnv(root), statedir.RootEnv+"="+root, "XDG_CACHE_HOME="+filepath.Join(root, "cache"))
	_, err = proc.Detach(proc.Cmd{
		Argv: []string{
			d.Tool, "serve", "--listen", "127.0.0.1:" + strconv.Itoa(n.ssh), "--root", root,
			"--host-key", filepath.Join(root, "ssh_host_ed25519_key"), "--authorized-keys", d.file("ssh/id.pub"),
		},
		Dir: root, Env: env, Stdout: log, Stderr: log,
	})
	return err
}

// nixEnv is the environment of a Nix store below dir, which needs neither
// root nor /nix and asks no substituter: everything of the demo is built here.
func nixEnv(dir string) []string {
	return []string{
		"NIX_STORE_DIR=" + filepath.Join(dir, "nix/store"),
		"NIX_STATE_DIR=" + filepath.Join(dir, "nix/var/nix"),
		"NIX_LOG_DIR=" + filepath.Join(dir, "nix/var/log/nix"),
		"NIX_CONF_DIR=" + filepath.Join(dir, "nix/etc"),
		"NIX_REMOTE=", "NIX_PATH=",
		"NIX_CONFIG=substituters =\nsandbox = false\nbuild-users-group =\nexperimental-features = nix-command flakes",
	}
}

// freePorts returns n ports of the loopback device that are free now.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // at the end, so that all differ
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

func waitPort(ctx context.Context, port int) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		conn, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// mark is the file that tells the demo's folder from others; it is there first.
const mark = "env.sh"

// Clean ends every process of the demo in dir and removes the folder.
func Clean(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if !ours(dir) {
		return fail.New(fail.Failed, fmt.Errorf("%s is not a folder of yours, so it is not the demo's", dir), "remove it by hand")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 && !slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == mark }) {
		return fail.New(fail.Usage, fmt.Errorf("%s is not empty, and no demo was there: it is left alone", dir), "git deploy demo --dir FOLDER    # one that is empty, or not there yet")
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		pids := processes(dir)
		for _, pid := range pids {
			_ = syscall.Kill(pid, signal)
		}
		for deadline := time.Now().Add(3 * time.Second); len(pids) > 0 && time.Now().Before(deadline); pids = processes(dir) {
			time.Sleep(20 * time.Millisecond)
		}
	}
	// The Nix stores are read-only.
	_ = filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}

// ours guards against another user's folder, or a link, at a well-known place.
func ours(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Getuid()
}

// processes finds all processes whose root prefix is a node of the demo in dir.
func processes(dir string) []int {
	return proc.WithEnv(statedir.RootEnv + "=" + dir + "/nodes/")
}
