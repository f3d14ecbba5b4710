package activate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/health"
)

// loop does phase after phase until there is an outcome. The state has been
// saved when a phase begins.
func (r *run) loop() Result {
	for {
		switch r.st.Phase {
		case RollingBack:
			if res := r.rollBack(); res != nil {
				return *res
			}
			continue
		case GoingBack:
			return r.goBack()
		case Returned:
			return r.returned()
		}
		next, err := r.phase()
		if err == nil && next == Finished {
			return r.finish(event.Succeeded, r.st.Reason)
		}
		if err == nil && next == r.st.Phase { // on its way down
			return r.result(Pending, "")
		}
		if err == nil {
			err = r.enter(next)
		}
		if err == nil {
			continue
		}
		if !r.st.Live && !r.st.Boot && !r.st.Trial {
			return r.finish(event.Failed, err.Error()+"; nothing was changed")
		}
		r.st.Phase, r.st.Reason = RollingBack, err.Error()
		if err := r.save(); err != nil {
			// Putting back matters more than being able to say so after a crash,
			// and the state saved before leads Settle to put back as well.
			r.warn(err.Error())
		}
	}
}

// enter saves the next phase, with what it is going to touch.
func (r *run) enter(next Phase) error {
	before := r.st
	r.st.Phase = next
	r.st.Live = r.st.Live || next == Switching
	r.st.Trial = r.st.Trial || next == Arming
	r.st.Boot = r.st.Boot || next == Committing && r.movesBoot() || next == Arming && r.trialMovesBoot()
	if next == Rebooting || next == GoingBack {
		r.st.Asked = time.Now().UTC()
	}
	if err := r.save(); err != nil {
		r.st = before
		return err
	}
	return nil
}

// phase does the work of the current phase and says which one follows.
func (r *run) phase() (Phase, error) {
	switch r.st.Phase {
	case Begun:
		if err := r.ready(); err != nil {
			return "", err
		}
		switch {
		case r.job.Action == Boot:
			return Committing, nil
		case r.job.Action == Reboot:
			return Arming, nil
		case r.unchanged():
			return Checking, nil
		}
		return Switching, nil

	case Switching:
		err := r.step(r.ctx, event.Switch, r.switchLive)
		if !r.untouched(err) {
			return Checking, err
		}
		r.st.Live = false
		if r.job.Action != Switch && r.job.Action != Rollback {
			return "", err
		}
		r.st.Turned, r.st.Reason = true, "the running system cannot be switched to it live: it runs from the next reboot on"
		r.warn(fmt.Sprintf("the running system cannot be switched to that one live, only by a reboot: %s becomes %s", r.job.Action, r.action()))
		return Committing, nil

	case Arming:
		if r.trialMovesBoot() {
			r.warn("the boot loader of this machine cannot boot a system once: should the new one not come up, choose the one before it in the boot menu")
		}
		return Rebooting, r.step(r.ctx, event.Boot, r.arm)

	case Rebooting:
		return Rebooting, r.restart(r.ctx)

	case Booting:
		return Checking, r.afterBoot(r.ctx, r.up)

	case Checking:
		checks, outside := bundle.ChecksFrom(r.job.Bundle.Health)
		err := r.step(r.ctx, event.Health, func(ctx context.Context) error {
			return r.m.Healthy(ctx, r.st.FailedUnits, checks)
		})
		if !r.job.Confirm || !r.st.Live && !r.movesBoot() {
			if len(outside) > 0 && err == nil {
				r.notice("the health checks from the deployer are left out: " + names(outside))
			}
			return Committing, err
		}
		if err == nil {
			err = r.m.ResetConfirmation()
		}
		return Confirming, err

	case Confirming:
		return Committing, r.step(r.ctx, event.Confirm, r.confirmed)

	case Committing:
		if !r.movesBoot() {
			return Finished, nil
		}
		// Confirmed: from here on a cancelled context must not leave the node between two systems.
		return Finished, r.step(context.WithoutCancel(r.ctx), event.Boot, r.commit)
	}
	return "", fmt.Errorf("the state of the activation names the unknown phase %q", r.st.Phase)
}

// ready checks what must hold before anything is touched. Whoever goes back by
// hand has a sick machine, most likely.
func (r *run) ready() error {
	checks := r.job.Bundle.PreSwitch
	switch {
	case len(checks) == 0 || r.job.Action == Rollback:
		return nil
	case r.job.ForceUnhealthy:
		r.notice("the checks before the switch are left out, as asked: " + names(checks))
		return nil
	}
	return r.step(r.ctx, event.Check, func(ctx context.Context) error {
		if err := r.m.Ready(ctx, checks); err != nil {
			return fmt.Errorf("the machine is not fit for a deployment (--force-unhealthy deploys all the same): %w", err)
		}
		return nil
	})
}

