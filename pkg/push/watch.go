package push

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/health"
	"github.com/git-deploy/git-deploy/pkg/proc"
	"github.com/git-deploy/git-deploy/pkg/transport"
)

// patience bounds the waiting of a watch.
type patience struct {
	settle  time.Duration // how long events may take to arrive after git is done
	silence time.Duration // how long an activation may say nothing before a second look is taken over a new connection
	tell    time.Duration // how long a node may be out of reach before that is said
	lost    time.Duration // how long a node may be out of reach before the push gives up looking
	// the pause between two tries to reach the node
	minPause, maxPause time.Duration
}

var patient = patience{settle: 10 * time.Second, silence: 15 * time.Second, tell: 3 * time.Second, lost: 5 * time.Minute, minPause: 100 * time.Millisecond, maxPause: 2 * time.Second}

// watch follows one deployment to its end: it passes the node's events on,
// looks again over a new connection where the first one dies or falls silent,
// and confirms that the node can be reached.
type watch struct {
	peer    *peer
	id      string
	sink    event.Sink
	confirm bool
	sending *sending // nil: the node has what it deploys
	argv    []string // a verb that starts the deployment and prints its events; nil: follow
	called  string
	again   string // the command that looks later at this deployment
	look    string // and the one that looks at the node
	limits  patience

	start      int64       // of the last event seen before this watch
	seq        int64       // of the last event seen
	last       event.Event // the last begin or end of a step
	mine       *followed
	activating bool
	rebooting  bool
	confirming bool
	fresh      transport.Transport
	background sync.WaitGroup
	link       link
}

// watch returns what watches deployment id on the node.
func (h *helper) watch(id string, sink event.Sink) *watch {
	w := &watch{
		peer: h.peer, id: id, sink: sink, confirm: !h.peer.local, called: h.called(), limits: patient,
		again: "git deploy follow " + h.nameOrURL(), look: "git deploy status --fetch " + h.nameOrURL(),
	}
	if value := h.config.Get(keyReconnect); value != "" {
		limit, err := time.ParseDuration(value)
		if w.limits.lost = limit; err != nil || limit <= 0 {
			w.limits.lost = patient.lost
			sink.Emit(event.Event{Kind: event.Warning, Time: time.Now(), Message: fmt.Sprintf("%s is a duration such as 90s, not %.40q", keyReconnect, value)})
		}
	}
	return w
}

// follower is one try to follow.
type follower struct {
	err   error
	first bool // the one that began with the push
	asked bool // one that does not wait for a deployment to begin
	start time.Time
}

