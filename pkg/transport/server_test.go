package transport

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/internal/testenv"
	gossh "golang.org/x/crypto/ssh"
)

// ssh runs a command line through plain ssh.
func (h *host) ssh(t testing.TB, stdin string, args ...string) (out string, code int) {
	t.Helper()
	write(t, filepath.Join(h.dir, "user_known_hosts"), fmt.Sprintf("[127.0.0.1]:%d %s\n", h.addr.Port, h.hostKey))
	cmd := exec.Command("ssh", append([]string{"-F", h.sshConfig, "-p", itoa(h.addr.Port), h.addr.login()}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(b), exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(b), 0
}

func TestServerRefuses(t *testing.T) {
	h := embedded(t)
	for _, test := range []struct{ line, says string }{
		{"", "has no shell"},
		{"bash", "not a command that this node runs"},
		{"ls -l", "not a command"},
		{"git-deploy node args; id", "only one command"},
		{"git-deploy node args $(id)", "only plain words"},
		{"git-deploy node args $HOME", "only plain words"},
		{"git-deploy node args *", "only plain words"},
		{"git-deploy node args > file", "only one command"},
		{"A=b git-deploy node args", "only one command"},
		{"git-deploy node args && true", "only one command"},
		{"git-deploy node args &", "only one command"},
		{"git-deploy push", "not a command"},
		{"git-deploy", "not a command"},
		{"git-receive-pack --help", "network name"},
		{"git-upload-pack '../../etc'", "network name"},
		{"git-upload-archive '/home'", "not a command"},
		{"git-receive-pack", "not a command"},
		{"nix-store --delete /nix/store/x", "not a command"},
		{"nix-store --import --option x y", "not a command"},
		{"scp -t /", "not a command"},
		{"'", "not a plain command line"},
	} {
		args := []string{}
		if test.line != "" {
			args = append(args, "--", test.line)
		}
		out, code := h.ssh(t, "", args...)
		if code == 0 || code == 255 || !strings.Contains(out, "git-deploy: error: ") || !strings.Contains(out, test.says) {
			t.Errorf("%s: exit %d, %s", test.line, code, out)
		}
	}
	if out, code := h.ssh(t, "", "true"); code != 0 || out != "" {
		t.Errorf("true: %d %s", code, out)
	}
	if out, code := h.ssh(t, "", "sudo -n -- /var/lib/git-deploy/bin/git-deploy node args a 'b c'"); code != 0 || out != `["a","b c"]` {
		t.Errorf("%d %s", code, out)
	}
	cmd := exec.Command("ssh", "-F", h.sshConfig, "-p", itoa(h.addr.Port), "-N", "-o", "ExitOnForwardFailure=yes", "-R", "0:localhost:1", h.addr.login())
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Errorf("forwarding works: %s", out)
	}
	cmd = exec.Command("ssh", "-F", h.sshConfig, "-p", itoa(h.addr.Port), "-s", h.addr.login(), "sftp")
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Errorf("a subsystem works: %s", out)
	}
}

