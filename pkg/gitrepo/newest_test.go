package gitrepo

import (
	"slices"
	"testing"
)

func TestNewest(t *testing.T) {
	r, _ := newRepo(t)
	oids := randomHistory(t, r, 30)
	all, err := r.Newest(t.Context(), oids, 0)
	if err != nil || len(all) != len(oids) {
		t.Fatalf("%d of %d commits, %v", len(all), len(oids), err)
	}
	h, err := r.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	place := map[string]int{}
	for i, c := range all {
		place[c.Oid] = i
	}
	for i, c := range all {
		whole, err := h.Commit(c.Oid)
		if err != nil {
			t.Fatal(err)
		}
		if c.Message != whole.Subject() || c.Author != whole.Author || !c.When.Equal(whole.When) || !slices.Equal(c.Parents, whole.Parents) {
			t.Errorf("git log says %+v, the commit is %+v", c, whole)
		}
		for _, p := range c.Parents {
			if place[p] <= i {
				t.Errorf("%s comes before its child %s", p, c.Oid)
			}
		}
	}
	if some, err := r.Newest(t.Context(), oids, 7); err != nil || len(some) != 7 || some[0].Oid != all[0].Oid {
		t.Errorf("the newest seven: %+v, %v", some, err)
	}
	if _, err := r.Newest(t.Context(), []string{"--all"}, 0); err == nil {
		t.Error("an option was taken for a commit")
	}
}
