package node

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/git-deploy/git-deploy/pkg/activate"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// Members returns which nodes of which networks this machine is.
func Members(l statedir.Layout) ([]File, error) { return members(l) }

// LeaveResult says what became of what a network had on this machine.
type LeaveResult struct {
	Left    bool     `json:"left"` // false: this machine was no node of it
	Node    string   `json:"node,omitempty"`
	Network string   `json:"network,omitempty"`
	Removed []string `json:"removed"` // in words, for people
	Kept    []string `json:"kept"`
}

// Leave ends this machine's part in a network: pushes are refused from now on.
// What runs is never touched. The repository and the state stay for the day it
// is added again, unless purge removes them too. It can be repeated.
func Leave(ctx context.Context, l statedir.Layout, name string, purge bool) (*LeaveResult, error) {
	if err := network.CheckName("network", name); err != nil {
		return nil, err
	}
	files, err := members(l)
	if err != nil {
		return nil, err
	}
	res := &LeaveResult{Network: name, Removed: []string{}, Kept: []string{}}
	var here File
	for _, f := range files {
		if f.Network.Name == name {
			res.Left, res.Node, here = true, f.Node, f
		}
	}
	if res.Left {
		// An activation that is under way comes to its end first.
		held, err := statedir.Lock(ctx, lockFile(l, &here), statedir.Holder{Deployment: "leave"}, DefaultWait)
		if err != nil {
			return nil, err
		}
		defer func() { _ = held.Release() }()
		if err := forget(l, here); err != nil {
			return nil, fmt.Errorf("leave: %w", err)
		}
		res.Removed = append(res.Removed, fmt.Sprintf("this machine's part in the network %q, as its node %q", name, here.Node))
	}
	dir := l.Network(name)
	_, err = os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return nil, err
	case !purge:
		res.Kept = append(res.Kept, "the repository and the state in "+dir+" (git deploy leave --purge removes them, git deploy add uses them again)")
	default:
		if err := purgeDeployments(l, name); err != nil {
			return nil, fmt.Errorf("leave: %w", err)
		}
		if err := os.RemoveAll(dir); err != nil {
			return nil, fmt.Errorf("leave: %w", err)
		}
		res.Removed = append(res.Removed, "the repository, the state and the deployments of the network")
	}
	if res.Left {
		what := "the running system, its profile and its generations"
		if here.Scope != "" {
			what = here.part() + ", as it is"
		}
		res.Kept = append(res.Kept, what, "secrets that were installed: those in "+l.Secrets()+" go with the next boot, others stay where they are", l.Tool())
	}
	return res, nil
}

// purgeDeployments removes the folders of a network's deployments.
func purgeDeployments(l statedir.Layout, name string) error {
	ids, err := l.IDs()
	if err != nil {
		return err
	}
	for _, id := range ids {
		job, err := activate.ReadJob(l, id)
		if err == nil && job.Network == name {
			if err := os.RemoveAll(l.Deployment(id)); err != nil {
				return err
			}
		}
	}
	return nil
}
