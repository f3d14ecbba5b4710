package graph

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/ui"
)

var update = flag.Bool("update", false, "write the golden files anew")

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func id(name string) string {
	return fmt.Sprintf("%x", name) + strings.Repeat("0", 40-2*len(name))
}

// small is a network in which all happens that is drawn: a merge of what a
// node did, a failure on the way, one that is off it, a pin, a boot to come.
func small() *Graph {
	commit := func(name, author, subject string, hours int, parents ...string) Commit {
		c := Commit{ID: id(name), Author: author, Subject: subject, When: noon.Add(-time.Duration(hours) * time.Hour), Parents: []string{}}
		for _, p := range parents {
			c.Parents = append(c.Parents, id(p))
		}
		return c
	}
	g := &Graph{
		Head: id("g"), Branch: "main",
		Commits: []Commit{
			commit("h", "root", "Turn the page", 1, "e"),
			commit("g", "Ada", "Merge what db changed", 2, "f", "d"),
			commit("x", "Bob", "Try a newer kernel, and see how long the line of a subject may get before it is cut", 3, "f"),
			commit("f", "Bob", "VPN: add Bob", 4, "c"),
			commit("e", "Ada", "Serve <b>bold</b> & \"quoted\" pages\x1b[2J", 5, "c"),
			commit("d", "root", "More memory", 6, "b"),
			commit("c", "Ada", "Open port 443", 7, "b"),
			commit("b", "Ada", "Add web and db", 8, "a"),
			commit("a", "Ada", "Begin", 9),
		},
		Nodes: []Node{
			{Name: "backup", Branch: "main"},
			{Name: "db", Branch: "main", Tip: id("g"), Current: id("b"), Boot: id("b"), Pinned: true},
			{Name: "gateway", Branch: "main", Tip: id("f"), Current: id("c"), Boot: id("f")},
			{Name: "web", Branch: "main", Tip: id("h"), Current: id("h"), Boot: id("h")},
		},
	}
	deployed := func(commit, node, by, action string, outcome event.Outcome, hours int, reason string) {
		d := Deployment{Node: node, ID: "20260304-" + commit + node, Action: action, Outcome: outcome, By: by, From: "laptop",
			Reason: reason, Finished: noon.Add(-time.Duration(hours) * time.Hour), Millis: 2500}
		for i := range g.Commits {
			if g.Commits[i].ID == id(commit) {
				g.Commits[i].Deployments = append(g.Commits[i].Deployments, d)
			}
		}
		for i := range g.Nodes {
			if n := &g.Nodes[i]; n.Name == node && (n.Last == nil || n.Last.Finished.Before(d.Finished)) {
				n.Last = &d
			}
		}
	}
	deployed("b", "db", "Bob", "rollback", event.Succeeded, 1, "")
	deployed("b", "db", "Ada", "switch", event.Succeeded, 8, "")
	deployed("g", "db", "Ada", "switch", event.Succeeded, 2, "")
	deployed("d", "db", "root", "switch", event.Succeeded, 6, "")
	deployed("f", "gateway", "Bob", "boot", event.Succeeded, 3, "")
	deployed("c", "gateway", "Ada", "switch", event.Succeeded, 7, "")
	deployed("c", "web", "Ada", "switch", event.Succeeded, 7, "")
	deployed("e", "web", "Ada", "switch", event.Superseded, 5, "a newer commit came first")
	deployed("f", "web", "Bob", "switch", event.RolledBack, 4, "health check \"shop\" failed: http://localhost/ answered 502")
	deployed("x", "gateway", "Bob", "switch", event.Failed, 3, "does not build")
	deployed("h", "web", "root", "switch", event.Succeeded, 1, "")
	g.Paint([]string{"backup", "db", "gateway", "web"})
	g.attribute()
	return g
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what is drawn now (go test ./pkg/graph -update, and look at the difference):\n%s", file, got)
	}
}

func TestTerminal(t *testing.T) {
	l := Arrange(small())
	for name, style := range map[string]ui.Style{
		"terminal-80.txt": {UTF8: true, Width: 80},
		"terminal-40.txt": {UTF8: true, Width: 40},
		"ascii-60.txt":    {Width: 60},
		"plain.txt":       {UTF8: true},
	} {
		var plain, coloured bytes.Buffer
		if err := Terminal(&plain, l, style, noon); err != nil {
			t.Fatal(err)
		}
		golden(t, name, plain.Bytes())
		for line := range strings.Lines(plain.String()) {
			if w := ui.Width(strings.TrimRight(line, "\n")); style.Width > 0 && w > style.Width {
				t.Errorf("%s: a line of %d columns: %s", name, w, line)
			}
			if strings.ContainsRune(line, 0x1b) {
				t.Errorf("%s: an escape sequence: %q", name, line)
			}
		}
		// Colour only adds.
		style.Color = true
		if err := Terminal(&coloured, l, style, noon); err != nil {
			t.Fatal(err)
		}
		bare := regexp.MustCompile(`\x1b\[[0-9]*m`).ReplaceAll(coloured.Bytes(), nil)
		bare = regexp.MustCompile(` +\n`).ReplaceAll(bare, []byte("\n"))
		if !bytes.Equal(bare, plain.Bytes()) || coloured.Len() == plain.Len() {
			t.Errorf("%s: without its colours it is something else:\n%s", name, bare)
		}
	}
}

