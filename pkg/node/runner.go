package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/activate"
	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// runnerWait is how long the runner waits for who made the deployment to let go of it.
const runnerWait = 30 * time.Second

// Activate is the runner: what activate.Start starts for deployment id. It
// depends on nothing but the state folder. The error is an *Ended unless the
// deployment could not be worked on at all.
func Activate(ctx context.Context, l statedir.Layout, id string) error {
	return runDeployment(ctx, l, id, event.Discard)
}

// runDeployment is Activate with somebody watching the events as they are written.
func runDeployment(ctx context.Context, l statedir.Layout, id string, watch event.Sink) error {
	if !statedir.ValidID(id) {
		return fmt.Errorf("deployment id %.40q is not one", id)
	}
	job, err := activate.ReadJob(l, id)
	if err != nil {
		return err
	}
	n, err := Open(l, job.Network)
	if err != nil {
		return err
	}
	if begun(l, id) {
		return goOn(ctx, l, id)
	}
	lock, err := statedir.Lock(ctx, l.DeploymentLock(id), statedir.Holder{Deployment: id, By: job.By}, runnerWait)
	if err != nil {
		return fmt.Errorf("deployment %s: %w", id, err)
	}
	d, err := n.resume(id, lock, watch)
	if err != nil {
		return errors.Join(err, lock.Release())
	}
	defer func() { _ = d.close() }()
	if f := d.log.Finished(); f != nil {
		return ended(f) // whoever thought this runner dead has settled it
	}
	if told, err := d.tellRecorded(ctx, job, false); told || err != nil {
		return err
	}
	if err := d.awaitBranch(ctx, job); err != nil {
		return err
	}
	return d.activate(ctx, job)
}

// begun reports whether an activation of deployment id has saved a state.
func begun(l statedir.Layout, id string) bool {
	_, err := os.Stat(activate.StateFile(l, id))
	return err == nil
}

// goOn is the runner of an activation whose runner was killed. It is settled
// under the node's lock by whoever has that first: a runner that waited for
// the node while it held its deployment would keep the next one, which has the
// node already, from settling it before it activates.
func goOn(ctx context.Context, l statedir.Layout, id string) error {
	if err := Recover(ctx, l, false, event.Discard); err != nil {
		return err
	}
	f, err := statedir.FinishedEvent(l, id)
	if err != nil {
		return err
	}
	if f == nil {
		return fmt.Errorf("deployment %s was interrupted and cannot be settled: see `git-deploy node recover`", id)
	}
	return ended(f)
}

func ended(f *event.Event) error {
	if f.Outcome.OK() {
		return nil
	}
	return &Ended{Outcome: f.Outcome, Message: f.Message}
}

// activate does all of a deployment that comes after the refs have moved.
func (d *deployment) activate(ctx context.Context, job activate.Job) error {
	held, err := d.takeNode(ctx, job)
	if err != nil {
		if _, stateErr := activate.ReadState(d.n.Layout, d.id); !errors.Is(stateErr, os.ErrNotExist) {
			return err // begun by who thought this runner dead, and to be settled: nothing to give up
		}
		o := event.Failed
		var locked *statedir.LockedError
		switch {
		case errors.As(err, &locked):
			o = event.Locked
		case ctx.Err() != nil:
			o = event.Interrupted
		}
		return d.conclude(ctx, job, d.notBegun(job, o, err.Error()), nil)
	}
	res := d.run(ctx, &job)
	if res.Outcome == activate.Pending {
		return held.Release() // the next boot goes on
	}
	limits := bundle.Generations{}
	if res.Outcome == event.Succeeded && job.Bundle.Profile.System() {
		limits = job.Bundle.Generations
	}
	d.tidy(context.WithoutCancel(ctx), limits)
	return d.conclude(ctx, job, res, held)
}

// takeNode takes the node's lock, and says whom it waits for.
func (d *deployment) takeNode(ctx context.Context, job activate.Job) (held *statedir.Held, err error) {
	wait, err := time.ParseDuration(job.Wait)
	if err != nil {
		wait = DefaultWait
	}
	holder := statedir.Holder{Deployment: d.id, By: job.By}
	err = event.RunStep(d.sink, event.Wait, func() error {
		held, err = statedir.Lock(ctx, d.n.lockFile(), holder, 0)
		var locked *statedir.LockedError
		if wait > 0 && errors.As(err, &locked) {
			d.sink.Emit(event.Event{Kind: event.Notice, Step: event.Wait, Message: "waiting for " + locked.Holder.String()})
			held, err = statedir.Lock(ctx, d.n.lockFile(), holder, wait)
		}
		return err
	})
	return held, err
}

