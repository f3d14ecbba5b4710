package node

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/pkg/activate"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/tests/property/schedule"
)

var propertySeed = flag.Int64("seed", -1, "run this schedule of TestNothingIsLost only")

var propertyChances = schedule.Chances{
	schedule.Commit: 6, schedule.New: 2, schedule.Drop: 2, schedule.Push: 6, schedule.Force: 1, schedule.Self: 3, schedule.Sync: 1,
	schedule.Cut: 3, schedule.Clock: 2, schedule.End: 6,
}

// TestNothingIsLost lets three people and five nodes commit, push, deploy
// themselves, lose each other, fail and crash in random orders, with the
// decisions about refs that the nodes make (moves, backTo). Then everything is
// fetched, merged and pushed. tests/property does it with real git and ssh.
func TestNothingIsLost(t *testing.T) {
	for seed := range uint64(2000) {
		if *propertySeed >= 0 {
			seed = uint64(*propertySeed)
		}
		steps := schedule.Draw(seed, 60, propertyChances)
		if problem := inMemory(steps); problem != "" {
			steps = schedule.Shrink(steps, 500, func(s []schedule.Step) bool { return inMemory(s) != "" })
			t.Fatalf("%s\n-seed %d:\n%s%s", problem, seed, schedule.Print(steps), inMemory(steps))
		}
		if *propertySeed >= 0 {
			return
		}
	}
}

const gone = "-"

// memory is a network without git: commits have names, and trees are merged as git does.
type memory struct {
	history schedule.History
	commits []string // in the order in which they were made
	trees   map[string]map[string]string
	people  [schedule.People]string
	skew    [schedule.People]time.Duration
	nodes   [schedule.Nodes]*model
	cut     [schedule.People][schedule.Nodes]bool
	at      int
	problem string
}

func (m *memory) wrong(format string, args ...any) {
	if m.problem == "" {
		m.problem = fmt.Sprintf("step %d: ", m.at) + fmt.Sprintf(format, args...)
	}
}

// commit makes a commit with the tree of what merge made of its parents, and
// with places written anew, or removed where their names begin with gone.
func (m *memory) commit(tree map[string]string, force bool, places []string, parents ...string) string {
	name := fmt.Sprintf("c%d", len(m.commits)+1)
	tree, writes := maps.Clone(tree), map[string]string{}
	for _, place := range places {
		if place, removed := strings.CutPrefix(place, gone); removed {
			writes[place] = ""
			delete(tree, place)
			continue
		}
		writes[place] = name + " in " + place
		tree[place] = writes[place]
	}
	m.commits = append(m.commits, name)
	m.trees[name] = tree
	m.history.Add(name, parents, writes, force)
	if want, conflicts := m.history.Want(name); !maps.Equal(want, tree) || len(conflicts) > 0 {
		m.wrong("commit %s of %v holds %v, and must hold %v (conflicts %v)", name, parents, tree, want, conflicts)
	}
	return name
}

// version is a commit, or what a merge makes of several.
type version struct {
	of   []string
	tree map[string]string
}

func (m *memory) contains(v version, commit string) bool {
	return slices.ContainsFunc(v.of, func(id string) bool { return m.history.Contains(id, commit) })
}

// merge is git's: three ways, from the merge of all best common ancestors. A
// place in conflict holds what marks it.
func (m *memory) merge(a, b version) (merged version, conflicts []string) {
	var base version
	for _, commit := range slices.Backward(m.commits) {
		if !m.contains(a, commit) || !m.contains(b, commit) || m.contains(base, commit) {
			continue
		}
		best := version{[]string{commit}, m.trees[commit]}
		if base.of == nil {
			base = best
		} else {
			base, _ = m.merge(base, best)
		}
	}
	merged = version{append(slices.Clone(a.of), b.of...), map[string]string{}}
	places := maps.Clone(a.tree)
	maps.Copy(places, b.tree)
	for place := range places {
		was, ours, theirs := base.tree[place], a.tree[place], b.tree[place]
		switch {
		case ours == theirs, theirs == was:
			merged.tree[place] = ours
		case ours == was:
			merged.tree[place] = theirs
		default:
			merged.tree[place] = "<" + ours + "|" + theirs + ">"
			conflicts = append(conflicts, place)
		}
	}
	maps.DeleteFunc(merged.tree, func(_, value string) bool { return value == "" })
	slices.Sort(conflicts)
	return merged, conflicts
}

// join is what a push makes of ours and what a node has. People resolve what
// is in conflict, or force keeps ours.
func (m *memory) join(ours, theirs string, force bool) string {
	switch {
	case theirs == "" || m.history.Contains(ours, theirs):
		return ours
	case ours == "" || m.history.Contains(theirs, ours) && !force:
		return theirs
	}
	if force {
		holds, conflicts := m.history.Want(ours, theirs)
		changes := m.history.Changes(ours, theirs)
		for i, place := range changes {
			if holds[place] == "" && !slices.Contains(conflicts, place) {
				changes[i] = gone + place
			}
		}
		if len(changes) > 0 {
			ours = m.commit(m.trees[ours], false, changes, ours)
		}
		return m.commit(m.trees[ours], true, nil, ours, theirs)
	}
	merged, conflicts := m.merge(version{[]string{ours}, m.trees[ours]}, version{[]string{theirs}, m.trees[theirs]})
	want, places := m.history.Want(ours, theirs)
	for _, place := range conflicts {
		// Where histories cross, a merge of bases may conflict in what somebody has resolved since.
		if !slices.Contains(places, place) {
			merged.tree[place] = want[place]
		}
	}
	for _, place := range places {
		if !slices.Contains(conflicts, place) {
			m.wrong("the merge of %s and %s does not conflict in %s, and must", ours, theirs, place)
		}
	}
	return m.commit(merged.tree, false, places, ours, theirs)
}

