package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/activate"
	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/nix"
	"github.com/git-deploy/git-deploy/pkg/proc"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// CollectedVersion is the version of what the verb gc prints.
const CollectedVersion = 1

// Collected is what was removed because the network keeps it no longer.
type Collected struct {
	Version     int      `json:"version"`
	Node        string   `json:"node"`
	Generations []int    `json:"generations"`     // of the system profile
	Deployments []string `json:"deployments"`     // ids whose folder went, with its GC root
	Failed      []string `json:"failed"`          // ids whose ref below refs/deploy/failed went
	Store       string   `json:"store,omitempty"` // what nix-collect-garbage says of it
}

func (c *Collected) String() string {
	var parts []string
	count := func(n int, what string) {
		if n == 1 {
			parts = append(parts, "1 "+what)
		} else if n > 1 {
			parts = append(parts, fmt.Sprintf("%d %ss", n, what))
		}
	}
	if len(c.Generations) > 0 {
		var numbers []string
		for _, g := range c.Generations {
			numbers = append(numbers, strconv.Itoa(g))
		}
		count(len(c.Generations), "generation")
		parts[0] += " of the system (" + strings.Join(numbers, ", ") + ")"
	}
	count(len(c.Deployments), "record of a deployment")
	count(len(c.Failed), "failed commit")
	if len(parts) == 0 {
		return ""
	}
	return strings.ReplaceAll("removed "+strings.Join(parts, ", "), "record of a deployments", "records of deployments")
}

// collect is the one place that removes what is old: generations of the system
// profile, the folders of deployments (and so the GC roots of what they built),
// and the refs of failed commits, all by the same limits. What runs, was
// booted, boots or was confirmed last stays, and so does deployment except.
// Without limits generations stay, and of deployments what people still ask
// about. The caller holds the node's lock.
func (n *Node) collect(ctx context.Context, limits bundle.Generations, except string) (*Collected, error) {
	c := &Collected{Version: CollectedVersion, Node: n.Node, Generations: []int{}, Deployments: []string{}, Failed: []string{}}
	keep, err := n.needed()
	if err != nil {
		return c, err
	}
	if limits.Keep > 0 || limits.Days > 0 {
		if c.Generations, err = n.collectGenerations(ctx, limits, keep); err != nil {
			return c, err
		}
	}
	r := statedir.DefaultRetention
	if limits.Keep > 0 || limits.Days > 0 {
		r = statedir.Retention{Keep: limits.Keep, MaxAge: time.Duration(limits.Days) * 24 * time.Hour}
	}
	files, err := members(n.Layout)
	if err != nil {
		return c, err
	}
	removed, err := n.Layout.Prune(r, func(id string) bool {
		if id == except {
			return true
		}
		job, err := activate.ReadJob(n.Layout, id)
		// Another network has limits of its own.
		others := func(f File) bool { return f.Network.ID == job.NetworkID && f.Network.ID != n.Network.ID }
		return err == nil && (keep[job.Bundle.System] || slices.ContainsFunc(files, others))
	})
	c.Deployments = append(c.Deployments, removed...)
	if err != nil || len(removed) == 0 && except != "" {
		return c, err
	}
	return c, n.collectFailed(ctx, c)
}

