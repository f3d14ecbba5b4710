package cli

import (
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
	"github.com/git-deploy/git-deploy/pkg/transport"
)

func removeCommand() *cli.Command {
	return &cli.Command{
		Name: "remove", Category: setup,
		Usage:     "take a node out of the network",
		ArgsUsage: "NODE",
		Description: "Removes nodes/NODE and the node's host keys, commits that, and removes the git\n" +
			"remote; what was fetched of it stays. The machine itself is not touched: it goes on\n" +
			"running what it runs, and keeps its repository. With --purge all that it has is\n" +
			"fetched first, and then its repository and state are removed from it. Running it\n" +
			"again is harmless.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "purge", Usage: "remove the network's repository and state from the machine too"},
			yesFlag(), jsonFlag("with --purge, what was removed and what is kept on the machine"),
		},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usagef(c, "which node?")
			}
			return remove(c, c.Args().First())
		},
	}
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
	at := slices.IndexFunc(clone.nodes(), func(r network.Remote) bool { return r.Name == name || r.Node == name })
	if c.Bool("purge") {
		if at < 0 {
			return fail.New(fail.Usage, fmt.Errorf("no remote is the node %q: without one its machine cannot be reached", name), "git deploy remotes")
		}
		if err := purge(c, clone, clone.nodes()[at]); err != nil {
			return err
		}
	}
	wrote, err := undescribe(c, clone, name)
	if err != nil {
		return err
	}
	if len(wrote) > 0 {
		commit(ctx, c, clone.Repo, "Remove the node "+name, wrote...)
	}
	manifest, err := nix.New(event.Discard).Manifest(ctx, clone.WorkTree)
	if err != nil {
		return fmt.Errorf("read the network without %q: %w", name, err)
	}
	if _, still := manifest.Nodes[name]; still {
		return fail.New(fail.Failed, fmt.Errorf("the network describes the node %q elsewhere than in %s", name, network.NodesDir),
			"remove it from "+network.File+" (or "+network.FlakeFile+") and commit, then run this again")
	}
	if at >= 0 {
		if err := removeRemote(c, clone, clone.nodes()[at]); err != nil {
			return err
		}
	}
	w := c.App.ErrWriter
	if !c.Bool("json") {
		w = c.App.Writer
	}
	switch {
	case at < 0 && len(wrote) == 0:
		fmt.Fprintf(w, "%s is not a node of this network; nothing changed.\n", name)
	default:
		fmt.Fprintf(w, "%s is no longer a node of this network. What was fetched of it stays below refs/remotes/%s and refs/deploy/nodes/%s.\n", name, name, name)
		if !c.Bool("purge") {
			fmt.Fprintf(w, "The machine itself runs what it ran, and keeps its repository and state: git deploy leave %s on it ends that.\n", manifest.Network.Name)
		}
	}
	return nil
}

// purge takes over all that the node has, and then removes it there.
func purge(c *cli.Context, clone *clone, r network.Remote) error {
	if err := confirmed(c, fmt.Sprintf("Remove the repository and state of this network from %s (%s)?", r.Node, r.URL)); err != nil {
		return err
	}
	fetch := clone.Cmd("fetch", "--quiet", "--", r.Name)
	fetch.Stdout, fetch.Stderr, fetch.Foreground = c.App.ErrWriter, c.App.ErrWriter, true
	if proc.Run(c.Context, fetch) != nil { // git has said why
		return fail.New(fail.Failed, fmt.Errorf("what %s has could not be fetched, so nothing was removed from it", r.Node),
			"git deploy remove "+r.Node+"    # without --purge the machine need not be reached")
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
	res, err := install.Leave(c.Context, t, path.Base(r.URL), true)
	if err != nil {
		return err
	}
	return reportLeave(c, r.Node, res)
}

// undescribe removes the node's own files and host keys, and returns what it changed.
func undescribe(c *cli.Context, clone *clone, name string) ([]string, error) {
	if err := network.CheckName("node", name); err != nil {
		return nil, err
	}
	var wrote []string
	for _, file := range []string{network.NodesDir + "/" + name, network.NodesDir + "/" + name + ".nix"} {
		if _, err := os.Stat(filepath.Join(clone.WorkTree, file)); err != nil {
			continue
		}
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
