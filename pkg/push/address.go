package push

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/nix"
	"github.com/git-deploy/git-deploy/pkg/transport"
)

// resolve returns an address with a host: node::NAME is looked up in git's
// configuration, then in the network's manifest.
func (h *helper) resolve(ctx context.Context) (transport.Address, error) {
	name := h.address.Node
	if name == "" {
		return h.address, nil
	}
	for _, r := range network.Nodes(h.config) {
		// The node's name comes first; a remote may be called something else.
		if r.Node != name {
			continue
		}
		if a, err := transport.ParseAddress(r.URL); err == nil && a.Host != "" {
			return a, nil
		}
	}
	unknown := func(err error) error {
		return fail.New(fail.Usage, fmt.Errorf("no address is known for the node %q: %w", name, err),
			"git deploy remotes   # makes remotes for all nodes of the network", fmt.Sprintf("git deploy add %s ADDRESS", name))
	}
	if h.repo == nil {
		return transport.Address{}, unknown(errors.New("there is no repository here"))
	}
	m, err := h.manifest(ctx)
	if err != nil {
		return transport.Address{}, unknown(err)
	}
	n, ok := m.Nodes[name]
	if !ok || n.Host == "" {
		return transport.Address{}, unknown(errors.New("neither git's configuration nor the network has one"))
	}
	return transport.ParseAddress(network.URL(n, m.Network.Name))
}

// manifest evaluates the network of HEAD, once per tree: the result is kept in the git folder.
func (h *helper) manifest(ctx context.Context) (*bundle.Manifest, error) {
	tree, err := h.repo.RevParse(ctx, "HEAD^{tree}")
	if err != nil {
		return nil, err
	}
	nixlib, err := nix.NixlibDir()
	if err != nil {
		return nil, err
	}
	// nixlib's folder is named by its content.
	key := sha256.Sum256([]byte(tree + "\x00" + nixlib))
	cache := filepath.Join(h.repo.CommonDir, "git-deploy", fmt.Sprintf("manifest-%x.json", key[:16]))
	if data, err := os.ReadFile(cache); err == nil {
		if m, err := bundle.ParseManifest(data); err == nil {
			return m, nil
		}
	}
	dir, err := os.MkdirTemp("", "git-deploy-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := h.repo.Extract(ctx, "HEAD", dir); err != nil {
		return nil, err
	}
	m, err := nix.New(event.Discard).Manifest(ctx, dir)
	if err != nil {
		return nil, err
	}
	keep(cache, m)
	return m, nil
}
