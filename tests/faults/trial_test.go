//go:build linux

package faults

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
)

// Limits of a trial. A node's own limits, with which it must be good again
// whatever happens to it, are 30 seconds for the switch and 5 for the
// confirmation; going back may take as long once more.
const (
	pushLimit = 100 * time.Second
	idleLimit = 100 * time.Second
)

// trial is one case at work: the fault, and what is looked at afterwards.
type trial struct {
	t *testing.T
	w *world
	k kind
	c fcase

	before *observation
	pushes []*pushing // in the order in which they were started
	missed bool       // there was nothing to break at that point
	// maySucceed and mayFail say how the deployments may end; neither is a mistake of the case.
	maySucceed, mayFail bool
	// unreachable: the pusher may have to give up without knowing the outcome.
	unreachable bool
	good        []string // confirmed pages, when the trial knows more of them than its pushes tell
	note        string   // what became of it, when not the outcome of the first push
	undo        []func() // what is put right after everything else
}

func newTrial(t *testing.T, w *world, k kind, c fcase) *trial {
	return &trial{t: t, w: w, k: k, c: c}
}

// all runs the case, waits for the node to come to rest, checks everything
// that must hold, and pushes once more.
func (tr *trial) all() {
	start := time.Now()
	tr.before = tr.look()
	tr.check(tr.before, []string{tr.w.good})
	defer func() {
		for _, p := range tr.pushes {
			p.kill()
		}
		if tr.t.Failed() {
			tr.explain()
		}
		for _, undo := range tr.undo {
			undo()
		}
	}()
	tr.c.run(tr)
	for _, p := range tr.pushes {
		tr.ended(p)
	}
	after := tr.idle()
	tr.verdict(after)
	tr.again(after)
	tr.t.Logf("%s after %v", tr.note, time.Since(start).Round(10*time.Millisecond))
	tr.report()
}

func (tr *trial) must(err error) {
	tr.t.Helper()
	if err != nil {
		tr.t.Fatal(err)
	}
}

// page is that of the version at work.
func (tr *trial) page() string { return fmt.Sprint(tr.w.page) }

func (tr *trial) look() *observation {
	tr.t.Helper()
	o, err := tr.w.observe()
	tr.must(err)
	return o
}

func (tr *trial) check(o *observation, good []string) {
	tr.t.Helper()
	for _, b := range append(o.busy(), o.broken(good)...) {
		tr.t.Error(b)
	}
	if tr.t.Failed() {
		tr.t.FailNow()
	}
}

// deploy writes a version and starts to push it.
func (tr *trial) deploy(change parts, flags ...string) *pushing {
	tr.t.Helper()
	tr.must(tr.w.ada.write(change))
	return tr.start(tr.w.ada, flags...)
}

func (tr *trial) start(d *deployer, flags ...string) *pushing {
	tr.t.Helper()
	p, err := d.push(flags...)
	tr.must(err)
	tr.pushes = append(tr.pushes, p)
	return p
}

