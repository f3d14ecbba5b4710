package nix

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/event"
)

// Closure returns path and all that it refers to, references first.
func (n *Nix) Closure(ctx context.Context, paths ...string) ([]string, error) {
	for _, p := range paths {
		if err := storePath(p); err != nil {
			return nil, err
		}
	}
	out, err := n.run(ctx, runOptions{argv: append([]string{"nix-store", "--query", "--requisites"}, paths...)})
	if err != nil {
		return nil, fmt.Errorf("read the closure of %s: %w", nameOf(paths[0]), err)
	}
	return splitLines(out), nil
}

// closureOf follows the references from path.
func closureOf(path string, infos map[string]pathInfo) []string {
	closure := []string{path}
	seen := map[string]bool{path: true}
	for i := 0; i < len(closure); i++ {
		for _, ref := range infos[closure[i]].references {
			if !seen[ref] {
				seen[ref] = true
				closure = append(closure, ref)
			}
		}
	}
	return closure
}

// ClosureDiff compares the closures of two systems; from may be "". It costs one process.
func (n *Nix) ClosureDiff(ctx context.Context, from, to string) (*event.ClosureDiff, error) {
	if from == to {
		return &event.ClosureDiff{From: from, To: to}, nil
	}
	tops := []string{to}
	if from != "" {
		tops = append(tops, from)
	}
	infos, err := n.describe(ctx, tops...)
	if err != nil {
		return nil, err
	}
	var before []string
	if from != "" {
		before = closureOf(from, infos)
	}
	d := diffClosures(before, closureOf(to, infos), infos)
	d.From, d.To = from, to
	return d, nil
}

// diffClosures compares by package name: what people know is not the hash.
func diffClosures(before, after []string, infos map[string]pathInfo) *event.ClosureDiff {
	d := &event.ClosureDiff{}
	old := make(map[string]bool, len(before))
	for _, p := range before {
		old[p] = true
		d.FromSize += infos[p].size
	}
	// What both have is taken out at once; what is left in old has gone.
	changes := map[string]*event.PackageChange{}
	change := func(path string) (*event.PackageChange, string) {
		name, version := parseName(nameOf(path))
		c := changes[name]
		if c == nil {
			c = &event.PackageChange{Name: name}
			changes[name] = c
		}
		return c, version
	}
	kept := map[string]bool{} // packages of which some path stays
	for _, p := range after {
		d.Size += infos[p].size
		if old[p] {
			delete(old, p)
			name, _ := parseName(nameOf(p))
			kept[name] = true
			continue
		}
		c, version := change(p)
		c.To = append(c.To, version)
		c.Delta += infos[p].size
	}
	for p := range old {
		c, version := change(p)
		c.From = append(c.From, version)
		c.Delta -= infos[p].size
	}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		c := changes[name]
		slices.Sort(c.From)
		slices.Sort(c.To)
		c.From, c.To = slices.Compact(c.From), slices.Compact(c.To)
		switch {
		case len(c.From) == 0 && !kept[name]:
			d.Added = append(d.Added, *c)
		case len(c.To) == 0 && !kept[name]:
			d.Removed = append(d.Removed, *c)
		default:
			d.Changed = append(d.Changed, *c)
		}
	}
	return d
}

func splitLines(out []byte) []string {
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
}
