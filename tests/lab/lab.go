//go:build linux

// Package lab is test hosts: Linux systems with their own network, root,
// processes, host keys and Nix store, on the machine that runs the tests.
//
// A test binary whose TestMain calls Main runs inside private namespaces: its
// root is a tmpfs with the machine's folders bound into it, so bridge, mounts,
// hosts, temporary files and the deployer's own /nix exist for that binary
// alone, and all of it ends with the binary, however that ends. Hosts are on
// one bridge at 10.77.0.0/16 and fd77::/64; the test itself is the deployer, 10.77.0.1.
//
// A host of tier A or B is not a virtual machine: it shares the machine's kernel, and its
// root is an overlay over the machine's own root (or over Options.Root), with
// the machine's homes, keys and Nix store hidden. Tier A runs busybox init and
// sshd and answers after about a quarter of a second; tier B runs real systemd
// in a cgroup of its own. Tier C is a machine: user-mode Linux on an ext4 disk,
// with a clock, a memory and reboots of its own; losing power loses what was
// not written. It answers after about four seconds.
package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/internal/testenv"
)

// Lab is the hosts of one test, and what is needed to reach them.
type Lab struct {
	t   testing.TB
	dir string

	mu    sync.Mutex
	hosts map[string]*Host
	known bytes.Buffer
}

// lastHost numbers the hosts of the whole test binary; they share one bridge.
var lastHost atomic.Int64

// New returns a lab without hosts. It skips the test (in CI: fails it) where
// the machine cannot have test hosts. Everything goes when the test ends.
func New(t testing.TB) *Lab {
	t.Helper()
	if err := enterError(); err != nil {
		testenv.Missing(t, "the right to make namespaces ("+err.Error()+")")
	}
	testenv.Need(t, "ip", "nsenter", "ssh", "ssh-keygen", "busybox", "git")
	dir, err := os.MkdirTemp("", "lab")
	if err != nil {
		t.Fatal(err)
	}
	l := &Lab{t: t, dir: dir, hosts: map[string]*Host{}}
	t.Cleanup(l.close)
	l.must(os.WriteFile(l.path("hosts"), []byte("127.0.0.1 localhost\n::1 localhost\n10.77.0.1 deployer\n"), 0o644))
	l.must(os.WriteFile(l.KnownHosts(), nil, 0o644))
	l.must(os.WriteFile(l.SSHConfig(), nil, 0o644))
	l.must(keygen(l.Key(), "deployer"))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.must(l.writeSSH())
	return l
}

func (l *Lab) path(name string) string { return filepath.Join(l.dir, name) }

// Key is the deployer's private ssh key; root on every host accepts it.
func (l *Lab) Key() string { return l.path("id") }

// SSHConfig is the ssh configuration with every host by name: use it as
// GIT_SSH_COMMAND="ssh -F FILE". It is written anew when a host is added.
func (l *Lab) SSHConfig() string { return l.path("ssh_config") }

// KnownHosts is the known_hosts file that SSHConfig names.
func (l *Lab) KnownHosts() string { return l.path("known_hosts") }

// Get returns the host of that name, or nil.
func (l *Lab) Get(name string) *Host {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hosts[name]
}

// Names returns the hosts' names in order.
func (l *Lab) Names() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := make([]string, 0, len(l.hosts))
	for name := range l.hosts {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// SSH returns the command `ssh -F … ARGS`.
func (l *Lab) SSH(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "ssh", append([]string{"-F", l.SSHConfig()}, args...)...)
}

// Env is what git, ssh and Nix need of the environment to work in this lab.
func (l *Lab) Env() []string {
	return []string{
		"GIT_SSH_COMMAND=ssh -F " + l.SSHConfig(),
		"NIX_CONF_DIR=" + nixConfDir,
		"NIX_PATH=",
	}
}

// must ends the test when the harness itself fails.
func (l *Lab) must(err error) {
	if err != nil {
		l.t.Helper()
		l.t.Fatalf("lab: %v", err)
	}
}

// writeSSH writes ssh_config, known_hosts and the hosts' /etc/hosts.
func (l *Lab) writeSSH() error {
	var config, hosts strings.Builder
	hosts.WriteString("127.0.0.1 localhost\n::1 localhost\n10.77.0.1 deployer\n")
	for _, h := range l.hosts {
		fmt.Fprintf(&config, "Host %s\n  HostName %s\n", h.Name, h.Addr)
		fmt.Fprintf(&hosts, "%s %s\n", h.Addr, h.Name)
	}
	fmt.Fprintf(&config, `Host *
  User root
  IdentityFile %s
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile %s
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  PasswordAuthentication no
  ConnectTimeout 5
`, l.Key(), l.KnownHosts())
	for name, text := range map[string]string{l.SSHConfig(): config.String(), l.KnownHosts(): l.known.String()} {
		if err := replaceFile(name, text); err != nil {
			return err
		}
	}
	// In place: hosts have this very file bound to their /etc/hosts.
	return os.WriteFile(l.path("hosts"), []byte(hosts.String()), 0o644)
}

// replaceFile changes a file that others read at any moment.
func replaceFile(name, text string) error {
	if err := os.WriteFile(name+".new", []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// close ends all hosts and removes their disks.
func (l *Lab) close() {
	var wg sync.WaitGroup
	for _, name := range l.Names() {
		h := l.Get(name)
		if l.t.Failed() {
			l.t.Logf("console of %s:\n%s", name, tail(h.consoleFile(), 4096))
		}
		wg.Go(h.remove)
	}
	wg.Wait()
	if err := os.RemoveAll(l.dir); err != nil {
		l.t.Errorf("lab: %v", err)
	}
}

// tail returns the last n bytes of a file.
func tail(name string, n int) string {
	b, err := os.ReadFile(name)
	if err != nil {
		return err.Error()
	}
	if len(b) > n {
		b = b[len(b)-n:]
	}
	return string(b)
}

// Eventually runs f until it returns nil, and returns its last error after limit.
func Eventually(limit time.Duration, f func() error) error {
	deadline := time.Now().Add(limit)
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		err := f()
		if err == nil || time.Now().Add(pause).After(deadline) {
			return err
		}
		time.Sleep(pause)
	}
}

// keygen makes an ssh key pair.
func keygen(file, comment string) error {
	return run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", file)
}

// run runs a program of the machine and returns what it said when it fails.
func run(argv ...string) error { return runInput("", argv...) }

func runInput(stdin string, argv ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), tryLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.WaitDelay = time.Second
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
