package cli

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/install"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/nix"
	"github.com/git-deploy/git-deploy/pkg/proc"
	"github.com/git-deploy/git-deploy/pkg/statedir"
	"github.com/git-deploy/git-deploy/pkg/transport"
)

func removeCommand() *cli.Command {
	return &cli.Command{
		Name: "remove", Category: setup,
		Usage:     "take a node out of the network",
		ArgsUsage: "NODE",
		Description: "Takes the node out of the network here; its machine is only touched with --purge.\n\n" +
			"    repository   nodes/NODE and the node's host keys go, in a commit, and the\n" +
			"                 git remote. What was fetched stays. The machine keeps its copy\n" +
			"                 and state; --purge fetches all it has, then removes them there\n" +
			"    secrets      stay on the machine; with --purge those in /run go with its\n" +
			"                 next boot\n" +
			"    profile      stays with its generations, and what runs goes on running\n\n" +
			"A person at a terminal is asked first. Elsewhere only --purge needs --yes: all else\n" +
			"can be taken back with git revert and git deploy remotes. Running it again is harmless.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "purge", Usage: "remove the network's repository and state from the machine too"},
			yesFlag(), jsonFlag("what was removed and what is kept"),
		},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usagef(c, "which node?")
			}
			return remove(c, c.Args().First())
		},
	}
}

// removal says what became of what belongs to a node, in words, for people.
type removal struct {
	Node    string   `json:"node"`
	Changed bool     `json:"changed"` // false: it was not, or no longer, a node of the network
	Removed []string `json:"removed"`
	Kept    []string `json:"kept"`
}

func remove(c *cli.Context, name string) error {
	ctx := c.Context
	clone, err := openClone(ctx)
	if err != nil {
		return err
	}
	if clone.WorkTree == "" {
		return fail.Errorf(fail.Usage, "%s has no work tree to change", clone.GitDir)
	}
	remotes := clone.nodes()
	at := slices.IndexFunc(remotes, func(r network.Remote) bool { return r.Name == name || r.Node == name })
	if at >= 0 {
		name = remotes[at].Node
	}
	if err := network.CheckName("node", name); err != nil {
		return err
	}
	if at < 0 && len(ownFiles(clone, name)) == 0 {
		if err := wasNode(c, clone, name); err != nil {
			return err
		}
	} else if c.Bool("purge") && at < 0 {
		return fail.New(fail.Usage, fmt.Errorf("no remote is the node %q: without one its machine cannot be reached", name), "git deploy remotes")
	}
	res := &removal{Node: name, Removed: []string{}, Kept: []string{}}
	if at >= 0 || len(ownFiles(clone, name)) > 0 {
		if err := takeOut(c, clone, name, at, res); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		return printJSON(c, res)
	}
	w := c.App.Writer
	for _, what := range res.Removed {
		fmt.Fprintf(w, "removed: %s\n", what)
	}
	for _, what := range res.Kept {
		fmt.Fprintf(w, "kept: %s\n", what)
	}
	if res.Changed {
		fmt.Fprintf(w, "%s is no longer a node of this network.\n", name)
	} else {
		fmt.Fprintf(w, "%s is no longer a node of this network; nothing changed.\n", name)
	}
	return nil
}

// wasNode returns nil if name was a node once: then all is as it should be. Else it names those that are.
func wasNode(c *cli.Context, clone *clone, name string) error {
	refs, err := clone.Refs(c.Context, "refs/remotes/"+name, "refs/deploy/nodes/"+name)
	if err != nil || len(refs) > 0 {
		return err
	}
	known := clone.names()
	if manifest, err := nix.New(event.Discard).Manifest(c.Context, clone.WorkTree); err == nil {
		if _, described := manifest.Nodes[name]; described {
			return elsewhere(name)
		}
		known = append(known, manifest.Names()...)
	}
	var past bytes.Buffer
	history := clone.Cmd("log", "-1", "--format=%H", "--", network.NodesDir+"/"+name, network.NodesDir+"/"+name+".nix")
	history.Stdout = &past // without a commit there is no past
	if _ = proc.Run(c.Context, history); past.Len() > 0 {
		return nil
	}
	slices.Sort(known)
	return usagef(c, "no node is called %q (nodes: %s)", name, cmp.Or(strings.Join(slices.Compact(known), ", "), "none"))
}

func elsewhere(name string) error {
	return fail.New(fail.Failed, fmt.Errorf("the network describes the node %q elsewhere than in %s", name, network.NodesDir),
		"remove it from "+network.File+" (or "+network.FlakeFile+") and commit, then run this again")
}

