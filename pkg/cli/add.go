package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/install"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/nix"
	"github.com/git-deploy/git-deploy/pkg/statedir"
	"github.com/git-deploy/git-deploy/pkg/transport"
	"github.com/git-deploy/git-deploy/pkg/version"
)

func addCommand() *cli.Command {
	return &cli.Command{
		Name: "add", Category: setup,
		Usage:     "make a host a node of this network",
		ArgsUsage: "[NAME] [USER@]HOST[:PORT]",
		Description: "Puts the tool and a bare repository with its hooks on the host, pins the host's key\n" +
			"in the network's known_hosts, writes nodes/NAME.nix unless the network describes\n" +
			"the node already (a NixOS host's own configuration is taken over from /etc/nixos),\n" +
			"and makes the git remote NAME. What it wrote is committed. What the host runs does\n" +
			"not change before the first push. Running it again is harmless, and brings the\n" +
			"tool on the host up to date.\n\n" +
			"    git deploy add web root@web.lan\n" +
			"    git push web\n\n" +
			"HOST may be this machine: localhost or its own name, without a user. Then nothing\n" +
			"goes over ssh (sudo -n is used where root is needed), its host name is NAME unless\n" +
			"one is given, and git push localhost changes it with no network at all.",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "tag", Usage: "give the node a `TAG`, for selection by @TAG"},
		},
		Action: func(c *cli.Context) error { return addOrAdopt(c, false) },
	}
}

func adoptCommand() *cli.Command {
	return &cli.Command{
		Name: "adopt", Category: setup,
		Usage:     "take a host over that is another node, or another network's",
		ArgsUsage: "[NAME] [USER@]HOST[:PORT]",
		Description: "Does what git deploy add does, and where add refuses because the host is another\n" +
			"node of this network, or its system belongs to another network, the host changes\n" +
			"hands: branches and deployment log of the network that had it stay in the node's\n" +
			"repository below refs/former/. What the host runs does not change before the\n" +
			"first push. Running it again is harmless.",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "tag", Usage: "give the node a `TAG`, for selection by @TAG"},
		},
		Action: func(c *cli.Context) error { return addOrAdopt(c, true) },
	}
}

func addOrAdopt(c *cli.Context, adopt bool) error {
	name, destination := c.Args().Get(0), c.Args().Get(1)
	if c.NArg() == 1 {
		addr, err := parseDestination(name)
		if err != nil || !thisMachine(addr, strings.Contains(name, "@")) {
			return usagef(c, "give the node's name and its address: NAME [USER@]HOST[:PORT] (the name may be left out for this machine itself: localhost)")
		}
		destination = name
		if _, name, err = hostName(); err != nil {
			return err
		}
	} else if c.NArg() != 2 {
		return usagef(c, "give the node's name and its address: NAME [USER@]HOST[:PORT]")
	}
	return add(c, name, destination, adopt)
}

func add(c *cli.Context, name, destination string, adopt bool) error {
	ctx := c.Context
	if err := network.CheckName("node", name); err != nil {
		return err
	}
	addr, err := parseDestination(destination)
	if err != nil {
		return err
	}
	self := thisMachine(addr, strings.Contains(destination, "@"))
	if self {
		// Others reach it by its name.
		if addr.Host, _, err = hostName(); err != nil {
			return err
		}
	}
	clone, err := openClone(ctx)
	if err != nil {
		return err
	}
	if url := clone.config.Get("remote." + name + ".url"); url != "" && !network.IsNodeURL(url) {
		return fail.New(fail.Usage, fmt.Errorf("the git remote %s is %s, which is not a node", name, url), "git remote rename "+name+" NEW-NAME")
	}
	id, err := networkID(clone.WorkTree)
	if err != nil {
		return err
	}
	manifest, err := nix.New(event.Discard).Manifest(ctx, clone.WorkTree)
	if err != nil {
		return fmt.Errorf("read the network: %w", err)
	}
	described, known := manifest.Nodes[name]
	if !known {
		described = bundle.ManifestNode{Host: addr.Host, User: addr.User, Port: addr.Port, Branch: "main", Tags: c.StringSlice("tag")}
	}

	renderer := newRenderer(c)
	defer renderer.Close()
	if known && !self && (described.Host != addr.Host || described.Port != addr.Port) {
		renderer.Emit(event.Event{Kind: event.Warning, Node: name,
			Message: fmt.Sprintf("the network says that it is at %s, and that is where git push %s will go", network.URL(described, manifest.Network.Name), name),
			Hint:    fmt.Sprintf("set deploy.host of the node to %q (and deploy.port), git commit, git deploy remotes", addr.Host)})
	}
	t, err := dialHost(c, clone, name, addr, self)
	if err != nil {
		return err
	}
	defer t.Close()
	result, err := install.Node(ctx, t, install.Options{
		Network: bundle.NetworkID{Name: manifest.Network.Name, ID: id}, Node: name, Branch: described.Branch,
		Profile: described.Profile, Adopt: adopt, Tool: version.Revision,
	})
	if err != nil {
		return fmt.Errorf("make %s a node: %w", destination, err)
	}
	for _, w := range result.Warnings {
		renderer.Emit(event.Event{Kind: event.Warning, Node: name, Message: w})
	}

	files, err := nodeFiles(clone, name, known, described, result)
	if err != nil {
		return err
	}
	wrote, err := writeMissing(clone.WorkTree, files)
	if err != nil {
		return err
	}
	pinned, err := pin(clone, name, result.HostKeys)
	if err != nil {
		return err
	}
	if pinned {
		wrote = append(wrote, network.KnownHostsFile)
	}
	if len(wrote) > 0 {
		commit(ctx, c, clone.Repo, "Add the node "+name, wrote...)
	}
	if err := addRemote(ctx, clone, name, manifest.Network.Name, described, self); err != nil {
		return err
	}
	renderer.Close()
	report(c, name, destination, result, wrote)
	if self {
		fmt.Fprintf(c.App.Writer, "    git push %s    # the same, from here\n", network.SelfRemote)
	}
	return nil
}

