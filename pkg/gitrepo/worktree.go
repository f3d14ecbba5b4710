package gitrepo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/git-deploy/git-deploy/pkg/proc"
)

// Init makes a repository with a work tree at dir, with the given first branch; it is harmless where one is.
func Init(ctx context.Context, dir, branch string) (*Repo, error) {
	if err := proc.Run(ctx, proc.Cmd{
		Argv:  []string{"git", "init", "--quiet", "--initial-branch=" + branch, "--", dir},
		Unset: localEnv,
	}); err != nil {
		return nil, fmt.Errorf("make repository %s: %w", dir, err)
	}
	return Open(ctx, dir)
}

// CommitPaths commits exactly paths (relative to the work tree), whatever
// else is staged, and returns false when they hold nothing new.
func (r *Repo) CommitPaths(ctx context.Context, message string, paths ...string) (bool, error) {
	var there []string // what was removed is staged already
	for _, p := range paths {
		if _, err := os.Lstat(filepath.Join(r.WorkTree, p)); err == nil {
			there = append(there, p)
		}
	}
	if len(there) > 0 {
		if err := r.run(ctx, proc.Cmd{}, append([]string{"add", "--"}, there...)...); err != nil {
			return false, fmt.Errorf("stage %v: %w", there, err)
		}
	}
	changed, err := r.output(ctx, proc.Cmd{}, append([]string{"status", "--porcelain", "--untracked-files=no", "--"}, paths...)...)
	if err != nil || changed == "" {
		return false, err
	}
	if err := r.run(ctx, proc.Cmd{}, append([]string{"commit", "--quiet", "--message=" + message, "--"}, paths...)...); err != nil {
		return false, fmt.Errorf("commit %v: %w", paths, err)
	}
	return true, nil
}

// Dirty reports whether tracked files of the work tree, or the index, differ from HEAD.
func (r *Repo) Dirty(ctx context.Context) (bool, error) {
	out, err := r.output(ctx, proc.Cmd{}, "status", "--porcelain", "--untracked-files=no")
	return out != "", err
}

// GitPath returns the path of a file of the git folder, e.g. "hooks", as
// configuration and linked work trees move it.
func (r *Repo) GitPath(ctx context.Context, name string) (string, error) {
	return r.output(ctx, proc.Cmd{}, "rev-parse", "--path-format=absolute", "--git-path", name)
}
