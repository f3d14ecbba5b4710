package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/proc"
)

// ErrDirty is wrapped by FastForward where uncommitted changes are in the way.
var ErrDirty = errors.New("uncommitted changes")

// WorkTreeOf returns the work tree, this or a linked one, that has a branch
// checked out; "" when none has.
func (r *Repo) WorkTreeOf(ctx context.Context, branch string) (string, error) {
	out, err := r.output(ctx, proc.Cmd{}, "worktree", "list", "--porcelain", "-z")
	if err != nil {
		return "", fmt.Errorf("list work trees: %w", err)
	}
	var dir string
	for line := range strings.SplitSeq(out, "\x00") {
		if path, ok := strings.CutPrefix(line, "worktree "); ok {
			dir = path
		} else if line == "branch "+branch {
			return dir, nil
		}
	}
	return "", nil
}

// FastForward moves a local branch to new, a descendant of what it is. Where
// the branch is checked out the work tree follows, if it is clean; a work tree
// that is not is left alone together with the branch, and the error matches ErrDirty.
func (r *Repo) FastForward(ctx context.Context, branch, new string) error {
	dir, err := r.WorkTreeOf(ctx, branch)
	if err != nil {
		return err
	}
	c := r.Cmd()
	c.Env = append(c.Env, "GIT_REFLOG_ACTION=git-deploy")
	if dir == "" {
		// fetch alone refuses branches that a rebase or bisect in some work tree is about to write.
		c.Argv = append(c.Argv, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", ".", new+":"+branch)
	} else {
		c = proc.Cmd{Argv: []string{"git"}, Dir: dir, Unset: localEnv, Env: c.Env[1:]}
		dirty := c
		dirty.Argv = append(dirty.Argv, "status", "--porcelain", "--untracked-files=no")
		out, err := proc.Output(ctx, dirty)
		if err == nil && len(out) > 0 {
			err = ErrDirty
		}
		if err != nil {
			return fmt.Errorf("fast-forward %s: %w", branch, err)
		}
		c.Argv = append(c.Argv, "merge", "--quiet", "--ff-only", "--no-overwrite-ignore", "--no-stat", new)
	}
	if err := proc.Run(ctx, c); err != nil {
		if strings.Contains(proc.Stderr(err), "would be overwritten") {
			err = ErrDirty // an untracked or ignored file in the way
		}
		return fmt.Errorf("fast-forward %s: %w", branch, err)
	}
	return nil
}

// Changed returns the tracked files of the current work tree that differ from HEAD, staged or not.
func (r *Repo) Changed(ctx context.Context) ([]string, error) {
	out, err := r.output(ctx, proc.Cmd{Env: []string{"GIT_OPTIONAL_LOCKS=0"}}, "diff", "--name-only", "--no-ext-diff", "-z", "HEAD", "--")
	if err != nil {
		return nil, fmt.Errorf("look for changes: %w", err)
	}
	return dedupe(strings.Split(out, "\x00")), nil
}
