package node

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/pkg/activate"
	"github.com/git-deploy/git-deploy/pkg/event"
)

var propertySeed = flag.Int64("seed", -1, "run this schedule of TestNothingIsLost only")

// history is the commits of a network, by name, with their parents.
type history map[string][]string

func (h history) reach(from string, seen map[string]bool) map[string]bool {
	if from != "" && !seen[from] {
		seen[from] = true
		for _, p := range h[from] {
			h.reach(p, seen)
		}
	}
	return seen
}

func (h history) commit(parents ...string) string {
	name := fmt.Sprintf("c%d", len(h)+1)
	h[name] = parents
	return name
}

// join is what a push makes of ours and what a node has.
func (h history) join(ours, theirs string) string {
	switch {
	case theirs == "" || h.reach(ours, map[string]bool{})[theirs]:
		return ours
	case ours == "" || h.reach(theirs, map[string]bool{})[ours]:
		return theirs
	}
	return h.commit(ours, theirs)
}

// TestNothingIsLost lets three people and five nodes commit, push, deploy
// themselves, lose each other, fail and crash in random orders, with the
// decisions about refs that the nodes make (moves, backTo). Then everything is
// fetched, merged and pushed.
func TestNothingIsLost(t *testing.T) {
	for seed := range int64(2000) {
		if *propertySeed >= 0 {
			seed = *propertySeed
		}
		steps, problem := schedule(rand.New(rand.NewPCG(uint64(seed), 4)))
		if problem != "" {
			t.Fatalf("%s\n-seed %d:\n%s", problem, seed, strings.Join(steps, "\n"))
		}
		if *propertySeed >= 0 {
			return
		}
	}
}

func schedule(r *rand.Rand) (steps []string, problem string) {
	h := history{}
	first := h.commit()
	people := [3]string{first, first, first}
	var nodes [5]*model
	var cut [3][5]bool
	for i := range nodes {
		nodes[i] = &model{refs: map[string]string{}}
	}
	say := func(format string, args ...any) { steps = append(steps, fmt.Sprintf(format, args...)) }
	receive := func(n int, commit string) {
		m := nodes[n]
		m.jobs++
		job := activate.Job{ID: fmt.Sprintf("%d-%d", r.IntN(1000), m.jobs), BranchBefore: m.refs[modelBranch], Commit: commit, Action: activate.Switch}
		m.refs[modelBranch] = commit
		m.queued = append(m.queued, job)
	}
	// run ends what is under way on a node, badly or well.
	run := func(n int, o event.Outcome) {
		m := nodes[n]
		if m.active == nil {
			if len(m.queued) == 0 {
				return
			}
			j := m.take(r.IntN(len(m.queued)))
			m.active = &j
			if m.refs[modelBranch] != j.Commit {
				o = event.Superseded
			}
		}
		j := *m.active
		m.active = nil
		say("node %d: %s %s", n, j.Commit, o)
		m.record(j, o)
	}
	push := func(p, n int) {
		merged := h.join(people[p], nodes[n].refs[modelBranch])
		say("person %d pushes %s to node %d as %s", p, people[p], n, merged)
		people[p] = merged
		if merged != nodes[n].refs[modelBranch] {
			receive(n, merged)
		}
	}
	for range 60 {
		p, n := r.IntN(len(people)), r.IntN(len(nodes))
		switch r.IntN(8) {
		case 0, 1:
			people[p] = h.commit(people[p])
			say("person %d commits %s", p, people[p])
		case 2, 3:
			if !cut[p][n] {
				push(p, n)
			}
		case 4:
			if tip := nodes[n].refs[modelBranch]; tip != "" {
				receive(n, h.commit(tip))
				say("node %d commits and deploys %s", n, nodes[n].refs[modelBranch])
			}
		case 5:
			cut[p][n] = !cut[p][n]
			say("person %d and node %d: cut %v", p, n, cut[p][n])
		case 6:
			run(n, event.Succeeded)
		case 7:
			run(n, []event.Outcome{event.RolledBack, event.Interrupted, event.Failed, event.Succeeded}[r.IntN(4)])
		}
	}
	for n := range nodes {
		for len(nodes[n].queued) > 0 {
			run(n, event.Interrupted)
		}
		if refs := nodes[n].refs; refs[modelBranch] != refs[RefBranch] {
			return steps, fmt.Sprintf("node %d: its branch is at %q and belongs at %q", n, refs[modelBranch], refs[RefBranch])
		}
		for _, ref := range slices.Sorted(maps.Keys(nodes[n].refs)) { // fetched, what has failed as well
			people[0] = h.join(people[0], nodes[n].refs[ref])
			say("person 0 merges %s of node %d", ref, n)
		}
	}
	people[0] = h.join(h.join(people[0], people[1]), people[2])
	reached := h.reach(people[0], map[string]bool{})
	for commit := range h {
		if !reached[commit] {
			return steps, commit + " is lost"
		}
	}
	for n := range nodes {
		push(0, n)
		run(n, event.Succeeded)
	}
	for n, m := range nodes {
		current := m.refs[RefCurrent]
		recorded := false
		for _, c := range m.good {
			recorded = recorded || c == current
		}
		if current != people[0] || !recorded {
			return steps, fmt.Sprintf("node %d runs %q (recorded: %v), and was pushed %s", n, current, recorded, people[0])
		}
	}
	return steps, ""
}