// dialHost connects to a host that is or becomes the node called name.
func dialHost(c *cli.Context, clone *clone, name string, addr transport.Address, self bool) (transport.Transport, error) {
	if self {
		return transport.Local(statedir.FromEnv(), "")
	}
	return transport.Dial(c.Context, addr, transport.Options{
		SSHCommand: clone.config.Get("core.sshCommand"), Variant: clone.config.Get("ssh.variant"),
		HostKeyAlias: name, KnownHostsFile: filepath.Join(clone.WorkTree, network.KnownHostsFile),
		SharedConnection: true, Stderr: c.App.ErrWriter,
	})
}

// parseDestination reads what ssh reads, and the port behind a colon.
func parseDestination(s string) (transport.Address, error) {
	if strings.Contains(s, "://") || strings.HasPrefix(s, "node::") {
		return transport.ParseAddress(s)
	}
	user, host := "root", s
	if u, h, ok := strings.Cut(s, "@"); ok {
		user, host = u, h
	}
	if strings.Count(host, ":") > 1 && !strings.HasPrefix(host, "[") {
		host = "[" + host + "]" // an IPv6 address, as ssh takes it
	}
	addr, err := transport.ParseAddress("node://" + user + "@" + host)
	if err != nil {
		return addr, fail.New(fail.Usage, err, "git deploy add NAME [USER@]HOST[:PORT]")
	}
	return addr, nil
}

// nodeFiles returns the files that describe a node which the network does not describe yet.
func nodeFiles(clone *clone, name string, known bool, d bundle.ManifestNode, result *install.Result) (map[string]string, error) {
	if known {
		return nil, nil
	}
	if _, err := os.Stat(filepath.Join(clone.WorkTree, network.FlakeFile)); err == nil {
		return nil, fail.New(fail.Usage, fmt.Errorf("flake.nix describes no node %q", name),
			"add it to flake.nix (and git add new files), then run this again")
	}
	settings := network.NodeSettings{Name: name, Host: d.Host, User: d.User, Port: d.Port, Tags: d.Tags}
	dir := network.NodesDir + "/" + name
	files := map[string]string{}
	for file, text := range result.Machine.Files {
		files[dir+"/"+file] = text
	}
	if len(files) == 0 {
		return map[string]string{dir + ".nix": network.NodeFile(settings)}, nil
	}
	if _, taken := files[dir+"/default.nix"]; taken {
		return nil, fmt.Errorf("%s has a default.nix in /etc/nixos, which would be taken for the node itself: write %s.nix by hand and run this again", name, dir)
	}
	if _, ok := result.Machine.Files["configuration.nix"]; ok {
		settings.Imports = []string{"./configuration.nix"}
	}
	files[dir+"/default.nix"] = network.NodeFile(settings)
	return files, nil
}

// pin writes the host's keys to the network's known_hosts; a key that is
// pinned already and differs is refused by ssh before this.
func pin(clone *clone, name string, keys []string) (bool, error) {
	if len(keys) == 0 {
		return false, nil
	}
	path := filepath.Join(clone.WorkTree, network.KnownHostsFile)
	have, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	sort.Strings(keys)
	text, err := network.PinHostKeys(string(have), name, keys)
	if err != nil || text == string(have) {
		return false, err
	}
	return true, os.WriteFile(path, []byte(text), 0o666)
}

func addRemote(ctx context.Context, clone *clone, name, networkName string, d bundle.ManifestNode, self bool) error {
	r := network.Remote{Name: name, Node: name, URL: network.URL(d, networkName), Branch: d.Branch, Tags: d.Tags, Evaluate: d.Evaluate, Build: d.Build, Order: d.Profile.Order}
	if _, err := clone.configure(ctx, r.Settings()); err != nil {
		return err
	}
	if self {
		if err := configureSelf(ctx, clone, r, networkName); err != nil {
			return err
		}
	}
	group := strings.Fields(clone.config.Get("remotes." + network.Group))
	if !slices.Contains(group, name) {
		group = append(group, name)
		slices.Sort(group)
	}
	_, err := clone.configure(ctx, []network.Setting{groupSetting(group)})
	return err
}

func report(c *cli.Context, name, destination string, r *install.Result, wrote []string) {
	w := c.App.Writer
	switch {
	case r.Created:
		fmt.Fprintf(w, "%s is the node %s now", destination, name)
	default:
		fmt.Fprintf(w, "%s is the node %s as before", destination, name)
	}
	if r.Installed {
		fmt.Fprint(w, "; the tool on it is up to date")
	}
	fmt.Fprintln(w, ".")
	slices.Sort(wrote)
	for _, file := range wrote {
		fmt.Fprintf(w, "    %s\n", file)
	}
	if r.Machine.NixOS && len(r.Machine.Files) == 0 {
		fmt.Fprintf(w, "It has no configuration in /etc/nixos: write what it runs to nodes/%s.nix before the first push.\n", name)
	}
	fmt.Fprintf(w, "\n    git push %s\n", name)
}
