package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/git-deploy/git-deploy/pkg/activate"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/statedir"
	"github.com/git-deploy/git-deploy/pkg/ui"
)

// PreReceive is the hook pre-receive. It refuses what must not come in, and
// evaluates and builds a push to the deploy branch; nil lets git move the refs.
// When the connection ends meanwhile, Nix is stopped and nothing stays.
func PreReceive(ctx context.Context, h HookEnv) error {
	started := time.Now()
	// Now: when git dies during the build, a hook's parent is somebody who never ends.
	receiver, err := gitAbove()
	if err != nil {
		return err
	}
	ctx, stop := whileClient(ctx)
	defer stop()
	n, updates, o, err := h.receive()
	if err != nil {
		return err
	}
	repo, err := gitrepo.OpenEnv() // with the quarantine
	if err != nil {
		return err
	}
	p := &reception{n: n, repo: repo, updates: updates, o: o, who: identify(o, h.Getenv), version: h.Version, started: started, receiver: receiver}
	for _, u := range updates {
		if u.ref == n.Ref() && !u.deletes() {
			return p.deploy(ctx, u, h)
		}
	}
	objects, err := repo.Objects(ctx)
	if err != nil {
		return err
	}
	defer objects.Close()
	return p.check(ctx, objects, nil)
}

// reception is a push that comes in.
type reception struct {
	n       *Node
	repo    *gitrepo.Repo
	updates []update
	o       Options
	who     identity
	version string
	started time.Time
	// receiver is the git receive-pack that is to move the refs, by processName.
	receiver string
}

// check refuses for everything that can be told without Nix. u is what is to
// be deployed, or nil.
func (p *reception) check(ctx context.Context, objects *gitrepo.Objects, u *toDeploy) error {
	if err := p.n.checkMeant(p.o); err != nil {
		return err
	}
	if u != nil {
		var err error
		if u.subject, err = readSubject(objects, u.commit); err != nil {
			return err
		}
	}
	if err := p.n.checkUpdates(ctx, p.repo, objects, p.updates); err != nil || u == nil {
		return err
	}
	if err := p.n.checkCommit(objects, u.commit); err != nil {
		return err
	}
	for _, up := range p.updates {
		if up.ref == p.n.Ref() {
			return p.n.checkSignatures(ctx, p.repo, objects, up)
		}
	}
	return nil // what is here already is deployed again
}

// toDeploy is the commit that a push wants to see running.
type toDeploy struct {
	commit  string
	subject string
}

// deploy does all of a deployment that comes before the refs move.
func (p *reception) deploy(ctx context.Context, u update, h HookEnv) error {
	watch := event.Discard
	if p.o.Follow {
		show := ui.New(h.Stderr, ui.Options{Mode: ui.Plain})
		defer show.Close()
		watch = show
	}
	p.n.dropStaleLocks() // git would find them after all the work
	d, err := p.n.begin(ctx, p.o.Deployment, p.who.by, watch)
	if err != nil {
		return err
	}
	defer func() { _ = d.close() }()
	objects, err := p.repo.Objects(ctx)
	if err != nil {
		return d.stopped(ctx, event.Failed, err)
	}
	defer objects.Close()
	c := &toDeploy{commit: u.new}
	if err := event.RunStep(d.sink, event.Check, func() error { return p.check(ctx, objects, c) }); err != nil {
		return d.stopped(ctx, event.Refused, err)
	}
	if err := p.n.free(p.o.Wait, p.o.Action); err != nil {
		return d.stopped(ctx, event.Locked, err)
	}
	building, newest, err := d.whileNewest(ctx, u.new)
	if err != nil {
		return d.stopped(ctx, event.Failed, err)
	}
	defer newest()
	ctx = building
	if !p.o.DryRun && p.o.Action != actionBuild {
		d.supersede(ctx, p.repo, u.new, p.who.by)
	}
	b, err := d.build(ctx, objects, u.new, p.o)
	if err != nil {
		return d.stopped(ctx, event.Failed, err)
	}
	if end := d.onlyBuilt(ctx, p.o, b, c.commit); end != nil {
		return end
	}
	if err := p.stillNewest(objects, u); err != nil {
		return d.stopped(ctx, event.Superseded, err)
	}
	job := d.job(p.o, p.who, p.version, p.started)
	job.Commit, job.Subject, job.BundlePath, job.Bundle = u.new, c.subject, b.path, *b.bundle
	if !u.creates() {
		job.BranchBefore = u.old
	}
	if ctx.Err() != nil {
		return d.stopped(ctx, event.Interrupted, ctx.Err())
	}
	job.Receiver = p.receiver
	if err := activate.WriteJob(p.n.Layout, job); err != nil {
		return d.stopped(ctx, event.Failed, err)
	}
	if err := activate.Start(context.WithoutCancel(ctx), p.n.Layout, d.id, p.n.Layout.Tool()); err != nil {
		return d.stopped(ctx, event.Failed, err)
	}
	return nil
}

