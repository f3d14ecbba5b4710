package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/git-deploy/git-deploy/pkg/activate"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// handOver is how long after pre-receive a runner may take to begin before
// its deployment counts as dead: nobody holds it in between.
const handOver = time.Minute

// recoverWait is how long Recover waits for a deployment that is under way.
const recoverWait = 30 * time.Minute

// Recover settles what dead processes left behind, and what a boot changed.
// atBoot says that nothing from before can still be alive.
func Recover(ctx context.Context, l statedir.Layout, atBoot bool, sink event.Sink) error {
	held, err := statedir.Lock(ctx, l.LockFile(), statedir.Holder{Deployment: "recovery"}, recoverWait)
	if err != nil {
		return err
	}
	grace := handOver
	if atBoot {
		grace = 0
	}
	names, err := Networks(l)
	for _, name := range names {
		n, openErr := Open(l, name)
		if openErr != nil {
			err = errors.Join(err, openErr)
			continue
		}
		n.dropStaleLocks()
	}
	var trials []string
	if atBoot {
		trials = afterReboot(l)
	}
	settleAll(ctx, l, l.LockFile(), trials, grace, sink)
	var profiles []*Node
	for _, name := range names {
		n, openErr := Open(l, name)
		switch {
		case openErr != nil: // said above
		case n.Scope != "":
			profiles = append(profiles, n)
		default:
			_, lookErr := n.lookAfterBoot(ctx, sink)
			err = errors.Join(err, lookErr)
		}
	}
	err = errors.Join(err, held.Release())
	if len(trials) > 0 {
		// They wait for the end of the boot, of which this may be a part.
		err = errors.Join(err, startRecovery(l))
	}
	// Without the system's lock: its deployments need not wait for a profile's.
	for _, n := range profiles {
		err = errors.Join(err, n.recover(ctx, grace, sink))
	}
	return err
}

// recover settles the deployments of a network that owns a profile.
func (n *Node) recover(ctx context.Context, grace time.Duration, sink event.Sink) error {
	held, err := statedir.Lock(ctx, n.lockFile(), statedir.Holder{Deployment: "recovery"}, recoverWait)
	if err != nil {
		return err
	}
	settleAll(ctx, n.Layout, n.lockFile(), nil, grace, sink)
	_, err = n.lookAfterBoot(ctx, sink)
	return errors.Join(err, held.Release())
}

// afterReboot names the deployments that go on after a reboot that they asked for.
func afterReboot(l statedir.Layout) []string {
	ids, _ := l.IDs()
	var waiting []string
	for _, id := range ids {
		s, err := activate.ReadState(l, id)
		if err == nil && s.Phase != activate.Finished && (s.Trial || s.Phase == activate.GoingBack || s.Phase == activate.Returned) {
			waiting = append(waiting, id)
		}
	}
	return waiting
}

// awaitsReboot reports whether deployment id waits for this machine to go down.
func awaitsReboot(l statedir.Layout, id string) bool {
	s, err := activate.ReadState(l, id)
	if err != nil {
		return false
	}
	job, err := activate.ReadJob(l, id)
	if err != nil {
		return false
	}
	bootID, err := activate.BootID()
	return err == nil && s.AwaitsReboot(job, bootID, time.Now())
}

// settleAll settles all deployments that have no outcome and nobody working on
// them, except some, and that the lock is for, which the caller holds. What cannot be settled
// is reported and stands in nobody's way.
func settleAll(ctx context.Context, l statedir.Layout, lock string, except []string, grace time.Duration, sink event.Sink) {
	ids, err := l.IDs()
	if err != nil {
		sink.Emit(event.Event{Kind: event.Warning, Message: "settle deployments: " + err.Error()})
	}
	for _, id := range ids {
		if slices.Contains(except, id) {
			continue
		}
		if f, err := statedir.FinishedEvent(l, id); err == nil && f != nil {
			continue
		}
		if err := settle(ctx, l, lock, id, grace); err != nil {
			sink.Emit(event.Event{Kind: event.Warning, Message: fmt.Sprintf("deployment %s cannot be settled: %v", id, err)})
		}
	}
}

