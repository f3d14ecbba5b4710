package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/git-deploy/git-deploy/pkg/activate"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// deployment is one deployment that this process works on: it holds the
// DeploymentLock, and its events go to the deployment's log.
type deployment struct {
	n     *Node
	id    string
	lock  *statedir.Held
	log   *statedir.EventLog
	sink  event.Sink // the log, and whoever watches
	steps stepTimes
}

// begin makes a new deployment. watch sees its events too.
func (n *Node) begin(ctx context.Context, id, by string, watch event.Sink) (*deployment, error) {
	if err := n.room(); err != nil {
		return nil, err
	}
	if id == "" {
		id = statedir.NewID()
	}
	lock, err := n.Layout.Create(ctx, id, statedir.Holder{Deployment: id, By: by})
	if errors.Is(err, os.ErrExist) {
		return nil, fail.Errorf(fail.Failed, "deployment id %s was used before", id)
	}
	if err != nil {
		return nil, err
	}
	d, err := n.resume(id, lock, watch)
	if err != nil {
		_ = lock.Release()
	}
	return d, err
}

// resume goes on with a deployment whose lock is held.
func (n *Node) resume(id string, lock *statedir.Held, watch event.Sink) (*deployment, error) {
	log, err := statedir.OpenEvents(n.Layout, id)
	if err != nil {
		return nil, err
	}
	d := &deployment{n: n, id: id, lock: lock, log: log}
	d.sink = event.Stamp(event.Tee(&d.steps, log, watch), n.Node, id)
	return d, nil
}

// finish reports the outcome, which is final. It returns the error that says so.
func (d *deployment) finish(e event.Event) *Ended {
	e.Kind = event.Finished
	if e.Hint == "" && !e.Outcome.OK() {
		e.Hint = fail.Remedy(e.Message, d.n.Node)
	}
	d.sink.Emit(e)
	return &Ended{Outcome: e.Outcome, Message: e.Message}
}

// drop lets go of what was built; without its root, Nix may collect it.
func (d *deployment) drop() { _ = os.Remove(d.n.Layout.Result(d.id)) }

// close ends this process's part in the deployment.
func (d *deployment) close() error {
	return errors.Join(d.log.Err(), d.log.Close(), d.lock.Release())
}

// stepTimes is a Sink that remembers how long steps took.
type stepTimes struct {
	mu    sync.Mutex
	times []activate.StepTime
}

func (s *stepTimes) Emit(e event.Event) {
	if e.Kind == event.StepDone || e.Kind == event.StepFailed {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.times = append(s.times, activate.StepTime{Step: e.Step, Millis: e.Millis})
	}
}

func (s *stepTimes) all() []activate.StepTime {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.times)
}

// job describes the activation of what was built.
func (d *deployment) job(o Options, who identity, version string, started time.Time) activate.Job {
	return activate.Job{
		ID: d.id, Network: d.n.Network.Name, NetworkID: d.n.Network.ID, Node: d.n.Node, Branch: d.n.Branch,
		Action: activate.Action(o.Action), Confirm: o.Confirm, ForceUnhealthy: o.Force, Wait: o.Wait.String(),
		By: who.by, Key: who.key, From: who.from, Tool: version, Started: started.UTC(), Steps: d.steps.all(),
	}
}

// refused is an error for what must not come in; hints are commands that lead on.
func refused(hint, format string, args ...any) error {
	var hints []string
	if hint != "" {
		hints = []string{hint}
	}
	return fail.New(fail.Failed, fmt.Errorf(format, args...), hints...)
}

// hintOf returns the first hint of err.
func hintOf(err error) string {
	if hints := fail.HintsOf(err); len(hints) > 0 {
		return hints[0]
	}
	return ""
}
