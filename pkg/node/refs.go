package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/activate"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/proc"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// rollbackWaits reports whether the node waits for the boot with which a
// rollback ends. Only the log tells: the refs are as after the action test.
func (n *Node) rollbackWaits(ctx context.Context, refs map[string]string) (bool, error) {
	if boot := refs[RefBoot]; boot == "" || boot == refs[RefCurrent] || boot == refs[RefBranch] {
		return false, nil
	}
	records, err := n.records(ctx, allRecords)
	return lastAction(records) == activate.RollbackBoot, err
}

// lastAction is that of the newest success, "" where there is none.
func lastAction(records []gitrepo.Record) activate.Action {
	for _, r := range records {
		if r.Outcome == event.Succeeded {
			return activate.Action(r.Action)
		}
	}
	return ""
}

// pinned reports whether a rollback keeps the node off its branch, or is to
// from the next boot on.
func (n *Node) pinned(ctx context.Context, refs map[string]string) (bool, error) {
	if pinned(refs) {
		return true, nil
	}
	return n.rollbackWaits(ctx, refs)
}

// pinned reports whether the node is off its branch: after the action boot the
// branch is what boots, after test it is what runs.
func pinned(refs map[string]string) bool {
	return refs[RefCurrent] != refs[RefBranch] && refs[RefBoot] != refs[RefBranch]
}

// moves says where the refs belong ("": nowhere) once job has ended so, given
// where they are. back is where the branch belongs if this deployment is as if
// it had not been. It is the whole of what an outcome means in git.
func moves(refs map[string]string, branch, back string, job activate.Job, o event.Outcome) map[string]string {
	to := map[string]string{}
	switch {
	case o == event.Superseded && refs[branch] != job.Commit:
		// The newer deployment decides; unless it has given up since this one made
		// way for it, and has left the branch to this one.
	case o == event.Succeeded:
		if !job.Action.Later() {
			to[RefCurrent] = job.Commit
		}
		if job.Action != activate.Test {
			to[RefBoot] = job.Commit
		}
		if !job.Action.ByHand() {
			to[RefBranch] = job.Commit
		}
	case job.Action.ByHand(): // the branch had no part in it
	case job.Commit == back: // deployed again: it is on the branch rightly
	default:
		to[RefFailed+job.ID] = job.Commit
		if refs[branch] == job.Commit {
			to[branch] = back
		}
	}
	for ref, oid := range to {
		if refs[ref] == oid {
			delete(to, ref)
		}
	}
	return to
}

// backTo says where the branch belongs if job is as if it had not been: at
// what another deployment that is under way has brought it to, which decides
// itself, else where it was when nothing was under way. pending tells whether
// another deployment of a commit is under way.
func backTo(refs map[string]string, job activate.Job, pending func(commit string) (bool, error)) (string, error) {
	for _, commit := range []string{job.Commit, job.BranchBefore} {
		if commit == refs[RefBranch] {
			continue
		}
		if wait, err := pending(commit); err != nil || wait {
			return commit, err
		}
	}
	return refs[RefBranch], nil
}

// pending reports whether a deployment of commit, other than except, is under way.
func (n *Node) pending(ctx context.Context, commit, except string) (bool, error) {
	ids, err := n.Layout.IDs()
	if err != nil || commit == "" {
		return false, err
	}
	for _, id := range slices.Backward(ids) {
		job, err := activate.ReadJob(n.Layout, id)
		if err != nil || id == except || job.Commit != commit || job.NetworkID != n.Network.ID || job.Action == activate.Rollback {
			continue
		}
		if f, err := statedir.FinishedEvent(n.Layout, id); err != nil || f != nil {
			continue
		}
		if rec, err := n.recorded(ctx, id); err != nil || rec == nil {
			return err == nil, err
		}
	}
	return false, nil
}

// snapshot is the refs that a deployment may move, as they were at one moment.
type snapshot struct {
	refs  map[string]string
	trees map[string]string // of the commits that these refs name
	last  *gitrepo.Record   // the newest entry of the deployment log, nil without one
}

// look reads the refs, and what else a deployment asks of them, with one process.
func (n *Node) look(ctx context.Context) (*snapshot, error) {
	const end = "\x01" // in no ref's name, tree or message that is ours
	format := "%(refname) %(objectname) %(tree) %(if:equals=" + RefLog + ")%(refname)%(then)%(contents)%(end)%01"
	out, err := proc.Output(ctx, n.Repo.Cmd("for-each-ref", "--format="+format, "--", n.Ref(), RefPrefix))
	if err != nil {
		return nil, fmt.Errorf("read refs: %w", err)
	}
	s := &snapshot{refs: map[string]string{}, trees: map[string]string{}}
	for entry := range strings.SplitSeq(string(out), end) {
		f := strings.SplitN(strings.TrimPrefix(entry, "\n"), " ", 4)
		if len(f) < 4 {
			continue
		}
		s.refs[f[0]], s.trees[f[1]] = f[1], f[2]
		if f[0] == RefLog {
			if rec, err := gitrepo.ParseRecord(f[3]); err == nil {
				s.last = &rec
			}
		}
	}
	return s, nil
}

