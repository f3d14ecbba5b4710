package push

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/remotehelper"
	"github.com/git-deploy/git-deploy/pkg/ui"
)

// push updates refs of the node: the deploy branch by a deployment, others by git's ordinary rules.
func (h *helper) push(ctx context.Context, specs []remotehelper.PushSpec) []remotehelper.PushResult {
	results := make([]remotehelper.PushResult, len(specs))
	for i, s := range specs {
		results[i].Ref = s.Dst
	}
	options, err := h.prepare()
	if err != nil {
		for i := range results {
			results[i].Err = err.Error()
		}
		h.finish(event.Event{Outcome: event.Refused}, err)
		return results
	}
	if err := h.checkRefs(specs, results); err != nil {
		h.finish(event.Event{Outcome: event.Refused}, err)
		return results
	}
	branch := h.peer.hello.branchRef()
	at := slices.IndexFunc(specs, func(s remotehelper.PushSpec) bool { return s.Dst == branch })
	if at < 0 {
		h.pushOthers(ctx, specs, results)
		return results
	}
	others := slices.Delete(slices.Clone(specs), at, at+1)
	otherResults := slices.Delete(slices.Clone(results), at, at+1)
	d := &deployment{h: h, spec: specs[at], options: options}
	switch {
	case len(others) == 0:
	case !h.atomic:
		// Sent by themselves: a deployment that the node refuses takes down all refs of its push.
		h.pushOthers(ctx, others, otherResults)
	default:
		d.together, d.togetherResults = others, otherResults
	}
	result := d.run(ctx)
	return slices.Insert(otherResults, at, result)
}

// checkRefs refuses the whole of a push that would write what only the node
// writes, such as git push --mirror, which would also delete what others have pushed there.
func (h *helper) checkRefs(specs []remotehelper.PushSpec, results []remotehelper.PushResult) error {
	var own []string
	for i, s := range specs {
		results[i].Err = "not pushed either"
		if strings.HasPrefix(s.Dst, "refs/deploy/") || strings.HasPrefix(s.Dst, "refs/nodes/") {
			own = append(own, s.Dst)
			results[i].Err = "written by the node itself"
		}
	}
	if len(own) == 0 {
		for i := range results {
			results[i].Err = ""
		}
		return nil
	}
	branch, to := shortRef(h.peer.hello.branchRef()), h.nameOrURL()
	return fail.New(fail.Usage, fmt.Errorf("nothing was pushed: %s can only be written by %s itself, so a node cannot be a --mirror", enumerate(own), h.called()),
		fmt.Sprintf("git push %s %s    # deploys %s", to, branch, branch),
		fmt.Sprintf("git push --all %s    # all branches: %s is deployed, the others are stored; --tags stores tags", to, branch))
}

// prepare checks what must hold for any push.
func (h *helper) prepare() (pushOptions, error) {
	options, err := parsePushOptions(h.pushOptions)
	if err != nil {
		return options, err
	}
	options.dryRun = options.dryRun || h.dryRun
	if h.repo == nil {
		return options, fail.Errorf(fail.Usage, "there is no repository here to push from")
	}
	if err := h.checkNode(); err != nil {
		return options, err
	}
	return options, h.checkHooks()
}

// checkHooks tells of hooks that the node has restored, and refuses to push
// where they are not git-deploy's: the branch would move and nothing else.
func (h *helper) checkHooks() error {
	s := h.peer.hello.Hooks
	if s == nil {
		return nil
	}
	if len(s.Restored) > 0 {
		h.sink().Emit(event.Event{Kind: event.Warning, Time: time.Now(), Message: RestoredHooks(s.Restored)})
	}
	if s.Problem != "" {
		return fail.New(fail.Failed, errors.New(s.Problem), s.Hint)
	}
	return nil
}

// RestoredHooks says what a node has put back of its hooks.
func RestoredHooks(names []string) string {
	return "its hooks were not as git-deploy had made them, so that a push could have gone unnoticed; restored: " + enumerate(names)
}

// checkNode refuses a host that is another node than the one that is meant.
func (h *helper) checkNode() error {
	expected, is := h.expectedNode(), h.peer.hello.Node
	if expected == "" || is == "" || expected == is {
		return nil
	}
	hints := []string{fmt.Sprintf("git deploy add %s NEW-ADDRESS   # if %s has moved", expected, expected)}
	if h.remote != "" {
		hints = append(hints, fmt.Sprintf("git config remote.%s.deployNode %s   # if you do mean %s", h.remote, is, is))
	} else {
		hints = append(hints, fmt.Sprintf("git push node::%s   # if you do mean %s", is, is))
	}
	return fail.New(fail.Failed, fmt.Errorf("the host at this address is the node %q and not %q: another machine may have got its address", is, expected), hints...)
}

