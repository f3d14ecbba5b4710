package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/proc"
	"golang.org/x/sync/errgroup"
)

func ping(t testing.TB, tr Transport) error {
	t.Helper()
	return tr.Run(t.Context(), Command{Argv: tr.Tool("node", "args"), Marked: true})
}

// wantUnreachable checks the error of a failed connection, of Dial or of the first command.
func wantUnreachable(t *testing.T, h *host, addr Address, opts Options, want Reason, words string) {
	t.Helper()
	for _, shared := range []bool{true, false} {
		opts.SharedConnection = shared
		tr, err := Dial(t.Context(), addr, opts)
		if err == nil {
			err = ping(t, tr)
			tr.Close()
		}
		var u *UnreachableError
		if !errors.As(err, &u) || !errors.Is(err, ErrUnreachable) || fail.CodeOf(err) != fail.Unreachable {
			t.Errorf("shared %v: %v is not an unreachable node", shared, err)
			continue
		}
		if u.Reason != want || !strings.Contains(err.Error(), words) || len(fail.HintsOf(err)) == 0 {
			t.Errorf("shared %v: reason %q, %v, hints %q", shared, u.Reason, err, fail.HintsOf(err))
		}
		if testing.Verbose() {
			t.Logf("%v\n\thint: %s", err, strings.Join(fail.HintsOf(err), "; "))
		}
	}
}

func TestUnreachable(t *testing.T) {
	h := embedded(t)
	opts := h.options(t)
	opts.ConnectTimeout = time.Second

	addr := h.addr
	addr.Port = h.proxy.port()
	closed := newProxy(t, "127.0.0.1:1")
	closed.l.Close()
	addr.Port = closed.port()
	wantUnreachable(t, h, addr, opts, Refused, "Connection refused")

	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	addr.Port = silent.Addr().(*net.TCPAddr).Port
	wantUnreachable(t, h, addr, opts, TimedOut, "timed out")

	addr = h.addr
	addr.Host, addr.Port = "no-such-host.invalid", 0
	wantUnreachable(t, h, addr, opts, NoSuchHost, "no-such-host.invalid")

	other := filepath.Join(h.dir, "other")
	keygen(t, other)
	refused := opts
	refused.SSHCommand = strings.ReplaceAll("ssh -F CONFIG -o IdentityFile=none -i "+other, "CONFIG", h.sshConfig)
	write(t, h.authFile, "")
	wantUnreachable(t, h, h.addr, refused, AuthFailed, "Permission denied")

	missing := opts
	missing.SSHCommand, missing.Variant = "/no/such/ssh", "ssh"
	wantUnreachable(t, h, h.addr, missing, NoSSH, "/no/such/ssh")
}

func TestPinnedHostKey(t *testing.T) {
	h := sshd(t)
	otherKey := keygen(t, filepath.Join(h.dir, "otherhost"))

	// The right key, although the user's own known_hosts has another.
	write(t, filepath.Join(h.dir, "user_known_hosts"), fmt.Sprintf("[127.0.0.1]:%d %s\n", h.addr.Port, otherKey))
	if err := ping(t, h.dial(t, h.options(t))); err != nil {
		t.Fatal(err)
	}

	// Another key, although the user's known_hosts has the right one and ssh is told not to check.
	write(t, filepath.Join(h.dir, "user_known_hosts"), fmt.Sprintf("[127.0.0.1]:%d,web %s\n", h.addr.Port, h.hostKey))
	opts := h.options(t)
	opts.KnownHosts = "other " + h.hostKey + "\nweb " + otherKey + "\n"
	opts.SSHCommand += " -o StrictHostKeyChecking=no -o UserKnownHostsFile=" + filepath.Join(h.dir, "user_known_hosts")
	wantUnreachable(t, h, h.addr, opts, HostKeyChanged, `pins for "web" (ssh-ed25519 SHA256:`)
	keys, err := PinnedKeys(opts.KnownHosts, "web")
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}

	// A file, as a network has it.
	opts = h.options(t)
	opts.KnownHosts, opts.KnownHostsFile = "", filepath.Join(h.dir, "known hosts")
	write(t, opts.KnownHostsFile, "web "+h.hostKey+"\n")
	if err := ping(t, h.dial(t, opts)); err != nil {
		t.Error(err)
	}

	// Nothing pinned for this node: the user's files decide.
	opts = h.options(t)
	opts.KnownHosts = "other " + otherKey + "\n"
	if err := ping(t, h.dial(t, opts)); err != nil {
		t.Error(err)
	}
	write(t, filepath.Join(h.dir, "user_known_hosts"), "")
	wantUnreachable(t, h, h.addr, opts, HostKeyUnknown, "host key")
	write(t, filepath.Join(h.dir, "user_known_hosts"), fmt.Sprintf("[127.0.0.1]:%d %s\n", h.addr.Port, otherKey))
	wantUnreachable(t, h, h.addr, opts, HostKeyChanged, "")
}

