// Package nixlib holds the Nix library that describes networks, as files.
// Package nix writes them to a folder for the Nix programs to read; nothing
// here is evaluated in Go.
package nixlib

import "embed"

// FS is the whole library: default.nix, cli.nix and what they import, and mini.
//
//go:embed all:cli.nix all:default.nix all:flake-module.nix all:from all:lib all:modules all:nixos all:mini
var FS embed.FS
