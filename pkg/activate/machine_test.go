package activate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
)

// fault is what happens to one call of a Machine's method.
type fault string

const (
	noFault     fault = ""
	errBefore   fault = "error before" // fails and does nothing
	errMid      fault = "error midway" // fails and has done half of it
	hang        fault = "hang"         // does half of it and never returns by itself
	lie         fault = "lie"          // says that it is done, and has done nothing
	cancelled   fault = "cancel"       // the runner is asked to stop meanwhile
	crashBefore fault = "crash before" // the runner dies
	crashMid    fault = "crash midway"
	crashAfter  fault = "crash after"
)

const errInjected = "injected fault"

var faults = []fault{errBefore, errMid, hang, cancelled, crashBefore, crashMid, crashAfter, lie}

// faultsWhileSettling are fewer unless GIT_DEPLOY_FAULTS=all, which takes minutes.
func faultsWhileSettling() []fault {
	if os.Getenv("GIT_DEPLOY_FAULTS") == "all" {
		return append([]fault{noFault}, faults...)
	}
	if testing.Short() {
		return []fault{noFault, crashMid}
	}
	return []fault{noFault, errMid, crashMid}
}

// scenario is a machine before an activation, and what becomes of the new system on it.
type scenario struct {
	action   Action
	running  string // before
	boots    string // before
	confirm  bool
	confirms bool
	healthy  bool
	profile  bool // bootsProfile
	again    bool // Reactivate

	// The rest is not what it is mostly.
	unfit      bool
	force      bool // ForceUnhealthy
	noLive     bool
	outside    bool // there is a check from the deployer
	refuses    bool
	once       bool
	dead       bool // does not come up
	rebootBack bool // RebootOnFailedRollback
}

func (s scenario) String() string {
	type bare scenario // without this method
	return fmt.Sprintf("%+v", bare(s))
}

func scenarios() []scenario {
	var all []scenario
	for _, action := range []Action{Switch, Boot, Test, Rollback} {
		for _, before := range [][2]string{{"old", "old"}, {"tested", "old"}, {"new", "new"}, {"new", "old"}, {"", ""}, {"old", ""}} {
			for _, c := range [][2]bool{{false, false}, {true, true}, {true, false}} {
				for _, healthy := range []bool{true, false} {
					for _, profile := range []bool{true, false} {
						s := scenario{action: action, running: before[0], boots: before[1], confirm: c[0], confirms: c[1], healthy: healthy, profile: profile}
						all = append(all, s)
						if before[0] == "new" {
							s.again = true
							all = append(all, s)
						}
					}
				}
			}
		}
	}
	// Reboots. They are long stories, and what stands for itself above need not be told again.
	for i, before := range [][2]string{{"old", "old"}, {"tested", "old"}, {"new", "new"}, {"new", "old"}, {"", ""}} {
		for k, c := range [][3]bool{{false, false, true}, {true, true, true}, {true, false, true}, {true, true, false}} {
			for _, once := range []bool{true, false} {
				s := scenario{action: Reboot, running: before[0], boots: before[1], confirm: c[0], confirms: c[1], healthy: c[2], once: once, profile: (i+k)%2 == 0}
				all = append(all, s)
				if once && before[0] == "old" && k == 1 {
					s.dead = true
					all = append(all, s)
				}
			}
		}
	}
	old := scenario{running: "old", boots: "old", confirm: true, confirms: true, healthy: true, profile: true}
	add := func(change func(*scenario), actions ...Action) {
		for _, action := range actions {
			s := old
			s.action = action
			change(&s)
			all = append(all, s)
			s.profile = !s.profile
		}
	}
	for _, force := range []bool{true, false} {
		add(func(s *scenario) { s.unfit, s.force = true, force }, Switch, Boot, Test, Reboot, Rollback)
	}
	for _, before := range []string{"old", "tested", "new"} {
		add(func(s *scenario) { s.noLive, s.running = true, before }, Switch, Test, Rollback)
	}
	// What boots already is to run, too.
	for _, healthy := range []bool{true, false} {
		add(func(s *scenario) { s.running, s.boots, s.healthy = "tested", "new", healthy }, Rollback)
	}
	for _, once := range []bool{true, false} {
		add(func(s *scenario) { s.outside, s.once = true, once }, Switch, Test, Reboot, Rollback)
		add(func(s *scenario) { s.outside, s.once, s.refuses = true, once, true }, Switch, Test, Reboot, Rollback)
		add(func(s *scenario) { s.outside, s.once, s.confirms = true, once, false }, Switch, Test, Reboot)
		add(func(s *scenario) { s.outside, s.once, s.confirm = true, once, false }, Switch, Reboot)
	}
	for _, before := range []string{"old", "tested"} {
		add(func(s *scenario) { s.rebootBack, s.healthy, s.running = true, false, before }, Switch, Test, Reboot, Rollback)
		add(func(s *scenario) { s.rebootBack, s.confirms, s.running = true, false, before }, Switch)
		add(func(s *scenario) { s.rebootBack, s.running = true, before }, Switch)
	}
	return all
}