// run activates under the node's lock.
func (d *deployment) run(ctx context.Context, job *activate.Job) activate.Result {
	n, host := d.n, activate.For(d.n.Layout, *job, d.sink)
	if _, begun, err := host.Load(); begun || err != nil {
		return activate.Settle(ctx, host, *job, d.sink) // started a second time
	}
	n.dropStaleLocks()
	settleAll(ctx, n.Layout, n.lockFile(), []string{d.id}, handOver, d.sink)
	now, err := n.lookAfterBoot(ctx, d.sink)
	if err != nil {
		return d.notBegun(*job, event.Failed, err.Error())
	}
	refs := now.refs
	if job.Action != activate.Rollback && refs[n.Ref()] != job.Commit {
		return d.notBegun(*job, event.Superseded, fmt.Sprintf("%s is at %.8s by now", n.Ref(), refs[n.Ref()]))
	}
	if goingDown(ctx, n.Layout) {
		// The one before may have left it to the next boot to put back what it touched.
		return d.notBegun(*job, event.Interrupted, "the machine is shutting down; nothing was changed")
	}
	job.CurrentBefore = refs[RefCurrent]
	running, err := n.running()
	if err != nil {
		return d.notBegun(*job, event.Failed, err.Error())
	}
	job.PreviousHealth = n.healthOf(running, d.id)
	if job.RebootBack, err = n.mayRebootBack(d.id); err != nil {
		return d.notBegun(*job, event.Failed, err.Error())
	}
	job.Reactivate = now.last != nil && now.last.Outcome == event.RollbackFailed
	if err := activate.WriteJob(n.Layout, *job); err != nil {
		return d.notBegun(*job, event.Failed, err.Error())
	}
	if err := n.Layout.MakeReserve(); err != nil {
		return d.notBegun(*job, event.Failed, err.Error())
	}
	compared := make(chan struct{})
	go func() { // beside the switch, which it need not keep waiting
		defer close(compared)
		d.compare(ctx, running, job.Bundle.System)
	}()
	res := activate.Run(ctx, host, *job, d.sink)
	<-compared
	return res
}

// goingDown tells whether the machine shuts down; tests shut it down.
var goingDown = activate.GoingDown

// mayRebootBack is what the system that boots says of restarting into it, nil
// where that is not known: the first deployment, or another tool's system.
func (n *Node) mayRebootBack(except string) (*bool, error) {
	boots, err := n.profile()
	if err != nil {
		return nil, err
	}
	if job := n.lastJob(boots, except); job != nil {
		return &job.Bundle.RebootOnFailedRollback, nil
	}
	return nil, nil
}

// healthOf returns the checks of the last successful deployment of system,
// none where that is not known any more.
func (n *Node) healthOf(system, except string) []bundle.Check {
	job := n.lastJob(system, except)
	if job == nil {
		return nil
	}
	return job.Bundle.Health
}

// lastJob returns the job of the last deployment here that made system live or
// what boots, nil when its folder is gone.
func (n *Node) lastJob(system, except string) *activate.Job {
	ids, err := n.Layout.IDs()
	if err != nil || system == "" {
		return nil
	}
	for _, id := range slices.Backward(ids) {
		job, err := activate.ReadJob(n.Layout, id)
		if err != nil || id == except || job.NetworkID != n.Network.ID || job.Bundle.System != system {
			continue
		}
		if f, err := statedir.FinishedEvent(n.Layout, id); err == nil && f != nil && f.Outcome == event.Succeeded {
			return &job
		}
	}
	return nil
}

// notBegun is the result of an activation that touched nothing.
func (d *deployment) notBegun(job activate.Job, o event.Outcome, reason string) activate.Result {
	running, _ := d.n.running()
	return activate.Result{Outcome: o, Reason: reason, System: job.Bundle.System, Previous: running, Running: running}
}

// conclude makes the outcome known: refs and log first, then the event that
// everybody waits for. held is the node's lock, or nil.
func (d *deployment) conclude(ctx context.Context, job activate.Job, res activate.Result, held *statedir.Held) error {
	ctx = context.WithoutCancel(ctx)
	if res.Action != "" {
		job.Action = res.Action
	}
	var fields map[string]string
	err := event.RunStep(d.sink, event.Record, func() (err error) {
		fields, err = d.n.record(ctx, job, res)
		if err != nil && strings.Contains(strings.ToLower(err.Error()), "no space left") && d.n.Layout.DropReserve() == nil {
			fields, err = d.n.record(ctx, job, res)
		}
		return err
	})
	if held != nil {
		err = errors.Join(err, held.Release())
	}
	if err != nil {
		// Without its entry the deployment has not ended: it is settled, from
		// the state that the activation saved, when that is possible again.
		return fmt.Errorf("deployment %s has ended (%s), but cannot be recorded: %w", d.id, res.Outcome, err)
	}
	return d.tell(job, res, fields)
}

// tell reports a recorded outcome, with further fields for the event.
func (d *deployment) tell(job activate.Job, res activate.Result, more map[string]string) error {
	if res.Outcome == event.Succeeded && !job.Action.Later() {
		if err := d.n.noteSystem(job.Commit, res.System); err != nil {
			d.sink.Emit(event.Event{Kind: event.Warning, Message: err.Error()})
		}
	}
	fields := map[string]string{"commit": job.Commit, "action": string(job.Action), "system": res.System}
	maps.Copy(fields, more)
	if res.Previous != "" {
		fields["previous"] = res.Previous
	}
	end := d.finish(event.Event{Outcome: res.Outcome, Message: res.Reason, Fields: fields})
	if res.Outcome.OK() {
		return nil
	}
	return end
}
