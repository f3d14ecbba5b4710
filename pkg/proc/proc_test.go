package proc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func sh(script string) []string { return []string{"sh", "-c", script} }

func TestExitCodeAndTail(t *testing.T) {
	err := Run(t.Context(), Cmd{Argv: sh("i=0; while [ $i -lt 3000 ]; do echo line $i >&2; i=$((i+1)); done; exit 3")})
	if ExitCode(err) != 3 || err.Error() != "sh: line 2999" {
		t.Errorf("code %d, %v", ExitCode(err), err)
	}
	if n := len(Stderr(err)); n != tailSize {
		t.Errorf("kept %d bytes of stderr", n)
	}
	err = Run(t.Context(), Cmd{Argv: sh("kill -USR1 $$")})
	var e *Error
	if !errors.As(err, &e) || e.Signal() != syscall.SIGUSR1 || e.ExitCode != -1 || !e.Started() {
		t.Errorf("signal: %v", err)
	}
	err = Run(t.Context(), Cmd{Argv: []string{"no-such-program"}})
	if !errors.As(err, &e) || e.Started() || !strings.Contains(err.Error(), `"no-such-program" is not installed`) {
		t.Errorf("missing program: %v", err)
	}
	if err := Run(t.Context(), Cmd{}); err == nil {
		t.Error("an empty command runs")
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("A", "ours")
	t.Setenv("B", "ours")
	t.Setenv("LC_ALL", "de_DE.UTF-8")
	out, err := Output(t.Context(), Cmd{Argv: sh(`echo "$A ${B-unset} $LC_ALL"; env | grep -c ^A=`), Env: []string{"A=theirs"}, Unset: []string{"B"}})
	if err != nil || string(out) != "theirs unset C\n1\n" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestCancelEndsTheGroup(t *testing.T) {
	for _, stubborn := range []bool{false, true} {
		dir := t.TempDir()
		child := filepath.Join(dir, "child")
		script := "sleep 1000 & echo $! >" + child + ".tmp && mv " + child + ".tmp " + child + "; wait"
		if stubborn {
			script = "trap '' TERM; " + script + "; wait; sleep 1000"
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- Run(ctx, Cmd{Argv: sh(script), Grace: 100 * time.Millisecond}) }()
		pid := pidIn(t, child)
		cancel()
		if err := wait(t, done); !errors.Is(err, context.Canceled) {
			t.Errorf("stubborn %v: %v", stubborn, err)
		}
		eventually(t, "the grandchild to be gone", func() bool { return !alive(pid) })
	}
}

func TestGroupMemberThatIgnoresTERM(t *testing.T) {
	child := filepath.Join(t.TempDir(), "child")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, Cmd{Argv: sh("(trap '' TERM; sh -c 'echo $PPID' >" + child + "; while :; do sleep 1; done) & wait"), Grace: 100 * time.Millisecond})
	}()
	pid := pidIn(t, child)
	cancel()
	wait(t, done)
	eventually(t, "the stubborn grandchild to be gone", func() bool { return !alive(pid) })
}

func TestGrandchildHoldsThePipe(t *testing.T) {
	start := time.Now()
	out, err := Output(t.Context(), Cmd{Argv: sh("sleep 60 & echo done"), Grace: 50 * time.Millisecond})
	if err != nil || string(out) != "done\n" {
		t.Errorf("%q, %v", out, err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestBlockedInput(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	done := make(chan error, 1)
	go func() { done <- Run(t.Context(), Cmd{Argv: sh("exit 4"), Stdin: r}) }()
	if err := wait(t, done); ExitCode(err) != 4 {
		t.Error(err)
	}
}

func TestBrokenInputAndOutput(t *testing.T) {
	broken := errors.New("broken")
	err := Run(t.Context(), Cmd{Argv: sh("cat; sleep 100"), Stdin: io.MultiReader(strings.NewReader("x"), errReader{broken})})
	if !errors.Is(err, broken) {
		t.Errorf("input: %v", err)
	}
	err = Run(t.Context(), Cmd{Argv: sh("trap '' TERM PIPE; while :; do echo x; done"), Stdout: errWriter{broken}, Grace: 50 * time.Millisecond})
	if !errors.Is(err, broken) {
		t.Errorf("output: %v", err)
	}
}

func TestBothOutputsInOneWriter(t *testing.T) {
	var both bytes.Buffer
	if err := Run(t.Context(), Cmd{Argv: sh("for i in 1 2 3 4 5 6 7 8 9; do echo out; echo err >&2; done"), Stdout: &both, Stderr: &both}); err != nil {
		t.Fatal(err)
	}
	if s := both.String(); strings.Count(s, "out\n") != 9 || strings.Count(s, "err\n") != 9 {
		t.Errorf("%q", s)
	}
}

func TestBigStreams(t *testing.T) {
	in := bytes.Repeat([]byte("0123456789abcdef"), 1<<19) // 8 MiB
	var out bytes.Buffer
	if err := Run(t.Context(), Cmd{Argv: []string{"cat"}, Stdin: bytes.NewReader(in), Stdout: &out}); err != nil || !bytes.Equal(in, out.Bytes()) {
		t.Errorf("%d of %d bytes, %v", out.Len(), len(in), err)
	}
}

func TestForegroundStaysInOurGroup(t *testing.T) {
	out, err := Output(t.Context(), Cmd{Argv: sh("ps -o pgid= -p $$ 2>/dev/null || cut -d' ' -f5 /proc/$$/stat"), Foreground: true})
	if err != nil || strings.TrimSpace(string(out)) != strconv.Itoa(syscall.Getpgrp()) {
		t.Errorf("group %s, want %d (%v)", out, syscall.Getpgrp(), err)
	}
}

func TestDetach(t *testing.T) {
	dir := t.TempDir()
	// A descriptor that is not closed on exec, as one inherited from git would be.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, w.Fd(), syscall.F_SETFD, 0); errno != 0 {
		t.Fatal(errno)
	}
	pid, err := Detach(Cmd{Argv: sh("cut -d' ' -f6 /proc/$$/stat >session.tmp; mv session.tmp session; read x; sleep 0.2; exit 0"), Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	eof := make(chan error, 1)
	go func() { _, err := io.ReadAll(r); eof <- err }()
	if err := wait(t, eof); err != nil {
		t.Error(err)
	}
	var session []byte
	eventually(t, "the program to write", func() bool { session, _ = os.ReadFile(filepath.Join(dir, "session")); return len(session) > 0 })
	if strings.TrimSpace(string(session)) != strconv.Itoa(pid) {
		t.Errorf("session %s of process %d", session, pid)
	}
	eventually(t, "the program to be reaped", func() bool { return syscall.Kill(pid, 0) == syscall.ESRCH })
	if _, err := Detach(Cmd{Argv: sh("true"), Stdout: &bytes.Buffer{}}); err == nil {
		t.Error("a detached program got a buffer")
	}
}

func TestPositional(t *testing.T) {
	if Positional("branch", "-x") == nil || Positional("branch", "x") != nil {
		t.Error("hyphen")
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

type errWriter struct{ err error }

func (w errWriter) Write([]byte) (int, error) { return 0, w.err }

// alive reports whether a process runs; a zombie that nobody reaps does not.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := bytes.Cut(b, []byte(") "))
	return len(rest) > 0 && rest[0] != 'Z'
}

func pidIn(t *testing.T, file string) (pid int) {
	t.Helper()
	eventually(t, file, func() bool {
		b, _ := os.ReadFile(file)
		pid, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		return pid > 0
	})
	return pid
}

func wait(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("hangs")
		return nil
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
