package network

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
)

// toldRepo is an empty repository, and git in it.
func toldRepo(t *testing.T) (*gitrepo.Repo, func(args ...string) string) {
	t.Helper()
	testenv.Need(t, "git")
	repo, err := gitrepo.Init(t.Context(), t.TempDir(), "main")
	if err != nil {
		t.Fatal(err)
	}
	return repo, func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", repo.WorkTree, "-c", "user.name=A", "-c", "user.email=a@b"}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
}

// line makes three commits, one on the other.
func line(git func(args ...string) string) (c1, c2, c3 string) {
	tree := git("write-tree")
	c1 = git("commit-tree", "-m", "1", tree)
	c2 = git("commit-tree", "-m", "2", "-p", c1, tree)
	return c1, c2, git("commit-tree", "-m", "3", "-p", c2, tree)
}

// TestTakeOver: of two tellers the one whose log goes further counts, whatever the order, and own knowledge is never replaced by less.
func TestTakeOver(t *testing.T) {
	repo, git := toldRepo(t)
	c1, c2, c3 := line(git)
	remotes := []Remote{{Name: "db", Node: "db", Branch: "main"}, {Name: "web", Node: "web", Branch: "main"}}
	tell := func(teller, log, current string) {
		git("update-ref", "refs/deploy/told/"+teller+"/db/deploy/log", log)
		git("update-ref", "refs/deploy/told/"+teller+"/db/deploy/current", current)
		git("update-ref", "refs/deploy/told/"+teller+"/db/heads/main", log)
	}
	takeOver := func(by, log, current string) {
		t.Helper()
		got, err := TakeOver(t.Context(), repo, remotes)
		if err != nil || got["db"] != by {
			t.Errorf("taken over from %q, want %q: %v", got["db"], by, err)
		}
		for ref, want := range map[string]string{"refs/deploy/nodes/db/log": log, "refs/deploy/nodes/db/current": current, "refs/remotes/db/main": log} {
			if now := git("rev-parse", ref); now != want {
				t.Errorf("%s is %s, want %s", ref, now, want)
			}
		}
	}
	tell("web", c2, c2)
	tell("mail", c1, c1)
	takeOver("web", c2, c2)
	takeOver("", c2, c2)
	tell("web", c1, c1) // an old story
	takeOver("", c2, c2)
	git("pack-refs", "--all")
	takeOver("", c2, c2) // the state of what is told is known now
	tell("mail", c3, c1) // rolled back meanwhile
	takeOver("mail", c3, c1)
	git("update-ref", "refs/deploy/told/db/db/deploy/log", c2) // what a node says of itself by way of others does not count
	takeOver("", c3, c1)
}

