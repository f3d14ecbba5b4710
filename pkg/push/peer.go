package push

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/hooks"
	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/proc"
	"github.com/git-deploy/git-deploy/pkg/statedir"
	"github.com/git-deploy/git-deploy/pkg/transport"
)

// HelloReply is what a node tells of itself; package node makes it.
type HelloReply struct {
	Version  int               `json:"version"`
	Tool     string            `json:"tool"` // version of git-deploy there
	Network  bundle.NetworkID  `json:"network"`
	Node     string            `json:"node"`
	Branch   string            `json:"branch"` // the deploy branch
	System   string            `json:"system"` // as Nix names it, e.g. x86_64-linux
	Refs     map[string]string `json:"refs"`
	Running  string            `json:"running"`
	Wanted   string            `json:"wanted"` // store paths
	Profile  string            `json:"profile"`
	Pinned   bool              `json:"pinned"` // a rollback keeps the node off its branch
	Holder   *statedir.Holder  `json:"holder"` // of the lock, while something is activated
	StoreDir string            `json:"storeDir"`
	Hooks    *hooks.State      `json:"hooks"` // nil: it does not look at them
}

const helloVersion = 1

// refs of a node
const (
	refCurrent = "refs/deploy/current"
	refBoot    = "refs/deploy/boot"
)

func (h *HelloReply) branchRef() string { return "refs/heads/" + cmp.Or(h.Branch, "main") }

// tip is the commit of the deploy branch, "" while there is none.
func (h *HelloReply) tip() string { return h.Refs[h.branchRef()] }

// settled reports whether the node runs what its branch says, as far as it knows.
func (h *HelloReply) settled(action string) bool {
	tip := h.tip()
	switch action {
	case "boot":
		return h.Refs[refBoot] == tip
	case "test":
		return h.Refs[refCurrent] == tip
	case "build":
		return false
	}
	if h.Refs[refCurrent] != tip {
		return false
	}
	if boot, ok := h.Refs[refBoot]; ok && boot != tip {
		return false
	}
	// Another tool, or a person, may have switched to something else.
	if h.Wanted != "" && h.Running != "" && h.Running != h.Wanted {
		return false
	}
	return h.Running == "" || h.Profile == "" || h.Running == h.Profile
}

// peer is the node at the other end.
type peer struct {
	t       transport.Transport
	local   bool   // this machine: there is nothing to prove by connecting anew
	network string // as the address names it, may be empty
	hello   *HelloReply
}

// helloTimeout bounds a question that is answered at once.
const helloTimeout = time.Minute

// connect connects and asks the node what it is; once.
func (h *helper) connect(ctx context.Context) error {
	if h.peer != nil {
		return nil
	}
	address, err := h.resolve(ctx)
	if err != nil {
		return err
	}
	err = event.RunStep(connectSink{h}, event.Connect, func() error {
		t, err := h.dial(ctx, address, true)
		if err != nil {
			return err
		}
		p := &peer{t: t, local: h.isLocal(address), network: address.Network}
		if err := p.ask(ctx); err != nil {
			_ = t.Close()
			return h.explain(err, address)
		}
		h.peer = p
		return nil
	})
	h.note(err)
	return err
}

// note remembers for status whether the node could be reached.
func (h *helper) note(err error) {
	if h.repo != nil && h.remote != "" {
		network.NoteContact(h.repo.CommonDir, h.remote, err, time.Now())
	}
}

// noNode is the error of a host that says that it is no node, or none of the network.
type noNode struct{ error }

func (noNode) Is(target error) bool { return target == statedir.ErrNotANode }
func (e noNode) Unwrap() error      { return e.error }

// explain says of a host that is no node which one was meant, and how it becomes one.
func (h *helper) explain(err error, a transport.Address) error {
	var e noNode
	if name := h.expectedNode(); errors.As(err, &e) && name != "" {
		return fail.New(fail.Failed, fmt.Errorf("%s is not a node: %w", name, e), fmt.Sprintf("git deploy add %s %s", name, transport.Destination(a)))
	}
	return err
}

