package node

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/git-deploy/git-deploy/pkg/activate"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// Request is a deployment that no push asks for.
type Request struct {
	Network string // as Open takes it
	Options []string
	Getenv  func(string) string
	Events  io.Writer // gets the events as JSON lines
	Version string
}

// Deploy evaluates, builds and activates the tip of the deploy branch again.
func Deploy(ctx context.Context, l statedir.Layout, r Request) error {
	return r.run(ctx, l, func(ctx context.Context, d *deployment, o Options) (*activate.Job, error) {
		objects, err := d.n.Repo.Objects(ctx)
		if err != nil {
			return nil, d.stopped(ctx, event.Failed, err)
		}
		defer objects.Close()
		c := &toDeploy{}
		err = event.RunStep(d.sink, event.Check, func() error {
			now, err := d.n.look(ctx)
			if err != nil {
				return err
			}
			refs := now.refs
			if c.commit = refs[d.n.Ref()]; c.commit == "" {
				return refused("git push "+d.n.Node, "node %q has no %s yet: there is nothing to deploy again", d.n.Node, d.n.Ref())
			}
			away, err := d.n.pinned(ctx, refs)
			if err != nil {
				return err
			}
			if away && !o.Unpin {
				return refused("git deploy push --unpin "+d.n.Node, "node %q is pinned to %s by a rollback; its branch is at %s",
					d.n.Node, gitrepo.Short(refs[RefBoot]), gitrepo.Short(c.commit))
			}
			p := &reception{n: d.n, o: o}
			return p.check(ctx, objects, c)
		})
		if err != nil {
			return nil, d.stopped(ctx, event.Refused, err)
		}
		if err := d.n.free(o.Wait, o.Action); err != nil {
			return nil, d.stopped(ctx, event.Locked, err)
		}
		b, err := d.build(ctx, objects, c.commit, o)
		if err != nil {
			return nil, d.stopped(ctx, event.Failed, err)
		}
		if end := d.onlyBuilt(ctx, o, b, c.commit); end != nil {
			return nil, end
		}
		return &activate.Job{
			Action: activate.Action(o.Action), Commit: c.commit, Subject: c.subject, BranchBefore: c.commit,
			BundlePath: b.path, Bundle: *b.bundle,
		}, nil
	})
}

// run makes a deployment, prepares it in this process, activates it in
// another, and prints its events from the first to the last.
func (r Request) run(ctx context.Context, l statedir.Layout, prepare func(context.Context, *deployment, Options) (*activate.Job, error)) error {
	started := time.Now()
	o, err := ParseOptions(r.Options)
	if err != nil {
		return err
	}
	n, err := Open(l, r.Network)
	if err != nil {
		return err
	}
	if err := n.checkMeant(o); err != nil {
		return err
	}
	ctx, stop := whileRead(ctx, r.Events)
	defer stop()
	who := identify(o, r.Getenv)
	print := event.NewEncoder(r.Events)
	d, err := n.begin(ctx, o.Deployment, who.by, event.Discard)
	if err != nil {
		return err
	}
	// Printed from the log, so that nothing is told that a reconnecting reader would not find.
	printed := make(chan error, 1)
	go func() {
		printed <- Follow(ctx, l, d.id, 0, func(e event.Event) error {
			print.Emit(e)
			return print.Err()
		})
	}()
	job, err := prepare(ctx, d, o)
	if err == nil {
		j := d.job(o, who, r.Version, started)
		j.Action, j.Commit, j.Subject, j.BranchBefore = job.Action, job.Commit, job.Subject, job.BranchBefore
		j.BundlePath, j.Bundle = job.BundlePath, job.Bundle
		if err = activate.WriteJob(l, j); err != nil {
			err = d.stopped(ctx, event.Failed, err)
		}
	}
	if closeErr := d.close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = n.start(ctx, d.id)
	}
	if printErr := <-printed; printErr != nil {
		return printErr
	}
	var wanted *notDeployed
	if errors.As(err, &wanted) {
		return nil // built, or a dry run
	}
	if err != nil {
		return err
	}
	f, err := statedir.FinishedEvent(l, d.id)
	if err != nil {
		return err
	}
	return ended(f)
}

// start starts the activation; when that is not possible the deployment ends here.
func (n *Node) start(ctx context.Context, id string) error {
	err := activate.Start(context.WithoutCancel(ctx), n.Layout, id, n.Layout.Tool())
	if err == nil {
		return nil
	}
	return errors.Join(err, n.endNotStarted(ctx, id, err))
}

func (n *Node) endNotStarted(ctx context.Context, id string, why error) error {
	job, err := activate.ReadJob(n.Layout, id)
	if err != nil {
		return err
	}
	lock, err := statedir.Lock(ctx, n.Layout.DeploymentLock(id), statedir.Holder{Deployment: id, By: job.By}, runnerWait)
	if err != nil {
		return err
	}
	d, err := n.resume(id, lock, event.Discard)
	if err != nil {
		return errors.Join(err, lock.Release())
	}
	defer func() { _ = d.close() }()
	if d.log.Finished() != nil {
		return nil
	}
	return ignoreEnded(d.conclude(ctx, job, d.notBegun(job, event.Failed, why.Error()), nil))
}
