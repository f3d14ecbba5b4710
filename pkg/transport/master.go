package transport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/git-deploy/git-deploy/pkg/proc"
)

var (
	errMasterGone = errors.New("the ssh master is gone")
	errLost       = errors.New("the connection was lost")
	errSignal     = errors.New("killed by a signal")
)

// greeting is how long the master may take to answer on its socket.
const greeting = 10 * time.Second

// master is our ssh ControlMaster, a process of its own in the background.
type master struct {
	socket, log string
	// keeper is an idle connection: the master stays as long as it is open,
	// and we learn of its end when it closes.
	keeper *muxConn
	gone   chan struct{}
}

func newMaster(socket, log string) (*master, error) {
	keeper, err := dialMux(socket, greeting)
	if err != nil {
		return nil, err
	}
	m := &master{socket: socket, log: log, keeper: keeper, gone: make(chan struct{})}
	go func() {
		_, _ = io.Copy(io.Discard, keeper)
		close(m.gone)
	}()
	return m, nil
}

func (m *master) alive() bool {
	select {
	case <-m.gone:
		return false
	default:
		return true
	}
}

// close ends the connection and the master.
func (m *master) close() {
	if m.keeper.terminate() == nil {
		select {
		case <-m.gone:
		case <-time.After(time.Second):
		}
	}
	m.keeper.Close()
}

// run runs line in a session of the connection.
func (m *master) run(ctx context.Context, line string, c Command) error {
	conn, err := dialMux(m.socket, greeting)
	if err != nil {
		return fmt.Errorf("%w: %w", errMasterGone, err)
	}
	defer conn.Close()
	end := func() { conn.Close() } // the master then closes the channel, and sshd the command's pipes
	stop := context.AfterFunc(ctx, end)
	defer stop()
	var stderr proc.Tail
	// Pipes even for files: the master makes what it gets non-blocking, which others who have the file would feel.
	pump, err := proc.NewPump(c.Stdin, c.Stdout, c.Stderr, &stderr, false, end)
	if err != nil {
		return err
	}
	err = conn.start(line, pump.Files())
	pump.CloseFiles()
	if err != nil {
		_ = pump.Finish(closedChannel)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, errMuxRefused):
			return err
		}
		return fmt.Errorf("%w: %w", errLost, err)
	}
	pump.Begin()
	code, ended := conn.wait()
	if err := pump.Finish(ctx.Done()); ctx.Err() != nil || err != nil {
		return cmp.Or(context.Cause(ctx), err)
	}
	switch {
	case ended && code == 0:
		return nil
	case ended:
		return &proc.Error{Argv: c.Argv, ExitCode: code, Stderr: stderr.String(), Err: fmt.Errorf("exit status %d", code)}
	}
	// Without an exit code: a signal, if the master still answers.
	if again, err := dialMux(m.socket, greeting); err == nil {
		again.Close()
		return &proc.Error{Argv: c.Argv, ExitCode: -1, Stderr: stderr.String(), Err: errSignal}
	}
	return errLost
}

// closedChannel makes Finish give up at once.
var closedChannel = func() <-chan struct{} { c := make(chan struct{}); close(c); return c }()
