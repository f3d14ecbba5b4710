package nix

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
)

// LockFile is where a flake keeps what its inputs are.
const LockFile = "flake.lock"

// Input is an input of a flake as its lock file pins it.
type Input struct {
	Name   string          // in the lock file
	locked json.RawMessage // what builtins.fetchTree takes
}

// LocalInputs reads a flake.lock and returns the inputs that another machine
// can hardly fetch itself: files of this one, and what is behind an ssh login.
// Inputs within the repository come with it.
func LocalInputs(lock []byte) ([]Input, error) {
	var l struct {
		Nodes map[string]struct {
			Locked json.RawMessage `json:"locked"`
		} `json:"nodes"`
	}
	if err := json.Unmarshal(lock, &l); err != nil {
		return nil, fmt.Errorf("%s: %w", LockFile, err)
	}
	var inputs []Input
	for name, node := range l.Nodes {
		var locked struct{ Type, Path, URL, NarHash string }
		if len(node.Locked) == 0 || json.Unmarshal(node.Locked, &locked) != nil || locked.NarHash == "" {
			continue
		}
		scheme, _, _ := strings.Cut(locked.URL, ":")
		scheme = strings.TrimPrefix(scheme, "git+")
		local := scheme == "file" || strings.HasPrefix(locked.URL, "/")
		switch locked.Type {
		case "path":
			if !strings.HasPrefix(locked.Path, "/") {
				continue
			}
		case "git", "hg":
			if !local && scheme != "ssh" && !strings.Contains(scheme, "@") {
				continue
			}
		case "file", "tarball":
			if !local {
				continue
			}
		default:
			continue
		}
		inputs = append(inputs, Input{Name: name, locked: node.Locked})
	}
	sort.Slice(inputs, func(i, j int) bool { return inputs[i].Name < inputs[j].Name })
	return inputs, nil
}

// Fetch brings the input into this machine's store and returns its path, which
// is the same on every machine: the lock file pins its hash.
func (n *Nix) Fetch(ctx context.Context, input Input) (string, error) {
	out, err := n.run(ctx, runOptions{argv: []string{
		"nix-instantiate", "--eval", "--strict", "--json",
		"--expr", `{ locked }: "${(builtins.fetchTree (removeAttrs (builtins.fromJSON locked) [ "dir" ])).outPath}"`,
		"--argstr", "locked", string(input.locked),
	}})
	if err != nil {
		return "", fmt.Errorf("the flake's input %s: %w", input.Name, err)
	}
	var path string
	if err := json.Unmarshal(out, &path); err != nil {
		return "", fmt.Errorf("the flake's input %s: %w", input.Name, err)
	}
	return path, storePath(path)
}
