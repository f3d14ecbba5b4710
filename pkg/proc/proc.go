// Package proc runs programs and cancels them. It alone imports os/exec.
//
// A program is started from an argument vector, never from a shell string, in
// its own process group. When its context ends the whole group gets SIGTERM,
// and SIGKILL after a grace period. The last 16 KiB of its stderr are kept in
// a typed error. LC_ALL is C, so that messages can be told apart.
package proc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// DefaultGrace is how long a program has between SIGTERM and SIGKILL.
const DefaultGrace = 5 * time.Second

// Cmd describes a program to run.
type Cmd struct {
	Argv   []string // Argv[0] is looked up in PATH unless it holds a slash
	Dir    string
	Env    []string  // added to this process's environment, and wins over it
	Unset  []string  // names removed from the environment first
	Stdin  io.Reader // nil: empty; a Read that still blocks when the program ends is left behind
	Stdout io.Writer // nil: dropped; *os.File are handed to the program as they are
	Stderr io.Writer // nil: dropped; its tail is kept for the error unless it is a file
	// Foreground leaves the program in our process group, so that it may read
	// the terminal (ssh asks for passphrases there) and gets Ctrl-C itself.
	Foreground bool
	Grace      time.Duration // 0: DefaultGrace
	// Credential runs the program as another user.
	Credential *syscall.Credential
	// ExtraFiles become descriptors 3, 4, ... of the program.
	ExtraFiles []*os.File
}

// Error is a program that could not be started or did not exit with 0.
type Error struct {
	Argv     []string
	ExitCode int    // -1 when it did not start or was killed by a signal
	Stderr   string // the last 16 KiB
	Err      error
}

func (e *Error) Error() string {
	name := filepath.Base(e.Argv[0])
	if last := lastLine(e.Stderr); last != "" {
		return fmt.Sprintf("%s: %s", name, last)
	}
	return fmt.Sprintf("%s: %v", name, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Started reports whether the program ran at all.
func (e *Error) Started() bool {
	var exit *exec.ExitError
	return e.ExitCode >= 0 || errors.As(e.Err, &exit)
}

// Signal returns the signal that killed the program, or 0.
func (e *Error) Signal() syscall.Signal {
	var exit *exec.ExitError
	if errors.As(e.Err, &exit) {
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			return ws.Signal()
		}
	}
	return 0
}

// ExitCode returns the exit code that err carries, or -1.
func ExitCode(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.ExitCode
	}
	return -1
}

// Stderr returns the tail of stderr that err carries.
func Stderr(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Stderr
	}
	return ""
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// errNoProgram is the error for an empty argument vector.
var errNoProgram = errors.New("no program to run")

// Process is a running program.
type Process struct {
	cmd    *exec.Cmd
	argv   []string
	grace  time.Duration
	group  bool // it leads a process group
	stderr Tail
	pump   *Pump
	cancel sync.Once
	killed chan struct{} // closed when the group was told to end
}

// Start starts c. The caller must call Wait.
func Start(ctx context.Context, c Cmd) (*Process, error) {
	if len(c.Argv) == 0 {
		return nil, errNoProgram
	}
	p := &Process{argv: c.Argv, grace: c.Grace, group: !c.Foreground, killed: make(chan struct{})}
	if p.grace == 0 {
		p.grace = DefaultGrace
	}
	var err error
	if p.pump, err = NewPump(c.Stdin, c.Stdout, c.Stderr, &p.stderr, true, func() { _ = p.terminate() }); err != nil {
		return nil, &Error{Argv: c.Argv, ExitCode: -1, Err: err}
	}
	defer p.pump.CloseFiles()
	p.cmd = exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	p.cmd.Dir, p.cmd.Env, p.cmd.ExtraFiles = c.Dir, environ(c), c.ExtraFiles
	files := p.pump.Files()
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = files[0], files[1], files[2]
	p.cmd.Cancel = p.terminate
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: p.group, Credential: c.Credential}
	if err := p.cmd.Start(); err != nil {
		p.pump.closeOurs()
		return nil, &Error{Argv: c.Argv, ExitCode: -1, Err: startError(c, err)}
	}
	p.pump.Begin()
	return p, nil
}

