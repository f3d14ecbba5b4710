// Package node is the receiving side: what runs on a machine of the network
// when it is deployed to.
//
// The hooks refuse, evaluate and build (prereceive.go) and start the
// activation (postreceive.go), which runs in a process of its own (runner.go)
// through package activate. Everything that a deployment decides about git
// (refs, the deployment log) is in refs.go and happens under the node's lock.
//
// Invariants:
//   - A commit that was refused, or did not evaluate or build, moves no ref.
//   - When nothing is under way, the deploy branch equals refs/deploy/branch,
//     and that equals refs/deploy/current unless a rollback pinned the node or
//     a new system waits for its boot.
//   - Every deployment that was accepted has one Finished event and one entry
//     in refs/deploy/log, however its processes end: whoever comes next
//     settles what a dead one left behind (settle.go).
//   - Nothing of an activation depends on a connection.
//
// It is not the deploying side (package push), and it does not know how a
// system is made live (package activate) or built (package nix).
package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// Refs that the node alone writes.
const (
	RefPrefix  = "refs/deploy/"
	RefCurrent = "refs/deploy/current" // the commit that runs
	RefBoot    = "refs/deploy/boot"    // the commit whose system boots
	// RefBranch is where the deploy branch belongs when nothing is under way:
	// a deployment that fails puts the branch back there.
	RefBranch = "refs/deploy/branch"
	RefLog    = gitrepo.LogRef
	RefFailed = "refs/deploy/failed/" // + deployment id
	// RefNodes holds what deployers tell about other nodes.
	RefNodes = "refs/nodes/"
)

// FileVersion is the version of node.json that this program reads and writes.
const FileVersion = 1

// File is node.json: which node of which network this machine is.
type File struct {
	Version int              `json:"version"`
	Network bundle.NetworkID `json:"network"`
	Node    string           `json:"node"`
	Branch  string           `json:"branch"` // the deploy branch
	// Scope is what of the machine the network owns: "" its system, else the
	// profile of that name ("NAME", or "NAME of USER").
	Scope string `json:"scope,omitempty"`
}

// Ref is the deploy branch's full name.
func (f *File) Ref() string { return "refs/heads/" + f.Branch }

// Node is one network's place on this machine.
type Node struct {
	File
	Layout statedir.Layout
	Repo   *gitrepo.Repo // its environment is not a hook's: quarantine does not apply
}

// Open opens the network that arg names. arg comes from an ssh command line,
// where git appends the address's path: slashes around it do not count, and
// nothing at all is the only network of this machine.
func Open(l statedir.Layout, arg string) (*Node, error) {
	name, err := resolve(l, arg)
	if err != nil {
		return nil, err
	}
	n := &Node{Layout: l}
	if n.File, err = readFile(l, name); err != nil {
		return nil, err
	}
	if n.Version != FileVersion {
		return nil, fmt.Errorf("%s has version %d, this git-deploy knows version %d", l.NodeFile(name), n.Version, FileVersion)
	}
	if n.Network.Name != name {
		return nil, fmt.Errorf("%s is of network %q", l.NodeFile(name), n.Network.Name)
	}
	if n.Repo, err = gitrepo.OpenBare(l.Repo(name)); err != nil {
		return nil, err
	}
	return n, nil
}

// readFile reads the node.json of a network.
func readFile(l statedir.Layout, name string) (File, error) {
	var f File
	err := statedir.ReadJSON(l.NodeFile(name), &f)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		err = fail.New(fail.Failed, err, "rm "+l.NodeFile(name)+"   # on the node: nothing else is lost, and git deploy add writes it anew")
	}
	if err != nil {
		return f, fmt.Errorf("network %q on this node: %w", name, err)
	}
	return f, nil
}

func resolve(l statedir.Layout, arg string) (string, error) {
	name := strings.Trim(arg, "/")
	if name != "" {
		if err := network.CheckName("network", name); err != nil {
			return "", err
		}
		if _, err := os.Stat(l.NodeFile(name)); err == nil {
			return name, nil
		}
	}
	names, err := Networks(l)
	switch {
	case err != nil:
		return "", err
	case len(names) == 0:
		return "", fail.New(fail.Failed, errors.New(statedir.NotANode+"any network"), "git deploy add NAME USER@HOST")
	case name != "":
		return "", fail.Errorf(fail.Failed, statedir.NotANode+"network %q; it has: %s", name, strings.Join(names, ", "))
	case len(names) > 1:
		return "", fail.Errorf(fail.Failed, "this machine is a node of several networks: say which (node://HOST/NETWORK): %s", strings.Join(names, ", "))
	}
	return names[0], nil
}

// Networks returns the names of the networks that this machine is a node of.
func Networks(l statedir.Layout) ([]string, error) {
	entries, err := os.ReadDir(l.Networks())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if _, err := os.Stat(l.NodeFile(e.Name())); err == nil && network.CheckName("network", e.Name()) == nil {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// place tells the layout and the network from the path of a node's repository,
// as a hook finds it: a plain push by ssh brings no environment along.
func place(repo string) (statedir.Layout, string, error) {
	abs, err := filepath.Abs(repo)
	if err != nil {
		return statedir.Layout{}, "", err
	}
	name := filepath.Base(filepath.Dir(abs))
	root, ok := strings.CutSuffix(abs, statedir.Layout{}.Repo(name))
	if !ok {
		return statedir.Layout{}, "", fmt.Errorf("%s is not a repository of git-deploy", abs)
	}
	return statedir.Layout{Root: root}, name, nil
}
