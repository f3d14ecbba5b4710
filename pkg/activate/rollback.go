package activate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
)

// rollBack puts back what was touched, and only that. It returns nil when the
// machine has to be restarted for it, which is the phase GoingBack.
func (r *run) rollBack() *Result {
	end := func(o event.Outcome, reason string) *Result {
		res := r.finish(o, reason)
		return &res
	}
	if !r.st.Live && !r.st.Boot && !r.st.Trial {
		return end(r.back(), r.st.Reason)
	}
	var restart bool
	var boot, live error
	err := r.step(context.WithoutCancel(r.ctx), event.Rollback, func(ctx context.Context) (err error) {
		restart, err = r.trialRuns()
		// The boot default first: should the power fail meanwhile, the right system
		// boots. It goes on after a failure, because half of the way back is better than none.
		boot = r.putBackBoot(ctx, restart)
		if err != nil {
			return errors.Join(boot, err)
		}
		if r.st.Live {
			live = r.putBackLive(ctx)
		}
		return errors.Join(boot, live)
	})
	switch {
	case err == nil && !restart:
		return end(r.back(), r.st.Reason)
	case boot == nil && live != nil && r.goingDown():
		// Somebody restarts it: the next boot puts back, and Settle looks whether it has.
		res := r.result(Pending, "")
		return &res
	case boot == nil && live != nil && r.job.mayRebootBack() && r.st.PreviousBoot != "" && r.st.PreviousBoot != r.st.System:
		r.st.Reason += fmt.Sprintf("; putting back the previous system failed: %v", live)
		restart, err = true, nil
	}
	if err == nil && restart {
		// Unsaved, the next boot would not know that it is the last one.
		if err = r.enter(GoingBack); err == nil {
			return nil
		}
	}
	return end(event.RollbackFailed, fmt.Sprintf("%s; and putting back the previous system failed: %v", r.st.Reason, err))
}

// goingDown reports whether somebody shuts the machine down, which no rollback is to blame for.
func (r *run) goingDown() bool { return r.m.GoingDown(context.WithoutCancel(r.ctx)) }

// back is the outcome of an activation that was put back.
func (r *run) back() event.Outcome {
	if r.st.Interrupted {
		return event.Interrupted
	}
	return event.RolledBack
}

// putBackBoot restores what boots. used says that the one boot of the new
// system has been, so that the boot loader should have forgotten it.
func (r *run) putBackBoot(ctx context.Context, used bool) error {
	limited, cancel := context.WithTimeout(ctx, r.job.activateTimeout())
	defer cancel()
	switch {
	case r.st.Trial && r.st.Once && !r.st.Boot:
		err := r.stopped(limited, r.m.Disarm(limited, event.Rollback), "setting what boots", r.job.activateTimeout())
		if err != nil && used {
			r.warn(err.Error()) // a new system without the means must not keep the machine
			err = nil
		}
		return err
	case !r.st.Boot || r.st.PreviousBoot == r.st.System:
		return nil
	case r.st.PreviousBoot == "":
		return fmt.Errorf("there was no system to boot before this one, so %s stays the one that boots", r.st.System)
	}
	return r.stopped(limited, r.setBoot(limited, event.Rollback, r.st.PreviousBoot), "setting what boots", r.job.activateTimeout())
}

// trialRuns reports whether the new system was booted, so that only a boot puts it back.
func (r *run) trialRuns() (bool, error) {
	if !r.st.Trial || r.st.System == r.st.Previous {
		return false, nil
	}
	running, err := r.m.Running()
	if err == nil && running == r.st.System && r.st.PreviousBoot == "" {
		err = errors.New("there is no previous system on this machine: this was its first deployment")
	}
	return err == nil && running == r.st.System, err
}

func (r *run) putBackLive(ctx context.Context) error {
	previous := r.st.Previous
	if previous == "" {
		return errors.New("there is no previous system on this machine: this was its first deployment")
	}
	limited, cancel := context.WithTimeout(ctx, r.job.activateTimeout())
	defer cancel()
	err := r.m.Switch(limited, event.Rollback, previous, VerbTest)
	var code *SwitchError
	if errors.As(err, &code) && code.ExitCode < 0 && limited.Err() == nil {
		// Somebody, or the kernel for want of memory, killed it: that says nothing about the system.
		err = r.m.Switch(limited, event.Rollback, previous, VerbTest)
	}
	// A unit that was broken before this deployment makes the old system's switch
	// end with 4 too; whether new ones broke is what Healthy tells.
	if errors.As(err, &code) && code.ExitCode == exitUnitsFailed && len(r.st.FailedUnits) > 0 {
		err = nil
	}
	if err != nil {
		return r.stopped(limited, err, "the switch", r.job.activateTimeout())
	}
	if err := r.runs(previous); err != nil {
		return err
	}
	return r.wellAgain(ctx, previous)
}