// needed are the systems that nothing may take away. What was confirmed last
// runs, boots, or was made live last.
func (n *Node) needed() (map[string]bool, error) {
	l, keep := n.Layout, map[string]bool{}
	links := []string{l.CurrentSystem(), l.BootedSystem(), l.SystemProfile()}
	if n.Scope != "" {
		links = []string{l.ActiveLink(n.Network.Name), n.profileLink()}
	}
	for _, link := range links {
		system, err := systemAt(link)
		if err != nil {
			return nil, err
		}
		keep[system] = true
	}
	line, err := os.ReadFile(l.SystemFile(n.Network.Name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	_, system, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
	keep[system] = true
	delete(keep, "")
	return keep, nil
}

func (n *Node) collectGenerations(ctx context.Context, limits bundle.Generations, keep map[string]bool) ([]int, error) {
	profile := n.profileLink()
	all, err := nix.Generations(profile)
	if err != nil {
		return []int{}, err
	}
	old := oldGenerations(all, limits, keep, time.Now())
	if len(old) == 0 {
		return []int{}, nil
	}
	return old, nix.New(event.Discard).DeleteGenerations(ctx, profile, old)
}

// oldGenerations are those that neither limit keeps and that nothing needs.
func oldGenerations(all []nix.Generation, limits bundle.Generations, keep map[string]bool, now time.Time) []int {
	old := []int{}
	for i, g := range all {
		newest := len(all)-i <= limits.Keep
		young := limits.Days > 0 && now.Sub(g.Time) < time.Duration(limits.Days)*24*time.Hour
		if !newest && !young && !g.Current && !keep[g.Path] {
			old = append(old, g.Number)
		}
	}
	return old
}

// collectFailed removes the refs of failed deployments whose folder is gone.
func (n *Node) collectFailed(ctx context.Context, c *Collected) error {
	refs, err := n.Repo.Refs(ctx, strings.TrimSuffix(RefFailed, "/"))
	if err != nil {
		return err
	}
	ids, err := n.Layout.IDs()
	if err != nil {
		return err
	}
	to := map[string]string{}
	for ref := range refs {
		if id := strings.TrimPrefix(ref, RefFailed); !slices.Contains(ids, id) {
			to[ref] = ""
			c.Failed = append(c.Failed, id)
		}
	}
	slices.Sort(c.Failed)
	return n.move(ctx, refs, to, "git-deploy: gc")
}

// oldQuarantine is older than what any push that still builds has brought.
const oldQuarantine = 7 * 24 * time.Hour

// dropQuarantines removes what pushes left that were killed: git removes its
// quarantine at the end of a push, but not when a signal ends it.
func (n *Node) dropQuarantines() {
	dirs, _ := filepath.Glob(filepath.Join(n.Repo.GitDir, "objects/tmp_objdir-incoming-*"))
	for _, dir := range dirs {
		if st, err := os.Stat(dir); err == nil && time.Since(st.ModTime()) > oldQuarantine {
			_ = os.RemoveAll(dir)
		}
	}
}

// tidy removes what is old after a deployment, by its limits, and tells.
// Whatever goes wrong with it, the deployment is what it is.
func (d *deployment) tidy(ctx context.Context, limits bundle.Generations) {
	d.n.dropQuarantines()
	c, err := d.n.collect(ctx, limits, d.id)
	if err != nil {
		d.sink.Emit(event.Event{Kind: event.Warning, Message: "remove what is old: " + err.Error()})
	}
	if c != nil && len(c.Generations) > 0 {
		d.sink.Emit(event.Event{Kind: event.Notice, Message: c.String()})
	}
}

// menuLimit is how long writing the boot menu anew may take.
const menuLimit = 5 * time.Minute

// GC answers the verb gc: it removes what is old by the limits of the running
// system's deployment, and with store what the Nix store then holds for nobody.
func GC(ctx context.Context, l statedir.Layout, arg string, store bool) (*Collected, error) {
	n, err := Open(l, arg)
	if err != nil {
		return nil, err
	}
	held, err := statedir.Lock(ctx, n.lockFile(), statedir.Holder{Deployment: "gc"}, DefaultWait)
	if err != nil {
		return nil, err
	}
	c, err := func() (*Collected, error) {
		running, err := n.running()
		if err != nil {
			return nil, err
		}
		var limits bundle.Generations
		if job := n.lastJob(running, ""); job != nil {
			limits = job.Bundle.Generations
		}
		n.dropQuarantines()
		c, err := n.collect(ctx, limits, "")
		if err != nil || !store {
			return c, err
		}
		if len(c.Generations) > 0 && n.Scope == "" {
			// What is no longer in the store must not be in the boot menu.
			if err := n.writeMenu(ctx); err != nil {
				return c, err
			}
		}
		c.Store, err = nix.New(event.Discard).CollectGarbage(ctx)
		return c, err
	}()
	return c, errors.Join(err, held.Release())
}

// writeMenu has the system that boots write the boot menu anew.
func (n *Node) writeMenu(ctx context.Context) error {
	system, err := systemAt(n.Layout.SystemProfile())
	if err != nil || system == "" {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, menuLimit)
	defer cancel()
	cmd := proc.Cmd{Argv: []string{filepath.Join(system, "bin/switch-to-configuration"), "boot"}, Dir: "/"}
	if n.Layout.Root != "" {
		cmd.Env = []string{statedir.RootEnv + "=" + n.Layout.Root}
	}
	if err := proc.Run(ctx, cmd); err != nil {
		return fmt.Errorf("write the boot menu without the generations that are gone: %w", err)
	}
	return nil
}
