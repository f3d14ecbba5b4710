package graph

// Layout is where everything of a Graph is: commits in rows from the top and
// lanes from the left, lines between them, and how far each node's track goes.
type Layout struct {
	*Graph
	Lanes  int    // how many there are
	Lane   []int  // of each commit
	Edges  []Edge // children before parents
	Tracks []Track
}

// Edge is a line from a commit down to one of its parents. Between the two it
// keeps to Lane; it turns to it in the child's row and from it in the parent's.
type Edge struct {
	Child, Parent int // rows; Parent is one past the last row where the parent is not shown
	Lane          int
	Node          string // whose colour it has; "" is the line of HEAD
	Merge         bool   // to a parent that is not the first
}

// Track is the extent of a node's deployments, in rows; Bottom is -1 where it has none.
type Track struct{ Top, Bottom int }

// Arrange places the commits: the first parents of HEAD keep the first lane,
// and a line keeps its lane for as long as it lives.
func Arrange(g *Graph) *Layout {
	l := &Layout{Graph: g, Lanes: 1, Lane: make([]int, len(g.Commits))}
	row := rowsOf(g)
	trunk := trunkOf(g, row)
	a := arranger{Layout: l, row: row, want: []string{""}}
	for i, c := range g.Commits {
		a.place(i, c, trunk[c.ID])
	}
	for _, open := range a.open {
		for _, e := range open {
			l.Edges = append(l.Edges, Edge{e.Child, len(g.Commits), e.Lane, e.Node, e.Merge})
		}
	}
	for i := range g.Nodes {
		l.Tracks = append(l.Tracks, trackOf(g, &g.Nodes[i]))
	}
	return l
}

func rowsOf(g *Graph) map[string]int {
	row := make(map[string]int, len(g.Commits))
	for i, c := range g.Commits {
		row[c.ID] = i
	}
	return row
}

// trunkOf are the first parents of HEAD.
func trunkOf(g *Graph, row map[string]int) map[string]bool {
	trunk := map[string]bool{}
	for id := g.Head; id != "" && !trunk[id]; {
		i, ok := row[id]
		if !ok {
			break
		}
		trunk[id] = true
		if id = ""; len(g.Commits[i].Parents) > 0 {
			id = g.Commits[i].Parents[0]
		}
	}
	return trunk
}

type arranger struct {
	*Layout
	row  map[string]int
	want []string // the commit that a lane leads to, "" where it is free
	open map[string][]Edge
}

// place gives the commit in row i its lane, ends the lines that lead to it and begins those to its parents.
func (a *arranger) place(i int, c Commit, trunk bool) {
	if a.open == nil {
		a.open = map[string][]Edge{}
	}
	lane := -1
	var ended []int
	for at, id := range a.want {
		if id == c.ID {
			ended = append(ended, at)
			if lane < 0 {
				lane = at
			}
		}
	}
	switch {
	case trunk:
		lane = 0
	case lane < 0:
		lane = a.free(1, nil)
	}
	a.Lane[i] = lane
	for _, e := range a.open[c.ID] {
		e.Parent = i
		a.Edges = append(a.Edges, e)
	}
	delete(a.open, c.ID)
	for _, at := range ended {
		a.want[at] = ""
	}
	for n, parent := range c.Parents {
		if parent == c.ID {
			continue
		}
		e := Edge{Child: i, Lane: lane, Node: c.Node, Merge: n > 0}
		if n > 0 {
			e.Lane = a.toward(parent, lane, ended)
			if p, ok := a.row[parent]; ok {
				e.Node = a.Commits[p].Node
			}
		}
		a.want[e.Lane] = parent
		a.open[parent] = append(a.open[parent], e)
	}
}

// toward returns the lane for the line of a merge: one that leads there
// already, else a free one. One that ended in this row would look as if it went on.
func (a *arranger) toward(parent string, lane int, ended []int) int {
	for at, id := range a.want {
		if id == parent && at != lane {
			return at
		}
	}
	return a.free(lane+1, append(ended, lane))
}

// free returns the first free lane from at on that is not in except.
func (a *arranger) free(at int, except []int) int {
	for ; ; at++ {
		if at == len(a.want) {
			a.want = append(a.want, "")
			a.Lanes = len(a.want)
		}
		if a.want[at] == "" && !contains(except, at) {
			return at
		}
	}
}

func contains(list []int, n int) bool {
	for _, m := range list {
		if m == n {
			return true
		}
	}
	return false
}

func trackOf(g *Graph, n *Node) Track {
	t := Track{Top: len(g.Commits), Bottom: -1}
	for i := range g.Commits {
		if MarkOf(n, &g.Commits[i]) != None || n.Tip == g.Commits[i].ID {
			t.Top, t.Bottom = min(t.Top, i), i
		}
	}
	if g.More && n.Last != nil { // its first deployment is older
		t.Bottom = len(g.Commits) - 1
	}
	return t
}
