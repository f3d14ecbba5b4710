package node

import (
	"slices"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/nix"
)

func TestOldGenerations(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	var all []nix.Generation
	for i := range 6 { // 1 is 25 days old, 6 today
		all = append(all, nix.Generation{Number: i + 1, Path: "/s" + string(rune('1'+i)), Time: now.AddDate(0, 0, 5*(i-5)), Current: i == 5})
	}
	for name, c := range map[string]struct {
		limits bundle.Generations
		keep   []string
		back   bool // the profile was put back to generation 2
		want   []int
	}{
		"by count":            {bundle.Generations{Keep: 2}, nil, false, []int{1, 2, 3, 4}},
		"by age":              {bundle.Generations{Days: 11}, nil, false, []int{1, 2, 3}},
		"what one keeps":      {bundle.Generations{Keep: 1, Days: 11}, nil, false, []int{1, 2, 3}},
		"what the other does": {bundle.Generations{Keep: 5, Days: 1}, nil, false, []int{1}},
		"more than there are": {bundle.Generations{Keep: 50}, nil, false, []int{}},
		"needed":              {bundle.Generations{Keep: 1}, []string{"/s1", "/s3"}, false, []int{2, 4, 5}},
		"the current one":     {bundle.Generations{Keep: 1}, nil, true, []int{1, 3, 4, 5}},
	} {
		gens := slices.Clone(all)
		if c.back {
			gens[5].Current, gens[1].Current = false, true
		}
		keep := map[string]bool{}
		for _, k := range c.keep {
			keep[k] = true
		}
		if got := oldGenerations(gens, c.limits, keep, now); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestCollectedSays(t *testing.T) {
	for want, c := range map[string]Collected{
		"": {},
		"removed 2 generations of the system (1, 3)":        {Generations: []int{1, 3}},
		"removed 1 record of a deployment":                  {Deployments: []string{"a"}},
		"removed 2 records of deployments, 1 failed commit": {Deployments: []string{"a", "b"}, Failed: []string{"a"}},
	} {
		if got := c.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
