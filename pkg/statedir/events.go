package statedir

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/git-deploy/git-deploy/pkg/event"
)

// EventLog is a Sink that appends to a deployment's event log.
//
// The log belongs to one process at a time (who holds the DeploymentLock) but
// to several over its life: Seq goes on where the last one stopped. Each event
// is one write of one line. After the Finished event the log is closed for
// good: a deployment has one outcome.
type EventLog struct {
	id       string
	mu       sync.Mutex
	f        *os.File
	seq      int64
	mend     bool // the last line has no end: its writer died, or the power
	finished *event.Event
	err      error
}

// OpenEvents opens the event log of deployment id for appending, and makes it when absent.
func OpenEvents(l Layout, id string) (*EventLog, error) {
	f, err := os.OpenFile(l.Events(id), os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open event log: %w", err)
	}
	data, err := io.ReadAll(f)
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("read event log: %w", err)
	}
	log := &EventLog{id: id, f: f}
	events, rest := parseEvents(data)
	log.mend = len(rest) > 0
	for _, e := range events {
		log.seq = max(log.seq, e.Seq)
		if e.Kind == event.Finished && log.finished == nil {
			log.finished = &e
		}
	}
	return log, nil
}

// Emit appends e with the next Seq. Everything after a Finished event is
// dropped. A write that fails is kept for Err and does not stop the deployment.
func (log *EventLog) Emit(e event.Event) {
	log.mu.Lock()
	defer log.mu.Unlock()
	if log.finished != nil {
		return
	}
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	if e.Deployment == "" {
		e.Deployment = log.id
	}
	e.Seq = log.seq + 1
	line, err := json.Marshal(e)
	if err != nil {
		log.keep(err)
		return
	}
	if log.mend {
		line = append([]byte{'\n'}, line...)
	}
	n, err := log.f.Write(append(line, '\n'))
	if err != nil {
		log.mend = log.mend || n > 0
		log.keep(err)
		return
	}
	log.mend, log.seq = false, e.Seq
	if e.Kind == event.Finished {
		log.finished = &e
		log.keep(log.f.Sync()) // an outcome must not be forgotten, and so become another one
	}
}

func (log *EventLog) keep(err error) {
	if log.err == nil && err != nil {
		log.err = fmt.Errorf("write event log: %w", err)
	}
}

// Finished returns the outcome, or nil.
func (log *EventLog) Finished() *event.Event {
	log.mu.Lock()
	defer log.mu.Unlock()
	return log.finished
}

// Err returns the first error of writing.
func (log *EventLog) Err() error {
	log.mu.Lock()
	defer log.mu.Unlock()
	return log.err
}

// Close closes the file.
func (log *EventLog) Close() error { return log.f.Close() }

// parseEvents returns the events of all whole lines, and what follows the last
// line end. Lines that are not events are skipped: a power cut may leave half
// a line, or zeros.
func parseEvents(data []byte) (events []event.Event, rest []byte) {
	for {
		line, after, whole := bytes.Cut(data, []byte{'\n'})
		if !whole {
			return events, data
		}
		data = after
		if e, err := event.Parse(line); err == nil {
			events = append(events, e)
		}
	}
}

// ReadEvents returns all events of a deployment. A log that is absent is os.ErrNotExist.
func ReadEvents(l Layout, id string) ([]event.Event, error) {
	data, err := os.ReadFile(l.Events(id))
	if err != nil {
		return nil, err
	}
	events, _ := parseEvents(data)
	return events, nil
}

// lastBlock holds the last event of nearly every log.
const lastBlock = 8 << 10

// FinishedEvent returns the outcome of a deployment, or nil while it has none.
func FinishedEvent(l Layout, id string) (*event.Event, error) {
	f, err := os.Open(l.Events(id))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	// The outcome is the last line: look there first.
	if st, err := f.Stat(); err == nil && st.Size() > lastBlock {
		data, err := io.ReadAll(io.NewSectionReader(f, st.Size()-lastBlock, lastBlock))
		if e := finishedIn(data); err == nil && e != nil {
			return e, nil
		}
	}
	data, err := io.ReadAll(f)
	return finishedIn(data), err
}

func finishedIn(data []byte) *event.Event {
	events, _ := parseEvents(data)
	for _, e := range events {
		if e.Kind == event.Finished {
			return &e
		}
	}
	return nil
}

// Tail reads a growing event log from event number from on. A log that does
// not exist yet is an empty one.
type Tail struct {
	path string
	from int64
	f    *os.File
	rest []byte
	done bool
}

// NewTail returns a Tail of deployment id's log.
func NewTail(l Layout, id string, from int64) *Tail {
	return &Tail{path: l.Events(id), from: from}
}

// Next returns what has been appended since the last call, perhaps nothing.
// It does not wait.
func (t *Tail) Next() ([]event.Event, error) {
	if t.f == nil {
		f, err := os.Open(t.path)
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("follow: %w", err)
		}
		t.f = f
	}
	more, err := io.ReadAll(t.f)
	if err != nil {
		return nil, fmt.Errorf("follow: %w", err)
	}
	if len(more) == 0 {
		return nil, nil
	}
	events, rest := parseEvents(append(t.rest, more...))
	t.rest = bytes.Clone(rest)
	var fresh []event.Event
	for _, e := range events {
		// An outcome is passed on whatever its number: a power cut may have taken
		// events that were seen already, and the numbers begin anew.
		if !t.done && (e.Seq >= t.from || e.Kind == event.Finished) {
			fresh = append(fresh, e)
			t.from = e.Seq + 1
		}
		t.done = t.done || e.Kind == event.Finished
	}
	return fresh, nil
}

// Exists reports whether the log was there at the last call of Next.
func (t *Tail) Exists() bool { return t.f != nil }

// Done reports whether Next has reached the Finished event.
func (t *Tail) Done() bool { return t.done }

// Close closes the file.
func (t *Tail) Close() error {
	if t.f == nil {
		return nil
	}
	return t.f.Close()
}

// Pace says how long a follower waits before it looks again: briefly while
// things happen, longer while a build takes its time.
type Pace struct{ pause time.Duration }

const minPause, maxPause = 4 * time.Millisecond, 64 * time.Millisecond

// Next returns a channel to wait for; news says whether there was something new.
func (p *Pace) Next(news bool) <-chan time.Time {
	p.pause = min(p.pause+p.pause/8, maxPause)
	if news || p.pause == 0 {
		p.pause = minPause
	}
	return time.After(p.pause)
}

// Follow passes the events of a deployment from number from on to f, until
// its Finished event. It waits for the log to appear for at most wait.
func Follow(ctx context.Context, l Layout, id string, from int64, wait time.Duration, f func(event.Event) error) error {
	if !ValidID(id) {
		return fmt.Errorf("deployment id %.40q is not one", id)
	}
	t := NewTail(l, id, from)
	defer func() { _ = t.Close() }()
	start, pace := time.Now(), Pace{}
	for {
		events, err := t.Next()
		if err != nil {
			return err
		}
		for _, e := range events {
			if err := f(e); err != nil {
				return err
			}
		}
		switch {
		case t.Done():
			return nil
		case !t.Exists() && time.Since(start) >= wait:
			return fmt.Errorf("deployment %s: %w", id, os.ErrNotExist)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-pace.Next(len(events) > 0):
		}
	}
}
