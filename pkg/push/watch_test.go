package push

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/proc"
	"github.com/git-deploy/git-deploy/pkg/transport"
)

// stage is a node whose deployment grows under the test's hands.
type stage struct {
	mu        sync.Mutex
	events    []event.Event
	changed   chan struct{} // closed at every change
	cut       int           // connections that are dead: 0 none, 1 the first, 2 all
	stops     bool          // a follower ends when it has told all there is
	hang      bool          // a dead connection says nothing instead of an error
	confirmed bool
	seen      int      // events that the watch has passed on
	runs      []string // verbs, with * over a fresh connection
}

func newStage() *stage { return &stage{changed: make(chan struct{})} }

func (s *stage) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *stage) emit(events ...event.Event) {
	s.change(func() {
		for _, e := range events {
			e.Seq = int64(len(s.events) + 1)
			s.events = append(s.events, e)
		}
	})
}

// line is one transport to the stage.
type line struct {
	s     *stage
	fresh bool
}

var errCut = &transport.UnreachableError{Reason: transport.Lost, Words: "cut"}

func (l line) Run(ctx context.Context, c transport.Command) error {
	verb := c.Argv[2]
	from := 1
	if verb == "follow" && len(c.Argv) > 5 {
		fmt.Sscan(c.Argv[5], &from)
	}
	mark := ""
	if l.fresh {
		mark = "*"
	}
	l.s.change(func() { l.s.runs = append(l.s.runs, verb+mark) })
	enc := event.NewEncoder(c.Stdout)
	for {
		l.s.mu.Lock()
		events, changed, dead, hang := l.s.events, l.s.changed, l.s.cut == 2 || l.s.cut == 1 && !l.fresh, l.s.hang
		l.s.mu.Unlock()
		switch {
		case dead && !hang:
			return errCut
		case dead:
		case verb == "follow" && c.Argv[3] == "--existing" && len(events) == 0:
			return &proc.Error{Argv: c.Argv, ExitCode: 1, Stderr: "git-deploy: error: there is no deployment id on this node\n", Err: errors.New("exit")}
		case verb == "confirm":
			l.s.change(func() { l.s.confirmed = true })
			return nil
		case verb == "refuse":
			return &proc.Error{Argv: c.Argv, ExitCode: 1, Stderr: "git-deploy: error: no such generation\ngit-deploy: hint: git deploy log\n", Err: errors.New("exit")}
		default:
			for ; from <= len(events); from++ {
				enc.Emit(events[from-1])
				if events[from-1].Kind == event.Finished {
					return nil
				}
			}
			if n := len(events); n > 0 && from > n && events[n-1].Kind == event.Finished {
				enc.Emit(events[n-1]) // as statedir.Tail does
				return nil
			}
			if l.s.stops {
				return nil
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l line) Git(string) (transport.GitRemote, error) { return transport.GitRemote{}, nil }
func (l line) Tool(args ...string) []string            { return append([]string{"tool"}, args...) }
func (l line) HostName(host string) string             { return host }
func (l line) Fresh() transport.Transport              { return line{l.s, true} }
func (l line) Close() error                            { return nil }

var hasty = patience{settle: 200 * time.Millisecond, silence: 50 * time.Millisecond, tell: time.Minute, lost: 300 * time.Millisecond, minPause: time.Millisecond, maxPause: 5 * time.Millisecond}

// show runs a watch of s while script plays, and returns its result and what the sink got.
func show(t *testing.T, s *stage, w *watch, script func(), heard ...func(event.Event)) (event.Event, error, []event.Event) {
	t.Helper()
	var mu sync.Mutex
	var got []event.Event
	w.peer = &peer{t: line{s, false}}
	if w.limits == (patience{}) {
		w.limits = hasty
	}
	w.id, w.called, w.again, w.look = "id", "web", "git deploy follow web", "git deploy status --fetch web"
	w.sink = event.SinkFunc(func(e event.Event) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, e)
		s.change(func() { s.seen++ })
		for _, f := range heard {
			f(e)
		}
	})
	played := make(chan struct{})
	go func() { defer close(played); script() }()
	final, err := w.run(t.Context())
	<-played
	return final, err, got
}

func step(kind event.Kind, s event.Step) event.Event { return event.Event{Kind: kind, Step: s} }

var finished = event.Event{Kind: event.Finished, Outcome: event.Succeeded}

// until waits until the stage is in a state.
func (s *stage) until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for start := time.Now(); ; {
		s.mu.Lock()
		ok, changed := f(), s.changed
		s.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-time.After(10*time.Second - time.Since(start)):
			t.Errorf("never: %s", what)
			return
		}
	}
}

