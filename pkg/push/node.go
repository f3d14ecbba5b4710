package push

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/health"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/statedir"
	"github.com/git-deploy/git-deploy/pkg/transport"
)

// Node is a connection to a node, for what is not a push.
type Node struct{ h *helper }

// Connect connects to the node of a remote and asks it what it is. The caller closes the Node.
func Connect(ctx context.Context, repo *gitrepo.Repo, r network.Remote) (*Node, error) {
	config, err := repo.Config(ctx)
	if err != nil {
		return nil, err
	}
	h := &helper{remote: r.Name, repo: repo, config: config, stderr: os.Stderr}
	if h.address, err = transport.ParseAddress(r.URL); err != nil {
		return nil, fail.New(fail.Usage, err)
	}
	h.out = &output{Sink: event.Discard}
	if err := h.connect(ctx); err != nil {
		return nil, err
	}
	return &Node{h}, nil
}

// Close ends the connection.
func (n *Node) Close() { n.h.close() }

// Hello returns what the node told of itself.
func (n *Node) Hello() *HelloReply { return n.h.peer.hello }

// Hello asks the node of a remote what it is.
func Hello(ctx context.Context, repo *gitrepo.Repo, r network.Remote) (*HelloReply, error) {
	n, err := Connect(ctx, repo, r)
	if err != nil {
		return nil, err
	}
	defer n.Close()
	return n.Hello(), nil
}

// Follow passes the events of a deployment to sink, those of the past first, and returns the last one.
func (n *Node) Follow(ctx context.Context, id string, sink event.Sink) (event.Event, error) {
	w := n.watch(id, sink)
	w.confirm = false // whoever deploys does
	w.argv = w.peer.t.Tool("node", "follow", "--existing", id)
	return n.run(ctx, w)
}

// Followed is the deployment of this node that this clone began and has not
// seen the end of, "" without one.
func (n *Node) Followed() string {
	if f := n.h.recall(); f != nil {
		return f.Deployment
	}
	return ""
}

// GoOn goes on with the deployment that Followed names, where this clone
// stopped, and confirms it if it waits for that.
func (n *Node) GoOn(ctx context.Context, sink event.Sink) (event.Event, error) {
	f := n.h.recall()
	if f == nil {
		return event.Event{}, fmt.Errorf("no deployment of %s was begun here and not seen to its end", n.h.called())
	}
	w := n.watch(f.Deployment, sink)
	w.mine, w.start, w.seq, w.confirm = f, f.Seq, f.Seq, f.Confirm
	w.argv = w.peer.t.Tool("node", "follow", "--existing", w.id, "--from", fmt.Sprint(w.seq+1))
	return n.run(ctx, w)
}

// Rollback makes the node run an earlier deployment's system: that of a
// generation or commit, or the previous one where target is "". options are as for git push -o.
func (n *Node) Rollback(ctx context.Context, target string, options []string, sink event.Sink) (event.Event, error) {
	if err := n.h.checkNode(); err != nil {
		return event.Event{}, err
	}
	id := statedir.NewID()
	w := n.h.begun(id, event.Stamp(sink, n.h.called(), id))
	words := []string{"node", "rollback", cmp.Or(w.peer.network, w.peer.hello.Network.Name)}
	if target != "" {
		words = append(words, target)
	}
	w.argv = w.peer.t.Tool(words...)
	for _, o := range append(n.h.common(id, w.confirm), options...) {
		w.argv = append(w.argv, "-o", o)
	}
	return n.run(ctx, w)
}

// Health asks the node how well it is, and looks from here.
func (n *Node) Health(ctx context.Context) (*health.Report, error) {
	if err := n.h.checkNode(); err != nil {
		return nil, err
	}
	var r health.Report
	if err := n.ask(ctx, &r, "health"); err != nil {
		return nil, fmt.Errorf("ask the node how well it is: %w", err)
	}
	if r.Version != health.ReportVersion {
		return nil, fmt.Errorf("the node's report has version %d, this git-deploy reads version %d", r.Version, health.ReportVersion)
	}
	n.h.peer.hostNames(r.Outside)
	return &r, r.LookOutside(ctx)
}

// GC has the node remove what is old, with store also from its Nix store, and
// reads what it says into into.
func (n *Node) GC(ctx context.Context, store bool, into any) error {
	if err := n.h.checkNode(); err != nil {
		return err
	}
	words := []string{"gc"}
	if store {
		words = append(words, "--store")
	}
	return n.ask(ctx, into, words...)
}

// ask reads the JSON that a verb of the node prints.
func (n *Node) ask(ctx context.Context, into any, words ...string) error {
	var out bytes.Buffer
	p := n.h.peer
	if err := p.t.Run(ctx, transport.Command{Argv: p.verb(words...), Marked: true, Stdout: &out}); err != nil {
		return remoteError(err)
	}
	return json.Unmarshal(out.Bytes(), into)
}

func (n *Node) watch(id string, sink event.Sink) *watch {
	return n.h.watch(id, event.Stamp(sink, n.h.called(), id))
}

// run shows the last event too.
func (n *Node) run(ctx context.Context, w *watch) (event.Event, error) {
	final, err := w.run(ctx)
	n.h.ended(w, final, err)
	if err == nil {
		n.h.remember(ctx, nil, final)
		w.sink.Emit(final)
	}
	return final, err
}