// TestTakeOverRemembers: whatever was told before, and whatever happened to what is remembered
// of it, the outcome is that of a clone which remembers nothing.
func TestTakeOverRemembers(t *testing.T) {
	repo, git := toldRepo(t)
	tree := git("write-tree")
	commits := []string{git("commit-tree", "-m", "0", tree)}
	for i := range 7 { // with a side branch now and then
		args := []string{"commit-tree", "-m", fmt.Sprint(i), "-p", commits[max(0, len(commits)-1-i%3)], tree}
		commits = append(commits, git(args...))
	}
	remotes := []Remote{{Name: "db", Node: "db", Branch: "main"}, {Name: "web", Node: "www", Branch: "main"}, {Name: "mail", Node: "mail", Branch: "main"}}
	const seed = 4
	random := rand.New(rand.NewPCG(seed, 0))
	state := func() map[string]string {
		refs, err := repo.Refs(t.Context(), "refs/remotes", "refs/deploy/nodes")
		if err != nil {
			t.Fatal(err)
		}
		return refs
	}
	takeOver := func() {
		t.Helper()
		if _, err := TakeOver(t.Context(), repo, remotes); err != nil {
			t.Fatal(err)
		}
	}
	for step := range 25 {
		var refs strings.Builder
		for range 1 + random.IntN(3) {
			teller, about := remotes[random.IntN(3)], remotes[random.IntN(3)]
			ref := []string{"heads/main", "deploy/log", "deploy/current", "deploy/boot"}[random.IntN(4)]
			name := toldPrefix + teller.Name + "/" + about.Node + "/" + ref
			if random.IntN(3) == 0 { // learned from the node itself
				name = about.tracked("refs/" + ref)
			}
			fmt.Fprintf(&refs, "update-ref %s %s\n", name, commits[random.IntN(len(commits))])
		}
		for args := range strings.Lines(refs.String()) {
			git(strings.Fields(args)...)
		}
		if step%5 == 1 {
			git("pack-refs", "--all") // and then the told refs are known by their state
		}
		file := settledFile(repo)
		switch step % 8 {
		case 2:
			_ = os.Remove(file)
		case 3:
			for _, r := range remotes { // what is remembered of one is another's
				writeSettled(repo, map[string]string{r.Name: "0", "db": readSettled(repo)["web"]})
			}
		case 4:
			if err := os.WriteFile(file, []byte(`{"db": 7`), 0o644); err != nil {
				t.Fatal(err)
			}
		case 5:
			if err := os.WriteFile(file, []byte("null"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		before := state()
		takeOver()
		got := state()
		// Again from the same refs, with nothing remembered.
		for ref := range got {
			if before[ref] == "" {
				git("update-ref", "-d", ref)
			} else if before[ref] != got[ref] {
				git("update-ref", ref, before[ref])
			}
		}
		for ref, oid := range before {
			if got[ref] == "" {
				git("update-ref", ref, oid)
			}
		}
		if err := os.RemoveAll(file); err != nil {
			t.Fatal(err)
		}
		takeOver()
		if want := state(); !maps.Equal(got, want) {
			t.Fatalf("step %d (seed %d): %v, and with nothing remembered %v", step, seed, got, want)
		}
		takeOver() // remembers
		takeOver()
		if again := state(); !maps.Equal(got, again) {
			t.Fatalf("step %d (seed %d): %v, once more %v", step, seed, got, again)
		}
	}
	if len(readSettled(repo)) == 0 || readSettled(repo)[""] == "" {
		t.Error("nothing is remembered")
	}
}

// Several at once end as one alone, with what each remembers being true.
func TestTakeOverAtOnce(t *testing.T) {
	repo, git := toldRepo(t)
	c1, c2, c3 := line(git)
	remotes := []Remote{{Name: "db", Node: "db", Branch: "main"}, {Name: "web", Node: "web", Branch: "main"}}
	for _, now := range []string{c1, c2, c3} {
		git("update-ref", toldPrefix+"web/db/deploy/log", now)
		git("update-ref", toldPrefix+"db/web/heads/main", now)
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				// git may find a ref locked; what counts is that nothing false stays behind.
				_, _ = TakeOver(t.Context(), repo, remotes[i%2:])
			})
		}
		wg.Wait()
		if _, err := TakeOver(t.Context(), repo, remotes); err != nil {
			t.Fatal(err)
		}
		for _, ref := range []string{"refs/deploy/nodes/db/log", "refs/remotes/web/main"} {
			if got := git("rev-parse", ref); got != now {
				t.Errorf("%s is %s, want %s", ref, got, now)
			}
		}
	}
}

// What is cut off may continue later: a shallow clone remembers nothing.
func TestTakeOverOfAShallowClone(t *testing.T) {
	repo, git := toldRepo(t)
	c1, _, c3 := line(git)
	shallow := repo.CommonDir + "/shallow"
	if err := os.WriteFile(shallow, []byte(c3+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	git("update-ref", "refs/deploy/nodes/db/log", c1)
	git("update-ref", toldPrefix+"web/db/deploy/log", c3)
	remotes := []Remote{{Name: "db", Node: "db", Branch: "main"}, {Name: "web", Node: "web", Branch: "main"}}
	for _, want := range []string{"", "web"} {
		got, err := TakeOver(t.Context(), repo, remotes)
		if err != nil || got["db"] != want {
			t.Errorf("from %q, want %q: %v", got["db"], want, err)
		}
		if want == "" {
			if err := os.Remove(shallow); err != nil { // as git fetch --unshallow does
				t.Fatal(err)
			}
		}
	}
}

// Many loose refs are packed, unless the user does not want that.
func TestToldRefsArePacked(t *testing.T) {
	repo, git := toldRepo(t)
	c1, _, _ := line(git)
	for i := range 12 {
		git("update-ref", fmt.Sprintf("%sweb/n%d/deploy/log", toldPrefix, i), c1)
	}
	packed := func() bool {
		data, err := os.ReadFile(repo.CommonDir + "/packed-refs")
		return err == nil && strings.Contains(string(data), toldPrefix+"web/n11/deploy/log")
	}
	repo.PackRefs(t.Context(), toldPrefix, 12)
	if packed() {
		t.Error("few were packed")
	}
	git("config", "gc.packRefs", "false")
	repo.PackRefs(t.Context(), toldPrefix, 11)
	if packed() {
		t.Error("packed against gc.packRefs")
	}
	git("config", "gc.packRefs", "true")
	repo.PackRefs(t.Context(), toldPrefix, 11)
	if !packed() {
		t.Error("many were not packed")
	}
}
