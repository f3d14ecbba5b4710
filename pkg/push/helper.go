// Package push is the deploying side of a push: the remote helper
// git-remote-node, and several pushes at once (Fleet).
//
// A push to a node's deploy branch takes in what the node changed itself,
// sends objects, follows what the node does, proves that the node can still be
// reached, and tells git and the user the truth about the outcome. Other
// branches and tags go by git's ordinary rules. It is not the node's side and
// decides nothing that the node must decide: a plain `git push` gets the same
// protection there.
//
// Invariants: nothing but the protocol goes to stdout; the work tree changes
// only by a fast-forward of a clean one; nothing on a node is ever rewound;
// until objects are sent an interrupted push leaves nothing behind, and from
// the activation on the node goes on by itself.
package push

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/remotehelper"
	"github.com/git-deploy/git-deploy/pkg/transport"
)

// RemoteHelper is git-remote-node: args are its name, the git remote's name
// and its address. It returns the exit code.
func RemoteHelper(ctx context.Context, args []string, stdin io.Reader, stdout, stderr *os.File) int {
	if len(args) > 1 && args[1] == transport.RelayCommand {
		return transport.Relay(args[2:])
	}
	h := &helper{stderr: stderr, verbosity: 1}
	defer h.close()
	if len(args) != 3 {
		h.fail(fail.New(fail.Usage, errors.New("git-remote-node is run by git, for remotes with node:// addresses"), "git push node://root@HOST"))
		return int(fail.Usage)
	}
	err := h.open(ctx, args[1], args[2])
	if err == nil {
		err = remotehelper.Serve(ctx, stdin, stdout, h)
	}
	if err != nil {
		h.fail(err)
	}
	return int(h.code)
}

// helper is one run of git-remote-node.
type helper struct {
	remote  string // the git remote's name, "" when the address was given directly
	address transport.Address
	repo    *gitrepo.Repo // nil outside a repository, e.g. git ls-remote
	config  *gitrepo.Config
	stderr  *os.File
	out     *output
	code    fail.Code

	// set by options
	verbosity   int
	progress    bool
	dryRun      bool
	atomic      bool
	pushOptions []string
	leases      []string

	peer    *peer         // the node, once connected
	changes chan []string // gets the files with uncommitted changes; nil: nobody looks for them
	noticed bool          // these have been told
}

func (h *helper) open(ctx context.Context, remote, address string) error {
	var err error
	if h.repo, err = gitrepo.OpenEnv(); err == nil {
		h.config, err = h.repo.Config(ctx)
	} else if errors.Is(err, gitrepo.ErrNotARepository) {
		h.config, err = gitrepo.UserConfig(ctx)
	}
	if err != nil {
		return err
	}
	if h.config.Get("remote."+remote+".url") != "" {
		h.remote = remote
	}
	h.address, err = transport.ParseAddress(address)
	if err != nil {
		return fail.New(fail.Usage, err)
	}
	return nil
}

// expectedNode is the node that the user means: "" where neither address nor configuration says.
func (h *helper) expectedNode() string {
	if h.address.Node != "" {
		return h.address.Node
	}
	if h.remote != "" {
		return h.config.Get("remote." + h.remote + ".deployNode")
	}
	return ""
}

// called is how messages name the node.
func (h *helper) called() string {
	switch {
	case h.expectedNode() != "":
		return h.expectedNode()
	case h.peer != nil && h.peer.hello.Node != "":
		return h.peer.hello.Node
	case h.remote != "":
		return h.remote
	}
	return h.address.Host
}

// nameOrURL is what the user types after git push and git fetch.
func (h *helper) nameOrURL() string {
	if h.remote != "" {
		return h.remote
	}
	return h.address.String()
}

// sink opens the output on first use, when all options are known.
func (h *helper) sink() *output {
	if h.out == nil {
		h.out = newOutput(h.stderr, h.verbosity, h.progress, h.called())
	}
	return h.out
}

// fail shows an error that ends everything.
func (h *helper) fail(err error) {
	h.code = fail.CodeOf(err)
	h.sink().error(err)
}

func (h *helper) close() {
	if h.peer != nil {
		_ = h.peer.t.Close()
	}
	if h.out != nil {
		h.out.close()
	}
}

// Capabilities implements remotehelper.Handler.
func (h *helper) Capabilities() []string {
	return []string{"connect", "push", "option", "check-connectivity", "object-format"}
}

// Option implements remotehelper.Handler.
func (h *helper) Option(name, value string) (remotehelper.Support, error) {
	var err error
	yes := func(into *bool) { *into, err = strconv.ParseBool(value) }
	switch name {
	case "verbosity":
		h.verbosity, err = strconv.Atoi(value)
	case "progress":
		yes(&h.progress)
	case "dry-run":
		yes(&h.dryRun)
	case "atomic":
		yes(&h.atomic)
	case "push-option":
		// Checked when the push comes: git would take an error here for a helper without push options.
		h.pushOptions = append(h.pushOptions, value)
	case "cas":
		h.leases = append(h.leases, value)
	case "object-format":
		if value != "true" {
			return remotehelper.Unsupported, nil
		}
	case "force": // each spec says it again
	case "check-connectivity", "cloning", "followtags": // what the tunnel does anyway
	case "pushcert":
		if value != "if-asked" {
			return remotehelper.Unsupported, nil
		}
	default:
		return remotehelper.Unsupported, nil
	}
	if err != nil {
		return remotehelper.Unsupported, fmt.Errorf("option %s: %q is not a value", name, value)
	}
	return remotehelper.Supported, nil
}

