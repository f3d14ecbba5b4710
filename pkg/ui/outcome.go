package ui

import (
	"strconv"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/event"
)

// verdict is how an outcome is told and how it feels. The text goes on from
// the node's name: "now runs a1b2c3d4".
type verdict struct {
	text string
	tone Tone
	sign string
}

// verdictOf words the end of a deployment.
func (s Style) verdictOf(n *node, e event.Event) verdict {
	sym := s.symbols()
	what := s.clean(short(n.commit))
	if what == "" {
		what = "the new configuration"
	}
	good := func(text string) verdict { return verdict{text, Good, sym.ok} }
	bad := func(text string) verdict { return verdict{text, Bad, sym.bad} }
	warn := func(text string) verdict { return verdict{text, Warn, sym.warn} }
	switch e.Outcome {
	case event.Succeeded:
		switch e.Fields["action"] {
		case "boot":
			return good("will boot " + what)
		case "test":
			return good("runs " + what + " until it reboots")
		case "rollback-boot":
			return good("will be back on " + what + " after its next boot")
		case "rollback":
			return good("is back on " + what)
		}
		return good("now runs " + what)
	case event.UpToDate:
		if n.commit == "" {
			return good("is up to date")
		}
		return good("already runs " + what)
	case event.Built:
		return good("is unchanged: " + what + " builds")
	case event.DryRun:
		return good("is unchanged: dry run of " + what)
	case event.Refused:
		return bad("is unchanged: it did not take " + what)
	case event.Failed:
		switch n.failed {
		case event.Evaluate:
			return bad("is unchanged: " + what + " does not evaluate")
		case event.Build:
			return bad("is unchanged: " + what + " does not build")
		}
		return bad("is unchanged: " + what + " could not be deployed")
	case event.RolledBack:
		return verdict{"is back on its previous system: " + what + " failed", Warn, sym.back}
	case event.RollbackFailed:
		return bad("may be broken: " + what + " failed, and so did putting the previous system back")
	case event.Superseded:
		return warn("skipped " + what + ": a newer commit came first")
	case event.Interrupted:
		return warn("was interrupted while deploying " + what)
	case event.Unknown:
		return warn("was lost while deploying " + what + ": how that ended is not known here")
	case event.Locked:
		return warn("is held by another deployment")
	}
	return bad("ended as " + s.clean(string(e.Outcome)))
}

// alone is the verdict where the node's name stands before it anyway.
func (v verdict) alone() string {
	return strings.TrimPrefix(strings.TrimPrefix(v.text, "is "), "was ")
}

// called is how a sentence names the node.
func (s Style) called(n *node) string {
	if n.name == "" {
		return "this node"
	}
	return s.clean(n.name)
}

// short is a commit as people say it.
func short(commit string) string {
	if len(commit) >= 40 && strings.Trim(commit, "0123456789abcdef") == "" {
		return commit[:8]
	}
	return commit
}

// tally sums up several nodes: 5 nodes: 4 succeeded, 1 rolled-back.
func tally(nodes []*node) string {
	var order []event.Outcome
	count := map[event.Outcome]int{}
	for _, n := range nodes {
		o := n.outcome
		if !n.finished {
			o = "not finished"
		}
		if count[o]++; count[o] == 1 {
			order = append(order, o)
		}
	}
	parts := make([]string, len(order))
	for i, o := range order {
		parts[i] = strconv.Itoa(count[o]) + " " + string(o)
	}
	return plural(int64(len(nodes)), "node") + ": " + strings.Join(parts, ", ")
}
