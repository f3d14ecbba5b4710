package cli

import (
	"testing"

	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/health"
	"github.com/git-deploy/git-deploy/pkg/ui"
)

// Nodes that are told of one by one stand below each other too, and one check is one check.
func TestHealthWatchIsAligned(t *testing.T) {
	report := func(node string, errors ...string) health.Report {
		r := health.Report{Node: node, Known: true}
		for _, e := range errors {
			r.Results = append(r.Results, health.Result{Name: "site", Type: "http", From: "node", Error: e})
		}
		return r
	}
	for _, test := range []struct {
		found found
		want  string
	}{
		{found{Report: report("web", "")}, "web      healthy      1 check passed\n"},
		{found{Report: report("gateway", "", "status 404\ngone"), Code: fail.Failed}, "gateway  unhealthy    1 of 2 checks failed\n  site (http, from the node): status 404\n  gone\n"},
		{found{Report: report("db"), Code: fail.Unreachable, Error: "cannot reach db"}, "db       unreachable  not tried\n  cannot reach db\n"},
		{found{Report: report("x"), Code: fail.Failed, Error: "not a node"}, "x        unknown      not tried\n  not a node\n"},
	} {
		if got := test.found.text(len("gateway"), ui.Style{}); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}
