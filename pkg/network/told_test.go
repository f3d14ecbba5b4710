package network

import (
	"slices"
	"strings"
	"testing"
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