// TestNoise: a login shell that prints on both outputs does not get into the protocol.
func TestNoise(t *testing.T) {
	h := sshd(t, `ForceCommand printf 'Welcome to the \036git-deploy box\nno newline at the end'; echo last login: never >&2; eval "$SSH_ORIGINAL_COMMAND"`)
	for _, shared := range []bool{true, false} {
		opts := h.options(t)
		opts.SharedConnection = shared
		tr := h.dial(t, opts)
		var out bytes.Buffer
		if err := tr.Run(t.Context(), Command{Argv: tr.Tool("node", "args", "x"), Stdout: &out, Marked: true}); err != nil || out.String() != `["x"]` {
			t.Errorf("%q, %v", out.String(), err)
		}
		err := tr.Run(t.Context(), Command{Argv: tr.Tool("node", "exit", "3"), Marked: true})
		if proc.ExitCode(err) != 3 {
			t.Error(err)
		}
	}
}

func TestToolIsMissing(t *testing.T) {
	h := sshd(t)
	for _, shared := range []bool{true, false} {
		opts := h.options(t)
		opts.SharedConnection, opts.Tool = shared, "/no/such/dir/git-deploy"
		err := ping(t, h.dial(t, opts))
		if err == nil || errors.Is(err, ErrUnreachable) || !strings.HasPrefix(err.Error(), "web is not a node: ") || len(fail.HintsOf(err)) == 0 {
			t.Errorf("%v", err)
		}
	}
}

// TestUsersMaster: a connection that the user shares is neither used nor ended.
func TestUsersMaster(t *testing.T) {
	h := sshd(t)
	control := filepath.Join(h.dir, "users-master")
	if len(control) > 80 {
		control = filepath.Join("/tmp", fmt.Sprintf("git-deploy-test-%d", os.Getpid()))
	}
	config, err := os.ReadFile(h.sshConfig)
	if err != nil {
		t.Fatal(err)
	}
	write(t, h.sshConfig, string(config)+"ControlMaster auto\nControlPersist 60\nControlPath "+control+"\n")
	write(t, filepath.Join(h.dir, "user_known_hosts"), fmt.Sprintf("[127.0.0.1]:%d %s\n", h.addr.Port, h.hostKey))
	ssh := func(args ...string) error {
		args = append([]string{"-F", h.sshConfig, "-p", itoa(h.addr.Port)}, append(args, h.addr.login())...)
		return exec.Command("ssh", args...).Run()
	}
	if err := ssh("-f", "-N"); err != nil {
		t.Fatal(err)
	}
	defer ssh("-O", "exit")
	for i, command := range []string{"", " -S " + control, " -o ControlPath=" + control + " -o 'ControlMaster auto' -M", " -qMS" + control} {
		opts := h.options(t)
		opts.SSHCommand += command
		tr := h.dial(t, opts)
		if err := ping(t, tr); err != nil {
			t.Errorf("%s: %v", command, err)
		}
		if err := ping(t, tr.Fresh()); err != nil {
			t.Errorf("%s: fresh: %v", command, err)
		}
		tr.Close()
		if n := h.proxy.count.Load(); n != int64(3+2*i) {
			t.Errorf("%s: %d connections", command, n)
		}
	}
	if err := ssh("-O", "check"); err != nil {
		t.Errorf("the user's connection is gone: %v", err)
	}
}