func TestServerEnvironment(t *testing.T) {
	t.Setenv("SSH_AUTH_SOCK", "/ours")
	t.Setenv("GIT_DIR", "/ours")
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	h := embedded(t)
	tr := h.dial(t, h.options(t))
	var out bytes.Buffer
	t.Setenv("GIT_PROTOCOL", "version=2")
	printed, code := h.ssh(t, "", "-o", "SendEnv=GIT_PROTOCOL", "-o", "SetEnv=LD_X=evil", "git-deploy node env SSH_CONNECTION SSH_CLIENT GIT_PROTOCOL GIT_DEPLOY_ROOT GIT_DEPLOY_HOST_KEYS SSH_AUTH_SOCK GIT_DIR LD_X")
	if code != 0 {
		t.Fatal(printed)
	}
	out.WriteString(printed)
	got := map[string]string{}
	for line := range strings.Lines(out.String()) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		got[name] = value
	}
	if f := strings.Fields(got["SSH_CONNECTION"]); len(f) != 4 || f[0] != "127.0.0.1" || f[2] != "127.0.0.1" {
		t.Errorf("SSH_CONNECTION=%s", got["SSH_CONNECTION"])
	}
	if len(strings.Fields(got["SSH_CLIENT"])) != 3 || got["GIT_PROTOCOL"] != "version=2" || got["GIT_DEPLOY_ROOT"] != filepath.Join(h.dir, "root") || got["GIT_DEPLOY_HOST_KEYS"] != h.hostKey {
		t.Errorf("%q", got)
	}
	if got["SSH_AUTH_SOCK"]+got["GIT_DIR"]+got["LD_X"] != "" {
		t.Errorf("%q", got)
	}
	out.Reset()
	if err := tr.Run(t.Context(), Command{Argv: tr.Tool("node", "authinfo"), Stdout: &out}); err != nil {
		t.Fatal(err)
	}
	public, _ := os.ReadFile(h.key + ".pub")
	if out.String() != "publickey "+strings.Join(strings.Fields(string(public))[:2], " ")+"\n" {
		t.Errorf("SSH_USER_AUTH: %q", out.String())
	}
	waitFor(t, "the auth files to go", func() bool {
		left, err := filepath.Glob(filepath.Join(tmp, "git-deploy-auth-*", "*"))
		return err == nil && len(left) == 0
	})
	h.stop()
	if left, err := filepath.Glob(filepath.Join(tmp, "git-deploy-auth-*")); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}

// TestAuthInfoOfSSHD: the same from sshd, whose format ours is.
func TestAuthInfoOfSSHD(t *testing.T) {
	h := sshd(t)
	tr := h.dial(t, h.options(t))
	var out bytes.Buffer
	if err := tr.Run(t.Context(), Command{Argv: tr.Tool("node", "authinfo"), Stdout: &out}); err != nil {
		t.Fatal(err)
	}
	public, _ := os.ReadFile(h.key + ".pub")
	if out.String() != "publickey "+strings.Join(strings.Fields(string(public))[:2], " ")+"\n" {
		t.Errorf("%q", out.String())
	}
}

// TestOfferedKeyIsNotIdentity: a client that offers the public key of another
// authorized person, before or after its own, is known by the key that signs.
func TestOfferedKeyIsNotIdentity(t *testing.T) {
	h := embedded(t)
	theirs := testSigner(t)
	mine, _ := os.ReadFile(h.key + ".pub")
	write(t, h.authFile, keyLine(theirs.PublicKey())+"\n"+string(mine))
	public := filepath.Join(h.dir, "theirs.pub") // ssh offers it, and finds no private key when it is accepted
	write(t, public, keyLine(theirs.PublicKey())+"\n")
	config := "IdentitiesOnly yes\nIdentityAgent none\nUserKnownHostsFile " + filepath.Join(h.dir, "user_known_hosts") + "\n"
	for _, identities := range []string{
		"IdentityFile " + public + "\nIdentityFile " + h.key,
		"IdentityFile " + h.key + "\nIdentityFile " + public,
	} {
		write(t, h.sshConfig, config+identities+"\n")
		out, code := h.ssh(t, "", "git-deploy node authinfo")
		if !strings.HasSuffix(strings.TrimSpace(out), "publickey "+strings.Join(strings.Fields(string(mine))[:2], " ")) {
			t.Errorf("%s: %d %q", identities, code, out)
		}
	}
	write(t, h.sshConfig, config+"IdentityFile "+public+"\n")
	if out, code := h.ssh(t, "", "git-deploy node authinfo"); code != 255 {
		t.Errorf("a public key alone logs in: %s", out)
	}
	if log := h.log.String(); strings.Contains(log, "msg=login client") && strings.Contains(log, "user=root key="+gossh.FingerprintSHA256(theirs.PublicKey())) {
		t.Errorf("the log names the other key:\n%s", log)
	}
}

