package activate

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// walk writes down what an activation does as the model in the folder model
// does: each transition that it attempts, and each thing that it does to the
// machine in a phase.
type walk struct {
	at    string // the phase and flags that it remembers
	phase Phase
	cause string // of the next transition: the last runner died, or the machine was restarted
	// further: there was more than one fault. Neither side lists what that can lead to.
	further bool
}

// seen is what all machines of TestEveryFault did.
var seen = map[string]bool{}

func named(s State) string {
	name := string(s.Phase)
	for _, f := range []struct {
		name string
		set  bool
	}{{"live", s.Live}, {"boot", s.Boot}, {"trial", s.Trial}, {"turned", s.Turned}, {"interrupted", s.Interrupted}} {
		if f.set {
			name += "+" + f.name
		}
	}
	return name
}

// going notes a transition; what it returns is called with the outcome of saving it.
func (w *walk) going(action Action, s State) func(error) {
	if w.at == "" {
		w.at = "none"
	}
	line := fmt.Sprintf("go %s: %s -> %s", action, w.at, named(s))
	if s.Phase == Finished && s.Result != nil {
		line += " " + string(s.Result.Outcome)
	}
	w.saw(line + w.cause)
	cause := w.cause
	w.cause = ""
	return func(err error) {
		if err == nil || s.Phase == RollingBack || s.Phase == Finished || cause != "" {
			w.at, w.phase = named(s), s.Phase
		}
	}
}

func (w *walk) saw(line string) {
	if !w.further {
		seen[line] = true
	}
}

// loaded begins a settlement.
func (w *walk) loaded(m *fake, err error) {
	if m.state == nil || err != nil {
		w.at, w.phase, w.cause = "none", "none", " died"
		return
	}
	w.at, w.phase, w.cause = named(*m.state), m.state.Phase, " died"
	if m.state.BootID != fmt.Sprint(m.boot) {
		w.cause = " rebooted"
	}
}

// does notes what is done to the machine.
func (w *walk) does(op, system string) {
	switch op {
	case "switch test", "set profile", "switch boot":
		which := " old"
		if system == "new" {
			which = " new"
		}
		w.saw("do " + string(w.phase) + ": " + strings.ReplaceAll(op, " ", "-") + which)
	case "arm", "disarm", "ready", "healthy", "reset confirmation", "reached", "confirmed", "reboot", "booted":
		w.saw("do " + string(w.phase) + ": " + strings.ReplaceAll(op, " ", "-"))
	}
}

// compareWithModel fails for what only the code or only the model does.
func compareWithModel(t *testing.T) {
	data, err := os.ReadFile("model/transitions.txt")
	if err != nil {
		t.Fatal(err)
	}
	model := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "go ") || strings.HasPrefix(line, "do ") {
			model[strings.TrimSpace(line)] = true
		}
	}
	for _, line := range slices.Sorted(maps.Keys(seen)) {
		if !model[line] {
			t.Errorf("the code does, and the model (model/deployment.pml) does not: %s", line)
		}
	}
	for _, line := range slices.Sorted(maps.Keys(model)) {
		if !seen[line] {
			t.Errorf("the model (model/deployment.pml) does, and the code does not: %s", line)
		}
	}
}