// Connect implements remotehelper.Handler.
func (h *helper) Connect(ctx context.Context, service string) (func(io.Reader, io.Writer) error, error) {
	switch service {
	case "git-upload-pack":
	case "git-receive-pack":
		return nil, remotehelper.ErrFallback
	default:
		return nil, fail.Errorf(fail.Usage, "the service %q is not there: nodes are fetched from and pushed to", service)
	}
	address, err := h.resolve(ctx)
	if err != nil {
		return nil, err
	}
	t, err := h.dial(ctx, address, false)
	if err != nil {
		return nil, err
	}
	argv := []string{"node", "upload-pack"}
	if p := h.protocol(); p != "" {
		argv = append(argv, "--protocol", p)
	}
	if address.Network != "" {
		argv = append(argv, address.Network)
	}
	return func(r io.Reader, w io.Writer) error {
		defer t.Close()
		ctx, w, stop := within(ctx, answerLimit(), w)
		defer stop()
		said := &aside{w: h.stderr}
		err := t.Run(ctx, transport.Command{Argv: t.Tool(argv...), Marked: true, Stdin: r, Stdout: w, Stderr: said})
		said.end(err == nil)
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		err = h.explain(remoteError(err), address)
		h.note(err)
		return err
	}, nil
}

// protocol is the version of git's wire protocol to ask for.
func (h *helper) protocol() string {
	if p := os.Getenv("GIT_PROTOCOL"); p != "" {
		return p
	}
	switch v := h.config.Get("protocol.version"); v {
	case "0":
		return ""
	case "", "2":
		return "version=2"
	default:
		return "version=" + v
	}
}

// List implements remotehelper.Handler.
func (h *helper) List(ctx context.Context, forPush bool) (remotehelper.Refs, error) {
	if forPush {
		h.lookForChanges(ctx)
	}
	if err := h.connect(ctx); err != nil {
		return remotehelper.Refs{}, err
	}
	hello := h.peer.hello
	refs := remotehelper.Refs{ObjectFormat: h.objectFormat()}
	if _, ok := hello.Refs[hello.branchRef()]; ok && !forPush {
		refs.Refs = append(refs.Refs, remotehelper.Ref{Name: "HEAD", Symref: hello.branchRef()})
	}
	for _, name := range slices.Sorted(maps.Keys(hello.Refs)) {
		if !forPush || name != hello.branchRef() {
			refs.Refs = append(refs.Refs, remotehelper.Ref{Name: name, Oid: hello.Refs[name]})
		}
	}
	if forPush {
		// Not told, so that git leaves the decision about a diverged branch to us.
		refs.Refs = append(refs.Refs, remotehelper.Ref{Name: hello.branchRef()})
	}
	return refs, nil
}

// objectFormat is "" for SHA-1, which git takes for granted.
func (h *helper) objectFormat() string {
	for _, oid := range h.peer.hello.Refs {
		if len(oid) == 64 {
			return "sha256"
		}
		return ""
	}
	if format := h.config.Get("extensions.objectFormat"); format != "sha1" {
		return format
	}
	return ""
}

// Push implements remotehelper.Handler.
func (h *helper) Push(ctx context.Context, specs []remotehelper.PushSpec) ([]remotehelper.PushResult, error) {
	if h.peer == nil {
		if err := h.connect(ctx); err != nil {
			return nil, err
		}
	}
	defer func() { h.out.close() }()
	defer func() {
		if ctx.Err() != nil {
			h.code = fail.Cancelled
		}
	}()
	return h.push(ctx, specs), nil
}

// lookForChanges begins to look for uncommitted changes, while the node is asked what it is.
func (h *helper) lookForChanges(ctx context.Context) {
	if h.changes != nil || h.repo == nil || h.bare() {
		return
	}
	h.changes = make(chan []string, 1)
	go func() {
		files, _ := h.repo.Changed(ctx) // a broken index does not stop a push
		h.changes <- files
	}()
}

// noticeChanges tells once, while objects are sent, that only what is committed is deployed.
func (h *helper) noticeChanges() (wait func()) {
	if h.noticed || h.changes == nil {
		return func() {}
	}
	h.noticed = true
	done := make(chan struct{})
	go func() {
		defer close(done)
		if files := <-h.changes; len(files) > 0 {
			h.sink().Emit(event.Event{Kind: event.Notice, Time: time.Now(),
				Message: fmt.Sprintf("deploying what is committed: uncommitted changes in %s stay here", enumerate(files))})
		}
	}()
	return func() { <-done }
}

func (h *helper) bare() bool { return h.config.Bool("core.bare", false) }

// enumerate names a few and counts the rest.
func enumerate(names []string) string {
	const most = 3
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
