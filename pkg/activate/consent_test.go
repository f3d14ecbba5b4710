package activate

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/git-deploy/git-deploy/pkg/event"
)

// TestWhoAllowsTheRebootBack has putting back fail live: the machine restarts
// into its previous system if that one allows it, where it is known, whatever
// the new one says.
func TestWhoAllowsTheRebootBack(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		before *bool
		new    bool
		want   bool
	}{{nil, true, true}, {nil, false, false}, {&yes, false, true}, {&yes, true, true}, {&no, true, false}, {&no, false, false}} {
		synctest.Test(t, func(t *testing.T) {
			s := scenario{action: Switch, running: "old", boots: "old", profile: true, rebootBack: c.new}
			run := func(at int) (*fake, Result) {
				m := s.machine()
				m.job.RebootBack = c.before
				m.arm(at, errBefore)
				res, _ := m.attempt(t.Context(), func() Result { return Run(t.Context(), m, m.job, event.Discard) })
				return m, res
			}
			m, _ := run(-1)
			first := slices.Index(m.ops, "switch test")
			m, res := run(first + 1 + slices.Index(m.ops[first+1:], "switch test"))
			want := map[bool]event.Outcome{true: event.RolledBack, false: event.RollbackFailed}[c.want]
			if !m.fired || m.hit != "switch test" || (m.reboots == 1) != c.want || res.Outcome != want {
				t.Errorf("before %s, new %v: %d reboots, %s (%s)", show(c.before), c.new, m.reboots, res.Outcome, res.Reason)
			}
		})
	}
}

func show(b *bool) string {
	if b == nil {
		return "unknown"
	}
	return fmt.Sprint(*b)
}
