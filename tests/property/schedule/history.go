package schedule

import (
	"fmt"
	"slices"
)

// History is the commits of a network as the oracle sees them: who follows
// whom, and which places each commit wrote. From that alone it tells what every
// tree must hold, without any merge: a place holds the last that was written
// there. It is not safe for concurrent use.
type History struct {
	index map[string]int
	all   []commit
}

type commit struct {
	parents []int
	reach   set
	heads   map[string][]int // of each place, the commits whose writing nobody here has replaced
	writes  map[string]string
}

// set is a set of small numbers.
type set []uint64

func (s set) has(i int) bool { return i/64 < len(s) && s[i/64]&(1<<(i%64)) != 0 }

func (s set) with(t set) set {
	if len(t) > len(s) {
		s, t = t, s
	}
	s = slices.Clone(s)
	for i := range t {
		s[i] |= t[i]
	}
	return s
}

// Add adds a commit after its parents. writes is what it wrote itself, by
// place, each time something that nobody wrote before, or "" where it removed
// the place, which nobody may write again; what a merge takes over
// from its parents it has not written. force says that it has taken over all
// from its first parent, as a merge by --force; that must have written anew
// where the others would change it (Changes), or the oracle, as a merge, could
// not tell an old text that is meant from one that is out of date.
func (h *History) Add(id string, parents []string, writes map[string]string, force bool) {
	if h.index == nil {
		h.index = map[string]int{}
	}
	if h.Has(id) {
		return
	}
	n := len(h.all)
	c := commit{writes: writes, reach: make(set, n/64+1)}
	c.reach[n/64] |= 1 << (n % 64)
	for _, p := range parents {
		i, ok := h.index[p]
		if !ok {
			panic(fmt.Sprintf("commit %s comes before its parent %s", id, p))
		}
		c.parents = append(c.parents, i)
		c.reach = c.reach.with(h.all[i].reach)
	}
	taken := c.parents
	if force {
		taken = taken[:1]
	}
	c.heads = h.join(taken)
	for place := range writes {
		c.heads[place] = []int{n}
	}
	h.index[id] = n
	h.all = append(h.all, c)
}

// join says who wrote what a merge of commits holds: of each place, what no
// other of them knows and has replaced.
func (h *History) join(commits []int) map[string][]int {
	heads := map[string][]int{}
	for _, i := range commits {
		for place, writers := range h.all[i].heads {
			for _, w := range writers {
				replaced := slices.ContainsFunc(commits, func(j int) bool {
					return h.all[j].reach.has(w) && !slices.Contains(h.all[j].heads[place], w)
				})
				if !replaced && !slices.Contains(heads[place], w) {
					heads[place] = append(heads[place], w)
				}
			}
		}
	}
	return heads
}

// Has reports whether the commit was added.
func (h *History) Has(id string) bool { _, ok := h.index[id]; return ok }

// Contains reports whether old is id or one of those before it.
func (h *History) Contains(id, old string) bool {
	i, ok := h.index[id]
	j, also := h.index[old]
	return ok && also && h.all[i].reach.has(j)
}

// Want returns what a merge of commits holds (of one: what it holds itself), by
// place, and the places about which they disagree, sorted.
func (h *History) Want(ids ...string) (holds map[string]string, conflicts []string) {
	var commits []int
	for _, id := range ids {
		i, ok := h.index[id]
		if !ok {
			panic("no commit " + id)
		}
		commits = append(commits, i)
	}
	holds = map[string]string{}
	for place, writers := range h.join(commits) {
		value := h.all[writers[0]].writes[place]
		switch {
		case slices.ContainsFunc(writers, func(w int) bool { return h.all[w].writes[place] != value }):
			conflicts = append(conflicts, place)
		case value != "":
			holds[place] = value
		}
	}
	slices.Sort(conflicts)
	return holds, conflicts
}

// Changes are the places of ours that a merge with theirs would change, sorted.
func (h *History) Changes(ours, theirs string) []string {
	have, _ := h.Want(ours)
	holds, places := h.Want(ours, theirs)
	for place, value := range holds {
		if have[place] != value {
			places = append(places, place)
		}
	}
	for place := range have {
		if holds[place] == "" && !slices.Contains(places, place) {
			places = append(places, place)
		}
	}
	slices.Sort(places)
	return places
}
