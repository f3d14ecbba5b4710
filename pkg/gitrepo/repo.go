// Package gitrepo reads and writes git repositories.
//
// The git program does everything that must honour quarantine, configuration,
// packs and merges; go-git reads commits in a clone in-process (read.go), and
// nothing but this package imports it. The package knows the deployment log's
// form (record.go) but nothing of networks, nodes or transports: where objects
// are sent to is handed in as a command line for git.
//
// Invariants: the work tree is touched by FastForward only; refs move by
// compare-and-swap only; no value becomes an option of git by beginning with a
// hyphen; the environment of a hook or helper is honoured by a Repo from
// OpenEnv and by no other.
package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/proc"
)

// Repo is a repository: bare, with a work tree, or a linked work tree.
type Repo struct {
	GitDir    string // absolute; for a linked work tree its own folder below worktrees/
	CommonDir string // absolute; where objects and shared refs are
	WorkTree  string // absolute; "" when bare or unknown

	unset []string // environment names that must not reach git
}

// localEnv are the variables that tie git to another repository (git rev-parse --local-env-vars, and the quarantine).
var localEnv = []string{
	"GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_DIR", "GIT_GRAFT_FILE",
	"GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_INTERNAL_SUPER_PREFIX", "GIT_NAMESPACE",
	"GIT_NO_REPLACE_OBJECTS", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_QUARANTINE_PATH",
	"GIT_REPLACE_REF_BASE", "GIT_SHALLOW_FILE", "GIT_WORK_TREE", "GIT_PUSH_OPTION_COUNT",
}

// ErrNotARepository is wrapped by Open and OpenEnv where there is no repository.
var ErrNotARepository = errors.New("not a git repository")

// Open finds the repository that dir is in. Variables such as GIT_DIR, and the
// quarantine of a hook, are ignored.
func Open(ctx context.Context, dir string) (*Repo, error) {
	out, err := proc.Output(ctx, proc.Cmd{
		Argv: []string{"git", "rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir",
			"--is-inside-work-tree", "--is-bare-repository", "--show-toplevel"},
		Dir:   dir,
		Unset: localEnv,
	})
	f := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	// The last question fails outside a work tree, when the others have been answered.
	inWorkTree := err == nil && len(f) == 5
	if err != nil && len(f) < 4 {
		if strings.Contains(proc.Stderr(err), "not a git repository") {
			err = ErrNotARepository
		}
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	if len(f) < 4 || len(f) > 5 {
		return nil, fmt.Errorf("open %s: git rev-parse answered %q", dir, out)
	}
	r := &Repo{GitDir: f[0], CommonDir: f[1], unset: localEnv}
	if f[2] == "true" && inWorkTree {
		r.WorkTree = f[4]
	} else if f[3] != "true" && filepath.Base(f[1]) == ".git" && f[0] == f[1] {
		r.WorkTree = filepath.Dir(f[1]) // dir is below .git itself
	}
	return r, nil
}

// OpenBare returns the bare repository at dir without starting a program. The environment's GIT_DIR and
// quarantine are ignored, so that refs can be written from hooks too.
func OpenBare(dir string) (*Repo, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(abs, "HEAD")); err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, ErrNotARepository)
	}
	return &Repo{GitDir: abs, CommonDir: abs, unset: localEnv}, nil
}

// OpenEnv returns the repository that GIT_DIR names, as git sets it for hooks and remote helpers, without
// starting a program. Quarantine, alternates and GIT_WORK_TREE stay in force.
func OpenEnv() (*Repo, error) {
	dir := os.Getenv("GIT_DIR")
	if dir == "" {
		return nil, fmt.Errorf("GIT_DIR is not set: %w", ErrNotARepository)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	r := &Repo{GitDir: abs, CommonDir: abs}
	if data, err := os.ReadFile(filepath.Join(abs, "commondir")); err == nil {
		common := strings.TrimSpace(string(data))
		if !filepath.IsAbs(common) {
			common = filepath.Join(abs, common)
		}
		r.CommonDir = filepath.Clean(common)
	}
	return r, nil
}

// InitBare makes a bare repository at dir with the given branch as HEAD; it is harmless where one is.
func InitBare(ctx context.Context, dir, branch string) (*Repo, error) {
	if err := proc.Run(ctx, proc.Cmd{
		Argv:  []string{"git", "init", "--quiet", "--bare", "--initial-branch=" + branch, "--", dir},
		Unset: localEnv,
	}); err != nil {
		return nil, fmt.Errorf("make repository %s: %w", dir, err)
	}
	return OpenBare(dir)
}

// shallow returns the commits whose parents are not here.
func (r *Repo) shallow() ([]string, error) {
	data, err := os.ReadFile(filepath.Join(r.CommonDir, "shallow"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return strings.Fields(string(data)), err
}

// IsShallow reports whether history is cut off somewhere.
func (r *Repo) IsShallow() bool {
	oids, err := r.shallow()
	return err == nil && len(oids) > 0
}

// Cmd returns the command that runs git in r; the caller may add to it.
func (r *Repo) Cmd(args ...string) proc.Cmd {
	return proc.Cmd{
		Argv:  append([]string{"git"}, args...),
		Dir:   r.WorkTree,
		Env:   []string{"GIT_DIR=" + r.GitDir},
		Unset: r.unset,
	}
}

func (r *Repo) with(c proc.Cmd, args []string) proc.Cmd {
	full := r.Cmd(args...)
	full.Env = append(full.Env, c.Env...)
	full.Stdin = c.Stdin
	if c.Dir != "" {
		full.Dir = c.Dir
	}
	return full
}

func (r *Repo) run(ctx context.Context, c proc.Cmd, args ...string) error {
	return proc.Run(ctx, r.with(c, args))
}

// output returns what git writes, without the last newline.
func (r *Repo) output(ctx context.Context, c proc.Cmd, args ...string) (string, error) {
	out, err := proc.Output(ctx, r.with(c, args))
	return strings.TrimSuffix(string(out), "\n"), err
}

func stdin(s string) io.Reader { return bytes.NewReader([]byte(s)) }

// Oid reports whether s is a full object id, SHA-1 or SHA-256.
func Oid(s string) bool {
	if len(s) != 40 && len(s) != 64 {
		return false
	}
	return strings.Trim(s, "0123456789abcdef") == ""
}

// Zero reports whether oid is the id that stands for "no object".
func Zero(oid string) bool { return Oid(oid) && strings.Trim(oid, "0") == "" }

// Short returns the first eight digits of an object id, for people.
func Short(oid string) string {
	if len(oid) > 8 {
		return oid[:8]
	}
	return oid
}
