package nix

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/git-deploy/git-deploy/nixlib"
	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/proc"
)

// Evaluated is what a node would get, without it being built.
type Evaluated struct {
	Drv    string // of the bundle; its closure holds the system's
	Bundle *bundle.Bundle
}

// evaluateExpr yields the text of deploy.json, which names the system, with no
// need to build it. Derivations are written to the store: a configuration may
// read what it builds, and they can be compared.
const evaluateExpr = `{ lib, dir, node }: let b = (import (lib + "/cli.nix") { inherit dir; }).nodes.${node}.bundle; in { drv = builtins.unsafeDiscardStringContext b.drvPath; text = builtins.unsafeDiscardStringContext b.text; }`

// Evaluate evaluates what node would get from the network in dir, and builds nothing. It reports the step Evaluate.
func (n *Nix) Evaluate(ctx context.Context, dir, node string) (*Evaluated, error) {
	// The words that a person would see are those of a push: the same check, the same place.
	if _, err := n.bundle("nix-instantiate", dir, node); err != nil {
		return nil, err
	}
	lib, err := NixlibDir()
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	e := &Evaluated{}
	err = event.RunStep(n.Sink, event.Evaluate, func() error {
		out, err := n.run(ctx, runOptions{dir: dir, step: event.Evaluate, argv: []string{
			"nix-instantiate", "--eval", "--strict", "--json", "--read-write-mode", "-E", evaluateExpr,
			"--argstr", "lib", lib, "--argstr", "dir", dir, "--argstr", "node", node,
		}})
		if err = n.explainMore(ctx, dir, node, err); err != nil {
			return err
		}
		var answer struct{ Drv, Text string }
		if err := json.Unmarshal(out, &answer); err != nil {
			return fmt.Errorf("nix-instantiate printed %.200q: %w", out, err)
		}
		e.Drv = answer.Drv
		if e.Bundle, err = bundle.Parse([]byte(answer.Text)); err != nil {
			return err
		}
		return errors.Join(storePath(e.Drv), storePath(e.Bundle.System))
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// DerivationDiff compares what two derivations are made from, by name. It says
// more than what will run: what is needed to build counts too. Sizes are zero.
func (n *Nix) DerivationDiff(ctx context.Context, from, to string) (*event.ClosureDiff, error) {
	closures := [2][]string{}
	for i, drv := range []string{from, to} {
		closure, err := n.Closure(ctx, drv)
		if err != nil {
			return nil, err
		}
		closures[i] = slices.DeleteFunc(closure, func(path string) bool {
			return path == drv || !strings.HasSuffix(path, ".drv") // files are part of what uses them
		})
	}
	d := diffClosures(closures[0], closures[1], nil)
	d.Derivations = true
	return d, nil
}

// Fingerprint names all that an evaluation depends on beside the tree and the
// node: nixlib, Nix itself and its settings, and where <nixpkgs> leads. What
// cannot be seen without evaluating (a file elsewhere that a configuration
// reads) is not in it. It starts no program.
func Fingerprint() (string, error) {
	files, version := fs.FS(nixlib.FS), ""
	if dir := os.Getenv(NixlibEnv); dir != "" {
		files = os.DirFS(dir)
	}
	version, err := hashTree(files)
	if err != nil {
		return "", fmt.Errorf("read nixlib: %w", err)
	}
	h := sha256.New()
	add := func(words ...string) { fmt.Fprintf(h, "%q\n", words) }
	add("nixlib", version, "store", StoreDir())
	program, err := proc.Find("nix-instantiate")
	if err != nil {
		return "", err
	}
	add("nix", identity(program))
	for _, name := range []string{"NIX_CONFIG", "NIX_CONF_DIR", "NIX_USER_CONF_FILES", "NIX_PATH"} {
		add(name, os.Getenv(name))
	}
	for _, file := range configFiles() {
		add("conf", file, identity(file))
	}
	for _, entry := range searchPath() {
		_, path, ok := strings.Cut(entry, "=")
		if !ok {
			path = entry
		}
		add("path", entry, identity(path))
	}
	return hex.EncodeToString(h.Sum(nil))[:32], nil
}

// identity is what a path stands for now: a store path never changes, all else may.
func identity(path string) string {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return ""
	}
	if strings.HasPrefix(real, StoreDir()+"/") {
		return real
	}
	st, err := os.Stat(real)
	if err != nil {
		return real
	}
	return fmt.Sprintf("%s %d %d", real, st.Size(), st.ModTime().UnixNano())
}

func configFiles() []string {
	dir := os.Getenv("NIX_CONF_DIR")
	if dir == "" {
		dir = "/etc/nix"
	}
	files := []string{filepath.Join(dir, "nix.conf")}
	if config, err := os.UserConfigDir(); err == nil {
		files = append(files, filepath.Join(config, "nix", "nix.conf"))
	}
	return files
}

// searchPath is where <nixpkgs> is looked for, as Nix does it.
func searchPath() []string {
	if path, ok := os.LookupEnv("NIX_PATH"); ok {
		return strings.Split(path, ":")
	}
	var path []string
	if home, err := os.UserHomeDir(); err == nil {
		path = append(path, filepath.Join(home, ".nix-defexpr/channels"), filepath.Join(home, ".local/state/nix/profiles/channels"))
	}
	state := os.Getenv("NIX_STATE_DIR")
	if state == "" {
		state = "/nix/var/nix"
	}
	return append(path, filepath.Join(state, "profiles/per-user/root/channels"))
}