// settle gives deployment id its outcome, unless somebody works on it.
func settle(ctx context.Context, l statedir.Layout, nodeLock, id string, grace time.Duration) error {
	lock, err := statedir.Lock(ctx, l.DeploymentLock(id), statedir.Holder{Deployment: id, By: "recovery"}, 0)
	var locked *statedir.LockedError
	if errors.As(err, &locked) {
		return nil
	}
	if err != nil {
		return err
	}
	release := func() error { return lock.Release() }
	defer func() { _ = release() }()
	job, err := activate.ReadJob(l, id)
	if errors.Is(err, os.ErrNotExist) {
		return abandon(l, id)
	}
	if err != nil {
		return err
	}
	if awaitsReboot(l, id) {
		return nil
	}
	if age := jobAge(l, id); age >= 0 && age < grace {
		if _, err := activate.ReadState(l, id); errors.Is(err, os.ErrNotExist) {
			return nil // on its way from pre-receive to its runner
		}
	}
	n, err := Open(l, job.Network)
	if err != nil {
		return err
	}
	if n.lockFile() != nodeLock {
		return nil // another lock's holder does
	}
	d, err := n.resume(id, lock, event.Discard)
	if err != nil {
		return err
	}
	release = d.close
	if d.log.Finished() != nil {
		return nil
	}
	return d.settle(ctx, job)
}

func jobAge(l statedir.Layout, id string) time.Duration {
	st, err := os.Stat(activate.JobFile(l, id))
	if err != nil {
		return -1
	}
	return time.Since(st.ModTime())
}

