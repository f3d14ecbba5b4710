package node

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/activate"
	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/nix"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// Rollback activates the system of an earlier deployment: of a generation of
// the system profile (a number), of a commit (its id or the beginning of it),
// or, with "", of the last success that was another system. The deploy branch
// stays where it is, so that the node is pinned until it is pushed to again.
func Rollback(ctx context.Context, l statedir.Layout, target string, r Request) error {
	return r.run(ctx, l, func(ctx context.Context, d *deployment, o Options) (*activate.Job, error) {
		var rec *gitrepo.Record
		err := event.RunStep(d.sink, event.Check, func() (err error) {
			if o.Action != string(activate.Switch) || o.DryRun {
				return refused("", "a rollback takes neither an action nor a dry run")
			}
			rec, err = d.n.rollbackTarget(ctx, target)
			return err
		})
		if err != nil {
			return nil, d.stopped(ctx, event.Refused, err)
		}
		if err := d.n.free(o.Wait, ""); err != nil {
			return nil, d.stopped(ctx, event.Locked, err)
		}
		x := nix.New(d.sink)
		if err := x.Root(ctx, rec.System, d.n.Layout.Result(d.id)); err != nil {
			return nil, d.stopped(ctx, event.Failed, fmt.Errorf("the system of commit %s is no longer here: %w", gitrepo.Short(rec.Commit), err))
		}
		return &activate.Job{Action: activate.Rollback, Commit: rec.Commit, Subject: rec.Summary, Bundle: d.n.bundleOf(rec)}, nil
	})
}

// rollbackTarget finds the entry of the deployment log to go back to.
func (n *Node) rollbackTarget(ctx context.Context, target string) (*gitrepo.Record, error) {
	records, err := n.records(ctx, allRecords)
	if err != nil {
		return nil, err
	}
	good := records[:0]
	for _, r := range records {
		if r.Outcome == event.Succeeded && r.System != "" {
			good = append(good, r)
		}
	}
	if target == "" {
		running, err := n.running()
		if err != nil {
			return nil, err
		}
		return previousSuccess(good, running)
	}
	// A number is a generation, unless it is as long as a commit's short id.
	if number, err := strconv.Atoi(target); err == nil && len(target) < 7 {
		system, err := n.generation(number)
		if err != nil {
			return nil, err
		}
		for i := range good {
			if good[i].System == system {
				return &good[i], nil
			}
		}
		return nil, refused("", "generation %d (%s) was not deployed by git-deploy: the deployment log does not know its commit", number, system)
	}
	if strings.Trim(target, "0123456789abcdef") != "" || len(target) < 4 {
		return nil, refused("git deploy log "+n.Node, "%q is neither the number of a generation nor a commit", target)
	}
	for i := range good {
		if strings.HasPrefix(good[i].Commit, target) {
			return &good[i], nil
		}
	}
	return nil, refused("git deploy log "+n.Node, "no commit %s has been deployed to node %q successfully", target, n.Node)
}

// previousSuccess goes back in time from the system that runs. An earlier
// rollback counts as the time of the deployment that it went back to, so that
// one rollback after another goes ever further back.
func previousSuccess(good []gitrepo.Record, running string) (*gitrepo.Record, error) {
	at := -1
	for i := range good {
		if good[i].System == running && !activate.Action(good[i].Action).ByHand() {
			at = i
			break
		}
	}
	for i := at + 1; i < len(good); i++ {
		if good[i].System != running && !activate.Action(good[i].Action).ByHand() {
			return &good[i], nil
		}
	}
	return nil, refused("", "there is no earlier successful deployment to go back to")
}

func (n *Node) generation(number int) (string, error) {
	generations, err := nix.Generations(n.profileLink())
	if err != nil {
		return "", err
	}
	var there []string
	for _, g := range generations {
		if g.Number == number {
			return g.Path, nil
		}
		there = append(there, strconv.Itoa(g.Number))
	}
	return "", refused("", "there is no generation %d; there are: %s", number, strings.Join(there, ", "))
}

// bundleOf returns the bundle of an earlier deployment, with its health
// checks while its folder is kept.
func (n *Node) bundleOf(rec *gitrepo.Record) bundle.Bundle {
	if job, err := activate.ReadJob(n.Layout, rec.Deployment); err == nil && job.Bundle.System == rec.System {
		return job.Bundle
	}
	b := bundle.Bundle{
		Version: bundle.Version, Network: n.Network, Node: n.Node, System: rec.System,
		Profile: bundle.Profile{Kind: "nixos", Name: bundle.SystemName, User: "root", Activate: []string{}},
	}
	if p, ok := activate.ProfileOf(n.Layout, n.Network.Name, rec.System); ok {
		b.Profile = p
	}
	return b
}