func testSigner(t testing.TB) gossh.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := gossh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAuthorizedKeyOptions(t *testing.T) {
	key := testSigner(t).PublicKey()
	client := &net.TCPAddr{IP: net.ParseIP("192.0.2.7"), Port: 1}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		options string
		ok      bool
	}{
		{"", true},
		{"restrict,no-pty,permitopen=\"*:1\",environment=\"A=b\" ", true},
		{`command="true" `, true},
		{`command="echo \"a,b\" c" `, true},
		{`expiry-time="20261124" `, true},
		{`expiry-time="202611231159Z" `, false},
		{`expiry-time="20261123120001Z" `, true},
		{`expiry-time="soon" `, false},
		{`from="192.0.2.0/24" `, true},
		{`from="192.0.2.*,10.0.0.1" `, true},
		{`from="192.0.2.0/24,!192.0.2.7" `, false},
		{`from="*.example.org" `, false},
		{`from="2001:db8::/32" `, false},
		{"cert-authority ", false},
		{"verify-required ", false},
		{`tunnel="1" `, false},
		{"no-such-option ", false},
	} {
		file := filepath.Join(t.TempDir(), "keys")
		write(t, file, "# comment\n\nnonsense\n"+test.options+keyLine(key)+" somebody\n")
		entry, err := findAuthorized(file, key, client, now)
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", test.options, err)
		}
		if test.ok && entry.Comment != "somebody" {
			t.Errorf("%s: %+v", test.options, entry)
		}
		if strings.HasPrefix(test.options, `command="echo`) && entry.Command != `echo "a,b" c` {
			t.Errorf("command %q", entry.Command)
		}
	}
	// A refused line does not hide a good one.
	file := filepath.Join(t.TempDir(), "keys")
	write(t, file, `expiry-time="20200101" `+keyLine(key)+"\n"+keyLine(key)+"\n")
	if _, err := findAuthorized(file, key, client, now); err != nil {
		t.Error(err)
	}
}

func TestKeysAreReadAnew(t *testing.T) {
	h := embedded(t)
	tr := h.dial(t, h.options(t))
	if err := ping(t, tr); err != nil {
		t.Fatal(err)
	}
	content, _ := os.ReadFile(h.authFile)
	write(t, h.authFile, "")
	err := ping(t, tr)
	if err == nil || !strings.Contains(err.Error(), "no longer authorized") {
		t.Errorf("a key that was taken away runs a command over an old connection: %v", err)
	}
	if err := ping(t, tr.Fresh()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("and logs in: %v", err)
	}
	write(t, h.authFile, `command="git-deploy node env SSH_ORIGINAL_COMMAND" `+string(content))
	var out bytes.Buffer
	if err := tr.Run(t.Context(), Command{Argv: []string{"true"}, Stdout: &out}); err != nil || out.String() != "SSH_ORIGINAL_COMMAND=true\n" {
		t.Errorf("forced command: %q, %v", out.String(), err)
	}
}