func TestSVG(t *testing.T) {
	var out bytes.Buffer
	if err := SVG(&out, Arrange(small())); err != nil {
		t.Fatal(err)
	}
	golden(t, "small.svg", out.Bytes())
	selfContained(t, out.String())
	// A viewer that knows no variables has a colour in each place.
	literals := regexp.MustCompile(`(?:fill|stroke): #[0-9a-f]{6}(?: !important)?; (?:fill|stroke): var\(`).FindAllString(out.String(), -1)
	if uses := regexp.MustCompile(`(?:fill|stroke): var\(`).FindAllString(out.String(), -1); len(uses) == 0 || len(literals) != len(uses) {
		t.Errorf("%d of %d variables have a colour beside them", len(literals), len(uses))
	}
}

func TestHTML(t *testing.T) {
	g := small()
	g.Commits[0].Subject = "</script><script>alert(1)</script>"
	var out bytes.Buffer
	if err := HTML(&out, Arrange(g)); err != nil {
		t.Fatal(err)
	}
	page := out.String()
	selfContained(t, page)
	if strings.Contains(page, "<script>alert") || strings.Contains(page, "%!") {
		t.Error("a subject became part of the page, or the page's form is broken")
	}
	_, rest, _ := strings.Cut(page, `id="data">`)
	data, _, ok := strings.Cut(rest, "</script>")
	var back Graph
	if err := json.Unmarshal([]byte(data), &back); err != nil || !ok {
		t.Fatalf("the page's data: %v", err)
	}
	if len(back.Commits) != len(g.Commits) || back.Commits[0].Subject != g.Commits[0].Subject || len(back.Commits[3].Deployments) != 2 {
		t.Errorf("the page's data is not the graph: %+v", back)
	}
}

// selfContained fails where a picture or page would load something.
func selfContained(t *testing.T, text string) {
	t.Helper()
	text = strings.ReplaceAll(text, `xmlns="http://www.w3.org/2000/svg"`, "")
	if found := regexp.MustCompile(`(?i)(\bsrc\s*=|\bhref\s*=|url\s*\(|@import|<link|<img|<iframe|fetch\s*\(|XMLHttpRequest)`).FindString(text); found != "" {
		t.Errorf("it holds %q, and so may load something", found)
	}
}

// Whatever the history: lines do not share a lane unless they lead to the same
// commit, and nothing is drawn over a commit.
func TestArrange(t *testing.T) {
	for seed := range int64(300) {
		rnd := rand.New(rand.NewSource(seed))
		n := 1 + rnd.Intn(40)
		g := &Graph{}
		for i := range n {
			c := Commit{ID: id(fmt.Sprint("c", i))}
			for p := i + 1; p < n+3 && len(c.Parents) < 3; p++ { // some are not shown
				if rnd.Intn(4) == 0 || p == i+1 && rnd.Intn(3) > 0 {
					c.Parents = append(c.Parents, id(fmt.Sprint("c", p)))
				}
			}
			rnd.Shuffle(len(c.Parents), func(i, j int) { c.Parents[i], c.Parents[j] = c.Parents[j], c.Parents[i] })
			g.Commits = append(g.Commits, c)
		}
		g.Head = g.Commits[rnd.Intn(n)].ID
		l := Arrange(g)
		trunk := trunkOf(g, rowsOf(g))
		edges := 0
		for i, c := range g.Commits {
			edges += len(c.Parents)
			if trunk[c.ID] != (l.Lane[i] == 0) {
				t.Errorf("seed %d: commit %d is in lane %d, on HEAD's line: %v", seed, i, l.Lane[i], trunk[c.ID])
			}
		}
		if len(l.Edges) != edges {
			t.Errorf("seed %d: %d edges for %d parents", seed, len(l.Edges), edges)
		}
		used := map[[2]int]int{} // lane between a row and the next: the parent
		for _, e := range l.Edges {
			if e.Parent <= e.Child || e.Lane >= l.Lanes {
				t.Fatalf("seed %d: %+v", seed, e)
			}
			for row := e.Child; row < e.Parent; row++ {
				if row > e.Child && l.Lane[row] == e.Lane {
					t.Errorf("seed %d: %+v goes through the commit in row %d", seed, e, row)
				}
				if e.Parent == n { // commits that are not shown are several
					continue
				}
				at := [2]int{row, e.Lane}
				if other, ok := used[at]; ok && other != e.Parent {
					t.Errorf("seed %d: two lines in lane %d below row %d", seed, e.Lane, row)
				}
				used[at] = e.Parent
			}
		}
		var out bytes.Buffer
		if err := Terminal(&out, l, ui.Style{UTF8: true}, noon); err != nil {
			t.Fatal(err)
		}
	}
}

func TestColors(t *testing.T) {
	before := colors([]string{"alpha", "beta", "gamma", "delta"})
	seen := map[int]bool{}
	for name, c := range before {
		if seen[c] || c < 0 || c >= Colors {
			t.Errorf("%s has colour %d, as another has", name, c)
		}
		seen[c] = true
	}
	many := make([]string, 100)
	for i := range many {
		many[i] = fmt.Sprint("node", i)
	}
	count := map[int]int{}
	for _, c := range colors(many) {
		count[c]++
	}
	for c, n := range count {
		if n > 100/Colors+1 {
			t.Errorf("%d of 100 nodes have colour %d", n, c)
		}
	}
}
