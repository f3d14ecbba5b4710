package nix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
)

// Imported is what another tool's definition becomes.
type Imported struct {
	Name  string            `json:"name"`
	Files map[string]string `json:"files"` // text by path in the repository
	Lost  []string          `json:"lost"`  // what cannot be carried over, a sentence each
	Hints []string          `json:"hints"` // what is left to do by hand
}

// ImportTools are the tools whose definitions can be read.
var ImportTools = []string{"colmena", "deploy-rs", "morph", "nixus"}

// ImportFrom reads the definition of a tool, the file of this name in dir, by
// evaluating it. nixpkgs is the Nix expression of that of a definition which
// names none.
func (n *Nix) ImportFrom(ctx context.Context, tool, dir, file, nixpkgs string) (*Imported, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	lib, err := NixlibDir()
	if err != nil {
		return nil, err
	}
	out, err := n.run(ctx, runOptions{dir: dir, argv: []string{
		"nix-instantiate", "--eval", "--strict", "--json",
		"--read-write-mode", // which system a profile of deploy-rs is of stands in its derivation
		filepath.Join(lib, "from", "default.nix"),
		"--argstr", "tool", tool, "--argstr", "dir", dir, "--argstr", "file", file,
		"--arg", "nixpkgs", "let nixlib = " + lib + "; in " + nixpkgs, "--argstr", "nixpkgsText", nixpkgs,
	}})
	var e *EvalError
	if errors.As(err, &e) && missingChannel.MatchString(e.Message) {
		return nil, hinted(e, "git deploy import --nixpkgs ./nixpkgs "+tool+" "+file+"   # any Nix expression for a nixpkgs")
	}
	if err != nil {
		return nil, err
	}
	var i Imported
	if err := json.Unmarshal(out, &i); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return &i, nil
}
