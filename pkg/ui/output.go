package ui

import (
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

const (
	// backlogLimit is how many bytes may wait for a slow reader before lines
	// that can be missed are.
	backlogLimit = 1 << 20
	// stallLimit is how long Close waits for a reader that takes nothing.
	stallLimit = 5 * time.Second
)

// output writes to w from a goroutine of its own, so that a reader that is
// slow, stopped or gone never stops the work.
type output struct {
	w     io.Writer
	stall time.Duration

	mu      sync.Mutex
	more    sync.Cond // something to write, or the end
	room    sync.Cond // something was written
	buf     []byte
	held    bool
	frames  bool // buf holds a part of a block that is drawn anew
	started bool
	closed  bool
	dead    bool // w failed, or stalled at the end: all else is dropped
	writes  int  // writes so far, to notice progress
	lost    int  // lines left out
	done    chan struct{}
	sigpipe chan os.Signal
}

func newOutput(w io.Writer) *output {
	o := &output{w: w, stall: stallLimit, done: make(chan struct{})}
	o.more.L, o.room.L = &o.mu, &o.mu
	if f, ok := w.(*os.File); ok && f != nil && (f.Fd() == 1 || f.Fd() == 2) {
		// Go ends a program that writes to a closed standard output or error;
		// with the signal taken, Write returns the error instead.
		o.sigpipe = make(chan os.Signal, 1)
		signal.Notify(o.sigpipe, syscall.SIGPIPE)
	}
	return o
}

// add queues p. With spare it is left out when too much waits already.
func (o *output) add(p string, spare bool) {
	if p == "" {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.dead || o.closed {
		return
	}
	if spare && len(o.buf) > backlogLimit {
		o.lost++
		return
	}
	o.buf = append(o.buf, p...)
	o.wake()
}

// addWait queues p and waits while too much of it waits: for frames, of which
// none may be left out and none need be early.
func (o *output) addWait(p []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.buf) > backlogLimit/16 && !o.dead && !o.held {
		o.room.Wait()
	}
	if o.dead {
		return os.ErrClosed
	}
	o.buf, o.frames = append(o.buf, p...), true
	o.wake()
	return nil
}

// hold keeps back what is added until release, so that it appears at once.
func (o *output) hold() {
	o.mu.Lock()
	o.held = true
	o.room.Broadcast()
	o.mu.Unlock()
}

func (o *output) release() {
	o.mu.Lock()
	o.held = false
	o.wake()
	o.mu.Unlock()
}

func (o *output) wake() {
	if !o.started && len(o.buf) > 0 {
		o.started = true
		go o.run()
	}
	o.more.Signal()
}

func (o *output) run() {
	defer close(o.done)
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		for (len(o.buf) == 0 || o.held) && !o.closed {
			o.more.Wait()
		}
		if len(o.buf) == 0 {
			return
		}
		chunk := o.buf
		if o.frames {
			// A synchronised update: no half-drawn block is ever seen.
			// Terminals that do not know the mode ignore it.
			chunk = append(append([]byte("\x1b[?2026h"), chunk...), "\x1b[?2026l"...)
		}
		o.buf, o.frames = nil, false
		o.mu.Unlock()
		_, err := o.w.Write(chunk)
		o.mu.Lock()
		o.writes++
		if err != nil {
			o.dead, o.buf = true, nil
		}
		o.room.Broadcast()
	}
}

// gone reports whether nobody reads any more.
func (o *output) gone() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dead
}

// missing returns how many lines were left out so far.
func (o *output) missing() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.lost
}

// close writes what waits and ends. A reader that takes nothing for
// stallLimit is given up.
func (o *output) close() {
	o.mu.Lock()
	o.closed, o.held = true, false
	started := o.started
	o.more.Broadcast()
	o.mu.Unlock()
	if started {
		o.drain()
	}
	if o.sigpipe != nil {
		signal.Stop(o.sigpipe)
	}
}

func (o *output) drain() {
	o.mu.Lock()
	last := o.writes
	o.mu.Unlock()
	for {
		select {
		case <-o.done:
			return
		case <-time.After(o.stall):
		}
		o.mu.Lock()
		if o.writes == last {
			o.dead, o.buf = true, nil
			o.room.Broadcast()
			o.mu.Unlock()
			return
		}
		last = o.writes
		o.mu.Unlock()
	}
}
