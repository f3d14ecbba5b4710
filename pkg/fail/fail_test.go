package fail

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/google/go-cmp/cmp"
)

func TestCodesAndHints(t *testing.T) {
	base := errors.New("base")
	inner := New(Locked, fmt.Errorf("inner: %w", base), "", "wait")
	outer := fmt.Errorf("outer: %w", New(Conflict, fmt.Errorf("middle: %w", inner), "merge", "push"))
	if CodeOf(outer) != Conflict || CodeOf(inner) != Locked || CodeOf(base) != Failed || CodeOf(nil) != OK {
		t.Error(CodeOf(outer), CodeOf(inner), CodeOf(base), CodeOf(nil))
	}
	if got := CodeOf(fmt.Errorf("x: %w", context.Canceled)); got != Cancelled {
		t.Error(got)
	}
	if diff := cmp.Diff([]string{"merge", "push", "wait"}, HintsOf(outer)); diff != "" {
		t.Error(diff)
	}
	if !errors.Is(outer, base) || outer.Error() != "outer: middle: inner: base" {
		t.Error(outer)
	}
}

// The codes are promised in docs/reference/exit-codes.md.
func TestOutcomeCode(t *testing.T) {
	for outcome, want := range map[event.Outcome]Code{
		event.Succeeded: 0, event.UpToDate: 0, event.Built: 0, event.DryRun: 0,
		event.Refused: 1, event.Failed: 1, event.RollbackFailed: 1, event.Superseded: 1, event.Interrupted: 1,
		event.RolledBack: 4, event.Locked: 7, event.Unknown: 6,
	} {
		if got := OutcomeCode(outcome); got != want {
			t.Errorf("%s: %d, want %d", outcome, got, want)
		}
	}
}
