package transport

import (
	"context"
	"io"
	"os"
)

// early is a receive-pack on the node that was started before git asks for
// it, so that its start and git's own fall together. Its stdio is git's as
// soon as git is there.
type early struct {
	network string
	stdio   [3]*os.File
	ready   chan struct{} // closed when stdio is set
	done    chan error    // the end of the command
	cancel  context.CancelFunc
}

// begin starts receive-pack for network. Nobody may ever ask for it: it ends with the relay.
func (r *relay) begin(network string) {
	ctx, cancel := context.WithCancel(r.ctx)
	e := &early{network: network, ready: make(chan struct{}), done: make(chan error, 1), cancel: cancel}
	r.mu.Lock()
	taken := r.early
	r.early = e
	r.mu.Unlock()
	if taken != nil {
		taken.cancel()
	}
	r.sessions.Go(func() {
		defer cancel()
		e.done <- r.run(ctx, relayRequest{Service: "receive-pack", Network: network}, e.in(ctx), e.out(ctx, 1), e.out(ctx, 2))
	})
}

// take returns the receive-pack that was begun for the request, once.
func (r *relay) take(req relayRequest) *early {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.early
	if e == nil || req.Service != "receive-pack" || req.Network != e.network {
		return nil
	}
	r.early = nil
	return e
}

// attach gives the command git's stdio and waits for its end.
func (e *early) attach(ctx context.Context, stdio [3]*os.File) error {
	e.stdio = stdio
	close(e.ready)
	stop := context.AfterFunc(ctx, e.cancel)
	defer stop()
	return <-e.done
}

func (e *early) in(ctx context.Context) io.Reader { return &late{e: e, ctx: ctx} }

func (e *early) out(ctx context.Context, n int) io.Writer { return &late{e: e, ctx: ctx, n: n} }

// late is one stream of an early command: it blocks until git is there.
type late struct {
	e   *early
	ctx context.Context
	n   int
}

func (l *late) file() (*os.File, error) {
	select {
	case <-l.e.ready:
		return l.e.stdio[l.n], nil
	case <-l.ctx.Done():
		return nil, l.ctx.Err()
	}
}

func (l *late) Read(p []byte) (int, error) {
	f, err := l.file()
	if err != nil {
		return 0, err
	}
	return f.Read(p)
}

func (l *late) Write(p []byte) (int, error) {
	f, err := l.file()
	if err != nil {
		return 0, err
	}
	return f.Write(p)
}
