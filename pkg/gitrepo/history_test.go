package gitrepo

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// randomHistory makes n commits with up to three parents each and returns their ids.
func randomHistory(t *testing.T, r *Repo, n int) []string {
	t.Helper()
	tree, err := r.RevParse(t.Context(), "HEAD^{tree}")
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	var oids []string
	for i := range n {
		c := Commit{Tree: tree, Message: fmt.Sprintf("commit %d\n\nbody\n", i)}
		for range min(i, random.IntN(4)) {
			p := oids[random.IntN(len(oids))]
			if len(c.Parents) == 0 || c.Parents[0] != p {
				c.Parents = append(c.Parents, p)
			}
		}
		oid, err := r.CommitTree(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		oids = append(oids, oid)
	}
	return oids
}

// In every kind of repository the counts are those of git rev-list.
func TestAheadBehindIsGits(t *testing.T) {
	r, dir := newRepo(t)
	oids := randomHistory(t, r, 40)
	for i, oid := range oids {
		git(t, dir, "update-ref", fmt.Sprintf("refs/heads/b%d", i), oid)
	}
	packed := filepath.Join(t.TempDir(), "packed")
	git(t, "", "clone", "-q", "--bare", dir, packed)
	borrowing := filepath.Join(t.TempDir(), "borrowing")
	git(t, "", "clone", "-q", "--shared", "--bare", packed, borrowing)
	linked := filepath.Join(t.TempDir(), "linked")
	git(t, dir, "worktree", "add", "-q", "--detach", linked)
	// With git's commit-graph: of all commits, of some, and as a chain of files.
	graphs := map[string][][]string{"graph": {{"--reachable"}}, "some": {nil}, "chain": {{"--split=no-merge"}, {"--split=no-merge"}}}
	all := []string{dir, packed, borrowing, linked}
	for name, writes := range graphs {
		at := filepath.Join(t.TempDir(), name)
		git(t, "", "clone", "-q", "--bare", dir, at)
		for i, flags := range writes {
			commits := strings.Join(oids[:len(oids)/4*(i+1)], "\n")
			cmd := exec.Command("git", append([]string{"-C", at, "commit-graph", "write", "--no-progress"}, flags...)...)
			if !slices.Contains(flags, "--reachable") {
				cmd.Args = append(cmd.Args, "--stdin-commits")
				cmd.Stdin = strings.NewReader(commits)
			}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
			}
		}
		r, err := OpenBare(at)
		if err != nil {
			t.Fatal(err)
		}
		if n := r.ancestry().base; n == 0 || n == int32(len(oids)) && name != "graph" {
			t.Fatalf("%s: the commit-graph holds %d of %d commits", name, n, len(oids))
		}
		all = append(all, at)
	}
	for _, at := range all {
		r, err := Open(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		h, err := r.History(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i := range oids {
			a, b := oids[i], oids[(i*7+3)%len(oids)]
			ahead, behind, err := h.AheadBehind(a, b)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := fmt.Sprintf("%d\t%d", ahead, behind), git(t, at, "rev-list", "--left-right", "--count", a+"..."+b); got != want {
				t.Errorf("%s: %s...%s: got %s, want %s", at, a, b, got, want)
			}
		}
		if _, _, err := h.AheadBehind(oids[0], "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef"); err == nil {
			t.Error("compared with a commit that is not there")
		}
		h.Close()
	}
}

func TestHistoryOfOtherKinds(t *testing.T) {
	world(t)
	for _, c := range []struct {
		name string
		make func(dir string) error
	}{
		{"sha256", func(dir string) error { git(t, "", "init", "-q", "--object-format=sha256", dir); return nil }},
		{"shallow", func(dir string) error {
			full := dir + "-full"
			git(t, "", "init", "-q", full)
			for i := range 3 {
				commit(t, full, "f", fmt.Sprint(i))
			}
			git(t, "", "clone", "-q", "--depth=1", "file://"+full, dir)
			return nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "r")
			if err := c.make(dir); err != nil {
				t.Fatal(err)
			}
			first := commit(t, dir, "f", "a")
			second := commit(t, dir, "f", "b")
			r, err := Open(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			h, err := r.History(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			if ahead, behind, err := h.AheadBehind(second, first); ahead != 1 || behind != 0 || err != nil {
				t.Errorf("AheadBehind = %d, %d, %v", ahead, behind, err)
			}
			var subjects []string
			if err := h.Log(second, func(c CommitInfo) bool {
				subjects = append(subjects, c.Subject())
				return true
			}); err != nil || subjects[0] != "change f" {
				t.Errorf("Log: %q, %v", subjects, err)
			}
		})
	}
}

func TestRecords(t *testing.T) {
	r, dir := newRepo(t)
	rec := sample()
	rec.Commit = git(t, dir, "rev-parse", "HEAD")
	var tip string
	for i := range 5 {
		rec.Reason = fmt.Sprint("reason ", i)
		var err error
		if tip, err = appendLog(t, r, rec); err != nil {
			t.Fatal(err)
		}
	}
	h, err := r.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	records, err := h.Records(tip, 2)
	if err != nil || len(records) != 2 || records[0].Reason != "reason 4" || records[1].Reason != "reason 3" {
		t.Errorf("Records = %+v, %v", records, err)
	}
	if records, err := h.Records(tip, 0); err != nil || len(records) != 5 {
		t.Errorf("%d records, %v", len(records), err)
	}
	if _, err := h.Records(rec.Commit, 0); err == nil {
		t.Error("took an ordinary commit for an entry")
	}
}

func TestReaches(t *testing.T) {
	r, _ := newRepo(t)
	oids := randomHistory(t, r, 40)
	objects, err := r.Objects(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer objects.Close()
	newest, absent := oids[len(oids)-1], strings.Repeat("1", 40)
	if found, err := objects.Reaches(newest, absent, 100); found || err != nil || len(objects.parents) > 0 {
		t.Errorf("what is not here: %v, %v, after %d commits", found, err, len(objects.parents))
	}
	for _, old := range oids {
		want, err := r.IsAncestor(t.Context(), old, newest)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := objects.Reaches(newest, old, 100); got != want || err != nil {
			t.Errorf("%s: %v, %v; git says %v", old, got, err, want)
		}
	}
	first := commit(t, r.WorkTree, "a", "1")
	commit(t, r.WorkTree, "a", "2")
	third := commit(t, r.WorkTree, "a", "3")
	for most, want := range []bool{false, false, true} {
		if got, err := objects.Reaches(third, first, most); got != want || err != nil {
			t.Errorf("at most %d: %v, %v", most, got, err)
		}
	}
}
