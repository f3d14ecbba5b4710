package activate

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/git-deploy/git-deploy/pkg/event"
)

// TestShutdown has somebody restart the machine at every call: that stops the
// runner and lets nobody switch, and it is no failure of the rollback.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pending := 0
		for _, s := range scenarios() {
			previous := s.running != "" && s.boots != "" // without one nothing can be put back
			for n := 0; ; n++ {
				m := s.machine()
				m.walk.further, m.shuts = true, true
				ctx, cancel := context.WithCancel(t.Context())
				m.cancel = cancel
				m.arm(n, cancelled)
				res, _ := m.attempt(ctx, func() Result { return Run(ctx, m, m.job, event.Discard) })
				cancel()
				if !m.fired {
					break
				}
				if previous && res.Outcome == event.RollbackFailed {
					t.Errorf("%+v, shut down at %s: %s (%s)\ncalls: %q", s, m.hit, res.Outcome, res.Reason, m.ops)
				}
				if res.Outcome != Pending {
					continue
				}
				pending++
				hit, ops := m.hit, m.ops
				m.powerCut()
				m.arm(-1, noFault)
				res, _ = m.attempt(t.Context(), func() Result { return Settle(t.Context(), m, m.job, event.Discard) })
				err := s.verify(m, res, 1, true)
				if back := res.Outcome == event.RolledBack || res.Outcome == event.Interrupted; err != nil || previous && !back {
					t.Errorf("%+v, shut down at %s: %s (%s): %v\ncalls: %q", s, hit, res.Outcome, res.Reason, err, ops)
				}
			}
		}
		if pending == 0 {
			t.Error("no shutdown met an activation")
		}
		t.Logf("%d activations were settled after the boot", pending)
	})
}
