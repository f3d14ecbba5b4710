// Package statedir is the state folder of a node: where things lie, the lock,
// and files that are either whole or absent. It knows nothing of git or Nix.
//
// Everything lies below Root, which is "" (the real system) except in tests
// and the demo, where the environment variable GIT_DEPLOY_ROOT names it.
package statedir

import (
	"errors"
	"os"
	"path/filepath"
)

// RootEnv names the environment variable that holds the root prefix.
const RootEnv = "GIT_DEPLOY_ROOT"

// ToolPath is where the tool is on every node; remote commands name it in
// full, because a login shell's PATH cannot be relied on.
const ToolPath = "/var/lib/git-deploy/bin/git-deploy"

// ErrNotANode is what the error wraps of a host that answers but is no node,
// or none of the network that is meant. NotANode begins its words on that host.
var ErrNotANode = errors.New("not a node")

const NotANode = "this machine is not a node of "

// Layout gives the paths of the state folder below a root prefix.
type Layout struct {
	Root string // no trailing slash; "" is the real system
}

// FromEnv returns the layout that GIT_DEPLOY_ROOT names.
func FromEnv() Layout { return Layout{Root: filepath.Clean("/" + os.Getenv(RootEnv))}.trim() }

func (l Layout) trim() Layout {
	if l.Root == "/" {
		l.Root = ""
	}
	return l
}

func (l Layout) path(p ...string) string {
	return l.Root + filepath.Join(append([]string{"/"}, p...)...)
}

// Dir is the state folder, mode 0700.
func (l Layout) Dir() string { return l.path("var/lib/git-deploy") }

// Networks is the folder of all networks of this node.
func (l Layout) Networks() string { return l.path("var/lib/git-deploy/networks") }

// Network is the folder of one network.
func (l Layout) Network(name string) string { return filepath.Join(l.Networks(), name) }

// Repo is the bare repository of one network.
func (l Layout) Repo(name string) string { return filepath.Join(l.Network(name), "repo.git") }

// NodeFile is the file that says which node of the network this is.
func (l Layout) NodeFile(name string) string { return filepath.Join(l.Network(name), "node.json") }

// SystemFile holds the commit of a network that was last made live here and its system, in one line.
func (l Layout) SystemFile(name string) string { return filepath.Join(l.Network(name), "system") }

// WatchFile says what a network's peers had that failed here.
func (l Layout) WatchFile(name string) string { return filepath.Join(l.Network(name), "watch.json") }

// RefsLock is held for the instant in which a deployment looks at a network's refs and moves them.
func (l Layout) RefsLock(name string) string { return filepath.Join(l.Network(name), "refs.lock") }

// Deployments is the folder of all deployments of this node.
func (l Layout) Deployments() string { return l.path("var/lib/git-deploy/deployments") }

// Deployment is the folder of one deployment.
func (l Layout) Deployment(id string) string { return filepath.Join(l.Deployments(), id) }

// Events is the event log of one deployment.
func (l Layout) Events(id string) string { return filepath.Join(l.Deployment(id), "events.jsonl") }

// NetworkLock is the lock that activations of a network take which owns a profile only.
func (l Layout) NetworkLock(name string) string { return filepath.Join(l.Network(name), "lock") }

// ActiveLink leads to what is active of a profile that the network owns.
func (l Layout) ActiveLink(name string) string { return filepath.Join(l.Network(name), "active") }

// ProfilesFile says how the packages of such a profile are made live.
func (l Layout) ProfilesFile(name string) string {
	return filepath.Join(l.Network(name), "profiles.json")
}

// LockFile is the lock that every activation of the system takes.
func (l Layout) LockFile() string { return l.path("var/lib/git-deploy/lock") }

// Tool is the program that hooks and remote commands run.
func (l Layout) Tool() string { return l.path(ToolPath) }

// Secrets is the folder of secrets that do not survive a reboot.
func (l Layout) Secrets() string { return l.path("run/git-deploy/secrets") }

// CurrentSystem is the symlink to the running system.
func (l Layout) CurrentSystem() string { return l.path("run/current-system") }

// BootedSystem is the symlink to the system that was booted.
func (l Layout) BootedSystem() string { return l.path("run/booted-system") }

// SystemdRuntime exists where systemd is PID 1.
func (l Layout) SystemdRuntime() string { return l.path("run/systemd/system") }

// Profiles is the folder of Nix profiles; NIX_STATE_DIR moves it, as it does for Nix itself.
func (l Layout) Profiles() string {
	if dir := os.Getenv("NIX_STATE_DIR"); dir != "" {
		return filepath.Join(dir, "profiles")
	}
	return l.path("nix/var/nix/profiles")
}

// SystemProfile is the profile that the boot loader boots.
func (l Layout) SystemProfile() string { return filepath.Join(l.Profiles(), "system") }

// Reserve is a file that only takes room on the disk; see MakeReserve.
func (l Layout) Reserve() string { return l.path("var/lib/git-deploy/reserve") }
