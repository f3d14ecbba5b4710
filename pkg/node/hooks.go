package node

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/git-deploy/git-deploy/hooks"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/proc"
)

// hooksPath is the setting that has git look for hooks in another folder.
const hooksPath = "core.hooksPath"

// checkHooks sees to it that what is pushed here is deployed: without our
// hooks git would move the branch and nothing else. Hooks of ours that are gone
// are written again. What somebody else put in their place stays, and is the
// State's problem.
func (n *Node) checkHooks(ctx context.Context) hooks.State {
	var s hooks.State
	err := n.restoreHooks(ctx, &s)
	var e *fail.Error
	switch {
	case errors.As(err, &e):
		s.Problem, s.Hint = err.Error(), strings.Join(e.Hints, "\n")
	case err != nil:
		s.Problem, s.Hint = err.Error(), fail.Remedy(err.Error(), n.Node)
	}
	return s
}

func (n *Node) restoreHooks(ctx context.Context, s *hooks.State) error {
	if _, err := proc.Find(n.Layout.Tool()); err != nil {
		return fail.New(fail.Failed, fmt.Errorf("%s, which the hooks run, is not there or not executable", n.Layout.Tool()),
			"git deploy add "+n.Node+" ADDRESS   # puts it there again")
	}
	dir := filepath.Join(n.Repo.GitDir, "hooks")
	at, err := n.Repo.GitPath(ctx, "hooks")
	if err != nil {
		return fmt.Errorf("look for the hooks: %w", err)
	}
	if resolved(at) != resolved(dir) {
		set, err := n.Repo.LocalConfig(ctx, hooksPath)
		switch {
		case err != nil:
			return err
		case set == "":
			// Whoever set it for all repositories did not mean this one, which can do without.
			n.dropStaleLocks()
			if err := n.Repo.SetConfig(ctx, hooksPath, dir); err != nil {
				return err
			}
			s.Restored = append(s.Restored, hooksPath)
		default:
			for _, name := range hooks.Names() {
				if !hooks.Runs(filepath.Join(at, name)) {
					return fail.New(fail.Failed, fmt.Errorf("%s of %s leads git to %s, which does not run the hook %s of git-deploy: what is pushed is not deployed", hooksPath, n.Repo.GitDir, at, name),
						fmt.Sprintf("git --git-dir=%s config --unset-all %s   # on %s", n.Repo.GitDir, hooksPath, n.Node))
				}
			}
			return nil
		}
	}
	installed, err := hooks.Install(dir, hooks.Names(), n.Layout.Tool())
	s.Restored = append(s.Restored, installed.Written...)
	if err != nil {
		return err
	}
	for _, path := range installed.Foreign {
		if !hooks.Runs(path) {
			return fail.New(fail.Failed, fmt.Errorf("%s is not a hook of git-deploy and was left as it is: what is pushed is not deployed", path),
				fmt.Sprintf(`mv %s %s.old   # on %s: git-deploy's own takes its place with the next push; or have it run: %s hook %s "$@"`,
					path, path, n.Node, n.Layout.Tool(), filepath.Base(path)))
		}
	}
	return nil
}

// resolved is path without links; its last part need not be there.
func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(dir, filepath.Base(path))
	}
	return filepath.Clean(path)
}
