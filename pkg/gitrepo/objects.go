package gitrepo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/proc"
)

// Objects answers questions about objects through one running git process.
// It is not safe for concurrent use.
type Objects struct {
	p   *proc.Process
	in  *io.PipeWriter
	out *bufio.Reader
	// cancel ends the process when it does not end by itself.
	cancel  context.CancelFunc
	parents map[string][]string // of the commits that Parents has read
}

// Objects starts the process. The caller must Close it.
func (r *Repo) Objects(ctx context.Context) (*Objects, error) {
	ctx, cancel := context.WithCancel(ctx)
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	c := r.Cmd("cat-file", "--batch-command")
	c.Stdin, c.Stdout = inR, outW
	p, err := proc.Start(ctx, c)
	if err != nil {
		cancel()
		return nil, err
	}
	o := &Objects{p: p, in: inW, out: bufio.NewReaderSize(outR, 64<<10), cancel: cancel, parents: map[string][]string{}}
	go func() {
		err := p.Wait()
		if err == nil {
			err = io.EOF
		}
		outW.CloseWithError(err)
		inR.CloseWithError(err)
	}()
	return o, nil
}

// Close ends the process.
func (o *Objects) Close() {
	o.in.Close()
	_, _ = io.Copy(io.Discard, o.out)
	o.cancel()
}

// Info returns the id, type and size of the object that rev names.
func (o *Objects) Info(rev string) (oid, kind string, size int64, err error) {
	return o.ask("info", rev)
}

// Read returns an object's id, type and content.
func (o *Objects) Read(rev string) (oid, kind string, data []byte, err error) {
	oid, kind, size, err := o.ask("contents", rev)
	if err != nil {
		return "", "", nil, err
	}
	data = make([]byte, size+1)
	if _, err := io.ReadFull(o.out, data); err != nil {
		return "", "", nil, fmt.Errorf("read object %s: %w", rev, err)
	}
	return oid, kind, data[:size], nil
}

// Parents returns the parents of a commit, by its id.
func (o *Objects) Parents(commit string) ([]string, error) {
	if parents, ok := o.parents[commit]; ok {
		return parents, nil
	}
	c, err := o.commit(commit)
	if err == nil {
		o.parents[commit] = c.Parents
	}
	return c.Parents, err
}

