package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/proc"
	"github.com/git-deploy/git-deploy/pkg/ui"
)

const (
	maxOutput = 4 << 10 // of a command, for the error
	maxLines  = 20      // of a command's output, for the error
	maxWidth  = 300     // of one line
	// grace is what a command has between SIGTERM and SIGKILL: others wait for the answer.
	grace = time.Second
)

func commandProbe(c bundle.Check) (probe, error) {
	if len(c.Command) == 0 || c.Command[0] == "" {
		return nil, errors.New("it has no command")
	}
	return func(ctx context.Context) error {
		// One pipe for both, so that lines stay in the order in which they were written.
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		defer r.Close()
		var out tail
		read := make(chan struct{})
		go func() {
			defer close(read)
			_, _ = io.Copy(&out, r)
		}()
		err = proc.Run(ctx, proc.Cmd{
			Argv: c.Command, Dir: "/", Stdout: w, Stderr: w, Grace: grace,
			// The runner's PATH may hold just what the runner needs.
			Env: []string{"PATH=/run/wrappers/bin:/run/current-system/sw/bin:" + os.Getenv("PATH")},
		})
		_ = w.Close()
		// A process that the command left behind may hold the pipe.
		_ = r.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		<-read
		if err == nil {
			return nil
		}
		if code := proc.ExitCode(err); code > 0 && ctx.Err() == nil {
			err = fmt.Errorf("%s: exit code %d", c.Command[0], code)
		}
		return &outputError{err, out.lines()}
	}, nil
}

// outputError is a failure with what the failed one wrote, line by line.
type outputError struct {
	err    error
	output []string
}

func (e *outputError) Error() string { return e.err.Error() + indented(e.output) }
func (e *outputError) Unwrap() error { return e.err }

// indented puts each line on one of its own.
func indented(lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString("\n  " + line)
	}
	return b.String()
}

// tail keeps the last bytes that are written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if len(t.buf) > maxOutput {
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-maxOutput:]...)
	}
	return len(p), nil
}

func (t *tail) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return lastLines(string(t.buf), maxLines)
}

// lastLines are the last lines of foreign text that are not empty, made harmless and short.
func lastLines(text string, n int) []string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimRight(ui.Clean(line), " ")
		if line == "" {
			continue
		}
		if r := []rune(line); len(r) > maxWidth {
			line = string(r[:maxWidth]) + "…"
		}
		lines = append(lines, line)
	}
	return lines[max(0, len(lines)-n):]
}
