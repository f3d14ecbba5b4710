// Package ui turns events into what people see, and alone decides how things
// look. It is not a logger, reads no input and takes no signals: Ctrl-C is its
// caller's.
//
// Invariants: foreign text never reaches a terminal before Clean; Emit never
// waits for whoever reads the output, and a reader that is gone stops nothing;
// with the same events and clock the lines are the same; on a terminal nothing
// is drawn twice before something has lasted longer than a moment, so that work
// that is done at once is one line.
package ui

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/git-deploy/git-deploy/pkg/event"
)

// Mode is a way to show events.
type Mode int

const (
	Auto  Mode = iota // Live where that works, else Plain
	Live              // lines that are drawn anew, for a terminal
	Plain             // one line per fact
	JSON              // the events, one JSON line each
	Quiet             // like Plain, and only what is wrong
)

// Options are the zero value for: whatever suits w.
type Options struct {
	Mode    Mode
	Verbose bool     // all log lines, steps and packages
	Nodes   []string // nodes that are to be deployed to, when more than one is known beforehand
	Env     []string // nil: os.Environ()

	now func() time.Time // for tests
}

// moment is how long something lasts before it is drawn live.
const moment = 150 * time.Millisecond

// Renderer is an event.Sink that shows events on one writer. Close it before
// anything else is written there.
type Renderer struct {
	out  *output
	now  func() time.Time
	mode Mode

	mu      sync.Mutex
	plain   *plain
	live    *live
	file    *os.File // of Live, and the terminal's name
	term    string
	pending []string // Live: finished lines not yet shown
	lost    int      // spare lines left out of pending
	timer   *time.Timer
	stop    func() // ends the running program
	paused  int
	closed  bool
}

// New returns a Renderer that writes to w.
func New(w io.Writer, o Options) *Renderer {
	if o.Env == nil {
		o.Env = os.Environ()
	}
	if o.now == nil {
		o.now = time.Now
	}
	r := &Renderer{out: newOutput(w), now: o.now, mode: o.Mode, term: getenv(o.Env, "TERM")}
	style := StyleOf(w, o.Env)
	file, _ := w.(*os.File)
	if r.mode == Auto {
		r.mode = Plain
		if getenv(o.Env, "CI") == "" && getenv(o.Env, "TERM") != "dumb" && sensible(style) {
			r.mode = Live
		}
	}
	if r.mode == Live && (file == nil || style.Width == 0) {
		r.mode = Plain // there is no terminal to draw on
	}
	switch r.mode {
	case Live:
		r.live, r.file = &live{style: style, verbose: o.Verbose}, file
		r.live.book.expect(o.Nodes)
	case Plain, Quiet:
		if style.Width == 0 {
			style.UTF8 = true // a file or a pipe takes any bytes
		}
		style = Style{UTF8: style.UTF8, asciiSigns: true}
		r.plain = &plain{style: style, verbose: o.Verbose, quiet: r.mode == Quiet}
		r.plain.book.expect(o.Nodes)
	}
	return r
}

// sensible reports whether a terminal is large enough to draw on.
func sensible(s Style) bool { return s.Width >= 20 && (s.Rows == 0 || s.Rows >= 5) }

// Mode returns the mode in use: never Auto.
func (r *Renderer) Mode() Mode { return r.mode }

// Emit shows e. It does not wait for the output.
func (r *Renderer) Emit(e event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	spare := e.Kind == event.Log || e.Kind == event.Progress
	switch r.mode {
	case JSON:
		if line, err := json.Marshal(e); err == nil {
			r.out.add(string(line)+"\n", spare)
		}
	case Live:
		r.show(r.live.apply(e, r.now()), spare)
		r.arm()
	default:
		r.out.add(join(r.plain.apply(e, r.now())), spare)
	}
}

// pendingLimit is how many finished lines wait for a terminal that is stopped
// (Ctrl-S) before log lines are left out.
const pendingLimit = 5000

// show puts finished lines out: through the program while it runs.
func (r *Renderer) show(lines []string, spare bool) {
	if r.stop == nil {
		r.out.add(join(lines), spare)
		return
	}
	if spare && len(r.pending) > pendingLimit {
		r.lost += len(lines)
		return
	}
	r.pending = append(r.pending, lines...)
}

// arm has the program started if what runs now still runs in a moment.
func (r *Renderer) arm() {
	if r.stop != nil || r.paused > 0 || r.timer != nil || r.out.gone() || len(r.live.view(r.now())) == 0 {
		return
	}
	r.timer = time.AfterFunc(moment, r.start)
}

func (r *Renderer) start() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timer = nil
	if r.closed || r.stop != nil || r.paused > 0 || len(r.live.view(r.now())) == 0 {
		return
	}
	p := &program{mu: &r.mu, model: r.live, pending: &r.pending, now: r.now, out: r.out}
	p.frame = strings.Join(r.live.view(r.now()), "\n")
	r.stop = p.start(r.file, r.term)
}

// halt takes the block away; what waited for it is added to the output. The
// caller holds r.mu, which is given up meanwhile, and releases the output.
func (r *Renderer) halt() {
	if r.timer != nil {
		r.timer.Stop()
		r.timer = nil
	}
	stop := r.stop
	if stop == nil {
		return
	}
	r.mu.Unlock()
	stop()
	r.mu.Lock()
	r.stop = nil
	r.out.add(join(r.pending), false)
	r.pending = nil
}

// Pause takes live lines off the terminal, so that another program (ssh, an
// editor) can use it, and returns what brings them back. Finished lines still
// appear meanwhile.
func (r *Renderer) Pause() (resume func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.paused++
	if r.mode == Live && r.paused == 1 {
		r.halt()
		r.out.release()
	}
	return sync.OnceFunc(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.paused--; r.mode == Live && !r.closed {
			r.arm()
		}
	})
}

// Close shows what is left and ends. Steps that still run are said to have
// stopped. Events that come later are dropped.
func (r *Renderer) Close() error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil
	}
	r.closed = true
	var last []string
	switch r.mode {
	case Live:
		r.halt()
		last = r.live.end(r.now())
	case Plain, Quiet:
		last = r.plain.end(r.now())
	}
	r.out.add(join(last), false)
	if n := r.lost + r.out.missing(); n > 0 && r.mode != JSON {
		r.out.add("... "+plural(int64(n), "log line")+" left out: the reader was too slow\n", false)
	}
	r.mu.Unlock()
	r.out.close()
	return nil
}

func join(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}
