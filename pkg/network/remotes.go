// Package network is what a clone knows of its network: its id, its nodes as
// git remotes, the manifest, and the files that describe it. It is not the
// Nix evaluation itself (package nix), and it connects to nothing.
//
// What the manifest says of a node that git must know without Nix (its
// address, its tags, where it is built) is written to the git configuration
// of the node's remote by Sync, so that every other command reads only that.
package network

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"path"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/proc"
)

// Group is the git remote group of all nodes: `git fetch nodes`.
const Group = "nodes"

// Remote is a git remote that is a node.
type Remote struct {
	Name     string   `json:"remote"` // the git remote's name
	Node     string   `json:"node"`
	URL      string   `json:"url"`
	Branch   string   `json:"branch"`   // deploy branch
	Tags     []string `json:"tags"`     // of the node, for selection by @tag
	Evaluate string   `json:"evaluate"` // "node" or "deployer"; empty: node
	Build    string   `json:"build"`    // "node" or "deployer"; empty: node
	Order    int      `json:"order"`    // of several that are pushed to together, lower first
}

// configuration keys below remote.<name>, beside git's own
const (
	keyNode     = "deploynode"
	keyBranch   = "deploybranch"
	keyTag      = "deploytag"
	keyEvaluate = "deployevaluate"
	keyBuild    = "deploybuild"
	keyOrder    = "deployorder"
)

// KeySelf is the git setting of a clone that names the node which this machine
// is: its remote is reached without a connection.
const KeySelf = "deploy.self"

// KeyDeploySelf is the git setting of such a clone that makes its hooks deploy
// this machine after each commit, merge and rebase.
const KeyDeploySelf = "deploy.selfOnCommit"

// SelfRemote is the remote of that node under the name by which every machine knows itself.
const SelfRemote = "localhost"

// IsNodeURL reports whether a remote with this URL is a node.
func IsNodeURL(url string) bool {
	return strings.HasPrefix(url, "node://") || strings.HasPrefix(url, "node::")
}

// GitConfig is git's configuration, as gitrepo.Config reads it.
type GitConfig interface {
	Get(key string) string
	All(key string) []string
	Subsections(section, variable string) []string
}

// Nodes returns the remotes of a clone that are nodes, ordered by name. Of two
// remotes that are one machine, such as the origin of a clone and the one that
// Sync made, only the latter counts; SelfRemote is another name for one of them.
func Nodes(config GitConfig) []Remote {
	var remotes []Remote
	for _, name := range config.Subsections("remote", "url") {
		p := "remote." + name + "."
		r := Remote{
			Name:     name,
			Node:     cmp.Or(config.Get(p+keyNode), name),
			URL:      config.All(p + "url")[0], // git fetches from the first
			Branch:   cmp.Or(config.Get(p+keyBranch), "main"),
			Tags:     append([]string{}, config.All(p+keyTag)...), // never null in JSON
			Evaluate: config.Get(p + keyEvaluate),
			Build:    config.Get(p + keyBuild),
		}
		r.Order, _ = strconv.Atoi(config.Get(p + keyOrder)) // not a number: as without one
		if IsNodeURL(r.URL) {
			remotes = append(remotes, r)
		}
	}
	remotes = slices.DeleteFunc(remotes, func(r Remote) bool {
		return r.Name == SelfRemote && slices.ContainsFunc(remotes, func(o Remote) bool { return o.Name != r.Name && o.Node == r.Node })
	})
	made := map[string]bool{}
	for _, r := range remotes {
		if config.Get("remote."+r.Name+"."+keyNode) != "" {
			made[machine(r.URL)] = true
		}
	}
	remotes = slices.DeleteFunc(remotes, func(r Remote) bool {
		return made[machine(r.URL)] && config.Get("remote."+r.Name+"."+keyNode) == ""
	})
	sort.Slice(remotes, func(i, j int) bool { return remotes[i].Name < remotes[j].Name })
	return remotes
}

// machine is a node's URL without the network.
func machine(url string) string {
	host, _, _ := strings.Cut(strings.TrimPrefix(url, "node://"), "/")
	return host
}

// Select returns the remotes that patterns name, without duplicates, in the
// order of remotes: a name, a glob (path.Match) or @tag, where the tag may be
// a glob too. A pattern that names nothing is an error, and then nothing is
// selected.
func Select(remotes []Remote, patterns []string) ([]Remote, error) {
	chosen := map[string]bool{}
	for _, pattern := range patterns {
		n := 0
		for _, r := range remotes {
			ok, err := r.matches(pattern)
			if err != nil {
				return nil, fail.Errorf(fail.Usage, "pattern %q: %v", pattern, err)
			}
			if ok {
				chosen[r.Name] = true
				n++
			}
		}
		if n == 0 {
			return nil, fail.New(fail.Usage, unknown(remotes, pattern), "git deploy remotes    # makes remotes for all nodes of the network")
		}
	}
	var selected []Remote
	for _, r := range remotes {
		if chosen[r.Name] {
			selected = append(selected, r)
		}
	}
	return selected, nil
}

