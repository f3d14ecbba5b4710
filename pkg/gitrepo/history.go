package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
)

// History reads commits in-process, and remembers their parents, so that
// many questions about one history cost little; git's commit-graph is used
// where there is one. What go-git cannot read
// (SHA-256, partial clones, alternates of alternates) the git program reads.
// It sees the repository as it was opened, and is not safe for concurrent use.
type History struct {
	repo     *Repo
	ctx      context.Context
	store    func() *gogit.Repository // opened when it is needed; nil: go-git does not know this kind of repository
	objects  *Objects                 // started when it is needed
	shallow  map[string]bool          // commits whose parents are not here
	ancestry *ancestry
	sets     map[int32]*set // ancestors, the commit itself included
}

// set is a set of commits by their numbers.
type set struct {
	bits  []uint64
	count int
}

func (s *set) has(n int32) bool {
	return int(n/64) < len(s.bits) && s.bits[n/64]&(1<<(n%64)) != 0
}

func (s *set) add(n int32) {
	for int(n/64) >= len(s.bits) {
		s.bits = append(s.bits, 0)
	}
	s.bits[n/64] |= 1 << (n % 64)
	s.count++
}

// CommitInfo is a commit that was read.
type CommitInfo struct {
	Oid     string
	Parents []string
	Author  Identity
	When    time.Time // it was committed
	Message string
}

// Subject is the first line of the message.
func (c CommitInfo) Subject() string {
	line, _, _ := strings.Cut(c.Message, "\n")
	return line
}

// History opens the history. The caller closes it.
func (r *Repo) History(ctx context.Context) (*History, error) {
	h := &History{repo: r, ctx: ctx, shallow: map[string]bool{}, ancestry: r.ancestry(), sets: map[int32]*set{}}
	h.store = sync.OnceValue(func() *gogit.Repository {
		store, err := gogit.PlainOpenWithOptions(r.GitDir, &gogit.PlainOpenOptions{EnableDotGitCommonDir: true})
		if err != nil {
			return nil
		}
		return store
	})
	shallow, err := r.shallow()
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	for _, oid := range shallow {
		h.shallow[oid] = true
	}
	return h, nil
}

// Close ends what reading needed.
func (h *History) Close() {
	if h.objects != nil {
		h.objects.Close()
	}
}

// Commit reads one commit.
func (h *History) Commit(oid string) (CommitInfo, error) {
	if store := h.store(); store != nil && len(oid) == 40 {
		commit, err := store.CommitObject(plumbing.NewHash(oid))
		if err == nil {
			c := CommitInfo{
				Oid: oid, Message: commit.Message,
				Author: Identity{commit.Author.Name, commit.Author.Email}, When: commit.Committer.When,
			}
			for _, p := range commit.ParentHashes {
				c.Parents = append(c.Parents, p.String())
			}
			return h.keep(c), nil
		}
	}
	if h.objects == nil {
		objects, err := h.repo.Objects(h.ctx)
		if err != nil {
			return CommitInfo{}, err
		}
		h.objects = objects
	}
	c, err := h.objects.commit(oid)
	if err != nil {
		return c, err
	}
	return h.keep(c), nil
}

func (h *History) keep(c CommitInfo) CommitInfo {
	if h.shallow[c.Oid] {
		c.Parents = nil
	}
	return c
}

// Log calls f for from and its first parents, newest first, until f returns false.
func (h *History) Log(from string, f func(CommitInfo) bool) error {
	for oid := from; oid != ""; {
		c, err := h.Commit(oid)
		if err != nil {
			return err
		}
		if !f(c) || len(c.Parents) == 0 {
			return nil
		}
		oid = c.Parents[0]
	}
	return nil
}

// AheadBehind counts the commits that only ours has and those that only theirs has.
func (h *History) AheadBehind(ours, theirs string) (ahead, behind int, err error) {
	mine, err := h.ancestors(h.ancestry.number(ours))
	if err != nil {
		return 0, 0, fmt.Errorf("compare %s with %s: %w", Short(ours), Short(theirs), err)
	}
	var meet []int32 // where their history reaches ours
	err = h.walk([]int32{h.ancestry.number(theirs)}, func(n int32) bool {
		if mine.has(n) {
			meet = append(meet, n)
			return false
		}
		behind++
		return true
	})
	if err != nil {
		return 0, 0, fmt.Errorf("compare %s with %s: %w", Short(ours), Short(theirs), err)
	}
	common := 0
	err = h.walk(meet, func(int32) bool { common++; return true })
	return mine.count - common, behind, err
}

// IsAncestor reports whether old is new or among its ancestors. For many new
// ones that old has already, which is quick to see, old's ancestors are remembered.
func (h *History) IsAncestor(old, new string) (bool, error) {
	target, found := h.ancestry.number(old), false
	mine, err := h.ancestors(target)
	if err == nil {
		err = h.walk([]int32{h.ancestry.number(new)}, func(n int32) bool {
			found = found || n == target
			return !found && !mine.has(n)
		})
	}
	if err != nil {
		return false, fmt.Errorf("compare %s with %s: %w", Short(old), Short(new), err)
	}
	return found, nil
}

// ancestors returns a commit and all commits before it.
func (h *History) ancestors(n int32) (*set, error) {
	if s, ok := h.sets[n]; ok {
		return s, nil
	}
	s := &set{}
	err := h.walk([]int32{n}, func(n int32) bool { s.add(n); return true })
	if err == nil {
		h.sets[n] = s
	}
	return s, err
}

// walk visits from and what comes before, each commit once, in no particular
// order; it does not go past a commit for which visit returns false.
func (h *History) walk(from []int32, visit func(n int32) bool) error {
	a := h.ancestry
	a.walks++
	todo := append([]int32(nil), from...)
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if a.seen[n] == a.walks {
			continue
		}
		a.seen[n] = a.walks
		if !visit(n) {
			continue
		}
		parents, err := h.parentsOf(n)
		if err != nil {
			return err
		}
		todo = append(todo, parents...)
	}
	return nil
}

// Records reads the newest n entries (all for n <= 0) of the deployment log whose newest commit is log, newest first.
func (h *History) Records(log string, n int) ([]Record, error) {
	var records []Record
	var errs error
	err := h.Log(log, func(c CommitInfo) bool {
		r, err := ParseRecord(c.Message)
		if err != nil {
			errs = err
			return false
		}
		records = append(records, r)
		return n <= 0 || len(records) < n
	})
	return records, errors.Join(errs, err)
}
