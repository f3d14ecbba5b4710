package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/proc"
	"github.com/git-deploy/git-deploy/pkg/statedir"
	"golang.org/x/sync/errgroup"
)

// everywhere runs a test over all transports. h is nil for the local one.
func everywhere(t *testing.T, f func(t *testing.T, tr Transport, h *host)) {
	t.Helper()
	t.Run("sshd", func(t *testing.T) {
		h := sshd(t)
		f(t, h.dial(t, h.options(t)), h)
	})
	t.Run("sshd unshared", func(t *testing.T) {
		h := sshd(t)
		opts := h.options(t)
		opts.SharedConnection = false
		f(t, h.dial(t, opts), h)
	})
	t.Run("embedded", func(t *testing.T) {
		h := embedded(t)
		f(t, h.dial(t, h.options(t)), h)
	})
	t.Run("local", func(t *testing.T) {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		tr, err := Local(statedir.Layout{Root: t.TempDir()}, exe)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { tr.Close() })
		f(t, tr, nil)
	})
}

func TestStdioAndExitCode(t *testing.T) {
	everywhere(t, func(t *testing.T, tr Transport, h *host) {
		var out, errout bytes.Buffer
		err := tr.Run(t.Context(), Command{Argv: tr.Tool("node", "cat"), Stdin: strings.NewReader("hello\x00\n"), Stdout: &out, Marked: true})
		if err != nil || out.String() != "hello\x00\n" {
			t.Fatalf("cat: %q, %v", out.String(), err)
		}
		for _, code := range []int{1, 3, 126, 127, 255} {
			errout.Reset()
			err := tr.Run(t.Context(), Command{Argv: tr.Tool("node", "exit", itoa(code)), Stderr: &errout, Marked: true})
			if proc.ExitCode(err) != code || strings.TrimSpace(errout.String()) != "leaving" || strings.TrimSpace(proc.Stderr(err)) != "leaving" {
				t.Errorf("exit %d: code %d, stderr %q, error %v", code, proc.ExitCode(err), errout.String(), err)
			}
		}
	})
}

func TestQuoting(t *testing.T) {
	everywhere(t, func(t *testing.T, tr Transport, h *host) {
		want := []string{"", "a b", "it's", `"x"`, "$HOME", "`id`", "a\nb\ttab", "\\", "*", "~", "-n", "k=v", "=x", "!!", "ä€", "\x01\x7f", "a;b|c&d", "#c", "{a,b}", "if"}
		var out bytes.Buffer
		if err := tr.Run(t.Context(), Command{Argv: tr.Tool(append([]string{"node", "args"}, want...)...), Stdout: &out}); err != nil {
			t.Fatal(err)
		}
		var got []string
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got  %q\nwant %q (%v)", got, want, err)
		}
	})
}

func itoa(n int) string { return strconv.Itoa(n) }

func TestBigStreams(t *testing.T) {
	everywhere(t, func(t *testing.T, tr Transport, h *host) {
		in := make([]byte, 6<<20)
		for i := range in {
			in[i] = byte(i * 7 >> 3)
		}
		var out bytes.Buffer
		if err := tr.Run(t.Context(), Command{Argv: tr.Tool("node", "cat"), Stdin: bytes.NewReader(in), Stdout: &out, Marked: true}); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(in, out.Bytes()) {
			t.Errorf("%d of %d bytes came back, or others", out.Len(), len(in))
		}
		var stdout, stderr bytes.Buffer
		if err := tr.Run(t.Context(), Command{Argv: tr.Tool("node", "both", "2000"), Stdout: &stdout, Stderr: &stderr}); err != nil {
			t.Fatal(err)
		}
		if stdout.Len() != 2000*1000 || stderr.Len() != 2000*1000 {
			t.Errorf("%d and %d bytes", stdout.Len(), stderr.Len())
		}
	})
}