// free fails when another deployment is being activated and this one is not to wait for it.
func (n *Node) free(wait time.Duration, action string) error {
	if wait > 0 || action == actionBuild {
		return nil
	}
	holder, err := statedir.HolderOf(n.lockFile())
	if err != nil || holder == nil {
		return err
	}
	return &statedir.LockedError{Holder: holder}
}

// stillNewest fails when another push was faster: git would refuse this one
// without saying why.
func (p *reception) stillNewest(objects *gitrepo.Objects, u update) error {
	now, _, _, err := objects.Info(u.ref)
	switch {
	case errors.Is(err, gitrepo.ErrNotFound) && u.creates(), err == nil && now == u.old:
		return nil
	case err != nil && !errors.Is(err, gitrepo.ErrNotFound):
		return err
	}
	return refused("git pull --no-rebase REMOTE "+p.n.Branch+" && git push REMOTE "+p.n.Branch,
		"another push moved %s to %s meanwhile: merge it and push again", u.ref, cmp.Or(gitrepo.Short(now), "nothing"))
}

// onlyBuilt ends a deployment that goes no further than the build. Its refs
// must not move, which takes an error.
func (d *deployment) onlyBuilt(ctx context.Context, o Options, b *built, commit string) error {
	if !o.DryRun && o.Action != actionBuild {
		return nil
	}
	running, err := d.n.running()
	if err != nil {
		return d.stopped(ctx, event.Failed, err)
	}
	d.compare(ctx, running, b.bundle.System)
	e := event.Event{Fields: map[string]string{"commit": commit, "system": b.bundle.System}}
	if o.DryRun {
		d.drop()
		e.Outcome, e.Message = event.DryRun, "nothing was changed"
	} else {
		e.Outcome, e.Message = event.Built, "built and not activated"
	}
	return &notDeployed{d.finish(e)}
}

// notDeployed is an Ended that is what was asked for, and yet git must not move refs.
type notDeployed struct{ *Ended }

func (e *notDeployed) Unwrap() error { return e.Ended }

// ExitCode makes git refuse the update.
func (e *notDeployed) ExitCode() int { return 1 }

// stopped ends a deployment because of err, before anything was changed.
func (d *deployment) stopped(ctx context.Context, o event.Outcome, err error) error {
	message := err.Error()
	var newer *supersededError
	if errors.As(context.Cause(ctx), &newer) {
		d.drop()
		return d.finish(event.Event{Outcome: event.Superseded, Message: newer.Error(), Fields: map[string]string{NewerField: newer.id}})
	}
	if ctx.Err() != nil {
		o, message = event.Interrupted, fmt.Sprintf("stopped before anything was changed: %v", context.Cause(ctx))
	}
	d.drop()
	return d.finish(event.Event{Outcome: o, Message: message, Hint: hintOf(err)})
}