func (s scenario) machine() *fake {
	job := Job{ID: "x", Action: s.action, Confirm: s.confirm, Reactivate: s.again, ForceUnhealthy: s.force}
	job.Bundle.System = "new"
	job.Bundle.Health = []bundle.Check{{Name: "web", Type: "tcp"}}
	job.Bundle.PreSwitch = []bundle.Check{{Name: "fit", Type: "command"}}
	job.Bundle.RebootOnFailedRollback = s.rebootBack
	job.PreviousHealth = []bundle.Check{{Name: "before", Type: "tcp"}}
	if s.outside {
		job.Bundle.Health = append(job.Bundle.Health, bundle.Check{Name: "shop", Type: "http", From: "deployer"})
	}
	m := &fake{
		profile: s.boots, loader: s.boots, running: s.running, whole: true, bootsProfile: s.profile,
		healthy: s.healthy, confirms: s.confirms, refuses: s.refuses, fit: !s.unfit, noLive: s.noLive,
		bootsOnce: s.once, comesUp: !s.dead, faultAt: -1, job: job, scenario: s,
		allowed: map[string]bool{s.boots: true},
	}
	// The model has no machine without a system.
	m.walk.further = s.running == "" || s.boots == ""
	if s.action == Boot || (s.action == Switch || s.action == Rollback) && s.noLive || s.action == Reboot && (!s.once || s.boots == "") {
		m.allowed["new"] = true // asked for
	}
	return m
}

// attempt calls f, and after each reboot that it asks for Settle, until there
// is an outcome. It reports whether the runner survived.
func (m *fake) attempt(ctx context.Context, f func() Result) (res Result, alive bool) {
	again := func() (reboot bool) {
		defer func() {
			switch p := recover().(type) {
			case nil:
			case crashed:
				alive = false
			case restarted:
				reboot = true
			default:
				panic(p)
			}
		}()
		res = f()
		alive = res.Outcome != Pending // else it waits to be ended
		return false
	}
	for again() {
		f = func() Result { return Settle(ctx, m, m.job, event.Discard) }
	}
	return res, alive
}

// arm makes call n, counted from now, faulty.
func (m *fake) arm(n int, f fault) {
	m.calls, m.faultAt, m.fault, m.fired, m.ops, m.hit = 0, n, f, false, nil, ""
}