// adoptBranch remembers where a branch belongs that was there before git-deploy was.
func (n *Node) adoptBranch(ctx context.Context) error {
	now, err := n.look(ctx)
	if err != nil || now.refs[RefBranch] != "" || now.refs[RefLog] != "" || now.refs[n.Ref()] == "" {
		return err
	}
	return n.move(ctx, now.refs, map[string]string{RefBranch: now.refs[n.Ref()]}, "git-deploy: init")
}

// refsWait is far longer than looking at refs and moving them takes.
const refsWait = 30 * time.Second

// lockRefs keeps other deployments of this network from moving refs between a
// look at them and what follows from it: one that gives up waiting for the
// node's lock moves them too, and what else is under way is not in any ref.
// (What a push moves, git itself compares.)
func (n *Node) lockRefs(ctx context.Context) (unlock func(), err error) {
	held, err := statedir.Lock(ctx, n.Layout.RefsLock(n.Network.Name), statedir.Holder{}, refsWait)
	if err != nil {
		return nil, fmt.Errorf("look at the refs of network %q: %w", n.Network.Name, err)
	}
	return func() { _ = held.Release() }, nil
}

// maxRaces bounds how often moving refs is tried again because a push moved the branch at that moment.
const maxRaces = 20

// RecordField is the field of a Finished event with the message of the log's
// entry; a field named as a ref below RefPrefix says where that ref is now. A
// deployer that has the rest makes the same commit of it, and so knows the
// node's log without another fetch.
const RecordField = "record"

// record writes the deployment log and moves all refs, in one transaction, and
// returns what the Finished event tells of it. It can be repeated with the
// same outcome, but makes a further log entry then.
func (n *Node) record(ctx context.Context, job activate.Job, res activate.Result) (map[string]string, error) {
	rec := gitrepo.Record{
		Deployment: job.ID, Network: job.Network, Node: job.Node, Commit: job.Commit, Branch: job.Branch,
		Action: string(job.Action), Outcome: res.Outcome, Reason: res.Reason,
		System: res.System, PreviousSystem: res.Previous,
		DeployedBy: job.By, Key: job.Key, From: job.From, Tool: job.Tool,
		Started: job.Started, Finished: time.Now().UTC().Truncate(time.Millisecond),
		StepMillis: map[event.Step]int64{}, Summary: job.Subject,
	}
	for _, s := range append(job.Steps, res.Steps...) {
		rec.StepMillis[s.Step] += s.Millis
	}
	unlock, err := n.lockRefs(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	for race := 0; ; race++ {
		fields, err := n.tryRecord(ctx, job, rec)
		if err == nil || !errors.Is(err, gitrepo.ErrMoved) || race == maxRaces {
			return fields, err
		}
	}
}

func (n *Node) tryRecord(ctx context.Context, job activate.Job, rec gitrepo.Record) (map[string]string, error) {
	now, err := n.look(ctx)
	if err != nil {
		return nil, err
	}
	refs, tree := now.refs, now.trees[job.Commit]
	if tree == "" {
		if tree, err = n.Repo.RevParse(ctx, job.Commit+"^{tree}"); err != nil {
			return nil, fmt.Errorf("write the deployment log: %w", err)
		}
	}
	rec.PreviousCommit = refs[RefCurrent]
	c, err := rec.LogCommit(tree, refs[RefLog])
	if err != nil {
		return nil, err
	}
	entry, err := n.Repo.CommitTree(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("write the deployment log: %w", err)
	}
	back, err := backTo(refs, job, func(commit string) (bool, error) { return n.pending(ctx, commit, job.ID) })
	if err != nil {
		return nil, err
	}
	to := moves(refs, n.Ref(), back, job, rec.Outcome)
	to[RefLog] = entry
	fields := map[string]string{RecordField: c.Message}
	for ref, oid := range to {
		if strings.HasPrefix(ref, RefPrefix) {
			fields[ref] = oid
		}
	}
	return fields, n.move(ctx, refs, to, fmt.Sprintf("git-deploy: %s %s", rec.Outcome, job.ID))
}

// move brings refs from where they were seen to where they belong, all or none.
func (n *Node) move(ctx context.Context, from, to map[string]string, why string) error {
	var updates []gitrepo.RefUpdate
	for ref, oid := range to {
		old := from[ref]
		if old == "" {
			if oid == "" {
				continue
			}
			old = gitrepo.ZeroOid
		}
		updates = append(updates, gitrepo.RefUpdate{Ref: ref, New: oid, Old: old})
	}
	if len(updates) == 0 {
		return nil
	}
	return n.Repo.UpdateRefs(ctx, why, updates...)
}

// recorded reports whether the deployment log has an entry for id among the
// newest ones, and its outcome.
func (n *Node) recorded(ctx context.Context, id string) (*gitrepo.Record, error) {
	records, err := n.records(ctx, recentRecords)
	for i := range records {
		if records[i].Deployment == id {
			return &records[i], nil
		}
	}
	return nil, err
}