// wellAgain checks the health of a previous system that runs again.
func (r *run) wellAgain(ctx context.Context, system string) error {
	var checks []bundle.Check
	if system == r.st.Previous {
		checks, _ = bundle.ChecksFrom(r.job.PreviousHealth)
	}
	if err := r.m.Healthy(ctx, r.st.FailedUnits, checks); err != nil {
		return fmt.Errorf("it runs, but is not healthy: %w", err)
	}
	return nil
}

// goBack restarts into the previous system.
func (r *run) goBack() Result {
	if err := r.restart(context.WithoutCancel(r.ctx)); err != nil && !r.goingDown() {
		return r.finish(event.RollbackFailed, fmt.Sprintf("%s; and the machine could not be restarted into the previous system: %v", r.st.Reason, err))
	}
	return r.result(Pending, "")
}

// returned looks at what the restart has brought.
func (r *run) returned() Result {
	var running string
	err := r.afterBoot(context.WithoutCancel(r.ctx), func(ctx context.Context) (err error) {
		if running, err = r.m.Running(); err != nil {
			return err
		}
		if running != r.st.Previous && running != r.st.PreviousBoot {
			return fmt.Errorf("%s came up", orNone(running))
		}
		if err := r.up(ctx); err != nil {
			return err
		}
		return r.wellAgain(ctx, running)
	})
	if err != nil && r.goingDown() {
		return r.result(Pending, "") // that is why, and the next boot is one into it as well
	}
	if err != nil {
		return r.finish(event.RollbackFailed, fmt.Sprintf("%s; and the restart into the previous system failed: %v", r.st.Reason, err))
	}
	return r.finish(r.back(), fmt.Sprintf("%s; the machine was restarted into %s", r.st.Reason, running))
}

// The reboots themselves.

// trialMovesBoot reports whether a trial needs the new system to be the boot
// default, because the boot loader cannot boot a system once.
func (r *run) trialMovesBoot() bool {
	return !r.st.Once && r.st.PreviousBoot != r.st.System
}

// arm tells the boot loader what the trial boots.
func (r *run) arm(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.job.activateTimeout())
	defer cancel()
	var err error
	switch {
	case r.st.Once:
		err = r.m.Arm(ctx, event.Boot, r.st.System)
	case r.trialMovesBoot():
		err = r.setBoot(ctx, event.Boot, r.st.System)
	}
	return r.stopped(ctx, err, "setting what boots", r.job.activateTimeout())
}

// restart asks for a reboot. Its step is not over before the next boot.
func (r *run) restart(ctx context.Context) error {
	limit := r.job.rebootTimeout()
	r.sink.Emit(event.Event{Kind: event.StepStarted, Step: event.Reboot, Time: time.Now(), Fields: map[string]string{
		event.BootIDField: r.st.BootID, event.LimitField: fmt.Sprint(int(limit.Seconds())),
	}})
	err := late(within(ctx, limit, r.m.Reboot), "the machine did not go down within %s", limit)
	if err != nil {
		r.sink.Emit(event.Event{Kind: event.StepFailed, Step: event.Reboot, Message: err.Error(), Time: time.Now()})
	}
	return err
}

// afterBoot does what ends the step Reboot, which began before the boot.
func (r *run) afterBoot(ctx context.Context, f func(context.Context) error) error {
	err := f(ctx)
	now := time.Now()
	e := event.Event{Kind: event.StepDone, Step: event.Reboot, Time: now, Millis: max(0, now.Sub(r.st.Asked).Milliseconds())}
	if err != nil {
		e.Kind, e.Message = event.StepFailed, err.Error()
	}
	r.sink.Emit(e)
	r.st.Steps = append(r.st.Steps, StepTime{Step: event.Reboot, Millis: e.Millis})
	return err
}

// up waits until all of the system is up.
func (r *run) up(ctx context.Context) error {
	limit := r.job.rebootTimeout()
	return late(within(ctx, limit, r.m.Booted), "the boot did not come to its end within %s", limit)
}