// verify checks what must hold once there is an outcome. faults does not count
// that the runner was asked to stop: that must not make a rollback fail.
func (s scenario) verify(m *fake, res Result, faults int, rebooted bool) error {
	if len(m.violations) > 0 {
		return fmt.Errorf("violations: %q", m.violations)
	}
	bootsBefore := m.profile == s.boots && m.loader == s.boots
	rebooted = rebooted || m.boot > 0
	turns := s.action == Switch || s.action == Rollback
	natural := !s.healthy || s.confirm && !s.confirms || s.confirm && s.outside && s.refuses || s.dead ||
		s.unfit && !s.force && s.action != Rollback || s.noLive && !turns && (s.running != "new")
	turned := s.noLive && turns && s.running != "new"
	noWayBack := s.running == "" || s.boots == ""
	live := func(system string) bool {
		return m.whole && (m.running == system || rebooted && m.running == m.boots())
	}
	switch res.Outcome {
	case event.Succeeded:
		if s.unfit && !s.force && s.action != Rollback {
			return errors.New("succeeded on a machine that is not fit")
		}
		later := s.action == Boot || turned
		want := s.action
		switch {
		case turned && s.action == Rollback:
			want = RollbackBoot
		case turned:
			want = Boot
		}
		if res.Action != want {
			return fmt.Errorf("succeeded as %s", res.Action)
		}
		if !later && !live("new") || later && !live(s.running) {
			return fmt.Errorf("succeeded, but %q runs (whole: %v)", m.running, m.whole)
		}
		if s.action != Boot && natural && !(s.healthy && s.running == "new" && !s.unfit) {
			return errors.New("succeeded without being healthy and confirmed")
		}
		if s.action == Test && !bootsBefore {
			return errors.New("test moved what boots")
		}
		if s.action != Test && (m.profile != "new" || m.boots() != "new") {
			return fmt.Errorf("succeeded, but the profile is %q and %q boots", m.profile, m.boots())
		}
	case event.Failed:
		if !live(s.running) || !bootsBefore {
			return fmt.Errorf("failed with nothing changed, but %q runs and %q/%q boots", m.running, m.profile, m.loader)
		}
		if !natural && faults == 0 && m.fault != cancelled {
			return errors.New("failed for no reason")
		}
	case event.RolledBack, event.Interrupted:
		back := s.running
		if s.again && s.running == "new" && m.touched {
			back = s.boots
		}
		if !bootsBefore {
			return fmt.Errorf("%s, but %q/%q boots", res.Outcome, m.profile, m.loader)
		}
		if !live(back) {
			return fmt.Errorf("%s, but %q runs (whole: %v)", res.Outcome, m.running, m.whole)
		}
		if !natural && faults == 0 && (m.fault != cancelled || s.action != Reboot && (m.hit == "set profile" || m.hit == "switch boot")) {
			return errors.New("rolled back for no reason")
		}
	case event.RollbackFailed:
		// Who comes after a reboot and cannot see what is there touches nothing.
		blind := m.boot > 0 && (slices.Contains([]string{"load", "boot id", "running"}, m.hit) || strings.HasPrefix(m.hit, "save"))
		if faults+btoi(natural)+btoi(blind) < 2 && !noWayBack {
			return errors.New("one failure was enough to fail the rollback")
		}
	default:
		return fmt.Errorf("outcome %q", res.Outcome)
	}
	if res.Reason == "" && res.Outcome != event.Succeeded {
		return fmt.Errorf("%s without a reason", res.Outcome)
	}
	return nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// same checks that a settled activation stays settled.
func (s scenario) same(m *fake, res Result) error {
	if m.saved().Phase != Finished && strings.HasPrefix(m.hit, "save") {
		return nil // saving the outcome was what failed
	}
	before := *m
	m.arm(-1, noFault)
	again := Settle(context.Background(), m, m.job, event.Discard)
	if again.Outcome != res.Outcome || again.Reason != res.Reason {
		return fmt.Errorf("the outcome was %s (%s), and then %s (%s)", res.Outcome, res.Reason, again.Outcome, again.Reason)
	}
	if m.running != before.running || m.profile != before.profile || m.loader != before.loader || !slices.Equal(m.ops, []string{"load"}) {
		return fmt.Errorf("settling what was settled did %q", m.ops)
	}
	return nil
}

// TestEveryFault runs every scenario with every fault at every call, and after
// every crash settles (by the runner's death alone, and by a power cut), again
// with every fault at every call, until an outcome is there.
func TestEveryFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		outcomes := map[event.Outcome]int{}
		report := func(s scenario, story string, m *fake, err error) {
			if err != nil {
				t.Fatalf("%v\n%s: %v\ncalls since: %q", s, story, err, m.ops)
			}
		}
		for _, s := range scenarios() {
			begin := func(n int, f fault) (*fake, Result, bool) {
				runs++
				m := s.machine()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				m.cancel = cancel
				m.arm(n, f)
				res, alive := m.attempt(ctx, func() Result { return Run(ctx, m, m.job, event.Discard) })
				return m, res, alive
			}
			settle := func(m *fake, n int, f fault) (Result, bool) {
				runs++
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				m.cancel = cancel
				m.arm(n, f)
				m.walk.further = m.walk.further || f != noFault
				return m.attempt(ctx, func() Result { return Settle(ctx, m, m.job, event.Discard) })
			}
			done := func(story string, m *fake, res Result, faults int, rebooted bool) {
				outcomes[res.Outcome]++
				report(s, story, m, s.verify(m, res, faults, rebooted))
				report(s, story, m, s.same(m, res))
			}
			m, res, _ := begin(-1, noFault)
			done("no fault", m, res, 0, false)
			for _, f := range faults {
				for n := 0; ; n++ {
					m, res, alive := begin(n, f)
					if !m.fired {
						break
					}
					story := fmt.Sprintf("%s at call %d (%s)", f, n, m.ops[n])
					if alive {
						done(story, m, res, btoi(f != cancelled), false)
						continue
					}
					for _, power := range []bool{false, true} {
						for _, g := range faultsWhileSettling() {
							if g == errMid && !s.profile && os.Getenv("GIT_DEPLOY_FAULTS") != "all" {
								continue // what the machine boots makes little difference to errors, and they take long
							}
							for k := 0; ; k++ {
								m, _, _ := begin(n, f)
								// What was confirmed and runs stays.
								promised := !power && g == noFault && m.saved().Phase == Committing && s.action != Boot && !m.saved().Turned
								if power {
									m.powerCut()
								}
								res, alive := settle(m, k, g)
								fired := m.fired
								story := fmt.Sprintf("%s, power cut %v, then %s at call %d of settling %q", story, power, g, k, m.ops)
								count, rebooted := 1, power
								if fired && g != noFault && g != cancelled {
									count++
								}
								if promised && res.Outcome != event.Succeeded {
									report(s, story, m, fmt.Errorf("confirmed, and then %s", res.Outcome))
								}
								if !alive {
									rebooted = true
									m.powerCut()
									res, _ = settle(m, -1, noFault)
								}
								done(story, m, res, count, rebooted)
								if !fired && alive || g == noFault {
									break
								}
							}
						}
					}
				}
			}
		}
		t.Logf("%d activations and settlements, outcomes %v", runs, outcomes)
	})
	compareWithModel(t)
}
