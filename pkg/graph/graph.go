// Package graph draws a network's history: the commits of all nodes as one
// graph with its merges, and beside it one track for each node with what was
// deployed there, by whom, and how it ended.
//
// Collect reads a clone and yields plain data (Graph); Arrange gives that a
// place on a grid (Layout) and knows nothing of how it is drawn; Terminal, SVG
// and HTML draw a Layout. Nothing here connects to a node.
package graph

import (
	"hash/fnv"
	"time"

	"github.com/git-deploy/git-deploy/pkg/event"
)

// Graph is a network's history, as a clone knows it.
type Graph struct {
	Head    string   `json:"head,omitempty"`   // the commit that is checked out
	Branch  string   `json:"branch,omitempty"` // and its branch
	Nodes   []Node   `json:"nodes"`
	Commits []Commit `json:"commits"` // newest first, none before its children
	More    bool     `json:"more"`    // older commits were left out
}

// Node is one node: a track.
type Node struct {
	Name    string      `json:"node"`
	Branch  string      `json:"branch"`
	Color   int         `json:"color"`             // below Colors; the same for as long as the nodes are
	Tip     string      `json:"tip,omitempty"`     // of the deploy branch
	Current string      `json:"current,omitempty"` // the commit that runs
	Boot    string      `json:"boot,omitempty"`    // the commit that boots
	Pinned  bool        `json:"pinned"`
	Last    *Deployment `json:"last,omitempty"`
}

// Commit is one commit.
type Commit struct {
	ID      string    `json:"commit"`
	Parents []string  `json:"parents"`
	Author  string    `json:"author"`
	When    time.Time `json:"when"`
	Subject string    `json:"subject"`
	// Node is the node that had this commit first, of those that are not on
	// the way of first parents from HEAD: it gives a line its colour.
	Node        string       `json:"node,omitempty"`
	Deployments []Deployment `json:"deployments,omitempty"` // newest first
}

// Deployment is one attempt to make a node run a commit.
type Deployment struct {
	Node     string        `json:"node"`
	ID       string        `json:"deployment"`
	Action   string        `json:"action"`
	Outcome  event.Outcome `json:"outcome"`
	By       string        `json:"by,omitempty"`
	From     string        `json:"from,omitempty"`
	Reason   string        `json:"reason,omitempty"`
	Finished time.Time     `json:"finished"`
	Millis   int64         `json:"millis"` // it took
}

// Mark is what a node's track shows at a commit.
type Mark int

const (
	None     Mark = iota
	Past          // was deployed
	Skipped       // was superseded or interrupted
	Failed        // failed, and nothing else there succeeded
	Next          // boots next
	Runs          // runs
	RunsOnly      // runs although the branch is elsewhere: pinned
)

// MarkOf returns what the track of a node shows at a commit.
func MarkOf(n *Node, c *Commit) Mark {
	if n.Current == c.ID {
		if n.Pinned {
			return RunsOnly
		}
		return Runs
	}
	if n.Boot == c.ID {
		return Next
	}
	mark := None
	for _, d := range c.Deployments {
		if d.Node != n.Name {
			continue
		}
		switch {
		case d.Outcome.OK():
			return Past
		case d.Outcome == event.Superseded, d.Outcome == event.Interrupted, d.Outcome == event.Locked:
			mark = max(mark, Skipped)
		default:
			mark = Failed
		}
	}
	return mark
}

// Bad reports whether the deployment did harm or failed: what a person looks for.
func (d Deployment) Bad() bool {
	switch d.Outcome {
	case event.Superseded, event.Interrupted, event.Locked:
		return false
	}
	return !d.Outcome.OK()
}

// Colors is how many colours tracks have.
const Colors = 8

// colors gives each name a colour by its own hash, so that a node that comes
// or goes changes as few others as can be.
func colors(names []string) map[string]int {
	taken := [Colors]int{}
	of := map[string]int{}
	for _, name := range names {
		h := fnv.New32a()
		_, _ = h.Write([]byte(name))
		at := int(h.Sum32() % Colors)
		best := at
		for i := range Colors {
			if c := (at + i) % Colors; taken[c] < taken[best] {
				best = c
			}
		}
		taken[best]++
		of[name] = best
	}
	return of
}
