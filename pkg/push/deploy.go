package push

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/remotehelper"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// tries bounds how often a push merges again because the node's branch moved meanwhile.
const tries = 5

// deployment is a push to the deploy branch.
type deployment struct {
	h       *helper
	spec    remotehelper.PushSpec
	options pushOptions
	// together are the other refs of an atomic push.
	together        []remotehelper.PushSpec
	togetherResults []remotehelper.PushResult

	objects     *gitrepo.Objects
	local       string // the commit to deploy
	localBranch string // the local branch that is pushed, "" for another revision
	built       []string
	builtFor    string // the commit that built is of
}

// run deploys and returns what is to be told to git.
func (d *deployment) run(ctx context.Context) remotehelper.PushResult {
	result := remotehelper.PushResult{Ref: d.spec.Dst}
	defer func() {
		if d.objects != nil {
			d.objects.Close()
		}
	}()
	m, final, err := d.attempt(ctx)
	if err != nil && ctx.Err() != nil && fail.CodeOf(err) != fail.Cancelled {
		err = fail.New(fail.Cancelled, fmt.Errorf("cancelled; nothing was changed on %s", d.h.called()))
	}
	if err == nil && !final.Outcome.OK() {
		result.Err = strings.ReplaceAll(string(final.Outcome), "-", " ")
		if final.Message != "" {
			result.Err += ": " + firstLine(final.Message)
		}
	} else if err != nil {
		var unknown *unknownError
		switch final.Outcome = event.Failed; {
		case fail.CodeOf(err) == fail.Cancelled:
			final.Outcome = event.Interrupted
		case errors.As(err, &unknown):
			final.Outcome, final.Fields = event.Unknown, map[string]string{"commit": m.result}
		}
		result.Err = firstLine(err.Error())
	}
	if result.Err != "" {
		for i := range d.togetherResults {
			d.togetherResults[i].Err = "atomic push failed"
		}
		d.h.track(ctx, d.h.peer.hello.tip())
		d.h.remember(ctx, d.objects, final)
		d.h.finish(final, err)
		return result
	}
	d.success(ctx, m, final, &result)
	d.h.remember(ctx, d.objects, final)
	d.h.finish(final, nil)
	return result
}

// success fills in the result and takes a merge over into the local branch.
func (d *deployment) success(ctx context.Context, m integration, final event.Event, result *remotehelper.PushResult) {
	moved := m.result
	if final.Outcome == event.DryRun || final.Outcome == event.Built {
		moved = m.tip // nothing moved on the node, so nothing moves here
	}
	if m.result == m.tip && m.local == m.tip {
		result.UpToDate = true
		return
	}
	result.OldOid, result.NewOid, result.Forced = m.tip, moved, d.spec.Force && m.merged
	if moved == "" {
		result.NewOid = gitrepo.ZeroOid
	}
	if moved == m.result && m.result != m.local && !d.options.dryRun {
		d.fastForward(ctx, m)
	}
}

// attempt merges and sends until the node has taken the result or refused it.
func (d *deployment) attempt(ctx context.Context) (m integration, final event.Event, err error) {
	if d.spec.Src == "" {
		return m, final, fail.Errorf(fail.Usage, "the deploy branch of %s cannot be deleted", d.h.called())
	}
	// Mostly a push changes nothing; that needs no further process to see.
	if tip := d.h.peer.hello.tip(); tip != "" && tip == d.h.repo.LooseRef(d.spec.Src) {
		m = integration{tip: tip, local: tip, result: tip}
		if d.upToDate() && len(d.together) == 0 {
			d.h.noticeChanges()()
			return m, upToDate(tip), nil
		}
	}
	if d.objects, err = d.h.repo.Objects(ctx); err != nil {
		return m, final, err
	}
	if err := d.source(ctx); err != nil {
		return m, final, err
	}
	for try := 1; ; try++ {
		if err := d.checkNetwork(d.objects); err != nil {
			return m, final, err
		}
		// What is built here first would keep the node waiting.
		if build, evaluate := d.places(); d.h.peer.hello.tip() != d.local && build != deployer && evaluate != deployer {
			d.h.peer.begin()
		}
		if m, err = d.integrate(ctx); err != nil {
			return m, final, err
		}
		if m.result == m.tip {
			final, err = d.nothingToSend(ctx, m)
			return m, final, err
		}
		raced := false
		if final, raced, err = d.deploy(ctx, m); !raced {
			return m, final, err
		}
		if try == tries {
			return m, final, fail.New(fail.Failed, fmt.Errorf("the branch of %s moved %d times while this push was under way", d.h.called(), tries), "git push "+d.h.nameOrURL())
		}
		if err := d.h.peer.ask(ctx); err != nil {
			return m, final, err
		}
	}
}

