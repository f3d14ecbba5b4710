package network

import (
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/google/go-cmp/cmp"
)

// config is a GitConfig in memory.
type config map[string][]string

func (c config) All(key string) []string { return c[key] }

func (c config) Get(key string) string {
	if all := c[key]; len(all) > 0 {
		return all[len(all)-1]
	}
	return ""
}

func (c config) Subsections(section, variable string) []string {
	var names []string
	for key := range c {
		if rest, ok := strings.CutPrefix(key, section+"."); ok {
			if name, ok := strings.CutSuffix(rest, "."+variable); ok {
				names = append(names, name)
			}
		}
	}
	return names
}

var clone = config{
	"remote.origin.url":         {"https://example.org/x.git"},
	"remote.web.url":            {"node://root@web/home"},
	"remote.web.deploytag":      {"server", "public"},
	"remote.db.eu-1.url":        {"node://root@[::1]:2222/home"},
	"remote.db.eu-1.deploynode": {"db.eu-1"},
	"remote.db.eu-1.deploytag":  {"server"},
	"remote.copy.url":           {"node://root@[::1]:2222"}, // the same machine, cloned from
	"remote.laptop.url":         {"node::alice"},
	"remote.laptop.deploynode":  {"alice"},
}

func names(remotes []Remote) []string {
	var names []string
	for _, r := range remotes {
		names = append(names, r.Name)
	}
	return names
}

func TestSelect(t *testing.T) {
	remotes := Nodes(clone)
	if diff := cmp.Diff([]string{"db.eu-1", "laptop", "web"}, names(remotes)); diff != "" {
		t.Fatal(diff)
	}
	for _, c := range []struct {
		patterns, want []string
	}{
		{[]string{"web"}, []string{"web"}},
		{[]string{"web", "w*"}, []string{"web"}},
		{[]string{"web", "db.*"}, []string{"db.eu-1", "web"}},
		{[]string{"@server"}, []string{"db.eu-1", "web"}},
		{[]string{"@pub*"}, []string{"web"}},
		{[]string{"alice"}, []string{"laptop"}},
		{[]string{"*"}, []string{"db.eu-1", "laptop", "web"}},
		{nil, nil},
	} {
		got, err := Select(remotes, c.patterns)
		if err != nil {
			t.Errorf("%v: %v", c.patterns, err)
		}
		if diff := cmp.Diff(c.want, names(got)); diff != "" {
			t.Errorf("%v: %s", c.patterns, diff)
		}
	}
	for _, bad := range []string{"nobody", "@nothing", "[", "@["} {
		got, err := Select(remotes, []string{"web", bad})
		if fail.CodeOf(err) != fail.Usage || got != nil {
			t.Errorf("%q: got %v, %v; want a usage error and nothing selected", bad, names(got), err)
		}
	}
}

// What Settings writes, Nodes reads.
func TestSettingsRoundTrip(t *testing.T) {
	m := &bundle.Manifest{Network: bundle.NetworkID{Name: "home"}, Nodes: map[string]bundle.ManifestNode{
		"a.b-c": {Host: "fd00::1", User: "root", Port: 2222, Branch: "main", Tags: []string{"x", "y"}, Build: "deployer"},
		"plain": {Host: "plain.lan", Branch: "live"},
		"six":   {Host: "fd00::2", User: "me", Branch: "main"},
	}}
	want, err := Remotes(m)
	if err != nil {
		t.Fatal(err)
	}
	written := config{}
	for _, r := range want {
		for _, s := range r.Settings() {
			if len(s.Values) > 0 {
				written[s.Key] = s.Values
			}
		}
	}
	if diff := cmp.Diff(want, Nodes(written)); diff != "" {
		t.Error(diff)
	}
	urls := map[string]string{}
	for _, r := range want {
		urls[r.Name] = r.URL
	}
	if diff := cmp.Diff(map[string]string{
		"a.b-c": "node://root@[fd00::1]:2222/home", "plain": "node://plain.lan/home", "six": "node://me@[fd00::2]/home",
	}, urls); diff != "" {
		t.Error(diff)
	}
	m.Nodes["evil"] = bundle.ManifestNode{Host: "-oProxyCommand=x"}
	if _, err := Remotes(m); err == nil {
		t.Error("a host that begins with a hyphen was accepted")
	}
}
