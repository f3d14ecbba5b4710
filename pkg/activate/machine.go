// Package activate makes a built system live on this machine, and puts the
// previous one back when anything is wrong.
//
// It is a state machine over the interface Machine, whose methods are the only
// side effects; Host is the real Machine. It does not take the node's lock,
// move refs, write the deployment log or report the event Finished: package
// node does, with the Result.
//
// Invariants, checked by the tests against every single failure and every
// crash (and every crash while settling a crash):
//   - The boot default is always a system that was confirmed, or was the boot
//     default before; a crash at any moment boots such a system. (Only what
//     asks for it makes an unproved system the default: the action boot, a
//     switch or rollback that is only possible by a reboot, and the action reboot where
//     the boot loader cannot boot a system once.)
//   - What will be touched is saved before it is touched.
//   - After a failure the previous system runs and is healthy, or the outcome
//     is RollbackFailed.
//   - A machine restarts only where that was asked for or allowed, and at most
//     once each way.
//   - An activation has exactly one outcome: the one that was saved.
package activate

import (
	"context"
	"fmt"
	"time"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
)

// Verb is an argument of switch-to-configuration.
type Verb string

const (
	VerbTest Verb = "test" // make live
	VerbBoot Verb = "boot" // make it the boot loader's default
)

// Machine is what an activation reads and changes.
type Machine interface {
	// Save makes s survive a power cut before it returns; Load returns the last
	// one saved, and false when there is none.
	Save(s State) error
	Load() (State, bool, error)

	// Running and BootDefault are store paths, "" where there is none: of the
	// system that runs, and of the one that the system profile names.
	Running() (string, error)
	BootDefault() (string, error)
	// BootID differs after every boot.
	BootID() (string, error)
	// FailedUnits names the units that are failed now.
	FailedUnits(ctx context.Context) ([]string, error)

	// Switch runs the system's own switch-to-configuration; its output becomes
	// Log events of step. When ctx ends it kills the program with all that it
	// started, and returns only then.
	Switch(ctx context.Context, step event.Step, system string, verb Verb) error
	SetProfile(ctx context.Context, system string) error
	// Ready fails when a check fails that must hold before anything is touched.
	Ready(ctx context.Context, checks []bundle.Check) error
	// Healthy fails when units are failed that are not in before, or a check fails.
	Healthy(ctx context.Context, before []string, checks []bundle.Check) error
	// ResetConfirmation forgets what the deployer said too early to prove anything.
	ResetConfirmation() error
	// Reached returns when the deployer has connected anew, Confirmed when it
	// has confirmed or, with an error, refused to; both end with ctx.
	Reached(ctx context.Context) error
	Confirmed(ctx context.Context) error

	// BootsOnce reports whether the boot loader can boot a system once.
	BootsOnce(ctx context.Context) (bool, error)
	// Arm makes system what boots next, and only then; Disarm takes that back,
	// also where nothing is armed.
	Arm(ctx context.Context, step event.Step, system string) error
	Disarm(ctx context.Context, step event.Step) error
	// Reboot restarts the machine. It returns nil only when the machine is on
	// its way down and this process is to end; with ctx, that it did not go.
	Reboot(ctx context.Context) error
	// Booted returns when the boot has come to its end, or with ctx.
	Booted(ctx context.Context) error
	// GoingDown reports whether the machine is shutting down, so that nothing can be switched any more.
	GoingDown(ctx context.Context) bool
}

// Run activates job's system and returns how that ended, or Pending when the
// machine restarts meanwhile. When ctx ends before the confirmation, the
// previous system is put back (which ctx does not stop).
func Run(ctx context.Context, m Machine, job Job, sink event.Sink) Result {
	r := &run{ctx: ctx, m: m, job: job, sink: sink}
	r.st = State{Version: JobVersion, Phase: Begun, System: job.Bundle.System}
	err := r.look()
	if err == nil {
		err = r.save()
	}
	if err != nil {
		return r.finish(event.Failed, err.Error()+"; nothing was changed")
	}
	return r.loop()
}

// Settle finishes or undoes an activation whose runner died, from the state
// that it left. It may itself be interrupted, and be called again; once it (or
// Run) has come to an outcome, it returns that one. It may be Pending, as Run's.
func Settle(ctx context.Context, m Machine, job Job, sink event.Sink) Result {
	r := &run{ctx: context.WithoutCancel(ctx), m: m, job: job, sink: sink}
	st, ok, err := m.Load()
	if err != nil {
		// Without the state nothing says what was touched: touch nothing, and say so.
		r.st = State{Version: JobVersion, System: job.Bundle.System, Interrupted: true}
		return r.finish(event.RollbackFailed, fmt.Sprintf("the activation was interrupted, and what it did is unknown: %v", err))
	}
	if !ok {
		r.st = State{Version: JobVersion, System: job.Bundle.System}
		return r.finish(event.Interrupted, "interrupted before the activation began")
	}
	r.st = st
	if st.Phase == Finished && st.Result != nil {
		return *st.Result
	}
	if err := r.resume(); err != nil {
		return r.finish(event.RollbackFailed, fmt.Sprintf("the activation was interrupted, and the machine cannot be examined: %v", err))
	}
	return r.loop()
}

