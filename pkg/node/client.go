package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// clientPoll is how soon a client that has gone is noticed.
const clientPoll = 100 * time.Millisecond

var errGone = errors.New("the connection ended")

// whileClient returns the context of a hook, which ends when the pusher has gone.
//
// git receive-pack does not tell: while its hooks run it takes a broken
// connection for silence, and would go on to move refs for nobody. So the hook
// looks at git's own standard output, which leads to the client.
func whileClient(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	// Asked for, SIGPIPE does not kill this process, which has programs to stop first.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	parent := os.Getppid()
	out := outputOf(parent)
	go func() {
		for ctx.Err() == nil {
			if unread(out, clientPoll) || os.Getppid() != parent || len(pipe) > 0 {
				cancel(errGone)
			}
		}
		_ = unix.Close(out)
	}()
	// The goroutine is not waited for: a hook has better things to do than to end late.
	return ctx, func() { cancel(context.Canceled); signal.Stop(pipe) }
}

// outputOf returns a descriptor of the standard output of process pid, or -1
// where there is none to be had. (A socket needs the right to trace pid.)
func outputOf(pid int) int {
	path := fmt.Sprintf("/proc/%d/fd/1", pid)
	target, err := os.Readlink(path)
	if err != nil {
		return -1
	}
	var fd int
	switch {
	case strings.HasPrefix(target, "pipe:"):
		fd, err = unix.Open(path, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.ENXIO) {
			return brokenPipe()
		}
	case strings.HasPrefix(target, "socket:"):
		var process int
		if process, err = unix.PidfdOpen(pid, 0); err != nil {
			return -1
		}
		fd, err = unix.PidfdGetfd(process, 1, 0)
		_ = unix.Close(process)
	default:
		return -1
	}
	if err != nil {
		return -1
	}
	return fd
}

// brokenPipe returns a pipe that nobody reads: a pipe without a reader cannot
// be opened for writing, and stands for a client that is gone already.
func brokenPipe() int {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return -1
	}
	_ = unix.Close(fds[0])
	return fds[1]
}

// unread waits for at most wait for the other end of fd to be closed.
func unread(fd int, wait time.Duration) bool {
	fds := []unix.PollFd{{Fd: int32(fd)}} // a negative one is ignored; errors and hang-ups are always reported
	n, _ := unix.Poll(fds, int(wait.Milliseconds()))
	return n > 0 && fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
}

// whileRead returns a context that ends when the other end of w is closed.
func whileRead(ctx context.Context, w io.Writer) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if f, ok := w.(*os.File); ok {
		go func() {
			for ctx.Err() == nil {
				if unread(int(f.Fd()), clientPoll) {
					cancel(errGone)
				}
			}
		}()
	}
	return ctx, func() { cancel(context.Canceled) }
}