// TestInputThatNeverEnds: a command that has ended waits for no input.
func TestInputThatNeverEnds(t *testing.T) {
	everywhere(t, func(t *testing.T, tr Transport, h *host) {
		r, w := io.Pipe()
		defer w.Close()
		if err := inTime(t, func() error {
			return tr.Run(t.Context(), Command{Argv: tr.Tool("node", "exit", "5"), Stdin: r, Marked: true})
		}); proc.ExitCode(err) != 5 {
			t.Error(err)
		}
	})
}

func TestCancellation(t *testing.T) {
	everywhere(t, func(t *testing.T, tr Transport, h *host) {
		ctx, cancel := context.WithCancel(t.Context())
		out := &syncBuffer{}
		r, w := io.Pipe()
		defer w.Close()
		done := make(chan error, 1)
		go func() {
			done <- tr.Run(ctx, Command{Argv: tr.Tool("node", "hang", "input"), Stdin: r, Stdout: out, Marked: true})
		}()
		waitFor(t, "the command to start", func() bool { return strings.Contains(out.String(), "\n") })
		pid, _ := strconv.Atoi(strings.TrimSpace(out.String()))
		cancel()
		if err := inTime(t, func() error { return <-done }); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		waitFor(t, "the remote command to end", func() bool { return !processAlive(pid) })
		// The connection is as good as before.
		if err := tr.Run(t.Context(), Command{Argv: tr.Tool("node", "args"), Marked: true}); err != nil {
			t.Error(err)
		}
		if h != nil && !h.proxyShared(tr, 1) {
			t.Errorf("%d connections", h.proxy.count.Load())
		}
	})
}

// proxyShared reports whether there were n connections, if there is sharing at all.
func (h *host) proxyShared(tr Transport, n int64) bool {
	return !tr.(*openSSH).opts.SharedConnection || h.proxy.count.Load() == n
}