// TestMaxSessions: what the shared connection does not take connects on its own.
func TestMaxSessions(t *testing.T) {
	h := sshd(t, "MaxSessions 2")
	tr := h.dial(t, h.options(t))
	var group errgroup.Group
	for range 5 {
		group.Go(func() error {
			var out bytes.Buffer
			return tr.Run(t.Context(), Command{Argv: tr.Tool("node", "cat"), Stdin: &slowReader{n: 3}, Stdout: &out, Marked: true})
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

type slowReader struct{ n int }

func (r *slowReader) Read(p []byte) (int, error) {
	if r.n--; r.n < 0 {
		return 0, io.EOF
	}
	time.Sleep(100 * time.Millisecond)
	return copy(p, "x"), nil
}

// TestPrivateFolder: nothing is left of a Transport, and what a killed process left is swept away.
func TestPrivateFolder(t *testing.T) {
	base := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", "")
	t.Setenv("TMPDIR", base)
	h := sshd(t)
	dead := filepath.Join(base, fmt.Sprintf("git-deploy-%d", os.Getuid()), "s1")
	if err := os.MkdirAll(dead, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dead, "lock"), "")
	tr := h.dial(t, h.options(t)).(*openSSH)
	dir := tr.dir.path
	if len(base) < 40 && !strings.HasPrefix(dir, base) {
		t.Errorf("%s is not below TMPDIR %s", dir, base)
	}
	if strings.HasPrefix(dir, base) && exists(dead) {
		t.Error("the folder of a dead process is still there")
	}
	other := h.dial(t, h.options(t))
	if err := ping(t, tr); err != nil {
		t.Errorf("after another was made: %v", err)
	}
	other.Close()
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Error(info.Mode(), err)
	}
	tr.Close()
	if exists(dir) {
		t.Errorf("%s is still there", dir)
	}
	if err := ping(t, tr); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}

	// A TMPDIR that is too long for a socket, or has characters that ssh expands.
	for _, name := range []string{strings.Repeat("long", 30), "with space", "%h"} {
		odd := filepath.Join(base, name)
		if err := os.Mkdir(odd, 0o700); err != nil {
			t.Fatal(err)
		}
		t.Setenv("TMPDIR", odd)
		if err := ping(t, h.dial(t, h.options(t))); err != nil {
			t.Errorf("TMPDIR=%s: %v", odd, err)
		}
	}
}

func TestSSHCommands(t *testing.T) {
	h := sshd(t)
	program := filepath.Join(h.dir, "my ssh")
	write(t, program, "#!/bin/sh\nexec ssh -F "+h.sshConfig+" \"$@\"\n")
	if err := os.Chmod(program, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CONFIG", h.sshConfig)
	for name, test := range map[string]struct {
		gitSSHCommand, coreCommand, gitSSH, variant string
	}{
		"core.sshCommand":         {coreCommand: "ssh -F " + h.sshConfig},
		"GIT_SSH_COMMAND wins":    {gitSSHCommand: "ssh -F " + h.sshConfig, coreCommand: "false"},
		"GIT_SSH":                 {gitSSH: program},
		"quoted program":          {gitSSHCommand: "'" + program + "' -q"},
		"variable and assignment": {gitSSHCommand: `FOO=bar ssh -F "$CONFIG"`},
		"shell":                   {gitSSHCommand: "true; ssh -F $(echo $CONFIG)"},
		"variant by name":         {gitSSH: program, variant: "ssh"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GIT_SSH_COMMAND", test.gitSSHCommand)
			t.Setenv("GIT_SSH", test.gitSSH)
			opts := h.options(t)
			opts.SSHCommand, opts.Variant = test.coreCommand, test.variant
			before := h.proxy.count.Load()
			tr := h.dial(t, opts)
			if err := errors.Join(ping(t, tr), ping(t, tr)); err != nil {
				t.Error(err)
			}
			if n := h.proxy.count.Load() - before; n != 1 {
				t.Errorf("%d connections", n)
			}
		})
	}
}

// TestSimpleVariant: a program that takes no options gets none, and every command connects.
func TestSimpleVariant(t *testing.T) {
	h := sshd(t)
	program := filepath.Join(h.dir, "mini")
	write(t, program, "#!/bin/sh\ncase $1 in -*) echo no option $1 >&2; exit 1;; esac\n"+
		"exec ssh -F "+h.sshConfig+" -p "+itoa(h.addr.Port)+" \"$@\"\n")
	if err := os.Chmod(program, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(h.dir, "user_known_hosts"), fmt.Sprintf("[127.0.0.1]:%d %s\n", h.addr.Port, h.hostKey))
	opts := h.options(t)
	opts.SSHCommand, opts.KnownHosts = program, ""
	addr := h.addr
	addr.Port = 0
	tr, err := Dial(t.Context(), addr, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if err := errors.Join(ping(t, tr), ping(t, tr)); err != nil {
		t.Error(err)
	}
	if n := h.proxy.count.Load(); n != 2 {
		t.Errorf("%d connections", n)
	}
	if err := tr.Run(t.Context(), Command{Argv: tr.Tool("node", "exit", "255"), Marked: true}); proc.ExitCode(err) != 255 || errors.Is(err, ErrUnreachable) {
		t.Error(err)
	}
	h.stop()
	if err := ping(t, tr); !errors.Is(err, ErrUnreachable) {
		t.Error(err)
	}
	if _, err := Dial(t.Context(), h.addr, h.options(t)); err == nil {
		t.Error("a stopped server was reached")
	}
	withPort, err := Dial(t.Context(), h.addr, opts)
	if err == nil {
		err = ping(t, withPort)
	}
	if err == nil || !strings.Contains(err.Error(), "takes no port") {
		t.Error(err)
	}
	opts.KnownHosts = "web " + h.hostKey
	if _, err := Dial(t.Context(), addr, opts); err == nil || !strings.Contains(err.Error(), "cannot check") {
		t.Errorf("pinned key with a simple ssh: %v", err)
	}
}

// TestKilledProcess: when this process dies, its master follows.
func TestKilledProcess(t *testing.T) {
	if os.Getenv("TEST_DIAL") != "" {
		tr := otherProcess(t)
		fmt.Println("dialled " + tr.dir.path)
		time.Sleep(time.Hour)
	}
	h := embedded(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledProcess$")
	cmd.Env = append(os.Environ(), "TEST_DIAL="+h.sshConfig, "TEST_HOSTKEY="+h.hostKey, "TEST_ADDR="+h.addr.String())
	out := &syncBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the other process to connect", func() bool { return strings.Contains(out.String(), "dialled ") })
	_, rest, _ := strings.Cut(out.String(), "dialled ")
	dir, _, _ := strings.Cut(rest, "\n")
	time.Sleep(2 * time.Second) // longer than its idle master would live: nothing must happen
	if !exists(filepath.Join(dir, "master")) {
		t.Error("the master went while its process lived")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	waitFor(t, "the master to end", func() bool { return !exists(filepath.Join(dir, "master")) })
}

func TestCancelledDial(t *testing.T) {
	h := embedded(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	addr := h.addr
	addr.Port = silent.Addr().(*net.TCPAddr).Port
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	if err := inTime(t, func() error { _, err := Dial(ctx, addr, h.options(t)); return err }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
