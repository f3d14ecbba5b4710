// Package event says what happened, as data.
//
// Everything that does work reports Events to one Sink: the node writes them
// to a deployment's event log, package ui draws them, --json prints them. An
// Event is never formatted text for people; Message holds the words of
// foreign programs or one plain sentence.
//
// The package is not a logger: what only a developer wants goes to log/slog.
package event

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
)

// Kind says what sort of thing happened.
type Kind string

const (
	StepStarted Kind = "step-started" // Step begins
	StepDone    Kind = "step-done"    // Step ended well; Millis is how long it took, Message an optional summary
	StepFailed  Kind = "step-failed"  // Step ended badly; Message says why
	Progress    Kind = "progress"     // Step is at Done of Expected Units (Expected 0: unknown)
	Log         Kind = "log"          // one line of a foreign program's output, during Step
	Notice      Kind = "notice"       // one sentence for the user
	Warning     Kind = "warning"      // one sentence the user should act on
	Closure     Kind = "closure"      // Diff is the difference between the running and the new system
	Finished    Kind = "finished"     // the last event of a deployment: Outcome, and Message says why
)

// Fields of events that a deployer acts on.
const (
	// ChecksField of what begins Confirm: the health checks that the deployer is
	// to run before it confirms, as JSON.
	ChecksField = "checks"
	// BootIDField and LimitField of what begins Reboot: the boot that ends, and
	// in how many seconds the node is to be back.
	BootIDField = "bootId"
	LimitField  = "limit"
)

// Step is one of the fixed parts of a deployment, in the order in which they happen.
type Step string

const (
	Connect  Step = "connect"  // deployer: open the ssh connection
	Merge    Step = "merge"    // deployer: take in what the node has
	Send     Step = "send"     // deployer: send objects
	Check    Step = "check"    // node: refuse what must not come in
	Evaluate Step = "evaluate" // evaluate the node's configuration
	Build    Step = "build"    // build or download its system
	Copy     Step = "copy"     // deployer: copy a system built there
	Wait     Step = "wait"     // node: wait for the lock
	Switch   Step = "switch"   // node: switch-to-configuration test
	Reboot   Step = "reboot"   // node: reboot into the new system
	Health   Step = "health"   // node: health checks
	Confirm  Step = "confirm"  // prove that the node can be reached anew
	Boot     Step = "boot"     // node: set the profile, switch-to-configuration boot
	Rollback Step = "rollback" // node: put back the previous system
	Record   Step = "record"   // node: move refs, write the deployment log
)

// Steps lists all steps in their order.
var Steps = []Step{Connect, Merge, Send, Check, Evaluate, Build, Copy, Wait, Switch, Reboot, Health, Confirm, Boot, Rollback, Record}

// Outcome is how a deployment ended.
type Outcome string

const (
	Succeeded      Outcome = "succeeded"
	UpToDate       Outcome = "up-to-date"      // nothing to do
	Built          Outcome = "built"           // action=build: built, not activated
	DryRun         Outcome = "dry-run"         // everything up to the switch, nothing kept
	Refused        Outcome = "refused"         // never evaluated: wrong network, wrong node, rewind, bad option
	Failed         Outcome = "failed"          // did not evaluate or build; the node is unchanged
	RolledBack     Outcome = "rolled-back"     // was activated, failed, and the previous system is back
	RollbackFailed Outcome = "rollback-failed" // was activated, failed, and putting back failed too
	Superseded     Outcome = "superseded"      // a newer commit came before this one was activated
	Interrupted    Outcome = "interrupted"     // the machine or the runner died in the middle; settled afterwards
	Locked         Outcome = "locked"          // another deployment held the node for longer than the wait
	Unknown        Outcome = "unknown"         // the deployer lost the node before it saw the end; a node never says this
)

// OK reports whether the outcome is what the user asked for.
func (o Outcome) OK() bool {
	return o == Succeeded || o == UpToDate || o == Built || o == DryRun
}

// Event is one thing that happened. Fields that a Kind does not use are zero
// and absent from the JSON. One Event is one JSON line.
type Event struct {
	Seq        int64             `json:"seq,omitempty"` // position in the deployment's event log, from 1
	Time       time.Time         `json:"time"`
	Deployment string            `json:"deployment,omitempty"`
	Node       string            `json:"node,omitempty"`
	Kind       Kind              `json:"kind"`
	Step       Step              `json:"step,omitempty"`
	Message    string            `json:"message,omitempty"`
	Hint       string            `json:"hint,omitempty"` // a command that helps
	Millis     int64             `json:"millis,omitempty"`
	Done       int64             `json:"done,omitempty"`
	Expected   int64             `json:"expected,omitempty"`
	Unit       string            `json:"unit,omitempty"` // "paths", "bytes", "objects", "checks"
	Outcome    Outcome           `json:"outcome,omitempty"`
	Diff       *ClosureDiff      `json:"diff,omitempty"`
	Fields     map[string]string `json:"fields,omitempty"` // further facts, e.g. commit, system
}

