// Package schedule is what the property tests of a network have in common: who
// does what in which order, by chance from a seed, and what must come of it
// (History). One test has the network in memory, with the decisions about refs
// alone (pkg/node), the other has real git, ssh and Nix (tests/property).
package schedule

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// How many there are of each.
const (
	People = 3
	Nodes  = 5
)

// Names of the people; nodes are n0, n1, …
var Names = [People]string{"Ada", "Bob", "Eve"}

// NodeName is the name of a node.
func NodeName(n int) string { return fmt.Sprintf("n%d", n) }

// Kind is what a step does.
type Kind string

const (
	Commit Kind = "commit" // a person changes a place
	Spoil  Kind = "spoil"  // a person changes a node so that it cannot be deployed, and pushes it to that or keeps it for later
	New    Kind = "new"    // a person adds a file
	Drop   Kind = "drop"   // a person removes a file that was added
	Push   Kind = "push"   // to one node
	Pushes Kind = "pushes" // to several nodes at once
	Force  Kind = "force"  // as Push, keeping ours where it conflicts
	Race   Kind = "race"   // two people push to one node at the same moment
	Self   Kind = "self"   // a change made on a node itself
	Watch  Kind = "watch"  // a node takes over what another has
	Fetch  Kind = "fetch"  // a person fetches from all nodes
	Sync   Kind = "sync"   // and merges
	Cut    Kind = "cut"    // a person cannot reach a node, or can again
	Power  Kind = "power"  // a node goes off, or on again
	Kill   Kind = "kill"   // a push, with something killed in the middle
	Clock  Kind = "clock"  // somebody's clock is set
	End    Kind = "end"    // what is under way on a node ends (in memory, where time does not pass)
)

// Faults are how a system can be bad.
var Faults = []string{"evaluate", "build", "health"}

// Points are what is killed in the middle of a push, and where it is then.
var Points = []string{
	"build:pusher", // nothing has happened yet
	"build:both",   // with the node's power
	"build:link",   // the connection breaks, and the next one holds
	"health:link",
	"health:pusher-refuse", // somebody else finds it bad
	"health:pusher-follow", // the person looks again, and confirms
	"health:runner",        // the node settles it
	"health:node",          // and after a boot
}

// Step is one step. Every field has a value, whatever the kind, so that a step
// means the same when others are left out.
type Step struct {
	At     int // in the whole schedule
	Kind   Kind
	Person int
	Other  int // another person
	Node   int
	Peer   int // another node
	More   []int
	Place  string // of a file: see Files
	Fault  string // "" mostly
	Point  string
	Skew   time.Duration
	Chance uint64 // for what else is to be decided
}

func (s Step) String() string {
	person, node := Names[s.Person], NodeName(s.Node)
	text := ""
	switch s.Kind {
	case Commit:
		text = person + " changes " + s.Place
	case Spoil:
		text = fmt.Sprintf("%s breaks %s (%s)", person, node, s.fault())
		if s.Pushes() {
			text += ", and pushes to it"
		}
	case New:
		text = person + " adds a file"
	case Drop:
		text = person + " removes a file"
	case Push:
		text = person + " pushes to " + node
	case Force:
		text = person + " pushes to " + node + " by force"
	case Pushes:
		var names []string
		for _, n := range s.Several() {
			names = append(names, NodeName(n))
		}
		text = person + " pushes to " + strings.Join(names, ", ")
	case Race:
		text = fmt.Sprintf("%s and %s push to %s at once", person, Names[s.Other], node)
	case Self:
		text = node + " changes itself"
		if s.Fault != "" {
			text += " (badly: " + s.Fault + ")"
		}
	case Watch:
		text = node + " takes over what " + NodeName(s.Peer) + " has"
	case Fetch:
		text = person + " fetches"
	case Sync:
		text = person + " syncs"
	case Cut:
		text = fmt.Sprintf("%s cannot reach %s, or can again", person, node)
	case Power:
		text = node + " goes off, or on again"
	case Kill:
		text = fmt.Sprintf("%s pushes to %s, killed: %s", person, node, s.Point)
	case Clock:
		text = fmt.Sprintf("%s's clock is %s off", person, s.Skew)
	case End:
		text = node + " gets on"
	}
	return fmt.Sprintf("%3d %s", s.At, text)
}

