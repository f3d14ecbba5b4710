package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/nix"
)

// clone is the network's repository that the user is in.
type clone struct {
	*gitrepo.Repo
	config *gitrepo.Config
}

// openClone finds the repository of the current folder, as git does.
func openClone(ctx context.Context) (*clone, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	open := func() (*gitrepo.Repo, error) {
		// A git hook runs us with GIT_DIR set.
		if os.Getenv("GIT_DIR") != "" {
			return gitrepo.OpenEnv()
		}
		return gitrepo.Open(ctx, dir)
	}
	repo, err := open()
	if errors.Is(err, gitrepo.ErrNotARepository) {
		return nil, fail.New(fail.Usage, fmt.Errorf("%s is not in a git repository", dir),
			"git deploy init NAME    # a new network here", "git clone node://root@HOST    # the network of a node")
	}
	if err != nil {
		return nil, err
	}
	config, err := repo.Config(ctx)
	if err != nil {
		return nil, err
	}
	return &clone{repo, config}, nil
}

// manifest evaluates the network in the work tree; that of HEAD where there is none, or not all of it.
func (c *clone) manifest(ctx context.Context) (*bundle.Manifest, error) {
	dir := c.WorkTree
	if dir == "" || c.config.Bool("core.sparseCheckout", false) {
		tmp, err := os.MkdirTemp("", "git-deploy-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(tmp)
		if err := c.Extract(ctx, "HEAD", tmp); err != nil {
			return nil, err
		}
		dir = tmp
	}
	return nix.New(event.Discard).Manifest(ctx, dir)
}

// commit returns the id of the commit that a person calls rev.
func (c *clone) commit(ctx context.Context, rev string) (string, error) {
	oid, err := c.RevParse(ctx, rev+"^{commit}")
	if errors.Is(err, gitrepo.ErrNotFound) {
		return "", fail.New(fail.Usage, fmt.Errorf("there is no commit %q here", rev), "git fetch "+network.Group)
	}
	return oid, err
}

// branch returns the tip of the local branch that is deployed to r.
func (c *clone) branch(ctx context.Context, r network.Remote) (string, error) {
	oid, err := c.RevParse(ctx, "refs/heads/"+r.Branch+"^{commit}")
	if !errors.Is(err, gitrepo.ErrNotFound) {
		return oid, err
	}
	hints := []string{fmt.Sprintf("git pull %s %s    # what %s has", r.Name, r.Branch, r.Node)}
	if _, err := c.RevParse(ctx, "HEAD^{commit}"); err == nil {
		hints = append(hints, fmt.Sprintf("git branch %s    # begin it here, or git push %s HEAD:%s", r.Branch, r.Name, r.Branch))
	}
	return "", fail.New(fail.Usage, fmt.Errorf("the branch %s, which is deployed to %s, has no commit here yet", r.Branch, r.Node), hints...)
}

// branches looks that there is something to deploy to all remotes.
func (c *clone) branches(ctx context.Context, remotes []network.Remote) error {
	seen := map[string]bool{}
	for _, r := range remotes {
		if !seen[r.Branch] {
			if _, err := c.branch(ctx, r); err != nil {
				return err
			}
		}
		seen[r.Branch] = true
	}
	return nil
}

// nodes returns the clone's remotes that are nodes.
func (c *clone) nodes() []network.Remote { return network.Nodes(c.config) }

// names returns the names of all nodes, in order.
func (c *clone) names() []string {
	var names []string
	for _, r := range c.nodes() {
		names = append(names, r.Node)
	}
	slices.Sort(names)
	return names
}

// selected returns the nodes that patterns name; all of them where patterns is empty.
func (c *clone) selected(patterns []string) ([]network.Remote, error) {
	remotes := c.nodes()
	if len(remotes) == 0 {
		return nil, fail.New(fail.Usage, errors.New("this clone has no node as a remote"),
			"git deploy add NAME root@HOST    # make a host a node",
			"git deploy remotes    # remotes for the nodes that the network describes")
	}
	if len(patterns) == 0 {
		return remotes, nil
	}
	return network.Select(remotes, patterns)
}

// openSelected is openClone and selected in one.
func openSelected(ctx context.Context, patterns []string) (*clone, []network.Remote, error) {
	clone, err := openClone(ctx)
	if err != nil {
		return nil, nil, err
	}
	remotes, err := clone.selected(patterns)
	return clone, remotes, err
}

// configure writes settings that differ from what the configuration says,
// and reports whether there were any.
func (c *clone) configure(ctx context.Context, settings []network.Setting) (bool, error) {
	changed := false
	for _, s := range settings {
		if slices.Equal(c.config.All(s.Key), s.Values) {
			continue
		}
		changed = true
		if err := c.SetConfig(ctx, s.Key, s.Values...); err != nil {
			return changed, err
		}
	}
	return changed, nil
}

func networkID(top string) (string, error) {
	content, err := os.ReadFile(top + "/" + network.IDFile)
	if errors.Is(err, os.ErrNotExist) {
		return "", fail.New(fail.Usage, fmt.Errorf("%s has no file %s: it is not a network of git-deploy", top, network.IDFile),
			"git deploy init NAME")
	}
	if err != nil {
		return "", err
	}
	return network.ParseID(content)
}
