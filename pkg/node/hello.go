package node

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strings"

	"github.com/git-deploy/git-deploy/hooks"
	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/nix"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// HelloVersion is the version of what the verb hello prints.
const HelloVersion = 1

// HelloReply is all that a deployer must know of a node before it sends
// anything, in one round trip.
type HelloReply struct {
	Version  int               `json:"version"`
	Tool     string            `json:"tool"`
	Network  bundle.NetworkID  `json:"network"`
	Node     string            `json:"node"`
	Branch   string            `json:"branch"`
	System   string            `json:"system"` // as Nix names it, e.g. x86_64-linux
	Refs     map[string]string `json:"refs"`
	Running  string            `json:"running"`          // store paths
	Wanted   string            `json:"wanted,omitempty"` // what refs/deploy/current became; another tool may have switched since
	Profile  string            `json:"profile"`
	Pinned   bool              `json:"pinned"` // a rollback keeps the node off its branch
	Holder   *statedir.Holder  `json:"holder"` // of the lock, while something is activated
	StoreDir string            `json:"storeDir"`
	Hooks    *hooks.State      `json:"hooks"`
}

// Hello answers the verb hello, and restores hooks that are gone. It starts two
// programs, at once.
func Hello(ctx context.Context, l statedir.Layout, arg, tool string) (*HelloReply, error) {
	n, err := Open(l, arg)
	if err != nil {
		return nil, err
	}
	if err := n.checkRepo(); err != nil {
		return nil, err
	}
	checked := make(chan hooks.State, 1)
	go func() { checked <- n.checkHooks(ctx) }()
	refs, err := n.Repo.Refs(ctx)
	state := <-checked
	if err != nil {
		return nil, err
	}
	h := &HelloReply{
		Version: HelloVersion, Tool: tool, Network: n.Network, Node: n.Node, Branch: n.Branch,
		System: nixSystem(), Refs: refs, StoreDir: nix.StoreDir(), Hooks: &state,
	}
	if h.Pinned, err = n.pinned(ctx, refs); err != nil {
		return nil, err
	}
	if h.Running, err = n.running(); err != nil {
		return nil, err
	}
	if h.Profile, err = n.profile(); err != nil {
		return nil, err
	}
	h.Wanted = n.systemOfCurrent(refs[RefCurrent])
	h.Holder, err = statedir.HolderOf(n.lockFile())
	return h, err
}

// noteSystem remembers what a commit became, for systemOfCurrent.
func (n *Node) noteSystem(commit, system string) error {
	return statedir.WriteFile(n.Layout.SystemFile(n.Network.Name), []byte(commit+" "+system+"\n"), 0o600)
}

// systemOfCurrent returns the system that the current commit became, "" where that is not known.
func (n *Node) systemOfCurrent(current string) string {
	line, err := os.ReadFile(n.Layout.SystemFile(n.Network.Name))
	if err != nil {
		return ""
	}
	if commit, system, ok := strings.Cut(strings.TrimSpace(string(line)), " "); ok && commit == current {
		return system
	}
	return ""
}

// nixSystem is this machine as Nix names it.
func nixSystem() string {
	cpu, ok := map[string]string{"amd64": "x86_64", "386": "i686", "arm64": "aarch64", "arm": "armv7l", "riscv64": "riscv64"}[runtime.GOARCH]
	if !ok {
		cpu = runtime.GOARCH
	}
	return cpu + "-" + runtime.GOOS
}

// systemAt returns the store path that a link leads to, "" where there is none.
func systemAt(link string) (string, error) {
	path, err := nix.Resolve(link)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return path, err
}