// ended waits for a push to end, which it must within its limit. What a killed
// one leaves behind may begin a deployment yet, on a node that is at rest.
func (tr *trial) ended(p *pushing) {
	tr.t.Helper()
	limit := time.After(pushLimit)
	select {
	case <-p.done:
	case <-limit:
		tr.t.Fatalf("the push of %s has not ended after %v", p.d.name, pushLimit)
	}
	for p.killed {
		left := p.orphans()
		if len(left) == 0 {
			return
		}
		select {
		case <-limit:
			tr.t.Fatalf("of the push of %s there still is %s after %v", p.d.name, strings.Join(left, "; "), pushLimit)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// idle waits for the node to come to rest by itself.
func (tr *trial) idle() *observation {
	tr.t.Helper()
	var o *observation
	var err error
	for deadline := time.Now().Add(idleLimit); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if o, err = tr.w.observe(); err == nil && len(o.busy()) == 0 {
			return tr.look() // what was seen first may be from before it came to rest
		}
	}
	tr.must(err)
	tr.t.Fatalf("the node does not come to rest: %s", strings.Join(o.busy(), "; "))
	return nil
}

// verdict checks what became of the deployments, and says it.
func (tr *trial) verdict(o *observation) {
	tr.t.Helper()
	good := append([]string{tr.w.good}, tr.good...)
	outcomes := []string{}
	for _, id := range o.since(tr.before.known()) {
		outcomes = append(outcomes, string(o.outcome[id]))
	}
	succeeded := slices.Contains(outcomes, string(event.Succeeded))
	if succeeded && len(tr.pushes) == 1 {
		good = []string{fmt.Sprint(tr.w.page)} // what was confirmed last, and nothing else
	} else if succeeded {
		good = append(good, o.page)
	}
	tr.check(o, good)
	if succeeded && !tr.maySucceed {
		tr.t.Errorf("the new system was confirmed: %v", outcomes)
	}
	if !succeeded && !tr.mayFail {
		tr.t.Errorf("the new system does not run: %v", outcomes)
	}
	for _, p := range tr.pushes {
		if len(tr.pushes) == 1 {
			tr.truthful(p, outcomes)
		}
	}
	if tr.note == "" {
		switch {
		case tr.missed:
			tr.note = missed
		case len(outcomes) == 0:
			tr.note = "never began"
		default:
			tr.note = outcomes[len(outcomes)-1]
		}
	}
	tr.w.good = o.page
	tr.must(tr.w.serves(o.page))
}

// truthful checks that the exit code says what became of the deployments.
func (tr *trial) truthful(p *pushing, outcomes []string) {
	tr.t.Helper()
	if p.killed {
		return
	}
	code := fail.Code(p.code)
	last := event.Outcome("")
	if len(outcomes) > 0 {
		last = event.Outcome(outcomes[len(outcomes)-1])
	}
	var want []fail.Code
	switch {
	case last == event.Succeeded:
		want = []fail.Code{fail.OK}
	case last == event.RolledBack:
		want = []fail.Code{fail.RolledBack}
	default:
		want = []fail.Code{fail.Failed, fail.Unreachable}
	}
	if tr.unreachable {
		want = append(want, fail.Unreachable)
	}
	if !slices.Contains(want, code) {
		tr.t.Errorf("the push ended with %d, and the deployments with %v\n%s", code, outcomes, p.said())
	}
}

// again pushes once more: without a hand on the node, that must work.
func (tr *trial) again(after *observation) {
	tr.t.Helper()
	tr.must(tr.w.ada.write(parts{}))
	p, err := tr.w.ada.push()
	tr.must(err)
	tr.ended(p)
	if p.code != 0 {
		tr.t.Fatalf("the next push ends with %d:\n%s", p.code, p.said())
	}
	o := tr.idle()
	tr.w.good = fmt.Sprint(tr.w.page)
	tr.check(o, []string{tr.w.good})
	tr.must(tr.w.serves(tr.w.good))
}

// explain shows what there is to see of a failure.
func (tr *trial) explain() {
	tr.t.Logf("run it again: FAULTS=all go test ./tests/faults -run '%s$' -v", tr.t.Name())
	for _, p := range tr.pushes {
		tr.t.Logf("the push of %s (code %d):\n%s", p.d.name, p.code, p.said())
	}
	known := map[string]bool{}
	if tr.before != nil {
		known = tr.before.known()
	}
	ids := ""
	if o, err := tr.w.observe(); err == nil {
		ids = strings.Join(o.since(known), " ")
		tr.t.Logf("the node: %+v", *o)
	}
	out, err := tr.w.host.Try("sh", "-c", `cd `+stateDir+`/deployments; for d in `+ids+`; do echo "== $d"; cat $d/events.jsonl; echo; cat $d/state.json; echo; cat $d/switch.log $d/runner.log; done 2>&1
		journalctl --no-pager -n 60 -o cat; ps -eo pid,ppid,etime,args`)
	tr.t.Logf("%v\n%s", err, out)
}
