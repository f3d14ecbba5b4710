package node

import (
	"context"

	"github.com/git-deploy/git-deploy/pkg/activate"
	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/health"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// Health answers the verb health: it tries the checks of the running system
// once, and looks at systemd's units. A node whose checks are not known, since
// git-deploy did not deploy what runs, has only those.
func Health(ctx context.Context, l statedir.Layout, arg string) (*health.Report, error) {
	n, err := Open(l, arg)
	if err != nil {
		return nil, err
	}
	r := &health.Report{Version: health.ReportVersion, Node: n.Node, Results: []health.Result{}}
	if r.System, err = n.running(); err != nil {
		return nil, err
	}
	var before []string
	job := n.lastJob(r.System, "")
	if job != nil {
		r.Known, r.Commit = true, job.Commit
		var checks []bundle.Check
		checks, r.Outside = bundle.ChecksFrom(job.Bundle.Health)
		r.Results = append(r.Results, health.Look(ctx, checks, "node")...)
		if s, err := activate.ReadState(l, job.ID); err == nil {
			before = s.FailedUnits // broken without our doing, and allowed then
		}
	}
	if n.Scope == "" && activate.Systemd(l) {
		units := health.Result{Name: "systemd", Type: "units", From: "node"}
		if err := health.UnitsInTrouble(ctx, before); err != nil {
			units.Error = err.Error()
		}
		r.Results = append(r.Results, units)
	}
	return r, nil
}
