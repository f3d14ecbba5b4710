package node

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/pkg/activate"
	"github.com/git-deploy/git-deploy/pkg/event"
)

const modelBranch = "refs/heads/main"

// model is a node's refs with deployments that come, wait, give up and end in
// any order, as the lock allows: what record does, without git.
type model struct {
	refs    map[string]string
	queued  []activate.Job
	active  *activate.Job
	ousted  bool     // active has seen a newer commit on the branch, and has yet to say so
	good    []string // commits that were deployed successfully
	commits int
	jobs    int
	history []string
	came    map[string]bool // situations that came to pass
}

func (m *model) record(job activate.Job, o event.Outcome) {
	m.history = append(m.history, fmt.Sprintf("%s %s %s (on %q) %s", job.ID, job.Action, job.Commit, job.BranchBefore, o))
	back, _ := backTo(m.refs, job, func(commit string) (bool, error) {
		for _, j := range append(m.queued, deref(m.active)...) {
			if j.Commit == commit && j.ID != job.ID && j.Action != activate.Rollback {
				return true, nil
			}
		}
		return false, nil
	})
	if m.came != nil {
		// As if no ref were where it is to go: each that moves is to be seen.
		refs := map[string]string{modelBranch: m.refs[modelBranch]}
		m.came[situation(job, o, refs, back, moves(refs, modelBranch, back, job, o))] = true
	}
	for ref, oid := range moves(m.refs, modelBranch, back, job, o) {
		m.refs[ref] = oid
		if oid == "" {
			delete(m.refs, ref)
		}
	}
	if o == event.Succeeded {
		m.good = append(m.good, job.Commit)
	}
}

func deref(j *activate.Job) []activate.Job {
	if j == nil {
		return nil
	}
	return []activate.Job{*j}
}

func (m *model) take(i int) activate.Job {
	j := m.queued[i]
	m.queued = append(m.queued[:i:i], m.queued[i+1:]...)
	return j
}

func (m *model) step(r *rand.Rand) {
	tip := m.refs[modelBranch]
	m.jobs++
	job := activate.Job{ID: fmt.Sprint(m.jobs), BranchBefore: tip, Action: []activate.Action{activate.Switch, activate.Switch, activate.Boot, activate.Test}[r.IntN(4)]}
	switch r.IntN(6) {
	case 0: // a push
		m.commits++
		job.Commit = fmt.Sprintf("c%d", m.commits)
		m.refs[modelBranch] = job.Commit
		m.queued = append(m.queued, job)
		m.history = append(m.history, "push "+job.Commit)
	case 1: // a deployment of the tip again, or a rollback
		if job.Commit = tip; r.IntN(2) == 0 && len(m.good) > 0 {
			job.Action, job.Commit = activate.Rollback, m.good[r.IntN(len(m.good))]
		}
		if job.Commit != "" {
			m.queued = append(m.queued, job)
		}
	case 2, 3: // a runner gets the lock
		if m.active == nil && len(m.queued) > 0 {
			j := m.take(r.IntN(len(m.queued)))
			m.active, m.ousted = &j, j.Action != activate.Rollback && m.refs[modelBranch] != j.Commit
		}
	case 4: // it ends
		if j := m.active; j != nil {
			m.active = nil
			if m.ousted {
				m.record(*j, event.Superseded)
				return
			}
			m.record(*j, []event.Outcome{event.Succeeded, event.Succeeded, event.RolledBack, event.RollbackFailed, event.Interrupted, event.Failed}[r.IntN(6)])
		}
	case 5: // another one gives up waiting
		if m.active != nil && len(m.queued) > 0 {
			m.record(m.take(r.IntN(len(m.queued))), event.Locked)
		}
	}
}

func TestRefsModel(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		m := &model{refs: map[string]string{}}
		for range 400 {
			before := maps.Clone(m.refs)
			m.step(r)
			if m.active != nil || len(m.queued) > 0 {
				continue
			}
			refs := m.refs
			problem := ""
			switch {
			case refs[modelBranch] != refs[RefBranch]:
				problem = "the branch is not where it belongs"
			case refs[RefCurrent] != refs[RefBranch] && refs[RefBoot] != refs[RefBranch] && !pinned(refs):
				problem = "current, boot and branch differ"
			case refs[modelBranch] != "" && len(m.good) == 0:
				problem = "a branch without a success"
			}
			if problem != "" {
				t.Fatalf("seed %d: %s: %v\nbefore: %v\n%q", seed, problem, refs, before, m.history[max(0, len(m.history)-12):])
			}
		}
	}
}

// situation names what decides what an outcome does to refs, and did what it
// does, as the model in pkg/activate/model prints it.
func situation(job activate.Job, o event.Outcome, refs map[string]string, back string, to map[string]string) string {
	line := fmt.Sprintf("record %s %s", job.Action, o)
	if refs[modelBranch] == job.Commit {
		line += " on-branch"
	}
	if back == job.Commit {
		line += " belongs"
	}
	line += ":"
	for _, ref := range []struct{ ref, name string }{{RefCurrent, " current"}, {RefBoot, " boot"}, {RefBranch, " branch"}, {RefFailed + job.ID, " failed"}, {modelBranch, " back"}} {
		if _, moved := to[ref.ref]; moved {
			line += ref.name
		}
	}
	return line
}

// TestRefsAsInTheModel compares what every outcome does to refs with what the
// model of a deployment does.
func TestRefsAsInTheModel(t *testing.T) {
	data, err := os.ReadFile("../activate/model/transitions.txt")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "record ") {
			known[strings.TrimSpace(line)] = true
		}
	}
	// Not all that can be asked of moves comes to pass: what does, the model has.
	came := map[string]bool{}
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 0))
		m := &model{refs: map[string]string{}, came: came}
		for range 400 {
			m.step(r)
		}
	}
	code := map[string]bool{}
	for _, action := range append(slices.Clone(activate.Actions), activate.RollbackBoot) {
		for _, o := range []event.Outcome{event.Succeeded, event.Failed, event.RolledBack, event.Interrupted, event.RollbackFailed, event.Superseded, event.Locked} {
			for _, branch := range []string{"new", "newer"} {
				for _, back := range []string{"new", "old"} {
					// No ref is where it is to go, so that each that moves is seen to.
					refs := map[string]string{modelBranch: branch, RefCurrent: "other", RefBoot: "other", RefBranch: "other"}
					job := activate.Job{ID: "x", Action: action, Commit: "new"}
					code[situation(job, o, refs, back, moves(refs, modelBranch, back, job, o))] = true
				}
			}
		}
	}
	if len(known) == 0 || len(came) == 0 {
		t.Fatal("the model records nothing")
	}
	for line := range known {
		if !code[line] {
			t.Errorf("the model does, and the code does not: %s", line)
		}
	}
	// Who ends badly how, is the activation's affair.
	badly := regexp.MustCompile("rolled-back|interrupted|rollback-failed|locked")
	ends := map[string]bool{}
	for line := range known {
		ends[badly.ReplaceAllString(line, "failed")] = true
	}
	for line := range came {
		if !ends[badly.ReplaceAllString(line, "failed")] {
			t.Errorf("the code does, and the model does not: %s", line)
		}
	}
}