// source finds out what is pushed.
func (d *deployment) source(ctx context.Context) error {
	oid, _, _, err := d.objects.Info(d.spec.Src + "^{commit}")
	if err != nil {
		return fail.Errorf(fail.Usage, "%s is not a commit, so it cannot be deployed", d.spec.Src)
	}
	d.local = oid
	if strings.HasPrefix(d.spec.Src, "refs/heads/") {
		d.localBranch = d.spec.Src
	}
	if d.spec.Src == "HEAD" {
		d.localBranch, err = d.h.repo.Head(ctx)
	}
	return err
}

// nothingToSend ends a push of what the node has already, and deploys it again where it does not run.
func (d *deployment) nothingToSend(ctx context.Context, m integration) (event.Event, error) {
	h := d.h
	if len(d.together) > 0 {
		refspecs, err := h.refspecs(ctx, d.together)
		if err == nil {
			_, err = h.sendPlain(ctx, refspecs, d.togetherResults, d.options.dryRun)
		}
		if err != nil {
			return event.Event{}, err
		}
		for _, r := range d.togetherResults {
			if r.Err != "" {
				return event.Event{}, errors.New("atomic push failed")
			}
		}
	}
	if d.upToDate() {
		h.noticeChanges()()
		return upToDate(m.tip), nil
	}
	if h.peer.hello.Pinned && !d.options.unpin {
		h.sink().Emit(event.Event{Kind: event.Notice, Time: time.Now(),
			Message: fmt.Sprintf("%s was rolled back and stays where it is until something newer is pushed", h.called()),
			Hint:    fmt.Sprintf("git push -o unpin=true %s", h.nameOrURL())})
		return upToDate(h.peer.hello.Refs[refCurrent]), nil
	}
	return d.redeploy(ctx)
}

// upToDate reports whether the node runs the tip of its branch as it was asked to.
func (d *deployment) upToDate() bool {
	action := d.options.action
	if d.options.reboot {
		action = "switch" // what boots for a trial is to run
	}
	return d.h.peer.hello.settled(action) && !d.options.unpin
}

func upToDate(commit string) event.Event {
	return event.Event{Outcome: event.UpToDate, Fields: map[string]string{"commit": commit}}
}

// common are the options that every deployment gets.
func (h *helper) common(id string, confirm bool) []string {
	o := []string{
		"deployment=" + id,
		"node=" + h.peer.hello.Node,
		"network=" + h.peer.hello.Network.ID,
	}
	if confirm {
		o = append(o, "confirm=true")
	}
	if by := h.user(); by != "" {
		o = append(o, "by="+by)
	}
	if host, err := os.Hostname(); err == nil {
		o = append(o, "from="+gitrepo.Clean(host))
	}
	return o
}

// sent are the options of deployment id.
func (d *deployment) sent(id string) []string {
	o := append(d.h.common(id, !d.h.peer.local), "action="+d.options.action)
	if d.options.dryRun {
		o = append(o, "dry-run=true")
	}
	if d.options.unpin {
		o = append(o, "unpin=true")
	}
	if d.options.reboot {
		o = append(o, "reboot=true")
	}
	if d.options.force {
		o = append(o, "force-unhealthy=true")
	}
	if d.options.wait != "" {
		o = append(o, "wait="+d.options.wait)
	}
	return append(o, d.built...)
}

// user is who deploys, as git would name the committer.
func (h *helper) user() string {
	first := func(values ...string) string {
		for _, v := range values {
			if v != "" {
				return gitrepo.Clean(v)
			}
		}
		return ""
	}
	name := first(os.Getenv("GIT_COMMITTER_NAME"), h.config.Get("committer.name"), h.config.Get("user.name"))
	email := first(os.Getenv("GIT_COMMITTER_EMAIL"), h.config.Get("committer.email"), h.config.Get("user.email"), os.Getenv("EMAIL"))
	if name == "" && email == "" {
		return ""
	}
	return fmt.Sprintf("%s <%s>", name, email)
}

