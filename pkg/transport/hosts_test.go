package transport

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// host is an ssh server for a test, behind a proxy that counts connections.
type host struct {
	dir       string
	addr      Address // of the proxy
	key       string  // the client's private key
	hostKey   string  // public
	proxy     *countingProxy
	authFile  string
	embedded  bool
	sshConfig string
	stop      func()
	log       *syncBuffer
}

// options for the user's ssh: a configuration of their own, as GIT_SSH_COMMAND gives it.
func (h *host) options(t testing.TB) Options {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if h.embedded {
		exe = "" // the embedded server knows its own tool
	}
	no := false
	return Options{
		SSHCommand:       "ssh -F " + h.sshConfig,
		HostKeyAlias:     "web",
		KnownHosts:       "web " + h.hostKey + "\n",
		SharedConnection: true,
		Tool:             exe,
		Sudo:             &no,
	}
}

func (h *host) dial(t testing.TB, opts Options) Transport {
	t.Helper()
	tr, err := Dial(t.Context(), h.addr, opts)
	if err != nil {
		t.Fatalf("dial: %v\n%s", err, h.log)
	}
	t.Cleanup(func() { tr.Close() })
	return tr
}

func keygen(t testing.TB, file string) (public string) {
	t.Helper()
	testenv.Need(t, "ssh-keygen", "ssh")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
	b, err := os.ReadFile(file + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func newHost(t testing.TB) *host {
	t.Helper()
	dir := t.TempDir()
	h := &host{dir: dir, key: filepath.Join(dir, "id"), authFile: filepath.Join(dir, "authorized_keys"), log: &syncBuffer{}}
	write(t, h.authFile, keygen(t, h.key)+"\n")
	return h
}

// clientConfig writes the user's ssh configuration.
func (h *host) clientConfig(t testing.TB, backend string) {
	t.Helper()
	h.proxy = newProxy(t, backend)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	h.addr = Address{User: me.Username, Host: "127.0.0.1", Port: h.proxy.port()}
	h.sshConfig = filepath.Join(h.dir, "ssh_config")
	write(t, h.sshConfig, fmt.Sprintf("IdentityFile %s\nIdentitiesOnly yes\nIdentityAgent none\nUserKnownHostsFile %s\nGlobalKnownHostsFile /dev/null\nStrictHostKeyChecking yes\n",
		h.key, filepath.Join(h.dir, "user_known_hosts")))
}

// sshd starts the system's sshd with further lines of configuration.
func sshd(t testing.TB, lines ...string) *host {
	t.Helper()
	program, err := exec.LookPath("sshd")
	if err != nil {
		if program = "/usr/sbin/sshd"; !exists(program) {
			testenv.Missing(t, "sshd")
		}
	}
	h := newHost(t)
	h.hostKey = keygen(t, filepath.Join(h.dir, "hostkey"))
	home := filepath.Join(h.dir, "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		_ = os.MkdirAll("/run/sshd", 0o755) // sshd's privilege separation wants it
	}
	port := freePort(t)
	config := append(lines, "Port "+port, "ListenAddress 127.0.0.1", "HostKey "+filepath.Join(h.dir, "hostkey"),
		"AuthorizedKeysFile "+h.authFile, "StrictModes no", "UsePAM no", "PidFile none", "PasswordAuthentication no", "KbdInteractiveAuthentication no",
		"PermitRootLogin yes", "ExposeAuthInfo yes", "AcceptEnv GIT_PROTOCOL TEST_*", "PermitUserRC no",
		"SetEnv HOME="+home+" TEST_REPOS="+filepath.Join(h.dir, "repos")+" PATH="+os.Getenv("PATH"))
	write(t, filepath.Join(h.dir, "sshd_config"), strings.Join(config, "\n")+"\n")
	cmd := exec.Command(program, "-D", "-e", "-f", filepath.Join(h.dir, "sshd_config"))
	cmd.Stderr = h.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h.stop = sync.OnceFunc(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	t.Cleanup(h.stop)
	waitFor(t, "sshd to listen", func() bool { return listening("127.0.0.1:" + port) })
	h.clientConfig(t, "127.0.0.1:"+port)
	return h
}

// embedded starts our own server.
func embedded(t testing.TB, change ...func(*Server)) *host {
	t.Helper()
	h := newHost(t)
	h.embedded = true
	s := &Server{
		HostKeyFile:    filepath.Join(h.dir, "state", "hostkey"),
		AuthorizedKeys: []string{h.authFile},
		Layout:         statedir.Layout{Root: filepath.Join(h.dir, "root")},
		Env:            []string{"TEST_REPOS=" + filepath.Join(h.dir, "repos")},
		Log:            slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range change {
		f(s)
	}
	var err error
	if h.hostKey, err = s.HostPublicKey(); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("server: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the server does not end")
		}
	})
	t.Cleanup(h.stop)
	h.clientConfig(t, l.Addr().String())
	return h
}

// countingProxy passes TCP connections on, counts them, and can cut them.
type countingProxy struct {
	l       net.Listener
	backend string
	count   atomic.Int64 // so far
	open    atomic.Int64 // now
	mu      sync.Mutex
	conns   []net.Conn
}

func newProxy(t testing.TB, backend string) *countingProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &countingProxy{l: l, backend: backend}
	t.Cleanup(func() { l.Close(); p.cut() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.count.Add(1)
			go p.serve(c)
		}
	}()
	return p
}

func (p *countingProxy) serve(c net.Conn) {
	p.open.Add(1)
	defer p.open.Add(-1)
	b, err := net.Dial("tcp", p.backend)
	if err != nil {
		c.Close()
		return
	}
	p.mu.Lock()
	p.conns = append(p.conns, c, b)
	p.mu.Unlock()
	go func() { _, _ = io.Copy(b, c); b.Close() }()
	_, _ = io.Copy(c, b)
	c.Close()
}

func (p *countingProxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

func (p *countingProxy) port() int { return p.l.Addr().(*net.TCPAddr).Port }

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func write(t testing.TB, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

func listening(addr string) bool {
	c, err := net.Dial("tcp", addr)
	if err == nil {
		c.Close()
	}
	return err == nil
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