// run returns the Finished event of the node. Without one the error says why.
func (w *watch) run(ctx context.Context) (event.Event, error) {
	ctx, cancel := context.WithCancel(ctx)
	events := make(chan event.Event)
	ended := make(chan follower)
	defer func() {
		cancel()
		w.background.Wait()
		if w.fresh != nil {
			_ = w.fresh.Close()
		}
	}()
	running := 0
	follow := func(t transport.Transport, argv []string, f follower) {
		running++
		f.start = time.Now()
		if argv == nil {
			// The last event again: by it one knows that the node is there.
			argv = t.Tool("node", "follow", w.id, "--from", fmt.Sprint(max(w.seq, 1)))
		}
		w.background.Go(func() {
			lines := &eventLines{emit: func(e event.Event) {
				select {
				case events <- e:
				case <-ctx.Done():
				}
			}}
			f.err = t.Run(ctx, transport.Command{Argv: argv, Marked: true, Stdout: lines})
			select {
			case ended <- f:
			case <-ctx.Done():
			}
		})
	}
	w.mine.note(w.seq)
	follow(w.peer.t, w.argv, follower{first: w.argv != nil})

	var sent <-chan struct{}
	if w.sending != nil {
		sent = w.sending.done
		defer w.sending.cancel()
	}
	var sendErr, followErr error
	var deadline, retry, ask <-chan time.Time // nil: not set
	pause := w.limits.minPause
	quiet := time.NewTimer(w.limits.silence)
	defer quiet.Stop()
	for {
		select {
		case e := <-events:
			w.reached()
			quiet.Reset(w.limits.silence)
			// After a power cut the node's numbers may begin anew; its outcome counts.
			if e.Seq <= w.seq && e.Seq != 0 && e.Kind != event.Finished {
				continue
			}
			pause, w.link.lost = w.limits.minPause, time.Time{}
			w.seq = max(w.seq, e.Seq)
			if e.Step != "" {
				w.last = e
			}
			w.mine.note(w.seq)
			// The same system again is not switched to, but checked and confirmed.
			w.activating = w.activating || e.Step == event.Switch || e.Step == event.Reboot || e.Step == event.Health && e.Kind == event.StepStarted
			w.reboots(e)
			deadline = nil
			if sendErr != nil && !w.activating {
				deadline = time.After(w.limits.settle)
			}
			if e.Kind == event.Finished {
				w.finishSending(ctx, sent)
				return e, nil
			}
			w.seen(ctx, e)
		case f := <-ended:
			running--
			followErr = f.err
			w.parted(f)
			if f.asked && w.seq == 0 {
				if proc.ExitCode(f.err) > 0 && !errors.Is(f.err, transport.ErrUnreachable) {
					return event.Event{}, w.nothingBegan()
				}
				ask = time.After(w.limits.maxPause)
			}
			if f.first && f.err != nil && w.sending == nil && w.seq == w.start {
				if !errors.Is(f.err, transport.ErrUnreachable) {
					return event.Event{}, remoteError(f.err) // the node did not begin
				}
				// It may have begun before the connection was lost.
				sendErr, deadline = f.err, time.After(w.limits.settle)
			}
			if w.activating {
				if err := w.givenUp(f.err); err != nil {
					return event.Event{}, err
				}
			}
			if running == 0 {
				retry = time.After(pause)
				pause = min(2*pause, w.limits.maxPause)
			}
		case <-retry:
			retry = nil
			if w.givesUp() {
				return event.Event{}, w.gone(followErr)
			}
			follow(w.elsewhere(), nil, follower{})
		case <-ask:
			ask = nil
			if w.givesUp() {
				return event.Event{}, w.gone(followErr)
			}
			if w.seq == 0 {
				t := w.elsewhere()
				follow(t, t.Tool("node", "follow", "--existing", w.id), follower{asked: true})
			}
		case <-w.link.tell:
			w.tellLost(sendErr != nil && !w.activating)
		case <-quiet.C:
			// The switch may have cut the connection without a word.
			if w.activating && running == 1 {
				follow(w.elsewhere(), nil, follower{})
			}
			quiet.Reset(w.limits.silence)
		case <-sent:
			sent = nil
			if sendErr = w.sending.result(); sendErr == nil {
				if w.seq > 0 {
					continue
				}
				if w.sending.hadIt() {
					return event.Event{}, errHadIt
				}
				// What hooks of ours take they have begun by now, and they tell of it.
				ask = time.After(w.limits.settle / 10)
				continue
			}
			var rejected *rejectedError
			if errors.As(sendErr, &rejected) && !rejected.byHook() {
				return event.Event{}, sendErr // no hook ran
			}
			deadline = time.After(w.limits.settle)
			if w.seq == 0 && (rejected != nil || len(fail.HintsOf(sendErr)) > 0) {
				deadline = time.After(w.limits.settle / 10) // refused before there was a deployment
			}
		case <-deadline:
			return event.Event{}, w.broken(sendErr)
		case <-ctx.Done():
			return event.Event{}, w.interrupted(sent == nil && sendErr == nil)
		}
	}
}

// finishSending lets git end by itself, so that it has told what became of
// all refs. On a connection that is dead it may not.
func (w *watch) finishSending(ctx context.Context, sent <-chan struct{}) {
	if sent == nil {
		return
	}
	select {
	case <-sent:
		return
	case <-time.After(w.limits.settle):
	case <-ctx.Done():
	}
	w.sending.cancel()
	<-sent
}

