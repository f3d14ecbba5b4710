package push

import (
	"errors"
	"fmt"
	"time"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/proc"
	"github.com/git-deploy/git-deploy/pkg/transport"
	"github.com/git-deploy/git-deploy/pkg/ui"
)

// keyReconnect is the setting with how long a push tries to reach a node that it has lost.
const keyReconnect = "deploy.reconnect"

// link is what a watch knows of its connection.
type link struct {
	contact time.Time        // when the node was last heard
	lost    time.Time        // since when; zero: it is there
	tell    <-chan time.Time // when to say so
	told    bool
	why     error // nil: it is there, as far as is known
}

// reached notes that the node was heard.
func (w *watch) reached() {
	w.link.contact, w.link.tell, w.link.why = time.Now(), nil, nil
	if w.link.told {
		w.link.told = false
		w.sink.Emit(event.Event{Kind: event.Notice, Time: time.Now(), Message: w.called + " can be reached again"})
	}
}

// parted notes that a follower has come to its end.
func (w *watch) parted(f follower) {
	l := &w.link
	// One that follows for a while and hears nothing new is no sign of a lost node.
	if l.lost.IsZero() || l.contact.After(f.start) && time.Since(f.start) > w.limits.silence {
		l.lost = time.Now()
	}
	if !errors.Is(f.err, transport.ErrUnreachable) {
		return
	}
	l.why = f.err
	if l.tell == nil && !l.told && !w.rebooting && w.seq > 0 {
		l.tell = time.After(w.limits.tell)
	}
}

// givesUp reports whether the node has been out of reach for too long, which was told before.
func (w *watch) givesUp() bool {
	return w.link.tell == nil && !w.link.lost.IsZero() && time.Since(w.link.lost) > w.limits.lost
}

// tellLost says that the node is out of reach. ending: nothing was activated, and the push ends soon.
func (w *watch) tellLost(ending bool) {
	w.link.tell, w.link.told = nil, true
	limit := w.limits.lost
	if ending {
		limit = w.limits.settle
	}
	w.sink.Emit(event.Event{Kind: event.Warning, Time: time.Now(),
		Message: fmt.Sprintf("%s is out of reach (%s); reconnecting, for up to %s", w.called, firstLine(w.link.why.Error()), ui.FormatDuration(limit))})
}

// unknownError is about a deployment of which nobody here knows how it ended.
type unknownError struct{ err error }

func (e *unknownError) Error() string { return e.err.Error() }
func (e *unknownError) Unwrap() error { return e.err }

// unknown ends a watch because of err with what is known.
func (w *watch) unknown(err error) error {
	seen := "nothing of it"
	switch w.last.Kind {
	case event.StepDone:
		seen = string(w.last.Step) + ", which was done"
	case event.StepFailed:
		seen = string(w.last.Step) + ", which failed"
	case "":
	default:
		seen = string(w.last.Step) + ", which had begun"
	}
	after := "it drops by itself what it has not begun to activate"
	if w.activating {
		after = "it goes on by itself: it keeps the new system if it finds that good and confirmed, and puts the previous one back if not"
	}
	return &unknownError{fail.New(fail.Unreachable, fmt.Errorf("%w; how the deployment ended is not known here\nlast seen: %s\n%s", err, seen, after), w.look, w.again)}
}

// gone ends a watch of a node that did not come back. err is how the last follower ended.
func (w *watch) gone(err error) error {
	if err == nil {
		err = errors.New("it stops telling before the end")
	}
	if w.rebooting {
		return w.unknown(fmt.Errorf("%s did not come back within %s of its reboot: %w", w.called, ui.FormatDuration(w.limits.lost), err))
	}
	return w.unknown(fmt.Errorf("%s has been out of reach for %s: %w", w.called, ui.FormatDuration(w.limits.lost), err))
}

// broken ends a watch because of err, by which the sending ended. Without the
// node's own answer, a lost connection leaves open what became of what was sent.
func (w *watch) broken(err error) error {
	var rejected *rejectedError
	if errors.As(err, &rejected) || w.link.why == nil && w.seq == w.start {
		return err
	}
	return w.unknown(err)
}

// errHadIt is the end of a watch whose commit another push had brought before: no hook ran for this one.
var errHadIt = errors.New("the node had the commit already")

// noDeploymentError says that the branch moved and nothing else happened.
type noDeploymentError struct{ error }

func (w *watch) nothingBegan() error {
	text := fmt.Sprintf("%s took the commit into its branch %s, and no deployment of it began there: nothing was deployed", w.called, shortRef(w.sending.branch))
	if said, _ := toolError(w.sending.words()); said != "" {
		text += "; it says: " + firstLine(said)
	} else {
		text += "; probably its hooks pre-receive and post-receive do not run git-deploy"
	}
	return fail.New(fail.Failed, noDeploymentError{errors.New(text)}, "git deploy doctor "+w.called)
}

// interrupted tells where a cancelled push leaves the node.
func (w *watch) interrupted(sent bool) error {
	switch {
	case sent || w.activating:
		return fail.New(fail.Cancelled, fmt.Errorf("cancelled here; the deployment goes on on %s", w.called), w.again)
	case w.seq > 0:
		// The node stops when the connection ends, unless it had just begun to switch.
		return fail.New(fail.Cancelled, fmt.Errorf("cancelled; %s drops what it has not begun to activate", w.called), w.again)
	}
	return fail.New(fail.Cancelled, fmt.Errorf("cancelled; nothing was changed on %s", w.called))
}

// givenUp returns the error of a node that was reached and says itself that the
// deployment comes to no end there; it has tried, so that nobody else need.
func (w *watch) givenUp(err error) error {
	var e *proc.Error
	if !errors.As(err, &e) || e.ExitCode <= 0 || errors.Is(err, transport.ErrUnreachable) {
		return nil
	}
	text, hints := toolError(e.Stderr)
	if text == "" {
		return nil
	}
	return &unknownError{fail.New(fail.Unreachable, errors.New(text), append(hints, w.again)...)}
}