func (r Remote) matches(pattern string) (bool, error) {
	tag, isTag := strings.CutPrefix(pattern, "@")
	if !isTag {
		if pattern == r.Name || pattern == r.Node {
			return true, nil
		}
		return path.Match(pattern, r.Name)
	}
	for _, t := range r.Tags {
		if ok, err := path.Match(tag, t); ok || err != nil {
			return ok, err
		}
	}
	_, err := path.Match(tag, "") // a malformed pattern is an error even when no node has a tag
	return false, err
}

func unknown(remotes []Remote, pattern string) error {
	if tag, ok := strings.CutPrefix(pattern, "@"); ok {
		seen := map[string]bool{}
		var tags []string
		for _, r := range remotes {
			for _, t := range r.Tags {
				if !seen[t] {
					seen[t] = true
					tags = append(tags, t)
				}
			}
		}
		sort.Strings(tags)
		return fmt.Errorf("no node has the tag %q (tags: %s)", tag, list(tags))
	}
	names := make([]string, len(remotes))
	for i, r := range remotes {
		names[i] = r.Name
	}
	return fmt.Errorf("no node is called %q (nodes: %s)", pattern, list(names))
}

func list(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}

// URL returns the address of a node of the manifest as a git URL.
func URL(n bundle.ManifestNode, network string) string {
	host := n.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if n.Port != 0 {
		host = net.JoinHostPort(n.Host, strconv.Itoa(n.Port))
	}
	user := n.User
	if user != "" {
		user += "@"
	}
	return "node://" + user + host + "/" + network
}

// Setting is one change of a git configuration: Values replace all values of
// Key; none removes it.
type Setting struct {
	Key    string
	Values []string
}

// Settings returns what the git configuration of a clone must say of one node.
func (r Remote) Settings() []Setting {
	p := "remote." + r.Name + "."
	optional := func(v string) []string {
		if v == "" || v == "node" {
			return nil
		}
		return []string{v}
	}
	var order []string
	if r.Order != 0 {
		order = []string{strconv.Itoa(r.Order)}
	}
	return []Setting{
		{p + "url", []string{r.URL}},
		{p + "fetch", []string{
			"+refs/heads/*:refs/remotes/" + r.Name + "/*",
			"+refs/deploy/*:refs/deploy/nodes/" + r.Name + "/*",
			"+refs/nodes/*:" + toldPrefix + r.Name + "/*",
		}},
		// Without it a bare `git push alice` fails under push.default=simple when there is no upstream.
		{p + "push", []string{"refs/heads/" + r.Branch + ":refs/heads/" + r.Branch}},
		// Tags belong to the network, not to one node's branch.
		{p + "tagopt", []string{"--no-tags"}},
		{p + keyNode, []string{r.Node}},
		{p + keyBranch, []string{r.Branch}},
		{p + keyTag, r.Tags},
		{p + keyEvaluate, optional(r.Evaluate)},
		{p + keyBuild, optional(r.Build)},
		{p + keyOrder, order},
	}
}

// SelfSettings returns what the configuration of a clone on a node says: which
// node this machine is, and the remote SelfRemote, whose tracking refs are those of r.
func SelfSettings(r Remote, network string) []Setting {
	p := "remote." + SelfRemote + "."
	settings := []Setting{{KeySelf, []string{r.Node}}, {p + "url", []string{"node://localhost/" + network}}}
	for _, s := range r.Settings() {
		name := strings.TrimPrefix(s.Key, "remote."+r.Name+".")
		if name != "url" && name != keyTag {
			settings = append(settings, Setting{p + name, s.Values})
		}
	}
	return settings
}

// Remotes returns the git remotes that the manifest asks for.
func Remotes(m *bundle.Manifest) ([]Remote, error) {
	var remotes []Remote
	for _, name := range m.Names() {
		n := m.Nodes[name]
		if err := errors.Join(proc.Positional("node", name), proc.Positional("host", n.Host), proc.Positional("user", n.User)); err != nil {
			return nil, fail.Errorf(fail.Usage, "node %q: %w", name, err)
		}
		remotes = append(remotes, Remote{
			Name: name, Node: name, URL: URL(n, m.Network.Name), Branch: n.Branch,
			Tags: append([]string{}, n.Tags...), Evaluate: n.Evaluate, Build: n.Build, Order: n.Profile.Order,
		})
	}
	return remotes, nil
}