// Reaches reports whether old is new or one of its ancestors, of which it reads
// the nearest only, and at most so many. Where old is not here it reads none.
func (o *Objects) Reaches(new, old string, most int) (bool, error) {
	if new == old {
		return true, nil
	}
	if _, _, _, err := o.Info(old); errors.Is(err, ErrNotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	seen := map[string]bool{new: true}
	for todo := []string{new}; len(todo) > 0 && most > 0; most-- {
		parents, err := o.Parents(todo[0])
		if err != nil || slices.Contains(parents, old) {
			return err == nil, err
		}
		todo = todo[1:]
		for _, p := range parents {
			if !seen[p] {
				seen[p] = true
				todo = append(todo, p)
			}
		}
	}
	return false, nil
}

// commit reads a commit.
func (o *Objects) commit(rev string) (CommitInfo, error) {
	oid, kind, data, err := o.Read(rev)
	if err != nil {
		return CommitInfo{}, err
	}
	if kind != "commit" {
		return CommitInfo{}, fmt.Errorf("%s is a %s, not a commit", rev, kind)
	}
	header, message, _ := strings.Cut(string(data), "\n\n")
	c := CommitInfo{Oid: oid, Message: message}
	for line := range strings.SplitSeq(header, "\n") {
		field, value, _ := strings.Cut(line, " ")
		switch field {
		case "parent":
			c.Parents = append(c.Parents, value)
		case "author":
			c.Author = ParseIdentity(value)
		case "committer":
			if _, at, ok := strings.Cut(value, "> "); ok {
				at, _, _ = strings.Cut(at, " ")
				if seconds, err := strconv.ParseInt(at, 10, 64); err == nil {
					c.When = time.Unix(seconds, 0)
				}
			}
		}
	}
	return c, nil
}

func (o *Objects) ask(what, rev string) (string, string, int64, error) {
	if rev == "" || strings.ContainsAny(rev, "\n\x00") {
		return "", "", 0, fmt.Errorf("revision %q: %w", rev, ErrNotFound)
	}
	if _, err := io.WriteString(o.in, what+" "+rev+"\n"); err != nil {
		return "", "", 0, fmt.Errorf("read object %s: %w", rev, err)
	}
	line, err := o.out.ReadString('\n')
	if err != nil {
		return "", "", 0, fmt.Errorf("read object %s: %w", rev, err)
	}
	// "<oid> <type> <size>", or "<rev> missing" where rev may hold spaces.
	f := strings.Fields(line)
	if len(f) == 3 && Oid(f[0]) {
		if size, err := strconv.ParseInt(f[2], 10, 64); err == nil {
			return f[0], f[1], size, nil
		}
	}
	return "", "", 0, fmt.Errorf("revision %q: %w", rev, ErrNotFound)
}

// ReadFile returns the content of the file at path in a commit or tree. The error matches ErrNotFound when it is absent.
func (r *Repo) ReadFile(ctx context.Context, commit, path string) ([]byte, error) {
	spec := commit + ":" + path
	if err := proc.Positional("revision", spec); err != nil {
		return nil, err
	}
	out, err := proc.Output(ctx, r.Cmd("cat-file", "blob", spec))
	if err != nil {
		if s := proc.Stderr(err); strings.Contains(s, "does not exist in") || strings.Contains(s, "Not a valid object name") || strings.Contains(s, "not in") {
			err = ErrNotFound
		}
		return nil, fmt.Errorf("read %s of commit %s: %w", path, Short(commit), err)
	}
	return out, nil
}

// IsAncestor reports whether old is new or among its ancestors.
func (r *Repo) IsAncestor(ctx context.Context, old, new string) (bool, error) {
	if old == new {
		return true, nil
	}
	err := r.run(ctx, proc.Cmd{}, "merge-base", "--is-ancestor", "--end-of-options", old, new)
	if proc.ExitCode(err) == 1 {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("compare %s with %s: %w", Short(old), Short(new), err)
	}
	return true, nil
}

// MergeBase returns the best common ancestor, or "" when there is none.
func (r *Repo) MergeBase(ctx context.Context, a, b string) (string, error) {
	base, err := r.output(ctx, proc.Cmd{}, "merge-base", "--end-of-options", a, b)
	if proc.ExitCode(err) == 1 {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("merge base of %s and %s: %w", Short(a), Short(b), err)
	}
	return base, nil
}

// ErrUnrelated is wrapped by MergeTree when both sides share no history that is here.
var ErrUnrelated = errors.New("the histories have no common commit")

// MergeTree merges two commits in the object database alone. With conflicts,
// tree is of no use and conflicts names the files.
func (r *Repo) MergeTree(ctx context.Context, ours, theirs string) (tree string, conflicts []string, err error) {
	out, err := proc.Output(ctx, r.Cmd("merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", ours, theirs))
	fields := strings.Split(strings.TrimRight(string(out), "\x00"), "\x00")
	switch {
	case err == nil && Oid(fields[0]):
		return fields[0], nil, nil
	case proc.ExitCode(err) == 1 && Oid(fields[0]):
		return "", dedupe(fields[1:]), nil
	case strings.Contains(proc.Stderr(err), "unrelated histories"):
		err = ErrUnrelated
	}
	return "", nil, fmt.Errorf("merge %s with %s: %w", Short(ours), Short(theirs), err)
}

func dedupe(in []string) []string {
	var out []string
	for _, s := range in {
		if s != "" && (len(out) == 0 || out[len(out)-1] != s) {
			out = append(out, s)
		}
	}
	return out
}

// Relation says how two commits stand to each other.
type Relation int

const (
	Same     Relation = iota
	Ahead             // ours has everything of theirs
	Behind            // theirs has everything of ours
	Diverged          // both have something of their own
)

// Relate compares two commits. Without a common commit the error matches
// ErrUnrelated; in a shallow clone that may only mean that it is not here.
func (r *Repo) Relate(ctx context.Context, ours, theirs string) (Relation, error) {
	if ours == theirs {
		return Same, nil
	}
	switch base, err := r.MergeBase(ctx, ours, theirs); {
	case err != nil:
		return 0, err
	case base == "":
		return 0, fmt.Errorf("compare %s with %s: %w", Short(ours), Short(theirs), ErrUnrelated)
	case base == theirs:
		return Ahead, nil
	case base == ours:
		return Behind, nil
	}
	return Diverged, nil
}

// Subjects returns the first lines of the commits that new has and old has not, newest first, merges left out.
func (r *Repo) Subjects(ctx context.Context, old, new string) ([]string, error) {
	out, err := r.output(ctx, proc.Cmd{}, "log", "--no-merges", "--no-show-signature", "--format=%s", old+".."+new, "--")
	if err != nil || out == "" {
		return nil, err
	}
	return strings.Split(out, "\n"), nil
}