// terminate tells the program and its group to end.
func (p *Process) terminate() (err error) {
	err = os.ErrProcessDone
	p.cancel.Do(func() {
		close(p.killed)
		time.AfterFunc(p.grace, func() { _ = p.cmd.Process.Kill() }) // does nothing once it is reaped
		if !p.group {
			err = p.cmd.Process.Signal(syscall.SIGTERM)
		} else if err = syscall.Kill(-p.Pid(), syscall.SIGTERM); errors.Is(err, syscall.ESRCH) {
			err = os.ErrProcessDone
		}
	})
	return err
}

// killGroup makes an end of what is left of a group that was told to end. The
// number of a group stays taken as long as it has a member, so it is looked at
// often, and never signalled again once it was seen empty.
func (p *Process) killGroup(deadline time.Time) {
	for syscall.Kill(-p.Pid(), 0) == nil {
		if time.Now().After(deadline) {
			_ = syscall.Kill(-p.Pid(), syscall.SIGKILL)
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Pid returns the process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Signal sends sig to the program.
func (p *Process) Signal(sig os.Signal) error { return p.cmd.Process.Signal(sig) }

// Wait waits for the program and returns nil or an *Error. It may be called
// once. When the program has ended and a process that it left behind holds
// its output open, Wait stops reading after the grace period; that is no error.
func (p *Process) Wait() error {
	err := p.cmd.Wait()
	giveUp := make(chan struct{})
	timer := time.AfterFunc(p.grace, func() { close(giveUp) })
	defer timer.Stop()
	select {
	case <-p.killed:
		if p.group {
			p.killGroup(time.Now().Add(p.grace))
		}
	default:
	}
	if pumpErr := p.pump.Finish(giveUp); pumpErr != nil {
		err = pumpErr // the cause of whatever the program made of it
	}
	if err == nil {
		return nil
	}
	code := -1
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	}
	return &Error{Argv: p.argv, ExitCode: code, Stderr: p.stderr.String(), Err: err}
}

// Run runs c to its end. A cancelled context is reported as such, with the program's own error beside it.
func Run(ctx context.Context, c Cmd) error {
	p, err := Start(ctx, c)
	if err != nil {
		return err
	}
	err = p.Wait()
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w (%w)", context.Cause(ctx), err)
	}
	return err
}

// Output runs c and returns what it writes to stdout.
func Output(ctx context.Context, c Cmd) ([]byte, error) {
	var out bytes.Buffer
	c.Stdout = &out
	err := Run(ctx, c)
	return out.Bytes(), err
}

// Find returns the path of a program, or an error that names it.
func Find(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("the program %q is not installed (not in PATH)", name)
	}
	return path, nil
}

// Positional returns an error when value would be taken for an option.
// what names the value in the message, e.g. "branch".
func Positional(what, value string) error {
	if strings.HasPrefix(value, "-") {
		return fmt.Errorf("%s %q begins with a hyphen", what, value)
	}
	return nil
}

func startError(c Cmd, err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("the program %q is not installed (not in PATH)", c.Argv[0])
	}
	return err
}

// dedup keeps the last of several values: execve(2) takes a list with doubles, of which getenv(3) finds the first.
func dedup(env []string) []string {
	last := make(map[string]int, len(env))
	for i, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		last[name] = i
	}
	kept := env[:0:0]
	for i, kv := range env {
		if name, _, _ := strings.Cut(kv, "="); last[name] == i {
			kept = append(kept, kv)
		}
	}
	return kept
}

func environ(c Cmd) []string {
	env := os.Environ()
	if len(c.Unset) > 0 {
		kept := env[:0:0]
		for _, kv := range env {
			name, _, _ := strings.Cut(kv, "=")
			drop := false
			for _, u := range c.Unset {
				drop = drop || u == name
			}
			if !drop {
				kept = append(kept, kv)
			}
		}
		env = kept
	}
	return dedup(append(append(env, "LC_ALL=C"), c.Env...))
}
