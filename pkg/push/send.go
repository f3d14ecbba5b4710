package push

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
)

// sending is git send-pack at work. It reports the step Send until the node's
// hooks have taken over.
type sending struct {
	done     chan struct{} // closed at the end; then the fields below hold
	statuses []gitrepo.RefStatus
	err      error

	branch string
	sink   event.Sink
	cancel context.CancelFunc
	start  time.Time
	once   sync.Once

	mu   sync.Mutex
	said strings.Builder // what the node's hooks printed
}

func startSending(ctx context.Context, repo *gitrepo.Repo, peer gitrepo.Peer, send gitrepo.Send, sink event.Sink) *sending {
	ctx, cancel := context.WithCancel(ctx)
	s := &sending{done: make(chan struct{}), sink: sink, cancel: cancel, start: time.Now()}
	_, s.branch, _ = strings.Cut(send.Refspecs[0], ":")
	sink.Emit(event.Event{Kind: event.StepStarted, Step: event.Send, Time: s.start})
	send.Line = s.line
	go func() {
		defer close(s.done)
		s.statuses, s.err = repo.SendPack(ctx, peer, send)
		s.arrived()
	}()
	return s
}

// line reads what send-pack says.
func (s *sending) line(line string) {
	if text, ok := strings.CutPrefix(line, "remote: "); ok {
		s.mu.Lock()
		s.said.WriteString(text + "\n")
		s.mu.Unlock()
		return
	}
	what, done, expected, ok := gitrepo.ParseProgress(line)
	if !ok || what != "Writing objects" {
		return
	}
	s.sink.Emit(event.Event{Kind: event.Progress, Step: event.Send, Time: time.Now(), Done: done, Expected: expected, Unit: "objects"})
	if strings.HasSuffix(line, "done.") {
		s.arrived()
	}
}

// arrived ends the step, once: everything is on the node.
func (s *sending) arrived() {
	s.once.Do(func() {
		s.sink.Emit(event.Event{Kind: event.StepDone, Step: event.Send, Time: time.Now(), Millis: time.Since(s.start).Milliseconds()})
	})
}

// result returns, after done, nil when the node took the branch.
func (s *sending) result() error {
	if s.err != nil {
		return remoteError(s.err)
	}
	for _, status := range s.statuses {
		if status.Ref == s.branch {
			if status.Err == "" {
				return nil
			}
			err := &rejectedError{why: status.Err, said: s.words()}
			_, hints := toolError(err.said)
			if remedy := fail.Remedy(err.Error(), "NODE"); remedy != "" && len(hints) == 0 {
				hints = []string{remedy}
			}
			return fail.New(fail.Failed, err, hints...)
		}
	}
	return fmt.Errorf("send: the node did not answer for %s", s.branch)
}

// words returns what the node's hooks have printed.
func (s *sending) words() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said.String()
}

// hadIt reports, after done, whether git found the branch where it was to be moved, and so sent nothing.
func (s *sending) hadIt() bool {
	return slices.ContainsFunc(s.statuses, func(status gitrepo.RefStatus) bool {
		return status.Ref == s.branch && status.UpToDate
	})
}

// rejectedError is a branch that git or a hook there did not take.
type rejectedError struct{ why, said string }

func (e *rejectedError) Error() string {
	if text, _ := toolError(e.said); text != "" {
		return text
	}
	if strings.Contains(e.why, "unpacker error") {
		for line := range strings.Lines(e.said) {
			if text, ok := strings.CutPrefix(strings.TrimSpace(line), "fatal: "); ok {
				return "the node could not keep what was sent: " + text
			}
		}
	}
	return e.why
}

// byHook reports whether the node's hook decided; it knows why.
func (e *rejectedError) byHook() bool { return strings.Contains(e.why, "hook declined") }

// race reports whether the branch was not what the node had said: git's words on this side or that.
func (e *rejectedError) race() bool {
	for _, words := range []string{"fetch first", "non-fast forward", "stale info", "failed to update ref", "cannot lock ref",
		"failed to lock", "reference already exists", "remote ref updated", "incorrect old value"} {
		if strings.Contains(e.why, words) {
			return true
		}
	}
	return false
}
