package gitrepo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/git-deploy/git-deploy/pkg/proc"
)

// ErrNotFound is wrapped where a revision, ref or file does not exist.
var ErrNotFound = errors.New("not found")

// ErrMoved is wrapped where a ref did not have the value that the update expected.
var ErrMoved = errors.New("the ref moved meanwhile")

// RevParse returns the object id that rev names. "commit^{tree}" and the like work.
func (r *Repo) RevParse(ctx context.Context, rev string) (string, error) {
	if err := proc.Positional("revision", rev); err != nil {
		return "", err
	}
	oid, err := r.output(ctx, proc.Cmd{}, "rev-parse", "--verify", "--quiet", rev)
	if err != nil {
		if proc.ExitCode(err) == 1 {
			return "", fmt.Errorf("revision %q: %w", rev, ErrNotFound)
		}
		return "", fmt.Errorf("revision %q: %w", rev, err)
	}
	return oid, nil
}

// CommitAndTree returns the ids of a commit and its tree.
func (r *Repo) CommitAndTree(ctx context.Context, rev string) (commit, tree string, err error) {
	if err := proc.Positional("revision", rev); err != nil {
		return "", "", err
	}
	out, err := r.output(ctx, proc.Cmd{}, "rev-parse", "--revs-only", rev+"^{commit}", rev+"^{tree}")
	if err == nil {
		if f := strings.Fields(out); len(f) == 2 {
			return f[0], f[1], nil
		}
		err = ErrNotFound
	}
	return "", "", fmt.Errorf("revision %q: %w", rev, err)
}

// Refs returns the refs below the given prefixes (all refs without any), by full name. Symbolic refs are followed.
func (r *Repo) Refs(ctx context.Context, prefixes ...string) (map[string]string, error) {
	list, err := r.RefList(ctx, prefixes...)
	if err != nil {
		return nil, err
	}
	refs := make(map[string]string, len(list))
	for _, ref := range list {
		refs[ref.Name] = ref.Oid
	}
	return refs, nil
}

// Ref is where a ref, by its full name, is.
type Ref struct{ Name, Oid string }

// RefList is Refs in the order of names, for where there are many.
func (r *Repo) RefList(ctx context.Context, prefixes ...string) ([]Ref, error) {
	args := append([]string{"for-each-ref", "--format=%(objectname) %(refname)", "--"}, prefixes...)
	out, err := r.output(ctx, proc.Cmd{}, args...)
	if err != nil {
		return nil, fmt.Errorf("read refs: %w", err)
	}
	var list []Ref
	for line := range strings.SplitSeq(out, "\n") {
		if oid, name, ok := strings.Cut(line, " "); ok {
			list = append(list, Ref{name, oid})
		}
	}
	return list, nil
}

// PackRefs has git put all refs into one file, as git gc does, where more
// than many below prefix lie in files of their own. That it does not work stops nothing.
func (r *Repo) PackRefs(ctx context.Context, prefix string, many int) {
	loose := 0
	_ = r.loose(prefix, func(string) error {
		if loose++; loose > many {
			return filepath.SkipAll
		}
		return nil
	})
	if loose <= many {
		return
	}
	if set, err := r.output(ctx, proc.Cmd{}, "config", "--get", "gc.packRefs"); err != nil || set != "false" {
		_ = r.run(ctx, proc.Cmd{}, "pack-refs", "--all")
	}
}

// loose calls f with the file of each ref below prefix that has one of its own.
func (r *Repo) loose(prefix string, f func(path string) error) error {
	return filepath.WalkDir(filepath.Join(r.CommonDir, filepath.FromSlash(prefix)), func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return nil // another process packs them
		}
		return f(path)
	})
}

// RefsState names a state of the refs below prefix without listing them: by the
// file of packed refs, which git replaces as a whole, and by what the others
// hold. It is "" where there is no such file, or where there are more than many others.
func (r *Repo) RefsState(prefix string, many int) string {
	packed, err := os.Stat(filepath.Join(r.CommonDir, "packed-refs"))
	if err != nil {
		return ""
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%d %d %v\n", packed.Size(), packed.ModTime().UnixNano(), inode(packed))
	loose := 0
	err = r.loose(prefix, func(path string) error {
		if loose++; loose > many {
			return errMany
		}
		data, err := os.ReadFile(path)
		fmt.Fprintf(sum, "%q %q\n", path, data)
		return err
	})
	if err != nil {
		return ""
	}
	return hex.EncodeToString(sum.Sum(nil))
}

var errMany = errors.New("many loose refs")

func inode(info os.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Ino
	}
	return 0
}

