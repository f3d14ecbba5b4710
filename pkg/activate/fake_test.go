package activate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
)

type (
	crashed   struct{} // the runner died
	restarted struct{} // the machine did as well, because it was asked to
)

// fake is a machine in memory. Calls are counted, and one of them is faulty.
type fake struct {
	// durable
	state   *State
	profile string
	loader  string
	// lost with the power
	running string
	whole   bool // running was switched to without a failure
	touched bool // a switch began
	boot    int
	// durable: what the boot loader boots next, and then no more
	once string

	bootsProfile bool // the machine boots what the profile names, not what a boot loader was told
	healthy      bool // the new system is
	confirms     bool // the deployer does
	refuses      bool // the deployer does, for one of its checks
	bootsOnce    bool // the boot loader can
	comesUp      bool // the new system does, when it is booted
	noLive       bool // the new system cannot be switched to live
	fit          bool // the machine is, before anything is touched

	calls   int
	faultAt int
	fault   fault
	cancel  func()
	shuts   bool // whoever cancels is a shutdown
	down    bool // that has begun: nothing can be switched
	fired   bool
	hit     string // the faulty call

	job        Job
	scenario   scenario
	reboots    int
	allowed    map[string]bool // may be what boots
	checked    bool
	violations []string
	ops        []string

	walk    walk
	subject string // the system that a call is about
}

func (m *fake) boots() string {
	if m.bootsProfile {
		return m.profile
	}
	return m.loader
}

// powerCut loses what is not durable and boots again.
func (m *fake) powerCut() {
	m.running, m.whole = m.boots(), true
	if once := m.once; once != "" {
		m.once = ""
		if once != m.job.Bundle.System || m.comesUp { // else it resets, and the default comes up
			m.running = once
		}
	}
	m.boot++
	m.down = false
}

func (m *fake) GoingDown(context.Context) bool { return m.down }