func (m *memory) receive(n int, commit string, skew time.Duration) {
	node := m.nodes[n]
	node.jobs++
	// The id is of a clock that may be off: it says nothing of the order.
	clock := time.Duration(m.at)*time.Minute + skew
	job := activate.Job{ID: fmt.Sprintf("%d-%d", clock/time.Minute, node.jobs), BranchBefore: node.refs[modelBranch], Commit: commit, Action: activate.Switch}
	node.refs[modelBranch] = commit
	node.queued = append(node.queued, job)
}

// end ends what is under way on a node, badly or well.
func (m *memory) end(n int, o event.Outcome, chance uint64) {
	node := m.nodes[n]
	if node.active == nil {
		if len(node.queued) == 0 {
			return
		}
		j := node.take(int(chance % uint64(len(node.queued))))
		node.active = &j
		if node.refs[modelBranch] != j.Commit {
			o = event.Superseded
		}
	}
	j := *node.active
	node.active = nil
	node.record(j, o)
}

func (m *memory) push(p, n int, force bool) {
	tip := m.nodes[n].refs[modelBranch]
	m.people[p] = m.join(m.people[p], tip, force)
	if m.people[p] != tip {
		m.receive(n, m.people[p], m.skew[p])
	}
}

func (m *memory) do(s schedule.Step) {
	p, n, node := s.Person, s.Node, m.nodes[s.Node]
	switch s.Kind {
	case schedule.Commit:
		m.people[p] = m.commit(m.trees[m.people[p]], false, []string{s.Place}, m.people[p])
	case schedule.New:
		m.people[p] = m.commit(m.trees[m.people[p]], false, []string{fmt.Sprint("new-", s.At)}, m.people[p])
	case schedule.Drop:
		var added []string
		for place := range m.trees[m.people[p]] {
			if strings.HasPrefix(place, "new-") {
				added = append(added, gone+place)
			}
		}
		if slices.Sort(added); len(added) > 0 {
			m.people[p] = m.commit(m.trees[m.people[p]], false, added[s.Chance%uint64(len(added)):][:1], m.people[p])
		}
	case schedule.Push, schedule.Force:
		if !m.cut[p][n] {
			m.push(p, n, s.Kind == schedule.Force)
		}
	case schedule.Self:
		if tip := node.refs[modelBranch]; tip != "" {
			m.receive(n, m.commit(m.trees[tip], false, []string{s.Place}, tip), s.Skew)
		}
	case schedule.Sync:
		for n, node := range m.nodes {
			if !m.cut[p][n] {
				m.people[p] = m.join(m.people[p], node.refs[modelBranch], false)
			}
		}
	case schedule.Cut:
		m.cut[p][n] = !m.cut[p][n]
	case schedule.Clock:
		m.skew[p] = s.Skew
	case schedule.End:
		outcomes := []event.Outcome{event.Succeeded, event.RolledBack, event.Succeeded, event.Interrupted, event.Failed}
		m.end(n, outcomes[s.Chance%uint64(len(outcomes))], s.Chance/8)
	}
}

func inMemory(steps []schedule.Step) (problem string) {
	m := &memory{trees: map[string]map[string]string{}}
	var places []string
	for _, file := range schedule.Files() {
		for slot := range schedule.Slots {
			places = append(places, schedule.Place(file, slot))
		}
	}
	first := m.commit(map[string]string{}, false, places)
	for p := range m.people {
		m.people[p] = first
	}
	for n := range m.nodes {
		m.nodes[n] = &model{refs: map[string]string{}}
	}
	for _, s := range steps {
		m.at = s.At
		m.do(s)
	}
	m.at++
	for n, node := range m.nodes {
		for len(node.queued) > 0 {
			m.end(n, event.Interrupted, 0)
		}
		if refs := node.refs; refs[modelBranch] != refs[RefBranch] {
			m.wrong("node %d: its branch is at %q and belongs at %q", n, refs[modelBranch], refs[RefBranch])
		}
		for _, ref := range slices.Sorted(maps.Keys(node.refs)) { // fetched, what has failed as well
			m.people[0] = m.join(m.people[0], node.refs[ref], false)
		}
	}
	for p := range m.people {
		m.people[0] = m.join(m.people[0], m.people[p], false)
	}
	for _, commit := range m.commits {
		if !m.history.Contains(m.people[0], commit) {
			m.wrong("%s is lost", commit)
		}
	}
	for n, node := range m.nodes {
		m.push(0, n, false)
		m.end(n, event.Succeeded, 0)
		if current := node.refs[RefCurrent]; current != m.people[0] || !slices.Contains(node.good, current) {
			m.wrong("node %d runs %q (recorded: %v), and was pushed %s", n, current, slices.Contains(node.good, current), m.people[0])
		}
	}
	return m.problem
}