// movesBoot reports whether the boot default changes.
func (r *run) movesBoot() bool {
	switch r.action() {
	case Test:
		return false
	case Boot, RollbackBoot:
		return true
	}
	return r.st.PreviousBoot != r.st.System || r.st.Live
}

func (r *run) switchLive(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.job.activateTimeout())
	defer cancel()
	if err := r.m.Switch(ctx, event.Switch, r.st.System, VerbTest); err != nil {
		return r.stopped(ctx, err, "the switch", r.job.activateTimeout())
	}
	return r.runs(r.st.System)
}

// runs fails unless system is the one that runs: an exit code proves little.
func (r *run) runs(system string) error {
	running, err := r.m.Running()
	if err == nil && running != system {
		err = fmt.Errorf("switch-to-configuration reported success, but %s runs and not %s", orNone(running), system)
	}
	return err
}

// untouched reports whether err is a switch-to-configuration's that says, before
// it touches anything, that only a reboot gets there.
func (r *run) untouched(err error) bool {
	var code *SwitchError
	if !errors.As(err, &code) || code.ExitCode != exitReboot {
		return false
	}
	running, err := r.m.Running()
	return err == nil && running == r.st.Previous
}

// confirmed waits for the deployer. That it reaches the node has a limit of
// its own: the checks that it runs then may take their time.
func (r *run) confirmed(ctx context.Context) error {
	limit := r.job.confirmTimeout()
	_, outside := bundle.ChecksFrom(r.job.Bundle.Health)
	if len(outside) > 0 {
		if err := within(ctx, limit, r.m.Reached); err != nil {
			return late(err, "the deployer did not reach the node again within %s", limit)
		}
		limit += health.Bound(outside)
		return late(within(ctx, limit, r.m.Confirmed), "the deployer did not say within %s whether its health checks pass", limit)
	}
	return late(within(ctx, limit, r.m.Confirmed), "the deployer did not reach the node again within %s", limit)
}

var errLate = errors.New("the time is over")

// within calls f with a time limit, and returns errLate when that is why it failed.
func within(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	wait, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := f(wait)
	if err != nil && ctx.Err() == nil && errors.Is(wait.Err(), context.DeadlineExceeded) && errors.Is(err, context.DeadlineExceeded) {
		return errLate
	}
	return err
}

// late words an errLate.
func late(err error, format string, limit time.Duration) error {
	if errors.Is(err, errLate) {
		return fmt.Errorf(format, limit)
	}
	return err
}

func (r *run) commit(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.job.activateTimeout())
	defer cancel()
	return r.stopped(ctx, r.setBoot(ctx, event.Boot, r.st.System), "setting what boots", r.job.activateTimeout())
}

// setBoot makes system the boot default.
func (r *run) setBoot(ctx context.Context, step event.Step, system string) error {
	if err := r.m.SetProfile(ctx, system); err != nil {
		return err
	}
	if err := r.m.Switch(ctx, step, system, VerbBoot); err != nil {
		return err
	}
	now, err := r.m.BootDefault()
	if err == nil && now != system {
		err = fmt.Errorf("the system profile was set to %s, but it names %s", system, orNone(now))
	}
	return err
}

// step reports a step and remembers how long it took.
func (r *run) step(ctx context.Context, step event.Step, f func(context.Context) error) error {
	start := time.Now()
	err := event.RunStep(r.telling(step), step, func() error { return f(ctx) })
	r.st.Steps = append(r.st.Steps, StepTime{Step: step, Millis: time.Since(start).Milliseconds()})
	return err
}

// stopped replaces an error that ctx's time limit caused by one that says so.
func (r *run) stopped(ctx context.Context, err error, what string, limit time.Duration) error {
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%s took longer than %s and was stopped", what, limit)
	}
	return err
}

// telling is the sink for step: what begins Confirm says what the deployer is to check.
func (r *run) telling(step event.Step) event.Sink {
	_, outside := bundle.ChecksFrom(r.job.Bundle.Health)
	if step != event.Confirm || len(outside) == 0 {
		return r.sink
	}
	return event.SinkFunc(func(e event.Event) {
		if e.Kind == event.StepStarted {
			text, _ := json.Marshal(outside) // plain data
			e.Fields = map[string]string{event.ChecksField: string(text)}
		}
		r.sink.Emit(e)
	})
}

func (r *run) notice(message string) {
	r.sink.Emit(event.Event{Kind: event.Notice, Message: message, Time: time.Now()})
}

func (r *run) warn(message string) {
	r.sink.Emit(event.Event{Kind: event.Warning, Message: message, Time: time.Now()})
}

func names(checks []bundle.Check) string {
	var all []string
	for _, c := range checks {
		all = append(all, c.Name)
	}
	return strings.Join(all, ", ")
}

func orNone(system string) string {
	if system == "" {
		return "no system"
	}
	return system
}