// ClosureDiff is the difference between two closures, by package name.
type ClosureDiff struct {
	From    string          `json:"from,omitempty"` // store path; empty: nothing ran before
	To      string          `json:"to"`
	Added   []PackageChange `json:"added,omitempty"`
	Removed []PackageChange `json:"removed,omitempty"`
	Changed []PackageChange `json:"changed,omitempty"` // other versions, or the same version rebuilt
	// Size and FromSize are the closures' sizes in bytes; Delta is what the new one takes more.
	Size     int64 `json:"size"`
	FromSize int64 `json:"fromSize"`
	// Derivations says that it is what the systems are built from that was
	// compared, since they are not here themselves; then there are no sizes.
	Derivations bool `json:"derivations,omitempty"`
}

// Delta is the growth of the closure in bytes.
func (d *ClosureDiff) Delta() int64 { return d.Size - d.FromSize }

// Empty reports whether both closures are the same.
func (d *ClosureDiff) Empty() bool {
	return len(d.Added)+len(d.Removed)+len(d.Changed) == 0
}

// PackageChange is one package of a ClosureDiff.
type PackageChange struct {
	Name string   `json:"name"`
	From []string `json:"from,omitempty"` // versions before; "" stands for a path without a version
	To   []string `json:"to,omitempty"`   // versions after
	// Delta is the growth of the package's paths in bytes.
	Delta int64 `json:"delta"`
}

// Sink takes events. Implementations are safe for concurrent use and do not block for long.
type Sink interface{ Emit(Event) }

// SinkFunc makes a function a Sink.
type SinkFunc func(Event)

func (f SinkFunc) Emit(e Event) { f(e) }

// Discard is a Sink that drops everything.
var Discard Sink = SinkFunc(func(Event) {})

// Tee is a Sink that passes every event to all of sinks.
func Tee(sinks ...Sink) Sink {
	return SinkFunc(func(e Event) {
		for _, s := range sinks {
			s.Emit(e)
		}
	})
}

// Stamp is a Sink that fills in Node, Deployment and Time where they are zero before passing events to next.
func Stamp(next Sink, node, deployment string) Sink {
	return SinkFunc(func(e Event) {
		if e.Node == "" {
			e.Node = node
		}
		if e.Deployment == "" {
			e.Deployment = deployment
		}
		if e.Time.IsZero() {
			e.Time = time.Now()
		}
		next.Emit(e)
	})
}

// Encoder is a Sink that writes each event as one JSON line to w in one Write.
type Encoder struct {
	mu  sync.Mutex
	w   io.Writer
	err error
}

// NewEncoder returns an Encoder that writes to w.
func NewEncoder(w io.Writer) *Encoder { return &Encoder{w: w} }

func (enc *Encoder) Emit(e Event) {
	line, err := json.Marshal(e)
	enc.mu.Lock()
	defer enc.mu.Unlock()
	if err == nil && enc.err == nil {
		_, err = enc.w.Write(append(line, '\n'))
	}
	if enc.err == nil {
		enc.err = err
	}
}

// Err returns the first error of writing.
func (enc *Encoder) Err() error {
	enc.mu.Lock()
	defer enc.mu.Unlock()
	return enc.err
}

// Parse reads one JSON line. It fails on lines that are not an event.
func Parse(line []byte) (Event, error) {
	var e Event
	if err := json.Unmarshal(line, &e); err != nil {
		return Event{}, fmt.Errorf("event log: not an event: %w", err)
	}
	if e.Kind == "" {
		return Event{}, fmt.Errorf("event log: not an event: no kind in %.80q", line)
	}
	return e, nil
}

// RunStep reports the start of step, runs f, and reports how it ended.
func RunStep(sink Sink, step Step, f func() error) error {
	start := time.Now()
	sink.Emit(Event{Kind: StepStarted, Step: step, Time: start})
	err := f()
	e := Event{Kind: StepDone, Step: step, Time: time.Now(), Millis: time.Since(start).Milliseconds()}
	if err != nil {
		e.Kind, e.Message = StepFailed, err.Error()
	}
	sink.Emit(e)
	return err
}
