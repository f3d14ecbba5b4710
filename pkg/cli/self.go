package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/hooks"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/proc"
	"github.com/git-deploy/git-deploy/pkg/push"
	"github.com/git-deploy/git-deploy/pkg/statedir"
	"github.com/git-deploy/git-deploy/pkg/transport"
)

// thisMachine reports whether a destination without a user or port is the
// machine that this runs on, which is reached without ssh.
func thisMachine(addr transport.Address, userGiven bool) bool {
	if userGiven || addr.Port != 0 {
		return false
	}
	host, err := os.Hostname()
	return addr.Host == "localhost" || err == nil && strings.EqualFold(addr.Host, host)
}

// hostName is what others call this machine, and the node's name after it.
func hostName() (host, node string, err error) {
	host, err = os.Hostname()
	node, _, _ = strings.Cut(host, ".")
	return host, node, err
}

// configureSelf makes the clone know that this machine is the node of r: the
// remote r.Name and the remote localhost are reached without a connection.
func configureSelf(ctx context.Context, clone *clone, r network.Remote, networkName string) error {
	settings := network.SelfSettings(r, networkName)
	if url := clone.config.Get("remote." + network.SelfRemote + ".url"); url != "" && !network.IsNodeURL(url) {
		settings = settings[:1] // that name is taken
	}
	_, err := clone.configure(ctx, settings)
	return err
}

// refreshSelf is configureSelf for a clone on a machine that is a node of its
// network, whoever made it one. Where the machine does not say, nothing changes.
func refreshSelf(ctx context.Context, clone *clone, remotes []network.Remote) error {
	if _, err := os.Stat(statedir.FromEnv().Dir()); err != nil {
		return nil
	}
	id, err := networkID(clone.WorkTree)
	if err != nil {
		return err
	}
	for _, r := range remotes {
		networkName := path.Base(r.URL)
		hello, err := push.Hello(ctx, clone.Repo, network.Remote{URL: "node://localhost/" + networkName})
		if err != nil || hello.Network.ID != id {
			return nil
		}
		if r.Node == hello.Node {
			if err := configureSelf(ctx, clone, r, networkName); err != nil {
				return err
			}
			clone.config, err = clone.Config(ctx)
			return err
		}
	}
	return nil
}

// setDeploySelf makes commits and pulls in this clone deploy this machine, or no longer.
func setDeploySelf(c *cli.Context, clone *clone, on bool) error {
	if !on {
		return clone.SetConfig(c.Context, network.KeyDeploySelf)
	}
	if clone.config.Get(network.KeySelf) == "" {
		return fail.New(fail.Usage, errors.New("this machine is not a node of this network (or its state folder cannot be read)"), "git deploy add localhost")
	}
	if err := installCloneHooks(c, clone, hooks.SelfNames()); err != nil {
		return err
	}
	return clone.SetConfig(c.Context, network.KeyDeploySelf, "true")
}

// inHook marks the git commands that deploySelf starts: a push may fast-forward
// the branch, and that is a merge with a hook of its own.
const inHook = "GIT_DEPLOY_IN_HOOK"

// deploySelf is the clone's hook after a commit, merge or rebase: it deploys
// this machine where that was asked for. The commit itself stands in any case.
func deploySelf(c *cli.Context) error {
	if os.Getenv(inHook) != "" {
		return nil
	}
	ctx := c.Context
	clone, err := openClone(ctx)
	if err != nil || !clone.config.Bool(network.KeyDeploySelf, false) {
		return err
	}
	self := clone.config.Get(network.KeySelf)
	i := slices.IndexFunc(clone.nodes(), func(r network.Remote) bool { return r.Node == self })
	if i < 0 {
		return fail.New(fail.Usage, fmt.Errorf("no remote is the node %q, which this machine is", self), "git deploy remotes")
	}
	r := clone.nodes()[i]
	head, err := clone.Head(ctx)
	if err != nil || head != "refs/heads/"+r.Branch {
		return nil // another branch, or none: it is not deployed
	}
	for _, state := range []string{"rebase-merge", "rebase-apply", "sequencer"} {
		if _, err := os.Stat(filepath.Join(clone.GitDir, state)); err == nil {
			return nil // in the middle of something that ends with a hook of its own, or with a person's commit
		}
	}
	cmd := clone.Cmd("push", r.Name)
	cmd.Env = append(cmd.Env, inHook+"=1")
	cmd.Stdout, cmd.Stderr, cmd.Foreground = c.App.ErrWriter, c.App.ErrWriter, true
	return proc.Run(ctx, cmd)
}
