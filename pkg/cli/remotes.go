package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/hooks"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/network"
)

func remotesCommand() *cli.Command {
	return &cli.Command{
		Name: "remotes", Category: setup,
		Usage: "make git remotes for the nodes that the network describes",
		Description: "Evaluates the network's manifest and makes a git remote for each node, with what\n" +
			"git must know of it (address, branch, tags, where it is built), and the remote\n" +
			"group nodes: git fetch nodes. With --hooks it is done after each merge, pull and\n" +
			"checkout too. On a machine that is a node itself, --deploy-self installs hooks that\n" +
			"deploy this machine after each commit, merge and pull of its branch (and\n" +
			"--deploy-self=false ends that).",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "prune", Usage: "remove the remotes of nodes that the network no longer describes"},
			&cli.BoolFlag{Name: "hooks", Usage: "install git hooks that keep the remotes in step"},
			&cli.BoolFlag{Name: "deploy-self", Usage: "install git hooks that deploy this machine after each commit and pull"},
			jsonFlag("a list of the remotes"),
		},
		Action: func(c *cli.Context) error {
			clone, err := openClone(c.Context)
			if err != nil {
				return err
			}
			if c.Bool("hooks") {
				if err := installCloneHooks(c, clone, hooks.CloneNames()); err != nil {
					return err
				}
			}
			remotes, lines, err := syncRemotes(c.Context, clone, c.Bool("prune"))
			if err != nil {
				return err
			}
			if err := refreshSelf(c.Context, clone, remotes); err != nil {
				return err
			}
			if c.IsSet("deploy-self") {
				if err := setDeploySelf(c, clone, c.Bool("deploy-self")); err != nil {
					return err
				}
			}
			if c.Bool("json") {
				return printJSON(c, remotes)
			}
			for _, line := range lines {
				fmt.Fprintln(c.App.Writer, line)
			}
			if len(lines) == 0 {
				fmt.Fprintf(c.App.Writer, "%s, all in step with the network.\n", count(len(remotes), "remote"))
			}
			return nil
		},
	}
}

// syncRemotes makes the clone's remotes what the network's manifest says,
// and returns them and a line for each change.
func syncRemotes(ctx context.Context, clone *clone, prune bool) ([]network.Remote, []string, error) {
	manifest, err := clone.manifest(ctx)
	if err != nil {
		return nil, nil, err
	}
	wanted, err := network.Remotes(manifest)
	if err != nil {
		return nil, nil, err
	}
	var lines []string
	var group []string
	for _, r := range wanted {
		url := clone.config.Get("remote." + r.Name + ".url")
		if url != "" && !network.IsNodeURL(url) {
			lines = append(lines, fmt.Sprintf("%s: left alone: the remote %s is not a node but %s", r.Node, r.Name, url))
			continue
		}
		group = append(group, r.Name)
		changed, err := clone.configure(ctx, r.Settings())
		if err != nil {
			return nil, nil, err
		}
		switch {
		case url == "":
			lines = append(lines, fmt.Sprintf("%s: new remote %s", r.Node, r.URL))
		case changed:
			lines = append(lines, fmt.Sprintf("%s: changed, %s", r.Node, r.URL))
		}
	}
	for _, r := range clone.nodes() {
		if slices.ContainsFunc(wanted, func(w network.Remote) bool { return w.Name == r.Name }) {
			continue
		}
		if !prune {
			group = append(group, r.Name)
			continue
		}
		if err := clone.RemoveConfigSection(ctx, "remote."+r.Name); err != nil {
			return nil, nil, err
		}
		lines = append(lines, fmt.Sprintf("%s: removed, the network does not describe it", r.Node))
	}
	slices.Sort(group)
	if _, err := clone.configure(ctx, []network.Setting{groupSetting(group)}); err != nil {
		return nil, nil, err
	}
	return wanted, lines, nil
}

func groupSetting(names []string) network.Setting {
	s := network.Setting{Key: "remotes." + network.Group}
	if len(names) > 0 {
		s.Values = []string{strings.Join(names, " ")}
	}
	return s
}

func installCloneHooks(c *cli.Context, clone *clone, names []string) error {
	dir, err := clone.GitPath(c.Context, "hooks")
	if err != nil {
		return err
	}
	tool, err := os.Executable()
	if err != nil {
		return err
	}
	installed, err := hooks.Install(dir, names, tool)
	for _, path := range installed.Foreign {
		warn(c, fail.New(fail.Failed, fmt.Errorf("%s is not a hook of git-deploy and was left as it is", path), "git deploy hook "+filepath.Base(path)+"    # the line to add to it"))
	}
	return err
}

// refreshRemotes is the clone's post-merge and post-checkout hook: it does
// nothing when the tree is the one for which the remotes were made.
func refreshRemotes(ctx context.Context, c *cli.Context) error {
	clone, err := openClone(ctx)
	if err != nil {
		return err
	}
	tree, err := clone.RevParse(ctx, "HEAD^{tree}")
	if err != nil {
		return nil // nothing is checked out yet
	}
	stamp := filepath.Join(clone.CommonDir, "git-deploy-remotes")
	if seen, err := os.ReadFile(stamp); err == nil && string(seen) == tree {
		return nil
	}
	_, lines, err := syncRemotes(ctx, clone, false)
	if err != nil {
		return err
	}
	for _, line := range lines {
		fmt.Fprintln(c.App.ErrWriter, "git-deploy:", line)
	}
	return os.WriteFile(stamp, []byte(tree), 0o666)
}
