package node

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/proc"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// Machine is what a deployer wants to know of a host before it is a node.
type Machine struct {
	Tool    string   `json:"tool"`              // version of this tool
	System  string   `json:"system"`            // GOOS/GOARCH
	Host    string   `json:"host"`              // its own host name
	NixOS   bool     `json:"nixos"`             // runs NixOS
	Missing []string `json:"missing,omitempty"` // programs that a node needs and that are not in PATH
	// Files are the *.nix files of /etc/nixos, by name: what the machine was
	// configured with so far.
	Files map[string]string `json:"files,omitempty"`
}

// maxConfigFile is what a configuration written by hand never reaches.
const maxConfigFile = 1 << 20

// Inspect looks at this machine.
func Inspect(l statedir.Layout, tool string) (*Machine, error) {
	m := &Machine{Tool: tool, System: runtime.GOOS + "/" + runtime.GOARCH, Files: map[string]string{}}
	m.Host, _ = os.Hostname()
	for _, program := range []string{"git", "nix-build", "nix-env", "nix-store"} {
		if _, err := proc.Find(program); err != nil {
			m.Missing = append(m.Missing, program)
		}
	}
	if release, err := os.ReadFile(l.Root + "/etc/os-release"); err == nil {
		m.NixOS = strings.Contains("\n"+string(release), "\nID=nixos\n")
	}
	dir := l.Root + "/etc/nixos"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return m, nil // not NixOS, or configured elsewhere
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".nix" {
			continue
		}
		info, err := os.Stat(filepath.Join(dir, e.Name()))
		if err != nil || !info.Mode().IsRegular() || info.Size() > maxConfigFile {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read the machine's configuration: %w", err)
		}
		m.Files[e.Name()] = string(text)
	}
	return m, nil
}
