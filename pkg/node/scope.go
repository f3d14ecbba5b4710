package node

import (
	"context"

	"github.com/git-deploy/git-deploy/pkg/activate"
	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// ScopeOf is File.Scope of a profile.
func ScopeOf(p bundle.Profile) string {
	switch {
	case p.System():
		return ""
	case p.User == "" || p.User == "root":
		return p.Name
	}
	return p.Name + " of " + p.User
}

// running is the store path of what runs of the network here, "" for nothing.
func (n *Node) running() (string, error) {
	if n.Scope == "" {
		return systemAt(n.Layout.CurrentSystem())
	}
	path, err := systemAt(n.Layout.ActiveLink(n.Network.Name))
	if err != nil || path != "" {
		return path, err
	}
	return n.profile()
}

// profileLink is the profile with the network's generations, "" where there is none yet.
func (n *Node) profileLink() string {
	if n.Scope == "" {
		return n.Layout.SystemProfile()
	}
	p, ok := activate.ProfileOf(n.Layout, n.Network.Name, "")
	if !ok {
		return ""
	}
	return activate.ProfileLink(n.Layout, p)
}

// profile is what that profile names.
func (n *Node) profile() (string, error) {
	link := n.profileLink()
	if link == "" {
		return "", nil
	}
	return systemAt(link)
}

// checkScope refuses what is for another part of the machine than the network owns.
func (n *Node) checkScope(p bundle.Profile) error {
	scope := ScopeOf(p)
	if scope == n.Scope {
		return nil
	}
	want := File{Scope: scope}
	return refused("git deploy add "+n.Node+" USER@HOST", "what was built is %s, and the network %q owns %s here: add the node again to change that", want.part(), n.Network.Name, n.part())
}

// checkAction refuses what only a system can do.
func (n *Node) checkAction(o Options) error {
	if n.Scope != "" && (o.Action == string(activate.Boot) || o.Action == string(activate.Reboot)) {
		return refused("git push "+n.Node, "%s is a profile: it is not booted, so action=%s has no meaning", n.part(), o.Action)
	}
	return nil
}

// lockFile is the lock that activations of this network take. Those that own
// profiles have their own: they need not wait for the system, nor for each other.
func (n *Node) lockFile() string { return lockFile(n.Layout, &n.File) }

func lockFile(l statedir.Layout, f *File) string {
	if f.Scope == "" {
		return l.LockFile()
	}
	return l.NetworkLock(f.Network.Name)
}

// lockAll takes the locks of everything that this machine runs, so that no
// activation is under way. what is who holds them, for people.
func lockAll(ctx context.Context, l statedir.Layout, what string) (release func(), err error) {
	files, err := members(l)
	if err != nil {
		return nil, err
	}
	paths := []string{l.LockFile()}
	for i := range files {
		if path := lockFile(l, &files[i]); path != l.LockFile() {
			paths = append(paths, path)
		}
	}
	var held []*statedir.Held
	release = func() {
		for _, h := range held {
			_ = h.Release()
		}
	}
	for _, path := range paths {
		h, err := statedir.Lock(ctx, path, statedir.Holder{Deployment: what}, DefaultWait)
		if err != nil {
			release()
			return nil, err
		}
		held = append(held, h)
	}
	return release, nil
}