// Head returns the branch that HEAD names ("refs/heads/main"), or "" when it is detached.
func (r *Repo) Head(ctx context.Context) (string, error) {
	ref, err := r.output(ctx, proc.Cmd{}, "symbolic-ref", "--quiet", "HEAD")
	if proc.ExitCode(err) == 1 {
		return "", nil
	}
	return ref, err
}

// SetHead makes HEAD name a branch.
func (r *Repo) SetHead(ctx context.Context, ref string) error {
	return r.run(ctx, proc.Cmd{}, "symbolic-ref", "HEAD", ref)
}

// RefUpdate is one ref of a transaction.
type RefUpdate struct {
	Ref string
	New string // "" deletes
	// Old is what the ref must be now: an object id, or zeros for "must not exist".
	// "" does not check, which only refs that a single writer owns should use.
	Old string
}

// ZeroOid is "no object" in a repository of SHA-1 ids; git takes it for SHA-256 where it stands for absence.
const ZeroOid = "0000000000000000000000000000000000000000"

// UpdateRef moves one ref by compare-and-swap; see RefUpdate for old.
func (r *Repo) UpdateRef(ctx context.Context, ref, new, old, why string) error {
	return r.UpdateRefs(ctx, why, RefUpdate{Ref: ref, New: new, Old: old})
}

// UpdateRefs moves all refs or none. why goes to the reflog. When a ref is not
// what it was expected to be, the error matches ErrMoved.
func (r *Repo) UpdateRefs(ctx context.Context, why string, updates ...RefUpdate) error {
	var in strings.Builder
	in.WriteString("start\x00")
	for _, u := range updates {
		old := u.Old
		if Zero(old) {
			old = ZeroOid
		}
		switch {
		case u.New == "" || Zero(u.New):
			fmt.Fprintf(&in, "delete %s\x00%s\x00", u.Ref, old)
		case Zero(old):
			fmt.Fprintf(&in, "create %s\x00%s\x00", u.Ref, u.New)
		default:
			fmt.Fprintf(&in, "update %s\x00%s\x00%s\x00", u.Ref, u.New, old)
		}
	}
	in.WriteString("prepare\x00commit\x00")
	args := []string{"update-ref", "--no-deref", "--stdin", "-z"}
	if why != "" {
		args = append(args, "-m", why)
	}
	err := r.run(ctx, proc.Cmd{Stdin: stdin(in.String())}, args...)
	if err == nil {
		return nil
	}
	names := make([]string, len(updates))
	for i, u := range updates {
		names[i] = u.Ref
	}
	if moved(proc.Stderr(err)) {
		err = errors.Join(ErrMoved, err)
	}
	return fmt.Errorf("update %s: %w", strings.Join(names, ", "), err)
}

// moved recognises git's words (files and reftable backends, 2.39 to 2.55) for a failed comparison.
func moved(stderr string) bool {
	for _, words := range []string{"but expected", "reference already exists", "reference is missing", "unable to resolve reference", "is at "} {
		if strings.Contains(stderr, words) {
			return true
		}
	}
	return false
}

// LooseRef returns the value of a full branch name where it lies in a
// file of its own, and "" where git must be asked. It starts no program.
func (r *Repo) LooseRef(ref string) string {
	if !strings.HasPrefix(ref, "refs/heads/") || strings.Contains(ref, "..") {
		return ""
	}
	data, err := os.ReadFile(filepath.Join(r.CommonDir, ref))
	if oid := strings.TrimSpace(string(data)); err == nil && Oid(oid) {
		return oid
	}
	return ""
}

// RefMessage is where a ref is, and the message of the commit there.
type RefMessage struct{ Oid, Message string }

// RefMessages is Refs with the commits' messages, read by the same process.
// Patterns may be globs, whose * stands for one part of a name.
func (r *Repo) RefMessages(ctx context.Context, patterns ...string) (map[string]RefMessage, error) {
	args := append([]string{"for-each-ref", "--format=%(refname)%00%(objectname)%00%(contents)%00", "--"}, patterns...)
	out, err := r.output(ctx, proc.Cmd{}, args...)
	if err != nil {
		return nil, fmt.Errorf("read refs: %w", err)
	}
	refs := map[string]RefMessage{}
	f := strings.Split(out, "\x00")
	for ; len(f) >= 3; f = f[3:] {
		refs[strings.TrimPrefix(f[0], "\n")] = RefMessage{f[1], f[2]}
	}
	return refs, nil
}
