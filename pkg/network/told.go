package network

import (
	"fmt"
	"slices"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/gitrepo"
)

// What a clone knows of a node travels with its pushes to other nodes, and
// from those to other clones. A node's own log orders it: it only grows, so
// of two tellers the one with the longer log knows more, and its refs go together.

// toldPrefix holds, in a clone, what each node told of others: TELLER/NODE/heads/* and TELLER/NODE/deploy/*.
const toldPrefix = "refs/deploy/told/"

// ToldRef is where a node keeps what it was told of another node's ref:
// below heads/ for branches and deploy/ for refs/deploy/. It is "" for other refs.
func ToldRef(node, ref string) string {
	for _, kind := range []string{"heads/", "deploy/"} {
		if rest, ok := strings.CutPrefix(ref, "refs/"+kind); ok {
			return "refs/nodes/" + node + "/" + kind + rest
		}
	}
	return ""
}

// ToldState reports whether ref, in a node's repository, tells what another
// node runs. That follows the node's log, and may be older than before.
func ToldState(ref string) bool {
	rest, ok := strings.CutPrefix(ref, "refs/nodes/")
	node, _, _ := strings.Cut(rest, "/")
	return ok && slices.ContainsFunc(stateRefs, func(s string) bool { return ToldRef(node, s) == ref })
}

// tracked is where a clone keeps a ref of the remote.
func (r Remote) tracked(ref string) string {
	if rest, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
		return "refs/remotes/" + r.Name + "/" + rest
	}
	return "refs/deploy/nodes/" + r.Name + "/" + strings.TrimPrefix(ref, "refs/deploy/")
}

// stateRefs are the refs of a node that say what it runs. They follow its log.
var stateRefs = []string{"refs/deploy/current", "refs/deploy/boot", "refs/deploy/branch"}

// Tell returns the refspecs that tell a node, whose refs are there, what
// local, the refs of a clone, knows of remotes. newer(a, b) reports whether the log
// a continues the log b. Branches are not forced: git leaves out what is not newer.
func Tell(remotes []Remote, local, there map[string]string, newer func(a, b string) bool) []string {
	var refspecs []string
	for _, r := range remotes {
		branch := "refs/heads/" + r.Branch
		if oid, dst := local[r.tracked(branch)], ToldRef(r.Node, branch); oid != "" && oid != there[dst] {
			refspecs = append(refspecs, oid+":"+dst)
		}
		log, dst := local[r.tracked(gitrepo.LogRef)], ToldRef(r.Node, gitrepo.LogRef)
		if log == "" || log == there[dst] || there[dst] != "" && !newer(log, there[dst]) {
			continue
		}
		refspecs = append(refspecs, log+":"+dst)
		for _, ref := range stateRefs {
			oid, dst := local[r.tracked(ref)], ToldRef(r.Node, ref)
			switch {
			case oid == there[dst]:
			case oid == "":
				refspecs = append(refspecs, ":"+dst)
			default:
				refspecs = append(refspecs, "+"+oid+":"+dst)
			}
		}
	}
	return refspecs
}

// Untold returns git configuration (the text of a file) with which a fetch from
// r leaves out what it tells of nodes.
func (r Remote) Untold(nodes []Remote) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[remote \"%s\"]\n", strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(r.Name))
	for _, n := range nodes {
		fmt.Fprintf(&b, "\tfetch = \"^refs/nodes/%s/*\"\n", n.Node)
	}
	return b.String()
}

// LocalRefs are the prefixes of what a clone knows of a remote.
func (r Remote) LocalRefs() []string {
	return []string{"refs/remotes/" + r.Name + "/" + r.Branch, "refs/deploy/nodes/" + r.Name + "/"}
}
