package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/nix"
	"github.com/git-deploy/git-deploy/pkg/statedir"
	"github.com/git-deploy/git-deploy/pkg/transport"
)

// WatchPeer is another source of the network: a node, or any git repository.
type WatchPeer struct {
	Name    string // of the node, or what to call the repository
	Address string // node://…, or what git fetches from
}

// WatchOptions are what one look at the peers takes.
type WatchOptions struct {
	Network string // as Open takes it
	Peers   []WatchPeer
	Version string // of this tool
}

// ParsePeer reads NAME=ADDRESS, an address, or the name of a node, whose
// address the network knows.
func ParsePeer(s string) (WatchPeer, error) {
	p := WatchPeer{Address: s}
	if name, address, ok := strings.Cut(s, "="); ok && !strings.ContainsAny(name, ":/") {
		p = WatchPeer{name, address}
	} else if !strings.ContainsAny(s, ":/") {
		p = WatchPeer{Name: s}
	} else if a, err := transport.ParseAddress(s); err == nil {
		p.Name = a.Host
	}
	if err := network.CheckName("peer", p.Name); err != nil {
		return p, fail.New(fail.Usage, fmt.Errorf("peer %q: %w", s, err), "give it a name: NAME="+p.Address)
	}
	return p, nil
}

// Watch fetches the deploy branch of the peers, merges what is new and deploys
// it by the way of every push: this node's own hooks. A conflict, or a peer
// that cannot be reached, changes nothing and is reported; the others count.
// What has failed here is not tried again until this node or a peer has
// something newer.
func Watch(ctx context.Context, l statedir.Layout, o WatchOptions, sink event.Sink) error {
	n, err := Open(l, o.Network)
	if err != nil {
		return err
	}
	w := &watcher{n: n, o: o, sink: event.Stamp(sink, n.Node, "")}
	return w.look(ctx)
}

// watcher is one look at the peers.
type watcher struct {
	n        *Node
	o        WatchOptions
	sink     event.Sink
	manifest map[string]string // addresses of nodes, once asked for
	took     []WatchPeer       // peers that have something new
	key      string            // what is merged, for the memory of failures
}

func (w *watcher) look(ctx context.Context) error {
	n := w.n
	refs, err := n.Repo.Refs(ctx, n.Ref())
	if err != nil {
		return err
	}
	own := refs[n.Ref()]
	result, reached := own, 0
	w.key = own
	var problems []error
	for _, p := range w.o.Peers {
		tip, err := w.fetch(ctx, p, own)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			if !errors.Is(err, transport.ErrUnreachable) {
				problems = append(problems, fmt.Errorf("%s: %w", p.Name, err))
			}
			w.sink.Emit(event.Event{Kind: event.Warning, Message: fmt.Sprintf("%s: %v", p.Name, err), Time: time.Now()})
			continue
		}
		reached++
		merged, err := w.merge(ctx, p, result, tip)
		if err != nil {
			problems = append(problems, err)
			w.sink.Emit(event.Event{Kind: event.Warning, Message: err.Error(), Hint: hintOf(err), Time: time.Now()})
			continue
		}
		if merged != result {
			w.took, w.key = append(w.took, p), w.key+" "+tip
		}
		result = merged
	}
	if result != own {
		problems = append(problems, w.deliver(ctx, result))
	}
	if reached == 0 && len(w.o.Peers) > 0 && len(problems) == 0 {
		return fail.Errorf(fail.Unreachable, "no peer could be reached")
	}
	return errors.Join(problems...)
}

// fetch brings the peer's deploy branch here and returns its tip.
func (w *watcher) fetch(ctx context.Context, p WatchPeer, own string) (string, error) {
	n := w.n
	if p.Address == "" {
		var err error
		if p.Address, err = w.addressOf(ctx, p.Name, own); err != nil {
			return "", err
		}
	}
	peer := gitrepo.Peer{URL: p.Address}
	if network.IsNodeURL(p.Address) {
		address, err := transport.ParseAddress(p.Address)
		if err != nil {
			return "", fail.New(fail.Usage, err)
		}
		opts := transport.Options{HostKeyAlias: p.Name, SharedConnection: true}
		if own != "" {
			// The host keys that this node trusts are those of the commit that it has.
			if known, err := n.Repo.ReadFile(ctx, own, network.KnownHostsFile); err == nil {
				opts.KnownHosts = string(known)
			}
		}
		t, err := transport.Dial(ctx, address, opts)
		if err != nil {
			return "", err
		}
		defer t.Close()
		g, err := t.Git(address.Network)
		if err != nil {
			return "", err
		}
		peer = gitrepo.Peer{URL: g.URL, UploadPack: g.UploadPack, Env: g.Env, Config: g.Config}
	}
	ref := network.ToldRef(p.Name, n.Ref())
	if err := n.Repo.Fetch(ctx, peer, n.Ref()+":"+ref); err != nil {
		return "", err
	}
	return n.Repo.RevParse(ctx, ref)
}