func (s *stage) ran(verb string) func() bool {
	return func() bool { return slices.Contains(s.runs, verb) }
}

func TestWatchConfirmsOverAFreshConnection(t *testing.T) {
	s := newStage()
	final, err, got := show(t, s, &watch{confirm: true}, func() {
		s.emit(step(event.StepStarted, event.Switch), step(event.StepDone, event.Switch), step(event.StepStarted, event.Confirm))
		s.until(t, "confirmed", func() bool { return s.confirmed })
		s.emit(step(event.StepDone, event.Confirm), finished)
	})
	if err != nil || final.Outcome != event.Succeeded || len(got) != 4 {
		t.Errorf("%+v, %v, %d events", final, err, len(got))
	}
	if !slices.Contains(s.runs, "confirm*") || slices.Contains(s.runs, "confirm") {
		t.Errorf("runs %v", s.runs)
	}
}

// The switch restarts what the connection goes through: each event comes once, in order, and the end is seen.
func TestWatchGoesOnOverANewConnection(t *testing.T) {
	for _, hang := range []bool{false, true} {
		s := newStage()
		s.hang = hang
		final, err, got := show(t, s, &watch{confirm: true}, func() {
			s.emit(step(event.StepStarted, event.Build), step(event.StepDone, event.Build), step(event.StepStarted, event.Switch))
			s.until(t, "followed", s.ran("follow"))
			time.Sleep(20 * time.Millisecond) // let the first connection tell some
			s.change(func() { s.cut = 1 })
			s.emit(step(event.StepDone, event.Switch), step(event.StepStarted, event.Confirm))
			s.until(t, "confirmed", func() bool { return s.confirmed })
			s.emit(finished)
		})
		if err != nil || final.Outcome != event.Succeeded {
			t.Errorf("hang=%v: %+v, %v", hang, final, err)
		}
		for i, e := range got {
			if e.Seq != int64(i+1) {
				t.Errorf("hang=%v: event %d has number %d", hang, i+1, e.Seq)
			}
		}
		if len(got) != 5 {
			t.Errorf("hang=%v: %d events", hang, len(got))
		}
	}
}

// A power cut takes events that were seen, and what settles the deployment begins anew with its numbers.
func TestWatchSeesTheOutcomeOfALogThatBeganAnew(t *testing.T) {
	s := newStage()
	final, err, got := show(t, s, &watch{confirm: true}, func() {
		s.emit(step(event.StepStarted, event.Build), step(event.StepDone, event.Build), step(event.StepStarted, event.Switch))
		s.until(t, "followed", s.ran("follow"))
		time.Sleep(20 * time.Millisecond) // let the first connection tell some
		s.change(func() { s.cut, s.events = 1, nil })
		s.emit(event.Event{Kind: event.Finished, Outcome: event.Interrupted})
	})
	if err != nil || final.Outcome != event.Interrupted || len(got) != 3 {
		t.Errorf("%+v, %v, %d events", final, err, len(got))
	}
}