// connectSink drops the step's failure: the error itself is shown, with its hints.
type connectSink struct{ h *helper }

func (s connectSink) Emit(e event.Event) {
	if e.Kind != event.StepFailed {
		s.h.sink().Emit(e)
	}
}

// isLocal reports whether the node is this machine: by its address, or because
// the clone says so, wherever others find it.
func (h *helper) isLocal(a transport.Address) bool {
	if a.Host == "localhost" && a.User == "" && a.Port == 0 {
		return true
	}
	self := h.config.Get(network.KeySelf)
	return self != "" && h.expectedNode() == self
}

func (h *helper) dial(ctx context.Context, a transport.Address, shared bool) (transport.Transport, error) {
	if h.isLocal(a) {
		return transport.Local(statedir.FromEnv(), "")
	}
	opts := transport.Options{
		SSHCommand:       h.config.Get("core.sshCommand"),
		Variant:          h.config.Get("ssh.variant"),
		HostKeyAlias:     h.expectedNode(),
		SharedConnection: shared,
		ConnectTimeout:   answerLimit(),
		Stderr:           h.stderr,
	}
	// Before the first clone there is nothing to go by.
	if h.repo != nil && opts.HostKeyAlias != "" {
		// git starts helpers at the top of the work tree, which is "" then.
		file := filepath.Join(h.repo.WorkTree, network.KnownHostsFile)
		if _, err := os.Stat(file); err == nil && !h.bare() {
			opts.KnownHostsFile = file
		} else if data, err := h.repo.ReadFile(ctx, "HEAD", network.KnownHostsFile); err == nil {
			opts.KnownHosts = string(data)
		}
	}
	return transport.Dial(ctx, a, opts)
}

// verb returns the words of a node verb that takes a network.
func (p *peer) verb(words ...string) []string {
	if p.network != "" {
		words = append(words, p.network)
	}
	return p.t.Tool(append([]string{"node"}, words...)...)
}

// ask asks the node what it is.
func (p *peer) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, helloTimeout, fmt.Errorf("no answer for %s", helloTimeout))
	defer cancel()
	var out bytes.Buffer
	err := p.t.Run(ctx, transport.Command{Argv: p.verb("hello"), Marked: true, Stdout: &out})
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
			err = fail.New(fail.Unreachable, cause)
		}
		return fmt.Errorf("ask the node what it is: %w", remoteError(err))
	}
	var reply HelloReply
	if err := json.Unmarshal(out.Bytes(), &reply); err != nil {
		return fmt.Errorf("ask the node what it is: %w", err)
	}
	if reply.Version != helloVersion {
		return fail.New(fail.Failed, fmt.Errorf("the node speaks version %d, this git-deploy speaks version %d", reply.Version, helloVersion),
			"use the same version of git-deploy on both (git deploy add NODE ADDRESS brings it to a node)")
	}
	p.hello = &reply
	return nil
}

// remoteError makes the words of the tool on the node the message.
func remoteError(err error) error {
	var e *proc.Error
	if !errors.As(err, &e) || e.Stderr == "" {
		return err
	}
	text, hints := toolError(e.Stderr)
	if text == "" {
		return err
	}
	said := errors.New(text)
	if strings.HasPrefix(text, statedir.NotANode) {
		said = noNode{said}
	}
	return fail.New(fail.CodeOf(err), said, append(hints, fail.HintsOf(err)...)...)
}

// git returns how git reaches the node's repository.
func (p *peer) git() (gitrepo.Peer, error) {
	g, err := p.t.Git(p.network)
	return gitrepo.Peer{URL: g.URL, UploadPack: g.UploadPack, ReceivePack: g.ReceivePack, Env: g.Env, Config: g.Config}, err
}

// begin has the node start to receive, while git here is still on its way.
// That it does not work shows when git asks.
func (p *peer) begin() {
	if g, err := p.t.Git(p.network); err == nil {
		g.Begin()
	}
}
