package network

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
)

func TestTell(t *testing.T) {
	db := Remote{Name: "database", Node: "db", Branch: "main"}
	local := map[string]string{
		"refs/remotes/database/main":          "b2",
		"refs/deploy/nodes/database/log":      "l2",
		"refs/deploy/nodes/database/current":  "c1",
		"refs/deploy/nodes/database/branch":   "b2",
		"refs/deploy/nodes/database/failed/x": "f1",
	}
	newer := func(a, b string) bool { return a == "l2" && b == "l1" }
	for name, test := range map[string]struct{ there, want []string }{
		"nothing there": {nil, []string{"b2:refs/nodes/db/heads/main", "l2:refs/nodes/db/deploy/log", "+c1:refs/nodes/db/deploy/current", "+b2:refs/nodes/db/deploy/branch"}},
		"older there": {[]string{"heads/main b1", "deploy/log l1", "deploy/current c2", "deploy/boot c2", "deploy/branch b2"},
			[]string{"b2:refs/nodes/db/heads/main", "l2:refs/nodes/db/deploy/log", "+c1:refs/nodes/db/deploy/current", ":refs/nodes/db/deploy/boot"}},
		"the same there":  {[]string{"heads/main b2", "deploy/log l2", "deploy/current c9"}, nil},
		"newer there":     {[]string{"heads/main b2", "deploy/log l3", "deploy/current c9"}, nil},
		"branch is older": {[]string{"heads/main b3", "deploy/log l3"}, []string{"b2:refs/nodes/db/heads/main"}}, // git leaves it out
	} {
		there := map[string]string{}
		for _, s := range test.there {
			ref, oid, _ := strings.Cut(s, " ")
			there["refs/nodes/db/"+ref] = oid
		}
		if got := Tell([]Remote{db}, local, there, newer); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	for ref, want := range map[string]bool{
		"refs/nodes/db/deploy/current": true, "refs/nodes/db/deploy/boot": true, "refs/nodes/db/deploy/log": false,
		"refs/nodes/db/heads/main": false, "refs/nodes/db/deploy/x": false, "refs/heads/main": false,
	} {
		if ToldState(ref) != want {
			t.Errorf("%s is state: %v", ref, !want)
		}
	}
}

// TestTakeOver: of two tellers the one whose log goes further counts, whatever the order, and own knowledge is never replaced by less.
func TestTakeOver(t *testing.T) {
	testenv.Need(t, "git")
	repo, err := gitrepo.Init(t.Context(), t.TempDir(), "main")
	if err != nil {
		t.Fatal(err)
	}
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", repo.WorkTree, "-c", "user.name=A", "-c", "user.email=a@b"}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	tree := git("write-tree")
	c1 := git("commit-tree", "-m", "1", tree)
	c2 := git("commit-tree", "-m", "2", "-p", c1, tree)
	c3 := git("commit-tree", "-m", "3", "-p", c2, tree)
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
	tell("mail", c3, c1) // rolled back meanwhile
	takeOver("mail", c3, c1)
	git("update-ref", "refs/deploy/told/db/db/deploy/log", c2) // what a node says of itself by way of others does not count
	takeOver("", c3, c1)
}

func TestAuthors(t *testing.T) {
	commits := map[string]authored{
		"m": {"Ada", []string{"a", "b"}}, "a": {"Ada", []string{"old"}}, "b": {"Bob", []string{"a"}}, "other": {"Eve", nil},
	}
	got := authors(commits, "m")
	if !slices.Equal(got, []Author{{"Ada", 2}, {"Bob", 1}}) {
		t.Errorf("%v", got)
	}
	if got := authors(commits, "old"); got != nil {
		t.Errorf("nothing new: %v", got)
	}
}