// finish tells the outcome of the push and remembers its exit code. err may be nil.
func (h *helper) finish(e event.Event, err error) {
	h.code = fail.CodeOf(err)
	if err == nil {
		h.code = fail.OutcomeCode(e.Outcome)
	} else if e.Message == "" {
		e.Message = err.Error()
	}
	if e.Hint == "" {
		e.Hint = strings.Join(fail.HintsOf(err), "\n")
	}
	h.sink().finish(e, h.code)
}

// pushOthers pushes refs that are not deployed.
func (h *helper) pushOthers(ctx context.Context, specs []remotehelper.PushSpec, results []remotehelper.PushResult) {
	err := func() error {
		refspecs, err := h.refspecs(ctx, specs)
		if err != nil {
			return err
		}
		_, err = h.sendPlain(ctx, refspecs, results, h.dryRun)
		return err
	}()
	if err == nil {
		return
	}
	h.code = fail.CodeOf(err)
	for i := range results {
		if results[i].Err == "" {
			results[i].Err = err.Error()
		}
	}
}

// sendPlain sends refs without a deployment and fills in their results.
func (h *helper) sendPlain(ctx context.Context, refspecs []string, results []remotehelper.PushResult, dryRun bool) ([]gitrepo.RefStatus, error) {
	peer, err := h.peer.git()
	if err != nil {
		return nil, err
	}
	var said strings.Builder
	statuses, err := h.repo.SendPack(ctx, peer, gitrepo.Send{
		Refspecs: refspecs, Leases: h.leases, Atomic: h.atomic, DryRun: dryRun,
		Line: func(line string) { said.WriteString(strings.TrimPrefix(line, "remote: ") + "\n") },
	})
	if err != nil {
		return nil, remoteError(err)
	}
	if text, _ := toolError(said.String()); text != "" {
		for i := range statuses {
			if strings.Contains(statuses[i].Err, "hook declined") {
				statuses[i].Err = firstLine(text)
			}
		}
	}
	fillIn(results, statuses, h.atomic)
	for _, r := range results {
		if r.Err != "" {
			h.code = fail.Failed
		}
	}
	return statuses, nil
}

// fillIn puts what became of refs into the results.
func fillIn(results []remotehelper.PushResult, statuses []gitrepo.RefStatus, atomic bool) {
	for i := range results {
		at := slices.IndexFunc(statuses, func(s gitrepo.RefStatus) bool { return s.Ref == results[i].Ref })
		switch {
		case at < 0 && atomic:
			results[i].Err = "atomic push failed"
		case at < 0:
			results[i].Err = "the node did not answer for this ref"
		case statuses[at].UpToDate:
			results[i].UpToDate = true
		default:
			results[i].Err = statuses[at].Err
		}
	}
}

// refspecs makes specs refspecs for send-pack, with object ids as sources: a
// source may be any revision, and must not change under way.
func (h *helper) refspecs(ctx context.Context, specs []remotehelper.PushSpec) ([]string, error) {
	objects, err := h.repo.Objects(ctx)
	if err != nil {
		return nil, err
	}
	defer objects.Close()
	var refspecs []string
	for _, s := range specs {
		if s.Src != "" {
			oid, _, _, err := objects.Info(s.Src)
			if err != nil {
				return nil, err
			}
			s.Src = oid
		}
		if s.Src == "" && s.Force {
			s.Force = false // nothing to force, and send-pack would not understand it
		}
		refspecs = append(refspecs, s.String())
	}
	return refspecs, nil
}

// tracking returns the local ref that follows a ref of the remote, "" without one.
func (h *helper) tracking(ref string) string {
	if h.remote == "" {
		return ""
	}
	for _, spec := range h.config.All("remote." + h.remote + ".fetch") {
		src, dst, ok := strings.Cut(strings.TrimPrefix(spec, "+"), ":")
		if !ok || dst == "" {
			continue
		}
		if src == ref {
			return dst
		}
		before, after, glob := strings.Cut(src, "*")
		if rest, ok := strings.CutPrefix(ref, before); ok && glob && strings.HasSuffix(rest, after) {
			return strings.Replace(dst, "*", strings.TrimSuffix(rest, after), 1)
		}
	}
	return ""
}

// shortRef is a ref as one types it.
func shortRef(ref string) string {
	for _, prefix := range []string{"refs/heads/", "refs/tags/", "refs/remotes/"} {
		if s, ok := strings.CutPrefix(ref, prefix); ok {
			return s
		}
	}
	return ref
}

// track sets the tracking ref of the deploy branch to what the node has. It
// serves the hint that follows; that it does not work stops nothing.
func (h *helper) track(ctx context.Context, tip string) {
	if ref := h.tracking(h.peer.hello.branchRef()); ref != "" && tip != "" && !h.dryRun {
		_ = h.repo.UpdateRef(ctx, ref, tip, "", "git-deploy: what "+h.called()+" has")
	}
}

// toolError finds the error and hints that a tool of ours wrote to stderr.
func toolError(stderr string) (text string, hints []string) {
	return ui.ParseError("git-deploy", stderr)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