// elsewhere is the transport for a new look: what broke the first one may have broken its connection.
func (w *watch) elsewhere() transport.Transport {
	if w.peer.local {
		return w.peer.t
	}
	if w.fresh == nil {
		w.fresh = w.peer.t.Fresh()
	}
	return w.fresh
}

// seen passes an event on and acts on it.
func (w *watch) seen(ctx context.Context, e event.Event) {
	if w.sending != nil {
		w.sending.arrived()
	}
	w.sink.Emit(e)
	// Not before: while the health checks run, the node refuses a confirmation.
	if e.Step == event.Confirm && e.Kind == event.StepStarted && w.confirm && !w.confirming {
		w.confirming = true
		w.background.Go(func() { w.prove(ctx, e.Fields[event.ChecksField]) })
	}
}

// reboots adjusts the patience to what the node says of its reboot.
func (w *watch) reboots(e event.Event) {
	if e.Step != event.Reboot {
		return
	}
	w.rebooting = e.Kind == event.StepStarted
	if limit, err := strconv.Atoi(e.Fields[event.LimitField]); err == nil && w.rebooting && limit > 0 {
		w.limits.lost = time.Duration(limit) * time.Second
	}
}

// prove answers the node that waits for a confirmation, over new connections.
// checks, unless empty, are to be run here first; that the node can be reached
// is told before, since they may take their time.
func (w *watch) prove(ctx context.Context, checks string) {
	t := w.peer.t.Fresh()
	defer t.Close()
	if checks == "" {
		w.answer(ctx, t, "")
		return
	}
	if !w.answer(ctx, t, "", "--reached") {
		return
	}
	if err := w.outside(ctx, checks); err != nil {
		w.answer(ctx, t, err.Error(), "--refuse")
		return
	}
	w.answer(ctx, t, "")
}

// hostNames replaces the node's name for ssh in its checks by what it stands for here.
func (p *peer) hostNames(checks []bundle.Check) {
	for i := range checks {
		checks[i].Host = p.t.HostName(checks[i].Host)
	}
}

// outside runs the node's checks that are to be run from here.
func (w *watch) outside(ctx context.Context, text string) error {
	var checks []bundle.Check
	if err := json.Unmarshal([]byte(text), &checks); err != nil {
		return fmt.Errorf("the health checks that the node sent: %w", err)
	}
	if err := health.Outside(checks); err != nil {
		return err
	}
	w.peer.hostNames(checks)
	return health.Run(ctx, checks, event.SinkFunc(func(e event.Event) {
		e.Step = event.Confirm
		w.sink.Emit(e)
	}))
}

// answer tells the node until it has heard, and reports whether it has.
func (w *watch) answer(ctx context.Context, t transport.Transport, why string, flags ...string) bool {
	argv := t.Tool(append(append([]string{"node", "confirm"}, flags...), w.id)...)
	for pause := w.limits.minPause; ; pause = min(2*pause, w.limits.maxPause) {
		c := transport.Command{Argv: argv, Marked: true}
		if why != "" {
			c.Stdin = strings.NewReader(why)
		}
		err := t.Run(ctx, c)
		if err == nil {
			return true
		}
		// A node that answers "no" has decided already.
		if proc.ExitCode(err) > 0 && !errors.Is(err, transport.ErrUnreachable) {
			return false
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pause):
		}
	}
}

// eventLines parses what a node prints while it is followed.
type eventLines struct {
	emit func(event.Event)
	buf  []byte
}

func (l *eventLines) Write(p []byte) (int, error) {
	l.buf = append(l.buf, p...)
	for {
		line, rest, ok := bytes.Cut(l.buf, []byte{'\n'})
		if !ok {
			if len(l.buf) > 64<<20 {
				return 0, errors.New("the node sent an event without end")
			}
			return len(p), nil
		}
		l.buf = rest
		// A node of another version may know more kinds of events; what is none is left out.
		if e, err := event.Parse(line); err == nil {
			l.emit(e)
		}
	}
}