// TestSessionEndsItsCommand: closing one of several sessions of a connection kills its command and no other.
func TestSessionEndsItsCommand(t *testing.T) {
	h := embedded(t)
	signer, err := os.ReadFile(h.key)
	if err != nil {
		t.Fatal(err)
	}
	key, err := gossh.ParsePrivateKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	client, err := gossh.Dial("tcp", net.JoinHostPort("127.0.0.1", itoa(h.addr.Port)), &gossh.ClientConfig{
		User: "x", HostKeyCallback: gossh.InsecureIgnoreHostKey(), Auth: []gossh.AuthMethod{gossh.PublicKeys(key)}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	start := func(verb string) (*gossh.Session, int) {
		s, err := client.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		out := &syncBuffer{}
		s.Stdout = out
		if err := s.Start("git-deploy node " + verb); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "the command to start", func() bool { return strings.Contains(out.String(), "\n") })
		pid, _ := strconv.Atoi(strings.TrimSpace(out.String()))
		return s, pid
	}
	first, firstPid := start("hang")
	_, secondPid := start("hang")
	_, stubbornPid := start("stubborn")
	first.Close()
	waitFor(t, "the first command to end", func() bool { return !processAlive(firstPid) })
	if !processAlive(secondPid) {
		t.Error("the other session's command ended too")
	}
	third, _ := start("hang")
	if err := third.Signal(gossh.SIGTERM); err != nil {
		t.Error(err)
	}
	var exit *gossh.ExitError
	if err := third.Wait(); !errors.As(err, &exit) || exit.Signal() != "TERM" {
		t.Errorf("after SIGTERM: %v", err)
	}
	h.stop() // ends the server; all commands must be gone then
	if processAlive(secondPid) || processAlive(stubbornPid) {
		t.Error("a command outlives the server")
	}
}

func TestHostKeyFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dir", "key")
	s := &Server{HostKeyFile: file}
	first, err := s.HostPublicKey()
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	if again, err := (&Server{HostKeyFile: file}).HostPublicKey(); err != nil || again != first {
		t.Errorf("%s, %v", again, err)
	}
	testenv.Need(t, "ssh-keygen")
	if out, err := exec.Command("ssh-keygen", "-y", "-f", file).Output(); err != nil || !strings.HasPrefix(string(out), first) {
		t.Errorf("ssh-keygen: %s, %v", out, err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.HostPublicKey(); err == nil || !strings.Contains(err.Error(), "others can read it") {
		t.Error(err)
	}
}

func TestLoginTime(t *testing.T) {
	h := embedded(t, func(s *Server) { s.LoginTime = 100 * time.Millisecond })
	c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", itoa(h.addr.Port)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := inTime(t, func() error { _, err := io.ReadAll(c); return err }); err != nil {
		t.Error(err)
	}
}

// TestVanishedClient: a client that answers nothing any more loses its connection, and its command ends.
func TestVanishedClient(t *testing.T) {
	h := embedded(t, func(s *Server) { s.Alive = 300 * time.Millisecond })
	cmd := exec.Command("ssh", "-F", h.sshConfig, "-p", itoa(h.addr.Port), "-o", "StrictHostKeyChecking=no", h.addr.login(), "git-deploy node hang")
	out := &syncBuffer{}
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	waitFor(t, "the command to start", func() bool { return strings.Contains(out.String(), "\n") })
	pid, _ := strconv.Atoi(strings.TrimSpace(out.String()))
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the command to end", func() bool { return !processAlive(pid) })
}

// TestNixCopies: what copying a closure takes goes through the server, and Nix's own copy too.
func TestNixCopies(t *testing.T) {
	testenv.Need(t, "nix-store", "nix-build")
	to := t.TempDir()
	t.Cleanup(func() { _ = exec.Command("chmod", "-R", "u+w", to).Run() })
	h := embedded(t, func(s *Server) { s.Env = append(s.Env, testenv.NixEnv(to)...) })
	nix := func(env []string, args ...string) string {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = append(os.Environ(), env...)
		out, err := cmd.Output()
		if err != nil {
			var exit *exec.ExitError
			errors.As(err, &exit)
			t.Fatalf("%q: %v\n%s", args, err, exit.Stderr)
		}
		return strings.TrimSpace(string(out))
	}
	env := testenv.NixEnv(to)
	path := nix(env, "nix-build", "--no-out-link", "-E", `derivation { name = "x"; system = builtins.currentSystem; builder = "/bin/sh"; args = ["-c" "echo hi >$out"]; }`)
	var export bytes.Buffer
	tr := h.dial(t, h.options(t))
	if err := tr.Run(t.Context(), Command{Argv: []string{"nix-store", "--export", path}, Stdout: &export}); err != nil || !bytes.Contains(export.Bytes(), []byte(path)) {
		t.Fatalf("export: %d bytes, %v", export.Len(), err)
	}
	if err := tr.Run(t.Context(), Command{Argv: []string{"nix-store", "--import", "--sync-before-registering"}, Stdin: bytes.NewReader(export.Bytes())}); err != nil {
		t.Errorf("import: %v", err)
	}
	if n := h.proxy.count.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
	// Nix's own ssh store, as a deployer without the tool would use it.
	h.ssh(t, "", "true")
	env = append(env, "NIX_SSHOPTS=-F "+h.sshConfig+" -p "+itoa(h.addr.Port))
	nix(env, "nix-copy-closure", "--to", h.addr.login(), path)
}