// takeOut removes what this clone has of the node, whose remote is at (-1: there is none), and with --purge what its machine has.
func takeOut(c *cli.Context, clone *clone, name string, at int, res *removal) error {
	if c.Bool("purge") {
		if err := purge(c, clone, clone.nodes()[at], res); err != nil {
			return err
		}
	} else if err := agreed(c, fmt.Sprintf("Take %s out of the network? Its files and host keys go in a commit, and the git remote. Its machine is not touched: what runs, its secrets, its repository and its state stay.", name)); err != nil {
		return err
	}
	wrote, err := undescribe(c, clone, name)
	if err != nil {
		return err
	}
	if len(wrote) > 0 {
		commit(c.Context, c, clone.Repo, "Remove the node "+name, wrote...)
		res.Removed = append(res.Removed, "here: "+strings.Join(wrote, ", ")+" (of "+network.KnownHostsFile+" only its host keys)")
	}
	manifest, err := nix.New(event.Discard).Manifest(c.Context, clone.WorkTree)
	if err != nil {
		return fmt.Errorf("read the network without %q: %w", name, err)
	}
	if _, still := manifest.Nodes[name]; still {
		return elsewhere(name)
	}
	if at >= 0 {
		r := clone.nodes()[at]
		if err := removeRemote(c, clone, r); err != nil {
			return err
		}
		res.Removed = append(res.Removed, "here: the git remote "+r.Name)
		res.Kept = append(res.Kept, fmt.Sprintf("here: what was fetched of it, below refs/remotes/%s and refs/deploy/nodes/%s", r.Name, r.Name))
	}
	if !c.Bool("purge") {
		res.Kept = append(res.Kept, "on its machine: all that it has and runs (git deploy leave "+manifest.Network.Name+" there ends its part in the network)")
	}
	res.Changed = true
	return nil
}

// purge takes over all that the node has, and then removes it there. A host
// that is a node no more has nothing of which it is sure that it is here too: that stays.
func purge(c *cli.Context, clone *clone, r network.Remote, res *removal) error {
	if err := confirmed(c, fmt.Sprintf("Take %s (%s) out of the network, and remove the network's repository and state from it? What runs stays.", r.Node, r.URL)); err != nil {
		return err
	}
	fetch := clone.Cmd("fetch", "--quiet", "--", r.Name)
	fetch.Stdout, fetch.Stderr, fetch.Foreground = c.App.ErrWriter, c.App.ErrWriter, true
	fetched := proc.Run(c.Context, fetch) == nil
	if !fetched { // git has said why
		statuses, err := network.Statuses(c.Context, clone.Repo, []network.Remote{r}, "")
		if err != nil {
			return err
		}
		if statuses[0].NotANode == nil {
			return fail.New(fail.Failed, fmt.Errorf("what %s has could not be fetched, so nothing was removed from it", r.Node),
				"git deploy remove "+r.Node+"    # without --purge the machine need not be reached")
		}
	}
	addr, err := transport.ParseAddress(r.URL)
	if err != nil {
		return err
	}
	t, err := dialHost(c, clone, r.Node, addr, clone.config.Get(network.KeySelf) == r.Node)
	if err != nil {
		return err
	}
	defer t.Close()
	left, err := install.Leave(c.Context, t, path.Base(r.URL), fetched)
	if errors.Is(err, statedir.ErrNotANode) { // not even the tool is there
		return nil
	}
	if err != nil {
		return err
	}
	on := func(words []string) (there []string) {
		for _, w := range words {
			there = append(there, "on its machine: "+w)
		}
		return there
	}
	res.Removed, res.Kept = append(res.Removed, on(left.Removed)...), append(res.Kept, on(left.Kept)...)
	return nil
}

// ownFiles are the files and folders of the node alone that are there.
func ownFiles(clone *clone, name string) []string {
	var files []string
	for _, file := range []string{network.NodesDir + "/" + name, network.NodesDir + "/" + name + ".nix"} {
		if _, err := os.Stat(filepath.Join(clone.WorkTree, file)); err == nil {
			files = append(files, file)
		}
	}
	return files
}

// undescribe removes the node's own files and host keys, and returns what it changed.
func undescribe(c *cli.Context, clone *clone, name string) ([]string, error) {
	var wrote []string
	for _, file := range ownFiles(clone, name) {
		// git refuses where something in it is not committed: nothing is lost.
		if err := proc.Run(c.Context, clone.Cmd("rm", "-r", "--quiet", "--", file)); err != nil {
			return wrote, fail.New(fail.Failed, fmt.Errorf("remove %s: %v", file, err), "git commit, then run this again")
		}
		wrote = append(wrote, file)
	}
	known := filepath.Join(clone.WorkTree, network.KnownHostsFile)
	have, err := os.ReadFile(known)
	if err != nil {
		return wrote, nil // none is pinned
	}
	without, err := network.PinHostKeys(string(have), name, nil)
	if err != nil || without == string(have) {
		return wrote, err
	}
	return append(wrote, network.KnownHostsFile), os.WriteFile(known, []byte(without), 0o666)
}

func removeRemote(c *cli.Context, clone *clone, r network.Remote) error {
	sections := []string{"remote." + r.Name}
	if clone.config.Get(network.KeySelf) == r.Node {
		if network.IsNodeURL(clone.config.Get("remote." + network.SelfRemote + ".url")) {
			sections = append(sections, "remote."+network.SelfRemote)
		}
		for _, key := range []string{network.KeySelf, network.KeyDeploySelf} {
			if err := clone.SetConfig(c.Context, key); err != nil {
				return err
			}
		}
	}
	for _, section := range sections {
		if err := clone.RemoveConfigSection(c.Context, section); err != nil {
			return err
		}
	}
	group := strings.Fields(clone.config.Get("remotes." + network.Group))
	_, err := clone.configure(c.Context, []network.Setting{groupSetting(slices.DeleteFunc(group, func(n string) bool { return n == r.Name }))})
	return err
}