// call runs an operation: half and rest are its effect, in two parts.
func (m *fake) call(ctx context.Context, name string, half, rest func()) error {
	n := m.calls
	m.calls++
	m.ops = append(m.ops, name)
	f := noFault
	if n == m.faultAt {
		f, m.fired, m.hit = m.fault, true, name
	}
	defer m.check(name)
	m.walk.does(name, m.subject)
	if f == crashBefore {
		panic(crashed{})
	}
	if f == errBefore {
		return errors.New(errInjected)
	}
	if f == lie && (name == "switch test" || name == "set profile" || name == "reboot") {
		return nil // the rest cannot lie, or cannot be found out
	}
	half()
	m.check(name + " (midway)")
	switch f {
	case errMid:
		return errors.New(errInjected)
	case crashMid:
		panic(crashed{})
	case hang:
		if ctx == nil {
			return errors.New(errInjected) // a system call, which ends
		}
		if _, limited := ctx.Deadline(); !limited && name != "healthy" && name != "ready" {
			m.violations = append(m.violations, name+" has no time limit")
			return errors.New(errInjected)
		} else if !limited {
			return errors.New("did not answer in time") // checks have their own limits
		}
		<-ctx.Done()
		return ctx.Err()
	case cancelled:
		m.cancel()
		m.down = m.shuts
		if ctx != nil && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	rest()
	if f == crashAfter {
		panic(crashed{})
	}
	return nil
}

func (m *fake) check(when string) {
	if b := m.boots(); !m.allowed[b] {
		m.violations = append(m.violations, fmt.Sprintf("%s: %q would boot", when, b))
	}
}

func nothing() {}

func (m *fake) saved() State {
	if m.state == nil {
		return State{}
	}
	return *m.state
}

func (m *fake) Save(s State) error {
	// Atomic: there is no half of it.
	went := m.walk.going(m.job.Action, s)
	err := m.call(nil, "save "+string(s.Phase), nothing, func() { m.state = &s })
	went(err)
	return err
}

func (m *fake) Load() (s State, ok bool, err error) {
	err = m.call(nil, "load", nothing, nothing)
	m.walk.loaded(m, err)
	return m.saved(), m.state != nil, err
}

func (m *fake) Running() (string, error) {
	return m.running, m.call(nil, "running", nothing, nothing)
}

func (m *fake) BootDefault() (string, error) {
	return m.profile, m.call(nil, "boot default", nothing, nothing)
}

func (m *fake) BootID() (string, error) {
	return fmt.Sprint(m.boot), m.call(nil, "boot id", nothing, nothing)
}

func (m *fake) FailedUnits(ctx context.Context) ([]string, error) {
	return nil, m.call(nil, "failed units", nothing, nothing)
}

func (m *fake) Switch(ctx context.Context, _ event.Step, system string, verb Verb) error {
	m.subject = system
	if verb == VerbTest && m.down {
		return errors.New("systemd shuts down")
	}
	if verb == VerbTest && m.noLive && system == m.job.Bundle.System {
		if err := m.call(ctx, "switch test", nothing, nothing); err != nil {
			return err
		}
		return &SwitchError{Verb: verb, ExitCode: exitReboot}
	}
	if verb == VerbBoot {
		if !m.saved().Boot {
			m.violations = append(m.violations, "switch boot without having saved that")
		}
		return m.call(ctx, "switch boot", func() { m.loader = system }, nothing)
	}
	if system != m.job.Bundle.System && m.saved().Phase != RollingBack && m.hit == "" {
		m.violations = append(m.violations, "put back without having saved that")
	}
	if !m.saved().Live {
		m.violations = append(m.violations, "switch test without having saved that")
	}
	return m.call(ctx, "switch test", func() { m.running, m.whole, m.touched = system, false, true }, func() { m.whole = true })
}

func (m *fake) SetProfile(ctx context.Context, system string) error {
	m.subject = system
	if !m.saved().Boot {
		m.violations = append(m.violations, "set profile without having saved that")
	}
	return m.call(ctx, "set profile", func() { m.profile = system }, nothing)
}

func (m *fake) Ready(ctx context.Context, checks []bundle.Check) error {
	if m.touched || m.boots() != m.scenario.boots || m.saved().Live || m.saved().Boot || m.saved().Trial {
		m.violations = append(m.violations, "asked whether it is fit too late")
	}
	if err := m.call(ctx, "ready", nothing, nothing); err != nil {
		return err
	}
	if !m.fit {
		return errors.New("unfit")
	}
	return nil
}

func (m *fake) Healthy(ctx context.Context, _ []string, checks []bundle.Check) error {
	m.checked = false
	if m.down {
		return errors.New("units are stopped")
	}
	err := m.call(ctx, "healthy", nothing, func() { m.checked = true })
	back := slices.Contains([]Phase{RollingBack, Returned}, m.saved().Phase)
	switch {
	case err != nil:
		return err
	case back:
		if len(checks) == 0 && m.running == m.saved().Previous {
			m.violations = append(m.violations, "put back without the checks of the previous system")
		}
		return nil
	case len(checks) != 1 || checks[0].From != "":
		m.violations = append(m.violations, "checks that are not the node's")
	case !m.healthy:
		return errors.New("unhealthy")
	}
	m.prove(!m.job.Confirm)
	return nil
}

func (m *fake) ResetConfirmation() error { return m.call(nil, "reset confirmation", nothing, nothing) }

func (m *fake) Reached(ctx context.Context) error { return m.answer(ctx, "reached") }

func (m *fake) Confirmed(ctx context.Context) error {
	if err := m.answer(ctx, "confirmed"); err != nil {
		return err
	}
	if m.refuses {
		return errors.New("refused")
	}
	m.prove(m.checked)
	return nil
}

func (m *fake) answer(ctx context.Context, name string) error {
	if err := m.call(ctx, name, nothing, nothing); err != nil {
		return err
	}
	if !m.confirms {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (m *fake) BootsOnce(ctx context.Context) (bool, error) {
	return m.bootsOnce, m.call(nil, "boots once", nothing, nothing)
}

func (m *fake) Arm(ctx context.Context, _ event.Step, system string) error {
	if !m.saved().Trial || !m.saved().Once {
		m.violations = append(m.violations, "armed without having saved that")
	}
	return m.call(ctx, "arm", func() { m.once = system }, nothing)
}

func (m *fake) Disarm(ctx context.Context, _ event.Step) error {
	return m.call(ctx, "disarm", nothing, func() { m.once = "" })
}

func (m *fake) Reboot(ctx context.Context) error {
	if p := m.saved().Phase; p != Rebooting && p != GoingBack {
		m.violations = append(m.violations, "reboot without having saved that")
	}
	if m.down {
		return errors.New("a shutdown is under way already")
	}
	err := m.call(ctx, "reboot", nothing, nothing)
	if err == nil && !(m.fired && m.fault == lie && m.hit == "reboot") {
		if m.reboots++; m.reboots > 2 {
			m.violations = append(m.violations, "rebooted again and again")
		}
		m.powerCut()
		panic(restarted{})
	}
	return err
}

func (m *fake) Booted(ctx context.Context) error {
	if m.down {
		return errors.New("the machine is shutting down")
	}
	return m.call(ctx, "booted", nothing, nothing)
}

// prove records that the new system may boot from now on.
func (m *fake) prove(proved bool) {
	if proved {
		m.allowed[m.job.Bundle.System] = true
	}
}