func TestWatchGivesUpOnALostNode(t *testing.T) {
	// The same system again is not switched to; its checks come first.
	for _, at := range []event.Step{event.Switch, event.Health} {
		s := newStage()
		limits := hasty
		limits.tell = 20 * time.Millisecond
		_, err, got := show(t, s, &watch{confirm: true, limits: limits}, func() {
			s.emit(step(event.StepStarted, at))
			s.until(t, "seen", func() bool { return s.seen > 0 })
			s.change(func() { s.cut = 2 })
		})
		var unknown *unknownError
		if fail.CodeOf(err) != fail.Unreachable || !errors.As(err, &unknown) || !strings.Contains(err.Error(), "out of reach") ||
			!strings.Contains(err.Error(), "last seen: "+string(at)+", which had begun\nit goes on by itself") {
			t.Errorf("%v", err)
		}
		if diff := cmp.Diff([]string{"git deploy status --fetch web", "git deploy follow web"}, fail.HintsOf(err)); diff != "" {
			t.Error(diff)
		}
		if len(got) != 2 || got[1].Kind != event.Warning || !strings.Contains(got[1].Message, "web is out of reach") || !strings.Contains(got[1].Message, "reconnecting, for up to 0.3s") {
			t.Errorf("said %+v", got)
		}
	}
}

// A node that hangs up without an end is not followed for ever.
func TestWatchGivesUpOnANodeThatStopsTelling(t *testing.T) {
	s := newStage()
	s.stops = true
	_, err, _ := show(t, s, &watch{}, func() { s.emit(step(event.StepStarted, event.Switch)) })
	if fail.CodeOf(err) != fail.Unreachable || !strings.Contains(err.Error(), "it stops telling before the end") {
		t.Errorf("%v", err)
	}
}

// Health checks may say nothing for longer than a node may be out of reach.
func TestWatchCountsFromTheLossOfTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		limits := patient
		limits.silence = time.Hour
		final, err, _ := show(t, s, &watch{limits: limits}, func() {
			s.emit(step(event.StepStarted, event.Switch))
			s.until(t, "seen", func() bool { return s.seen > 0 })
			time.Sleep(2 * limits.lost)
			s.change(func() { s.cut = 2 })
			time.Sleep(10 * time.Second)
			s.change(func() { s.cut = 1 })
			s.emit(finished)
		})
		if err != nil || final.Outcome != event.Succeeded {
			t.Errorf("%+v, %v", final, err)
		}
	})
}

// A lost node that comes back is told of too, and the deployment is seen to its end.
func TestWatchTellsOfALostNodeThatComesBack(t *testing.T) {
	s := newStage()
	heard := func(e event.Event) {
		switch e.Kind {
		case event.Warning:
			s.change(func() { s.cut = 1 })
		case event.Notice:
			s.emit(finished)
		}
	}
	limits := hasty
	limits.tell, limits.lost = 20*time.Millisecond, time.Minute
	final, err, got := show(t, s, &watch{confirm: true, limits: limits}, func() {
		s.emit(step(event.StepStarted, event.Switch))
		s.until(t, "seen", func() bool { return s.seen > 0 })
		s.change(func() { s.cut = 2 })
	}, heard)
	if err != nil || final.Outcome != event.Succeeded || len(got) != 3 || !strings.Contains(got[2].Message, "web can be reached again") {
		t.Errorf("%+v, %v, said %+v", final, err, got)
	}
}