// fault is the fault of a step that has one.
func (s Step) fault() string {
	if s.Fault != "" {
		return s.Fault
	}
	return Faults[s.Chance%uint64(len(Faults))]
}

// Spoils is the fault that a Spoil makes.
func (s Step) Spoils() string { return s.fault() }

// Pushes reports whether a Spoil is pushed at once.
func (s Step) Pushes() bool { return s.Chance/8%2 == 0 }

// Several are the nodes of a Pushes.
func (s Step) Several() []int { return append([]int{s.Node}, s.More...) }

// Slots is how many places a file has, apart from each other.
const Slots = 4

// Files are the files that are there from the beginning, and whom they concern:
// all nodes, one, or none.
func Files() []string {
	files := []string{"shared", "docs"}
	for n := range Nodes {
		files = append(files, "own-"+NodeName(n))
	}
	return files
}

// FaultFile is the file that says what is wrong with a node.
func FaultFile(n int) string { return "fault-" + NodeName(n) }

// Place is the name of a slot of a file.
func Place(file string, slot int) string { return fmt.Sprintf("%s/%d", file, slot) }

// Chances say how often which kind is drawn.
type Chances map[Kind]int

// Draw makes a schedule of n steps by chance.
func Draw(seed uint64, n int, chances Chances) []Step {
	r := rand.New(rand.NewPCG(seed, 4))
	var kinds []Kind
	for kind, often := range chances {
		kinds = append(kinds, slices.Repeat([]Kind{kind}, often)...)
	}
	slices.Sort(kinds)
	files := Files()
	var steps []Step
	for at := range n {
		s := Step{At: at, Kind: kinds[r.IntN(len(kinds))], Person: r.IntN(People), Node: r.IntN(Nodes)}
		s.Other = (s.Person + 1 + r.IntN(People-1)) % People
		others := r.Perm(Nodes - 1)
		for i := range others {
			others[i] = (s.Node + 1 + others[i]) % Nodes
		}
		s.Peer, s.More = others[0], others[:1+r.IntN(2)]
		// Docs mostly: they cost nobody a build. The rest is of one's own node, so that they meet.
		file := files[1]
		switch f := r.IntN(8); {
		case f == 0:
			file = files[0]
		case f < 4:
			file = "own-" + NodeName(r.IntN(Nodes))
		}
		s.Place = Place(file, r.IntN(Slots))
		if fault := r.IntN(12); fault < len(Faults) {
			s.Fault = Faults[fault]
		}
		s.Point = Points[r.IntN(len(Points))]
		s.Skew = time.Duration(r.IntN(2*72*60)-72*60) * time.Minute
		s.Chance = r.Uint64()
		steps = append(steps, s)
	}
	return steps
}

// Shrink leaves out steps for as long as fails says that what is left still
// fails, and at most tries times. It returns the shortest schedule that failed.
func Shrink(steps []Step, tries int, fails func([]Step) bool) []Step {
	for size := (len(steps) + 1) / 2; size > 0 && tries > 0; {
		smaller := false
		for from := 0; from < len(steps) && tries > 0; {
			without := slices.Delete(slices.Clone(steps), from, min(from+size, len(steps)))
			tries--
			if len(without) > 0 && fails(without) {
				steps, smaller = without, true
			} else {
				from += size
			}
		}
		if size == 1 && !smaller {
			break
		}
		size = max(1, size/2)
		if size == 1 && len(steps) == 1 {
			break
		}
	}
	return steps
}

// Numbers are the steps' places in the whole schedule, as Pick reads them.
func Numbers(steps []Step) string {
	var numbers []string
	for _, s := range steps {
		numbers = append(numbers, fmt.Sprint(s.At))
	}
	return strings.Join(numbers, ",")
}

// Pick keeps the steps that numbers names; all where it is "".
func Pick(steps []Step, numbers string) []Step {
	if numbers == "" {
		return steps
	}
	var kept []Step
	for _, s := range steps {
		if slices.Contains(strings.Split(numbers, ","), fmt.Sprint(s.At)) {
			kept = append(kept, s)
		}
	}
	return kept
}

// Print is the schedule for people, a line for each step.
func Print(steps []Step) string {
	var b strings.Builder
	for _, s := range steps {
		b.WriteString(s.String() + "\n")
	}
	return b.String()
}
