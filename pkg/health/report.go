package health

import (
	"context"
	"slices"

	"github.com/git-deploy/git-deploy/pkg/bundle"
)

// ReportVersion is the version of a Report.
const ReportVersion = 1

// Report is how well a node is, as its verb health prints it.
type Report struct {
	Version int    `json:"version"`
	Node    string `json:"node"`
	Commit  string `json:"commit,omitempty"` // of the deployment whose checks these are
	System  string `json:"system,omitempty"` // that runs
	// Known says that the checks of the running system are: they go with the
	// record of its deployment.
	Known   bool     `json:"known"`
	Results []Result `json:"results"`
	// Outside are the checks that the asker is to run (see LookOutside).
	Outside []bundle.Check `json:"outside,omitempty"`
}

// Result is what one check says.
type Result struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	From  string `json:"from"`            // "node" or "deployer"
	Error string `json:"error,omitempty"` // "": it passes
}

// Look tries each check once, and says what came of it.
func Look(ctx context.Context, checks []bundle.Check, from string) []Result {
	results := make([]Result, len(checks))
	for i, err := range Try(ctx, checks) {
		results[i] = Result{Name: checks[i].Name, Type: checks[i].Type, From: from}
		if err != nil {
			results[i].Error = err.Error()
		}
	}
	return results
}

// LookOutside adds the results of the checks that run here and not on the node.
func (r *Report) LookOutside(ctx context.Context) error {
	if err := Outside(r.Outside); err != nil {
		return err
	}
	r.Results = append(r.Results, Look(ctx, r.Outside, "deployer")...)
	r.Outside = nil
	return nil
}

// Failed returns the results of checks that do not pass.
func (r *Report) Failed() []Result {
	return slices.DeleteFunc(slices.Clone(r.Results), func(c Result) bool { return c.Error == "" })
}