// The connection is lost while the node builds: whether it has gone on is not known.
func TestWatchOfASendingThatBreaks(t *testing.T) {
	for _, c := range []struct {
		name     string
		cut      int
		statuses []gitrepo.RefStatus
		code     fail.Code
		unknown  bool
		says     string
	}{
		{"the connection", 2, nil, fail.Unreachable, true, "last seen: build, which had begun\nit drops by itself"},
		{"git alone", 0, nil, fail.Unreachable, true, "last seen: build, which had begun\nit drops by itself"},
		{"the node refuses", 0, []gitrepo.RefStatus{{Ref: "refs/heads/main", Err: "pre-receive hook declined"}}, fail.Failed, false, "declined"},
	} {
		s := newStage()
		send := &sending{branch: "refs/heads/main", done: make(chan struct{}), sink: event.Discard, cancel: func() {}, statuses: c.statuses}
		if c.statuses == nil {
			send.err = errors.New("the remote end hung up unexpectedly")
		}
		_, err, _ := show(t, s, &watch{sending: send}, func() {
			s.emit(step(event.StepStarted, event.Build))
			s.until(t, "seen", func() bool { return s.seen > 0 })
			s.change(func() { s.cut = c.cut })
			close(send.done)
		})
		var unknown *unknownError
		if fail.CodeOf(err) != c.code || errors.As(err, &unknown) != c.unknown || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// git took the branch, and no hook of ours has seen it.
func TestWatchOfABranchThatMovesWithoutADeployment(t *testing.T) {
	for _, c := range []struct {
		had        bool
		said, says string
	}{
		{false, "", "probably its hooks"},
		{false, "git-deploy: error: is the hook pre-receive in place?\n", "it says: is the hook pre-receive in place?"},
		{true, "", errHadIt.Error()},
	} {
		s := newStage()
		send := &sending{branch: "refs/heads/main", done: make(chan struct{}), sink: event.Discard, cancel: func() {},
			statuses: []gitrepo.RefStatus{{Ref: "refs/heads/main", UpToDate: c.had}}}
		send.said.WriteString(c.said)
		close(send.done)
		_, err, got := show(t, s, &watch{sending: send}, func() {})
		var nothing noDeploymentError
		if err == nil || !strings.Contains(err.Error(), c.says) || errors.As(err, &nothing) == c.had || fail.CodeOf(err) != fail.Failed || len(got) != 0 {
			t.Errorf("%+v: %v, %+v", c, err, got)
		}
		if !c.had && !slices.Contains(fail.HintsOf(err), "git deploy doctor web") {
			t.Errorf("hints %q", fail.HintsOf(err))
		}
	}
}

func TestWatchOfAVerbThatIsRefused(t *testing.T) {
	s := newStage()
	_, err, _ := show(t, s, &watch{argv: []string{"tool", "node", "refuse"}}, func() {})
	if err == nil || err.Error() != "no such generation" || !slices.Contains(fail.HintsOf(err), "git deploy log") {
		t.Errorf("%v", err)
	}
	// The connection is lost before anything was heard, and nothing began.
	s = newStage()
	s.cut = 1
	_, err, _ = show(t, s, &watch{argv: []string{"tool", "node", "deploy"}}, func() {})
	if !errors.Is(err, transport.ErrUnreachable) {
		t.Errorf("%v", err)
	}
}

func TestWatchTellsWhereACancelledPushLeavesTheNode(t *testing.T) {
	for _, c := range []struct {
		events []event.Event
		says   string
	}{
		{nil, "nothing was changed on web"},
		{[]event.Event{step(event.StepStarted, event.Build)}, "web drops what it has not begun to activate"},
		{[]event.Event{step(event.StepStarted, event.Switch)}, "the deployment goes on on web"},
	} {
		s := newStage()
		ctx, cancel := context.WithCancel(t.Context())
		var n atomic.Int32
		w := &watch{peer: &peer{t: line{s, false}}, id: "id", called: "web", limits: hasty, sending: &sending{done: make(chan struct{}), sink: event.Discard, cancel: func() {}},
			sink: event.SinkFunc(func(event.Event) {
				if int(n.Add(1)) == len(c.events) {
					cancel()
				}
			})}
		s.emit(c.events...)
		if len(c.events) == 0 {
			cancel()
		}
		_, err := w.run(ctx)
		cancel()
		if fail.CodeOf(err) != fail.Cancelled || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v, want %q", err, c.says)
		}
	}
}

func TestEventLinesSkipsWhatIsNone(t *testing.T) {
	var got []event.Kind
	l := &eventLines{emit: func(e event.Event) { got = append(got, e.Kind) }}
	for _, part := range []string{"noise\n{\"kind\":\"no", "tice\"}\n{}\n\n{\"kind\":\"log\"}\nrest"} {
		if _, err := io.WriteString(l, part); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(got, []event.Kind{event.Notice, event.Log}) {
		t.Errorf("%v", got)
	}
}

func TestToolError(t *testing.T) {
	text, hints := toolError("Welcome!\ngit-deploy: error: no such network\n  there are: a, b\ngit-deploy: hint: git deploy add\nbye\n")
	if text != "no such network\nthere are: a, b" || len(hints) != 1 || hints[0] != "git deploy add" {
		t.Errorf("%q %q", text, hints)
	}
	if text, _ := toolError("bash: git-deploy: command not found"); text != "" {
		t.Errorf("%q", text)
	}
}