// abandon ends a deployment that died before it was accepted: git has removed
// what it brought, and the node was not touched.
func abandon(l statedir.Layout, id string) error {
	log, err := statedir.OpenEvents(l, id)
	if err != nil {
		return err
	}
	log.Emit(event.Event{Kind: event.Finished, Outcome: event.Interrupted, Message: "stopped before anything was changed: its process died"})
	return errors.Join(log.Err(), log.Close(), os.RemoveAll(l.Source(id)), removeIfThere(l.Result(id)))
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// settle gives the deployment its outcome: the one in the deployment log, if
// it got that far, else what the activation's state says.
func (d *deployment) settle(ctx context.Context, job activate.Job) error {
	if told, err := d.tellRecorded(ctx, job, true); told || err != nil {
		return ignoreEnded(err)
	}
	// What has begun was accepted, wherever the branch is by now.
	if _, err := activate.ReadState(d.n.Layout, d.id); errors.Is(err, os.ErrNotExist) {
		accepted, err := d.n.accepted(ctx, job)
		if err != nil {
			return err
		}
		if !accepted && processLives(job.Receiver) {
			return nil // git may still move the branch
		}
		if !accepted {
			return ignoreEnded(d.notAccepted(ctx, job))
		}
	}
	host := activate.For(d.n.Layout, job, d.sink)
	res := activate.Settle(ctx, host, job, d.sink)
	if res.Outcome == activate.Pending {
		return nil // the next boot goes on
	}
	return ignoreEnded(d.conclude(ctx, job, res, nil))
}

// tellRecorded ends the deployment if all but that was done: the deployment log
// has its outcome. Without look, only what the event log tells makes it look there.
func (d *deployment) tellRecorded(ctx context.Context, job activate.Job, look bool) (bool, error) {
	if !look {
		events, err := statedir.ReadEvents(d.n.Layout, d.id)
		if err != nil || !slices.ContainsFunc(events, func(e event.Event) bool { return e.Step == event.Record }) {
			return false, err
		}
	}
	rec, err := d.n.recorded(ctx, d.id)
	if err != nil || rec == nil {
		return false, err
	}
	job.Action = activate.Action(rec.Action)
	return true, d.tell(job, activate.Result{
		Outcome: rec.Outcome, Reason: rec.Reason, System: rec.System, Previous: rec.PreviousSystem,
	}, nil)
}

func ignoreEnded(err error) error {
	var end *Ended
	if errors.As(err, &end) {
		return nil
	}
	return err
}

// accepted reports whether git took the deployment's commit in.
func (n *Node) accepted(ctx context.Context, job activate.Job) (bool, error) {
	if job.Action == activate.Rollback {
		return true, nil
	}
	tip, err := n.Repo.RevParse(ctx, n.Ref())
	if errors.Is(err, gitrepo.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if _, err := n.Repo.RevParse(ctx, job.Commit+"^{commit}"); err != nil {
		return false, nil // its objects went with the quarantine
	}
	return n.Repo.IsAncestor(ctx, job.Commit, tip)
}

// lookAfterBoot looks at the refs once they are right for what boots have changed.
func (n *Node) lookAfterBoot(ctx context.Context, sink event.Sink) (*snapshot, error) {
	unlock, err := n.lockRefs(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	now, err := n.look(ctx)
	if err != nil {
		return nil, err
	}
	moved, err := n.afterBoot(ctx, now.refs)
	if err != nil {
		sink.Emit(event.Event{Kind: event.Warning, Message: err.Error()})
	}
	if moved {
		return n.look(ctx)
	}
	return now, nil
}

// afterBoot moves refs for what a boot changed: a system deployed with
// action=boot, or by a rollback that took a boot, runs now, or one deployed with
// action=test is gone. It reports whether any moved.
func (n *Node) afterBoot(ctx context.Context, refs map[string]string) (bool, error) {
	if refs[RefCurrent] == refs[RefBoot] || refs[RefBoot] == "" {
		return false, nil
	}
	running, err := n.running()
	if err != nil {
		return false, err
	}
	records, err := n.records(ctx, allRecords)
	if err != nil {
		return false, err
	}
	boot, current := refs[RefBoot], refs[RefCurrent]
	back := refs[RefBranch] != boot && lastAction(records) == activate.RollbackBoot
	waited := back || refs[RefBranch] == boot // for this boot
	if running != systemOf(records, boot) || !waited && running == systemOf(records, current) {
		return false, nil
	}
	if goingDown(ctx, n.Layout) {
		return false, nil // what runs may be what the next boot is to put back
	}
	to := map[string]string{RefCurrent: boot}
	if refs[RefBranch] == current && !back { // was tested only
		to[RefBranch] = boot
		if refs[n.Ref()] == current {
			to[n.Ref()] = boot
		}
		for _, r := range records {
			if r.Commit == current && r.Action == string(activate.Test) {
				to[RefFailed+r.Deployment] = current
				break
			}
		}
	}
	return true, n.move(ctx, refs, to, "git-deploy: booted")
}

// staleLock is far longer than git holds a lock on a ref.
const staleLock = 10 * time.Second

// dropStaleLocks removes the lock files of a git that died, which would keep
// refs and settings as they are for ever. Only holders of the node's lock write below
// refs/deploy; the others are a pusher's as well, who holds them for an instant.
func (n *Node) dropStaleLocks() {
	for _, pattern := range []string{RefPrefix + "*.lock", RefFailed + "*.lock", n.Ref() + ".lock", "packed-refs.lock", "HEAD.lock", "config.lock"} {
		files, _ := filepath.Glob(filepath.Join(n.Repo.GitDir, pattern))
		for _, file := range files {
			st, err := os.Stat(file)
			if err != nil {
				continue
			}
			if age := time.Since(st.ModTime()); age > staleLock || age < 0 { // the clock may have jumped
				_ = os.Remove(file) // if that fails, git will say so
			}
		}
	}
}
