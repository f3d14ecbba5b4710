package push

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/nix"
	"github.com/git-deploy/git-deploy/pkg/statedir"
	"github.com/git-deploy/git-deploy/pkg/transport"
)

// Where a node's configuration is evaluated and built.
const deployer = "deployer"

// places says where the system is built and its configuration evaluated; "" is the node.
func (d *deployment) places() (build, evaluate string) {
	key := "remote." + d.h.remote + "."
	return cmp.Or(d.options.build, d.h.config.Get(key+"deployBuild")), cmp.Or(d.options.evaluate, d.h.config.Get(key+"deployEvaluate"))
}

// buildHere evaluates and builds commit on this machine where the node's
// settings or the push options ask for that, and copies the result to the node.
func (d *deployment) buildHere(ctx context.Context, commit string) error {
	h := d.h
	build, evaluate := d.places()
	if d.builtFor == commit {
		return nil
	}
	if build != deployer && evaluate != deployer {
		d.sendInputs(ctx, commit)
		d.builtFor = commit
		return nil
	}
	if there := h.peer.hello.StoreDir; there != "" && there != nix.StoreDir() {
		return fmt.Errorf("%s keeps its store in %s and this machine in %s: what is built here cannot run there", h.called(), there, nix.StoreDir())
	}
	dir, err := os.MkdirTemp("", "git-deploy-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	source := filepath.Join(dir, "source")
	if err := os.Mkdir(source, 0o700); err != nil {
		return err
	}
	if err := d.objects.Extract(commit, source); err != nil {
		return err
	}
	n := nix.New(h.sink())
	root := filepath.Join(dir, "result") // keeps the result until it is copied
	var path, option string
	if build == deployer {
		option = "bundle="
		path, err = n.BuildBundle(ctx, source, h.peer.hello.Node, root)
	} else {
		option = "drv="
		path, err = n.Instantiate(ctx, source, h.peer.hello.Node, root)
	}
	if err != nil {
		return err
	}
	if !h.peer.local {
		if err := n.CopyTo(ctx, h.peer.nixStore, path); err != nil {
			return err
		}
	}
	d.built, d.builtFor = []string{option + path}, commit
	return nil
}

// nixStore is a nix.Runner.
func (p *peer) nixStore(ctx context.Context, argv []string, stdin io.Reader, stdout io.Writer) error {
	tool := p.t.Tool()
	argv = append(tool[:len(tool)-1:len(tool)-1], argv...) // with the tool's sudo
	return p.t.Run(ctx, transport.Command{Argv: argv, Stdin: stdin, Stdout: stdout})
}

// keep writes a manifest to the cache; that it cannot be kept stops nothing.
func keep(path string, m *bundle.Manifest) {
	if data, err := json.Marshal(m); err == nil && os.MkdirAll(filepath.Dir(path), 0o755) == nil {
		// Only the newest is of use; the trees before it were deployed.
		old, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "manifest-*.json"))
		for _, file := range old {
			_ = os.Remove(file)
		}
		_ = statedir.WriteFile(path, data, 0o644)
	}
}
