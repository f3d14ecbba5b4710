package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// RefFormer holds the refs of networks that owned this machine, or a profile
// of it, before it was adopted: their history and deployment logs stay here.
const RefFormer = "refs/former/" // + network.id8

// members reads which nodes this machine is.
func members(l statedir.Layout) ([]File, error) {
	names, err := Networks(l)
	if err != nil {
		return nil, err
	}
	files := make([]File, len(names))
	for i, name := range names {
		if files[i], err = readFile(l, name); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// same reports whether both own the same part of the machine.
func (f *File) same(o File) bool { return f.Scope == o.Scope }

// part names what of the machine a network owns.
func (f *File) part() string {
	if f.Scope == "" {
		return "the system of this machine"
	}
	return "the profile " + f.Scope
}

// refuseOther keeps a machine that answers at another one's address from
// silently becoming that one, and a network from taking what is another's.
func refuseOther(l statedir.Layout, want File) error {
	files, err := members(l)
	if err != nil {
		return err
	}
	for _, have := range files {
		sameNetwork := have.Network.ID == want.Network.ID
		var why error
		switch {
		case !sameNetwork && have.Network.Name == want.Network.Name:
			why = fmt.Errorf("this machine is node %q of another network named %q (id %s, not %s)",
				have.Node, have.Network.Name, have.Network.ID, want.Network.ID)
		case !sameNetwork && have.same(want):
			why = fmt.Errorf("%s belongs to the network %q (id %s), of which it is the node %q: a second network can own a profile beside it (profile.kind), or adopt the machine",
				have.part(), have.Network.Name, have.Network.ID, have.Node)
		case sameNetwork && have.Node != want.Node:
			why = fmt.Errorf("this machine is node %q of network %q, not %q: does the address belong to another machine now?",
				have.Node, have.Network.Name, want.Node)
		case sameNetwork && have.Network.Name != want.Network.Name:
			why = fmt.Errorf("this machine is node %q of this network under the name %q, not %q", have.Node, have.Network.Name, want.Network.Name)
		}
		if why != nil {
			return fail.New(fail.Failed, why, adoptHint(want.Node))
		}
	}
	return nil
}

func adoptHint(node string) string { return "git deploy adopt " + node + " USER@HOST" }

// adopt makes room for want: networks that have its place here give it up, and
// what they have becomes history in want's repository. Interrupted, it goes on
// when it is repeated.
func adopt(ctx context.Context, l statedir.Layout, want File) error {
	files, err := members(l)
	if err != nil {
		return err
	}
	for _, have := range files {
		sameNetwork := have.Network.ID == want.Network.ID
		switch {
		case sameNetwork && have.Network.Name != want.Network.Name:
			// Renamed: all of it stays what it is.
			if err := os.Rename(l.Network(have.Network.Name), l.Network(want.Network.Name)); err != nil {
				return fmt.Errorf("adopt: %w", err)
			}
		case !sameNetwork && have.Network.Name == want.Network.Name:
			if err := retireInPlace(ctx, l, have); err != nil {
				return fmt.Errorf("adopt: %w", err)
			}
		case !sameNetwork && have.same(want):
			if err := retireInto(ctx, l, have, want); err != nil {
				return fmt.Errorf("adopt: %w", err)
			}
		}
	}
	return nil
}

// former is where the refs of a network go.
func (f *File) former() string {
	return RefFormer + f.Network.Name + "." + strings.SplitN(f.Network.ID, "-", 2)[0] + "/"
}

// retireInPlace moves all refs of a repository that becomes another network's.
func retireInPlace(ctx context.Context, l statedir.Layout, have File) error {
	repo, err := gitrepo.OpenBare(l.Repo(have.Network.Name))
	if err != nil {
		return err
	}
	refs, err := repo.Refs(ctx)
	if err != nil {
		return err
	}
	var updates []gitrepo.RefUpdate
	for ref, oid := range refs {
		if !strings.HasPrefix(ref, RefFormer) {
			updates = append(updates, gitrepo.RefUpdate{Ref: have.former() + strings.TrimPrefix(ref, "refs/"), New: oid},
				gitrepo.RefUpdate{Ref: ref, Old: oid})
		}
	}
	if len(updates) > 0 {
		if err := repo.UpdateRefs(ctx, "git-deploy: adopted by another network", updates...); err != nil {
			return err
		}
	}
	return forget(l, have)
}

// retireInto brings all refs of one network into the repository of another,
// and removes the first from this machine.
func retireInto(ctx context.Context, l statedir.Layout, have, want File) error {
	from := l.Repo(have.Network.Name)
	if _, err := os.Stat(filepath.Join(from, "HEAD")); err == nil {
		if err := os.MkdirAll(l.Network(want.Network.Name), 0o700); err != nil {
			return err
		}
		if err := initRepo(ctx, l.Repo(want.Network.Name), want.Branch); err != nil {
			return err
		}
		repo, err := gitrepo.OpenBare(l.Repo(want.Network.Name))
		if err != nil {
			return err
		}
		old, err := gitrepo.OpenBare(from)
		if err != nil {
			return err
		}
		refs, err := old.Refs(ctx)
		if err != nil {
			return err
		}
		if len(refs) > 0 {
			err := repo.Fetch(ctx, gitrepo.Peer{URL: from}, "+refs/*:"+have.former()+"*", "^"+RefFormer+"*")
			if err != nil {
				return err
			}
		}
		for ref := range refs {
			if strings.HasPrefix(ref, RefFormer) {
				if err := repo.Fetch(ctx, gitrepo.Peer{URL: from}, "+"+RefFormer+"*:"+RefFormer+"*"); err != nil {
					return err
				}
				break
			}
		}
	}
	if err := forget(l, have); err != nil {
		return err
	}
	return os.RemoveAll(l.Network(have.Network.Name))
}

// forget removes what says that this machine is a node of a network.
func forget(l statedir.Layout, have File) error {
	for _, file := range []string{l.NodeFile(have.Network.Name), l.SystemFile(have.Network.Name), l.WatchFile(have.Network.Name)} {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