func TestConcurrency(t *testing.T) {
	everywhere(t, func(t *testing.T, tr Transport, h *host) {
		var group errgroup.Group
		for i := range 6 {
			group.Go(func() error {
				var out bytes.Buffer
				in := strings.Repeat(itoa(i), 100_000)
				if err := tr.Run(t.Context(), Command{Argv: tr.Tool("node", "cat"), Stdin: strings.NewReader(in), Stdout: &out, Marked: true}); err != nil {
					return err
				}
				if out.String() != in {
					return fmt.Errorf("command %d: another's output", i)
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		if h != nil && !h.proxyShared(tr, 1) {
			t.Errorf("%d connections", h.proxy.count.Load())
		}
	})
}

func TestKilledBySignal(t *testing.T) {
	everywhere(t, func(t *testing.T, tr Transport, h *host) {
		err := tr.Run(t.Context(), Command{Argv: tr.Tool("node", "kill"), Marked: true})
		if err == nil || errors.Is(err, ErrUnreachable) || proc.ExitCode(err) == 0 {
			t.Errorf("killed: %v", err)
		}
	})
}

// TestWithoutMarker: what is not our tool is told apart from an answer of it.
func TestWithoutMarker(t *testing.T) {
	everywhere(t, func(t *testing.T, tr Transport, h *host) {
		err := tr.Run(t.Context(), Command{Argv: []string{"true"}, Marked: true})
		if err == nil {
			t.Error("a marked command that is not the tool's runs")
		}
		if err := tr.Run(t.Context(), Command{Argv: nil}); err == nil {
			t.Error("no command runs")
		}
	})
}

func TestFreshConnects(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *host{"sshd": func(t testing.TB) *host { return sshd(t) }, "embedded": func(t testing.TB) *host { return embedded(t) }} {
		t.Run(name, func(t *testing.T) {
			h := start(t)
			tr := h.dial(t, h.options(t))
			for range 3 {
				if err := tr.Run(t.Context(), Command{Argv: tr.Tool("node", "args"), Marked: true}); err != nil {
					t.Fatal(err)
				}
			}
			if n := h.proxy.count.Load(); n != 1 {
				t.Errorf("%d connections for three commands", n)
			}
			fresh := tr.Fresh()
			for i := range 2 {
				if err := fresh.Run(t.Context(), Command{Argv: fresh.Tool("node", "args"), Marked: true}); err != nil {
					t.Fatal(err)
				}
				if n := h.proxy.count.Load(); n != int64(2+i) {
					t.Errorf("%d connections after %d fresh commands", n, i+1)
				}
			}
			err := fresh.Run(t.Context(), Command{Argv: fresh.Tool("node", "exit", "255"), Marked: true})
			if proc.ExitCode(err) != 255 || errors.Is(err, ErrUnreachable) {
				t.Errorf("exit 255 over a fresh connection: %v", err)
			}
			if err := fresh.Close(); err != nil {
				t.Error(err)
			}
			if err := tr.Run(t.Context(), Command{Argv: tr.Tool("node", "args"), Marked: true}); err != nil {
				t.Errorf("after the fresh one was closed: %v", err)
			}
			tr.Close()
			waitFor(t, "the connections to end", func() bool { return h.proxy.open.Load() == 0 })
		})
	}
}

func TestConnectionDies(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *host{"sshd": func(t testing.TB) *host { return sshd(t) }, "embedded": func(t testing.TB) *host { return embedded(t) }} {
		for _, shared := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s shared=%v", name, shared), func(t *testing.T) {
				h := start(t)
				opts := h.options(t)
				opts.SharedConnection = shared
				tr := h.dial(t, opts)
				out := &syncBuffer{}
				r, w := io.Pipe()
				defer w.Close()
				done := make(chan error, 1)
				go func() {
					done <- tr.Run(t.Context(), Command{Argv: tr.Tool("node", "hang", "input"), Stdin: r, Stdout: out, Marked: true})
				}()
				waitFor(t, "the command to start", func() bool { return strings.Contains(out.String(), "\n") })
				pid, _ := strconv.Atoi(strings.TrimSpace(out.String()))
				h.proxy.cut()
				err := inTime(t, func() error { return <-done })
				var u *UnreachableError
				if !errors.As(err, &u) || u.Reason != Lost || fail.CodeOf(err) != fail.Unreachable {
					t.Errorf("lost connection: %v", err)
				}
				t.Log(err)
				waitFor(t, "the remote command to end", func() bool { return !processAlive(pid) })
				// The next command connects again.
				if err := tr.Run(t.Context(), Command{Argv: tr.Tool("node", "args"), Marked: true}); err != nil {
					t.Errorf("after the loss: %v", err)
				}
				if n := h.proxy.count.Load(); n != 2 {
					t.Errorf("%d connections", n)
				}
			})
		}
	}
}

// A master that has died is noticed by the first command that cannot reach it,
// however late its idle connection tells.
func TestDeadMasterIsReplaced(t *testing.T) {
	h := sshd(t)
	tr := h.dial(t, h.options(t)).(*openSSH)
	here, there := unixPair(t)
	defer there.Close()
	real := tr.master
	defer real.close()
	tr.master = &master{socket: filepath.Join(h.dir, "no-master"), log: real.log, keeper: &muxConn{here}, gone: make(chan struct{})}
	if err := tr.Run(t.Context(), Command{Argv: tr.Tool("node", "args"), Marked: true}); err != nil {
		t.Errorf("with a dead master: %v", err)
	}
}

func unixPair(t testing.TB) (a, b *net.UnixConn) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.DialUnix("unix", nil, l.Addr().(*net.UnixAddr)); err != nil {
		t.Fatal(err)
	}
	if b, err = l.AcceptUnix(); err != nil {
		t.Fatal(err)
	}
	return a, b
}

func inTime(t testing.TB, f func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(30 * time.Second):
		t.Fatal("hangs")
		return nil
	}
}

func processAlive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := bytes.Cut(b, []byte(") "))
	return len(rest) > 0 && rest[0] != 'Z'
}