// run is one activation (or its settlement) in progress.
type run struct {
	ctx  context.Context
	m    Machine
	job  Job
	sink event.Sink
	st   State
}

// look remembers what the machine is like before anything is touched.
func (r *run) look() (err error) {
	if r.st.BootID, err = r.m.BootID(); err != nil {
		return err
	}
	if r.st.PreviousBoot, err = r.m.BootDefault(); err != nil {
		return err
	}
	if r.st.Previous, err = r.m.Running(); err != nil {
		return err
	}
	if r.job.Reactivate && r.st.Previous == r.st.System && r.st.PreviousBoot != "" {
		// A half activated system is nothing to go back to; what boots was good.
		r.st.Previous = r.st.PreviousBoot
	}
	if r.job.Action == Reboot && r.st.PreviousBoot != "" && r.st.PreviousBoot != r.st.System {
		if r.st.Once, err = r.m.BootsOnce(r.ctx); err != nil {
			return err
		}
	}
	r.st.FailedUnits, err = r.m.FailedUnits(r.ctx)
	return err
}

// unchanged reports that the running system is the one to activate: nothing is
// switched, so nothing is put back either.
func (r *run) unchanged() bool {
	return r.st.Previous == r.st.System && !r.job.Reactivate
}

// resume decides where to go on after a crash.
func (r *run) resume() error {
	bootID, err := r.m.BootID()
	if err != nil {
		return err
	}
	running, err := r.m.Running()
	if err != nil {
		return err
	}
	rebooted := bootID != r.st.BootID
	if rebooted {
		// Whatever was live is gone, and what boots runs; that may be the new
		// system. One that was booted for a trial is not put back by a switch.
		r.st.Live = running == r.st.System && running != r.st.Previous && !r.st.Trial
		r.st.BootID = bootID
	}
	switch {
	case r.st.Phase == RollingBack:
		if rebooted {
			r.st.Reason += "; the machine was restarted before the previous system was back"
		}
	case r.st.Phase == GoingBack && rebooted:
		r.st.Phase = Returned
	case r.st.Phase == GoingBack: // still to be done
		r.st.Asked = time.Now().UTC()
	case r.st.Phase == Returned:
	case (r.st.Phase == Arming || r.st.Phase == Rebooting) && rebooted && running == r.st.System:
		r.st.Phase = Booting
	case r.st.Phase == Rebooting && rebooted:
		r.st.Phase, r.st.Reason = RollingBack, fmt.Sprintf("the machine was restarted and %s came up, not the new system", orNone(running))
	case r.st.Phase == Committing && running == r.st.System && (!r.action().Later() || rebooted):
		// It was confirmed and it runs. Undoing it would take away what the deployer was promised.
		r.st.Reason = "interrupted after the confirmation, and finished later"
	default:
		r.st.Interrupted = true
		r.st.Reason = fmt.Sprintf("interrupted while %s", r.st.Phase)
		if rebooted {
			r.st.Reason = fmt.Sprintf("the machine was restarted while %s", r.st.Phase)
		}
		r.st.Phase = RollingBack
	}
	return r.save()
}

// action is what is done by now.
func (r *run) action() Action {
	switch {
	case !r.st.Turned:
		return r.job.Action
	case r.job.Action == Rollback:
		return RollbackBoot
	}
	return Boot
}

// save writes the state.
func (r *run) save() error {
	r.st.Updated = time.Now().UTC()
	if err := r.m.Save(r.st); err != nil {
		return fmt.Errorf("save the state of the activation: %w", err)
	}
	return nil
}

// result says what the machine is like now.
func (r *run) result(o event.Outcome, reason string) Result {
	res := Result{Outcome: o, Action: r.action(), Reason: reason, System: r.st.System, Previous: r.st.Previous, Steps: r.st.Steps}
	// What cannot be read stays empty: the outcome must not depend on it.
	res.Running, _ = r.m.Running()
	res.BootDefault, _ = r.m.BootDefault()
	return res
}

// finish saves the outcome. Should that fail, the phase saved before leads
// Settle to the same one.
func (r *run) finish(o event.Outcome, reason string) Result {
	res := r.result(o, reason)
	r.st.Phase, r.st.Result = Finished, &res
	if err := r.save(); err != nil {
		r.warn(err.Error())
	}
	return res
}