// deploy sends m and follows the node. raced says that the node's branch moved before it was locked.
func (d *deployment) deploy(ctx context.Context, m integration) (final event.Event, raced bool, err error) {
	h := d.h
	defer h.noticeChanges()()
	if err := d.buildHere(ctx, m.result); err != nil {
		return final, false, err
	}
	peer, err := h.peer.git()
	if err != nil {
		return final, false, err
	}
	send := gitrepo.Send{
		Refspecs: []string{m.result + ":" + h.peer.hello.branchRef()},
		Atomic:   h.atomic, Leases: h.leases, Progress: true,
	}
	if len(d.together) > 0 {
		if d.options.action == "build" || d.options.dryRun {
			return final, false, fail.Errorf(fail.Usage, "other refs cannot be pushed atomically with a deployment that moves nothing on the node")
		}
		more, err := h.refspecs(ctx, d.together)
		if err != nil {
			return final, false, err
		}
		send.Refspecs = append(send.Refspecs, more...)
	} else if !h.atomic { // whether that arrives must not decide about the push
		send.Refspecs = append(send.Refspecs, d.knowledge(ctx)...)
	}
	id := statedir.NewID()
	send.Options = append(d.sent(id), "follow=false")
	s := startSending(ctx, h.repo, peer, send, h.sink())
	w := h.begun(id, h.sink())
	w.sending = s
	final, err = w.run(ctx)
	h.ended(w, final, err)
	if err == nil && len(d.together) > 0 {
		fillIn(d.togetherResults, s.statuses, true)
	}
	var rejected *rejectedError
	var nothing noDeploymentError
	switch {
	case errors.Is(err, errHadIt):
		raced = true
	case errors.As(err, &nothing):
		h.peer.hello.Refs[h.peer.hello.branchRef()] = m.result
	case errors.As(err, &rejected) && rejected.race():
		raced = true
	case err == nil && final.Outcome == event.Superseded && final.Fields[fieldNewer] != "":
		// The newer push has this commit: to send it again would only be in its way.
	case err == nil && final.Outcome == event.Superseded:
		// Before the branch moved there, this push lost a race; afterwards the newer commit has this one in it.
		raced = s.result() != nil
	}
	return final, raced, err
}

// redeploy makes the node deploy the tip of its branch again.
func (d *deployment) redeploy(ctx context.Context) (event.Event, error) {
	h := d.h
	defer h.noticeChanges()()
	if err := d.buildHere(ctx, h.peer.hello.tip()); err != nil {
		return event.Event{}, err
	}
	w := h.begun(statedir.NewID(), h.sink())
	w.argv = h.peer.verb("deploy")
	for _, o := range d.sent(w.id) {
		w.argv = append(w.argv, "-o", o)
	}
	final, err := w.run(ctx)
	h.ended(w, final, err)
	return final, err
}

// fastForward takes the merge over into the local branch.
func (d *deployment) fastForward(ctx context.Context, m integration) {
	h := d.h
	notice := event.Event{Kind: event.Notice, Time: time.Now()}
	target := gitrepo.Short(m.result)
	if ref := h.tracking(h.peer.hello.branchRef()); ref != "" {
		target = shortRef(ref)
	}
	what := "is merged"
	if !m.merged {
		what = "was already there"
	}
	switch err := d.fastForwardLocal(ctx, m); {
	case err == nil:
		notice.Message = fmt.Sprintf("what %s changed itself %s; %s has it now too (%s)", h.called(), what, shortRef(d.localBranch), gitrepo.Short(m.result))
	case errors.Is(err, gitrepo.ErrDirty):
		notice.Message = fmt.Sprintf("what %s changed itself %s; the work tree has uncommitted changes, so %s stays as it is", h.called(), what, shortRef(d.localBranch))
		notice.Hint = "git merge --ff-only " + target
	default:
		notice.Message = fmt.Sprintf("what %s changed itself %s; no local branch was moved", h.called(), what)
		notice.Hint = "git merge " + target
	}
	h.sink().Emit(notice)
}

var errNoBranch = errors.New("no local branch was pushed")

func (d *deployment) fastForwardLocal(ctx context.Context, m integration) error {
	if d.localBranch == "" {
		return errNoBranch
	}
	now, err := d.h.repo.RevParse(ctx, d.localBranch)
	if err != nil {
		return err
	}
	if now != m.local {
		return errNoBranch // the user went on meanwhile
	}
	return d.h.repo.FastForward(ctx, d.localBranch, m.result)
}
