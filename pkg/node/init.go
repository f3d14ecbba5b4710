package node

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/statedir"
	"github.com/google/renameio/v2"
)

// InitOptions says what this machine shall be.
type InitOptions struct {
	Network bundle.NetworkID
	Node    string
	Branch  string // "": main
	Scope   string // File.Scope
	Adopt   bool   // become it also where this machine is another node
	Tool    string // program to install as Layout.Tool(); "": this one
}

// InitResult is what the deployer needs to know afterwards.
type InitResult struct {
	HostKeys []string `json:"hostKeys"`           // as in ssh_host_*_key.pub
	Created  bool     `json:"created"`            // this machine was not this node of this network
	Warnings []string `json:"warnings,omitempty"` // e.g. a hook that is not ours
}

// HostKeysEnv holds the public host keys, one a line, where they are not the
// machine's: the embedded server's.
const HostKeysEnv = "GIT_DEPLOY_HOST_KEYS"

// Init makes this machine a node, or brings a node up to date. It can be
// repeated, and goes on where it was interrupted.
func Init(ctx context.Context, l statedir.Layout, o InitOptions) (*InitResult, error) {
	if o.Branch == "" {
		o.Branch = "main"
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	want := File{Version: FileVersion, Network: o.Network, Node: o.Node, Branch: o.Branch, Scope: o.Scope}
	before, err := members(l)
	if err != nil {
		return nil, err
	}
	if !o.Adopt {
		if err := refuseOther(l, want); err != nil {
			return nil, err
		}
	} else if held, err := lockAll(ctx, l, "adopt"); err != nil {
		return nil, err
	} else {
		defer held()
		if err := adopt(ctx, l, want); err != nil {
			return nil, err
		}
	}
	// 0700 for all of it: source trees and logs are nobody else's business.
	for _, dir := range []string{l.Dir(), l.Networks(), l.Network(o.Network.Name), l.Deployments()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make state folder: %w", err)
		}
	}
	if err := os.Chmod(l.Dir(), 0o700); err != nil {
		return nil, fmt.Errorf("make state folder: %w", err)
	}
	if err := installTool(l, o.Tool); err != nil {
		return nil, fmt.Errorf("install %s: %w", l.Tool(), err)
	}
	res := &InitResult{Created: !slices.ContainsFunc(before, func(f File) bool { return f.Network == want.Network && f.Node == want.Node })}
	dir := l.Repo(o.Network.Name)
	n := &Node{File: want, Layout: l}
	if n.Repo, err = gitrepo.OpenBare(dir); err == nil {
		if err := n.checkRefs(); err != nil {
			return nil, err
		}
	}
	if err := initRepo(ctx, dir, o.Branch); err != nil {
		return nil, err
	}
	if n.Repo, err = gitrepo.OpenBare(dir); err != nil {
		return nil, err
	}
	if s := n.checkHooks(ctx); s.Problem != "" {
		res.Warnings = append(res.Warnings, s.Problem+": "+s.Hint)
	}
	if err := n.adoptBranch(ctx); err != nil {
		return nil, err
	}
	// Last: a node.json says that the rest is there.
	if err := statedir.WriteJSON(l.NodeFile(o.Network.Name), want, 0o600); err != nil {
		return nil, err
	}
	if res.HostKeys, err = hostKeys(); err != nil {
		return nil, err
	}
	return res, nil
}

func (o *InitOptions) check() error {
	if err := network.CheckName("network", o.Network.Name); err != nil {
		return err
	}
	if err := network.CheckName("node", o.Node); err != nil {
		return err
	}
	if _, err := network.ParseID([]byte(o.Network.ID)); err != nil {
		return fail.New(fail.Usage, err)
	}
	if o.Branch == "" || strings.HasPrefix(o.Branch, "-") || strings.ContainsAny(o.Branch, " ~^:?*[\\\x00\n\t") {
		return fail.Errorf(fail.Usage, "branch %.60q is not a branch name", o.Branch)
	}
	return nil
}

// configuration of a node's repository. A node's git must keep what it has
// been given: whoever deploys relies on it.
var configuration = [][2]string{
	{"receive.advertisePushOptions", "true"},
	{"receive.denyDeleteCurrent", "refuse"}, // HEAD is the deploy branch
	// Failed and superseded commits can be fetched by id also when their ref is gone.
	{"uploadpack.allowAnySHA1InWant", "true"},
	{"core.logAllRefUpdates", "always"}, // refs/deploy too
	// What a push brought survives a power cut that follows its success.
	{"core.fsync", "committed,reference"},
	{"core.fsyncMethod", "batch"},
	{"gc.reflogExpire", "180 days"},
	{"gc.reflogExpireUnreachable", "180 days"},
}

func initRepo(ctx context.Context, dir, branch string) error {
	repo, err := gitrepo.InitBare(ctx, dir, branch)
	if err != nil {
		return err
	}
	have, err := repo.Config(ctx)
	if err != nil {
		return err
	}
	for _, kv := range configuration {
		if have.Get(kv[0]) == kv[1] {
			continue
		}
		if err := repo.SetConfig(ctx, kv[0], kv[1]); err != nil {
			return err
		}
	}
	head, err := repo.Head(ctx)
	if err == nil && head != "refs/heads/"+branch {
		err = repo.SetHead(ctx, "refs/heads/"+branch)
	}
	return err
}

// installTool puts the program where hooks and remote commands look for it. A
// program in the Nix store (the NixOS module's) and one below a root prefix
// (demo, tests) is linked, any other is copied, since it may be temporary.
func installTool(l statedir.Layout, tool string) error {
	if tool == "" {
		exe, err := os.Executable()
		if err != nil {
			return err
		}
		tool = exe
	}
	tool, err := filepath.EvalSymlinks(tool)
	if err != nil {
		return err
	}
	target := l.Tool()
	if now, err := filepath.EvalSymlinks(target); err == nil && now == tool {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	if l.Root != "" || strings.HasPrefix(tool, "/nix/store/") {
		return renameio.Symlink(tool, target)
	}
	data, err := os.ReadFile(tool)
	if err != nil {
		return err
	}
	if have, err := os.ReadFile(target); err == nil && bytes.Equal(have, data) {
		return nil
	}
	return statedir.WriteFile(target, data, 0o755)
}

func hostKeys() ([]string, error) {
	lines := strings.Split(os.Getenv(HostKeysEnv), "\n")
	if lines[0] == "" {
		files, err := filepath.Glob("/etc/ssh/ssh_host_*_key.pub")
		if err != nil {
			return nil, err
		}
		lines = nil
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("read host key: %w", err)
			}
			lines = append(lines, string(data))
		}
	}
	keys := []string{}
	for _, line := range lines {
		// type and key, without the comment, which names the host that made it
		if f := strings.Fields(line); len(f) >= 2 {
			keys = append(keys, f[0]+" "+f[1])
		}
	}
	return keys, nil
}