// addressOf asks the network, as this node has it, where a node is.
func (w *watcher) addressOf(ctx context.Context, name, own string) (string, error) {
	if w.manifest == nil {
		if own == "" {
			return "", fail.Errorf(fail.Usage, "this node has no commit yet that would say where %q is: give NAME=ADDRESS", name)
		}
		dir, err := os.MkdirTemp("", "git-deploy-")
		if err != nil {
			return "", err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		if err := w.n.Repo.Extract(ctx, own, dir); err != nil {
			return "", err
		}
		m, err := nix.New(event.Discard).Manifest(ctx, dir)
		if err != nil {
			return "", err
		}
		w.manifest = map[string]string{}
		for node, settings := range m.Nodes {
			w.manifest[node] = network.URL(settings, m.Network.Name)
		}
	}
	if address := w.manifest[name]; address != "" {
		return address, nil
	}
	return "", fail.Errorf(fail.Usage, "the network has no node %q: give NAME=ADDRESS", name)
}

// merge returns the commit that has both ours and the peer's.
func (w *watcher) merge(ctx context.Context, p WatchPeer, ours, theirs string) (string, error) {
	if ours == "" {
		return theirs, nil
	}
	repo := w.n.Repo
	relation, err := repo.Relate(ctx, ours, theirs)
	switch {
	case err != nil:
		return "", fmt.Errorf("%s: %w", p.Name, err)
	case relation == gitrepo.Same, relation == gitrepo.Ahead:
		return ours, nil
	case relation == gitrepo.Behind:
		return theirs, nil
	}
	tree, conflicts, err := repo.MergeTree(ctx, ours, theirs)
	if err != nil {
		return "", fmt.Errorf("%s: %w", p.Name, err)
	}
	if len(conflicts) > 0 {
		return "", fail.New(fail.Conflict, fmt.Errorf("%s: merge conflict in %s: both sides changed the same lines; nothing was changed",
			p.Name, strings.Join(conflicts, ", ")), "git pull --no-rebase "+p.Name+" "+w.n.Branch+" && git push "+w.n.Node+"   # in a clone with both as remotes")
	}
	subjects, err := repo.Subjects(ctx, ours, theirs)
	if err != nil {
		return "", err
	}
	var message strings.Builder
	fmt.Fprintf(&message, "Merge what %s has\n", p.Name)
	for i, s := range subjects[:min(len(subjects), 20)] {
		if i == 0 {
			message.WriteByte('\n')
		}
		fmt.Fprintf(&message, "* %s\n", gitrepo.Clean(s))
	}
	config, err := repo.Config(ctx)
	if err != nil {
		return "", err
	}
	who := w.who()
	return repo.CommitTree(ctx, gitrepo.Commit{
		Tree: tree, Parents: []string{ours, theirs}, Message: message.String(),
		Author: &who, Committer: &who, Sign: config.Bool("commit.gpgSign", false),
	})
}

// who commits and deploys.
func (w *watcher) who() gitrepo.Identity {
	return gitrepo.Identity{Name: w.n.Node, Email: "git-deploy@" + w.n.Node}
}

// tried is what failed last, watch.json.
type tried struct {
	Key     string        `json:"key"` // the commits that were taken together
	Outcome event.Outcome `json:"outcome"`
	Message string        `json:"message"`
	Time    time.Time     `json:"time"`
}

// tryAgain is when a failure that may have come from outside (a build that
// could not fetch its sources) is tried again although nothing is new.
const tryAgain = time.Hour

// deliver deploys commit as a push from this machine does.
func (w *watcher) deliver(ctx context.Context, commit string) error {
	n := w.n
	memory := n.Layout.WatchFile(n.Network.Name)
	var last tried
	// What cannot be read was not tried.
	if statedir.ReadJSON(memory, &last) == nil && last.Key == w.key && (last.Outcome != event.Failed || time.Since(last.Time) < tryAgain) {
		w.sink.Emit(event.Event{Kind: event.Notice, Time: time.Now(),
			Message: fmt.Sprintf("what %s has %s here before (%s); it waits for something newer", w.names(), strings.ReplaceAll(string(last.Outcome), "-", " "), last.Message)})
		return nil
	}
	id := statedir.NewID()
	options := []string{
		"deployment=" + id, "follow=false", "node=" + n.Node, "network=" + n.Network.ID,
		"by=" + w.who().String(), "from=" + gitrepo.Clean(w.names()),
	}
	var said strings.Builder
	statuses, err := n.Repo.SendPack(ctx, gitrepo.Peer{URL: n.Repo.GitDir}, gitrepo.Send{
		Refspecs: []string{commit + ":" + n.Ref()}, Options: options,
		Line: func(line string) { said.WriteString(strings.TrimPrefix(line, "remote: ") + "\n") },
	})
	if err != nil {
		return fmt.Errorf("deploy: %w", err)
	}
	if _, err := statedir.ReadEvents(n.Layout, id); err != nil {
		// No deployment came of it: the branch moved at this moment, say.
		for _, s := range statuses {
			if s.Err != "" {
				return fmt.Errorf("deploy: %s: %s", s.Err, strings.TrimSpace(said.String()))
			}
		}
		return fmt.Errorf("deploy: %s", strings.TrimSpace(said.String()))
	}
	var end event.Event
	err = Follow(ctx, n.Layout, id, 1, func(e event.Event) error {
		w.sink.Emit(e)
		if e.Kind == event.Finished {
			end = e
		}
		return nil
	})
	if err != nil {
		return err
	}
	if end.Outcome.OK() {
		return nil
	}
	switch end.Outcome {
	case event.Failed, event.Refused, event.RolledBack, event.RollbackFailed:
		err = statedir.WriteJSON(memory, tried{w.key, end.Outcome, end.Message, time.Now()}, 0o600)
	}
	return errors.Join(&Ended{Outcome: end.Outcome, Message: end.Message}, err)
}

// names are the peers that had something new.
func (w *watcher) names() string {
	var names []string
	for _, p := range w.took {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}
