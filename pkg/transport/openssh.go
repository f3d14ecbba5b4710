package transport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/proc"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// persist is how long our master outlives this process and its last session.
var persist = 5 * time.Second

// openSSH is a Transport through the user's ssh.
type openSSH struct {
	addr   Address
	opts   Options
	cmd    sshCommand
	pinned []string
	dir    *privateDir
	// borrowed: dir belongs to the Transport that this one is the Fresh of.
	borrowed bool
	config   func() sshConfig // asked once

	connecting chan struct{} // holds one token: who has it may connect

	mu     sync.Mutex
	master *master
	shared bool
	closed bool
	relay  *relay
}

func dialOpenSSH(ctx context.Context, addr Address, opts Options) (*openSSH, error) {
	if addr.Host == "" {
		return nil, fmt.Errorf("no address is known for %s", addr)
	}
	content, keys, err := pin(opts)
	if err != nil {
		return nil, err
	}
	cmd, err := resolveSSH(ctx, addr, opts)
	if err != nil {
		return nil, err
	}
	t := &openSSH{addr: addr, opts: opts, cmd: cmd, pinned: keys, connecting: make(chan struct{}, 1)}
	t.config = sync.OnceValue(t.askConfig)
	t.shared = opts.SharedConnection && cmd.variant == variantSSH
	if err := t.checkPin(); err != nil {
		return nil, err
	}
	if t.dir, err = newPrivateDir(); err != nil {
		return nil, err
	}
	if len(keys) > 0 {
		if err := os.WriteFile(t.dir.file("known_hosts"), []byte(content), 0o600); err != nil {
			t.dir.remove()
			return nil, err
		}
	}
	if t.shared {
		if _, err := t.connect(ctx); err != nil && !errors.Is(err, errNoSharing) {
			t.Close()
			return nil, err
		}
	}
	return t, nil
}

// checkPin refuses to go on where a pinned key could not be enforced.
func (t *openSSH) checkPin() error {
	switch {
	case len(t.pinned) == 0:
	case t.cmd.variant != variantSSH:
		return fmt.Errorf("the network pins the host key of %s, which the ssh program %q cannot check: OpenSSH is needed", t.opts.HostKeyAlias, t.cmd.argv[0])
	case strings.Contains(strings.ToLower(t.cmd.shell), "hostkey") || strings.Contains(strings.ToLower(t.cmd.shell), "knownhosts"):
		return fmt.Errorf("the ssh command %q sets options for host keys, but the network pins the key of %s", t.cmd.shell, t.opts.HostKeyAlias)
	}
	return nil
}

// options returns the ssh options that win over the user's, and those that do not.
func (t *openSSH) options() (first, last []string) {
	if len(t.pinned) > 0 {
		first = pinOptions(t.opts.HostKeyAlias, t.dir.file("known_hosts"))
	}
	// A second connection cannot listen where the user's first one does, and RemoteCommand would be in the way.
	first = append(first, "-T", "-x", "-o", "ClearAllForwardings=yes", "-o", "RemoteCommand=none")
	if d := t.opts.ConnectTimeout; d >= 0 {
		if d == 0 {
			d = DefaultConnectTimeout
		}
		last = append(last, "-o", "ConnectTimeout="+strconv.Itoa(max(1, int(d.Round(time.Second)/time.Second))))
	}
	// A node that vanishes is noticed after 30 seconds, however quiet a build is.
	return first, append(last, "-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3")
}

// errNoSharing says that this ssh cannot share a connection; commands then connect on their own.
var errNoSharing = errors.New("no connection sharing")

// connect returns the master, after starting it if there is none.
func (t *openSSH) connect(ctx context.Context) (*master, error) {
	select {
	case t.connecting <- struct{}{}:
		defer func() { <-t.connecting }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	t.mu.Lock()
	m, shared, closed := t.master, t.shared, t.closed
	t.mu.Unlock()
	switch {
	case closed:
		return nil, os.ErrClosed
	case !shared:
		return nil, errNoSharing
	case m != nil && m.alive():
		return m, nil
	}
	m, err := t.startMaster(ctx, "")
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case errors.Is(err, errNoSharing):
		slog.Warn("ssh connection is not shared", "host", t.addr.HostPort(), "reason", err)
		t.shared = false
	case err == nil && t.closed:
		m.close()
		return nil, os.ErrClosed
	case err == nil:
		t.master = m
	}
	return m, err
}

// forget makes the next command connect anew. That m is gone shows in a failed
// command first, and on its idle connection a moment later.
func (t *openSSH) forget(m *master) {
	m.keeper.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.master == m {
		t.master = nil
	}
}

// startMaster runs ssh until it has logged in and gone to the background. prefix tells its files from another's.
func (t *openSSH) startMaster(ctx context.Context, prefix string) (*master, error) {
	socket, log := t.dir.file(prefix+"master"), t.dir.file(prefix+"log")
	_ = os.Remove(socket)
	_ = os.Remove(log)
	first, last := t.options()
	first = append(first, "-f", "-N", "-E", log, "-S", socket, "-o", "ControlMaster=yes",
		"-o", "ControlPersist="+strconv.Itoa(int(persist/time.Second)))
	conn, err := t.dialDirect(ctx)
	if err != nil {
		return nil, err
	}
	stdio, err := lend(conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	var stdin io.Reader
	var stdout io.Writer
	if conn != nil {
		defer stdio.Close()
		stdin, stdout, first = stdio, stdio, append(first, direct...)
	}
	m, err := t.runMaster(ctx, socket, log, t.dir.file(prefix+"stderr"), first, last, stdin, stdout)
	if conn != nil {
		if err != nil {
			conn.Close()
			return nil, err
		}
		go func() { // else the node would not notice that ssh has gone
			<-m.gone
			conn.Close()
		}()
	}
	return m, err
}

func (t *openSSH) runMaster(ctx context.Context, socket, log, errors string, first, last []string, stdin io.Reader, stdout io.Writer) (*master, error) {
	argv, err := t.cmd.args(t.addr, first, last)
	if err != nil {
		return nil, err
	}
	// A file and not a pipe: an old ssh keeps its stderr in the background too.
	stderr, err := os.Create(errors)
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	start := time.Now()
	err = proc.Run(ctx, proc.Cmd{Argv: argv, Env: t.cmd.env, Stdin: stdin, Stdout: stdout, Stderr: stderr, Foreground: true})
	said := t.said(log, stderr.Name())
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		if proc.ExitCode(err) < 0 {
			return nil, t.unreachable(NoSSH, err.Error())
		}
		return nil, t.unreachable("", said)
	}
	if t.opts.Stderr != nil && said != "" {
		fmt.Fprint(t.opts.Stderr, said)
	}
	m, err := newMaster(socket, log)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoSharing, err)
	}
	slog.Debug("connected", "host", t.addr.HostPort(), "took", time.Since(start))
	return m, nil
}

func (t *openSSH) said(files ...string) string {
	var said strings.Builder
	for _, f := range files {
		b, _ := os.ReadFile(f)
		said.Write(b)
	}
	return said.String()
}

// Run implements Transport.
func (t *openSSH) Run(ctx context.Context, c Command) error {
	var filter *markerFilter
	if c.Marked {
		var err error
		if c.Argv, err = mark(c.Argv, t.Tool("node")); err != nil {
			return err
		}
		filter = newMarkerFilter(c.Stdout)
		c.Stdout = filter
	}
	line, err := CommandLine(c.Argv)
	if err != nil {
		return err
	}
	err = t.run(ctx, line, c, filter)
	if err == nil && filter != nil && !filter.seen {
		err = &proc.Error{Argv: c.Argv, Err: errors.New("the tool on the node did not answer")}
	}
	if filter != nil && !filter.seen && proc.ExitCode(err) >= 0 {
		return t.notInstalled(err)
	}
	return err
}

// run runs line through the master; again when the master had died before, and on its own
// when the master takes no more sessions (sshd's MaxSessions).
func (t *openSSH) run(ctx context.Context, line string, c Command, filter *markerFilter) error {
	for range 2 {
		m, err := t.connect(ctx)
		if errors.Is(err, errNoSharing) {
			return t.runApart(ctx, line, c, filter)
		}
		if err != nil {
			return err
		}
		err = m.run(ctx, line, c)
		switch {
		case errors.Is(err, errMasterGone):
			t.forget(m)
			continue
		case errors.Is(err, errMuxRefused):
			return t.runApart(ctx, line, c, filter)
		case errors.Is(err, errLost):
			t.forget(m)
			return t.unreachable(Lost, t.said(m.log))
		}
		return err
	}
	return t.unreachable(Lost, t.said(t.dir.file("log")))
}

// masters numbers the masters of connections for one command.
var masters atomic.Int64

// runApart runs line over a connection of its own; where we can make that for ssh, through a master of its own too,
// because ssh has only its stdio to take the connection from.
func (t *openSSH) runApart(ctx context.Context, line string, c Command, filter *markerFilter) error {
	t.mu.Lock()
	closed := t.closed
	t.mu.Unlock()
	if closed {
		return os.ErrClosed
	}
	if t.target() == "" {
		return t.runAlone(ctx, line, c, filter)
	}
	m, err := t.startMaster(ctx, strconv.FormatInt(masters.Add(1), 36))
	if errors.Is(err, errNoSharing) {
		return t.runAlone(ctx, line, c, filter)
	}
	if err != nil {
		return err
	}
	defer m.close()
	switch err = m.run(ctx, line, c); {
	case errors.Is(err, errMasterGone), errors.Is(err, errLost):
		return t.unreachable(Lost, t.said(m.log))
	case errors.Is(err, errMuxRefused):
		return t.unreachable("", err.Error())
	}
	return err
}

// runAlone runs line through an ssh of its own. ssh's own messages go to a
// file of their own, so that its exit code 255 can be told from the command's.
func (t *openSSH) runAlone(ctx context.Context, line string, c Command, filter *markerFilter) error {
	first, last := t.options()
	cmd := proc.Cmd{Stdin: c.Stdin, Stdout: c.Stdout, Stderr: c.Stderr, Env: t.cmd.env, Foreground: true}
	var log *os.File
	if t.cmd.variant == variantSSH {
		var err error
		if log, err = os.CreateTemp(t.dir.path, "log"); err != nil {
			return err
		}
		defer os.Remove(log.Name())
		defer log.Close()
		first = append(first, "-E", log.Name(), "-o", "ControlMaster=no", "-o", "ControlPath=none")
	}
	argv, err := t.cmd.args(t.addr, first, last)
	if err != nil {
		return err
	}
	cmd.Argv = append(argv, line)
	err = proc.Run(ctx, cmd)
	said := ""
	if log != nil {
		said = t.said(log.Name())
	}
	return t.judge(ctx, err, said, c, filter)
}

// judge tells the failure of ssh from the failure of the command that it ran.
func (t *openSSH) judge(ctx context.Context, err error, said string, c Command, filter *markerFilter) error {
	var e *proc.Error
	if err == nil || ctx.Err() != nil || !errors.As(err, &e) {
		return err
	}
	if !e.Started() {
		return t.unreachable(NoSSH, err.Error())
	}
	started := filter != nil && filter.seen
	reason := Reason("")
	if t.cmd.variant == variantSSH { // all that ssh itself says is in its log
		if last := lastWords(e.Stderr); strings.HasPrefix(last, "Connection to ") && strings.HasSuffix(last, " closed by remote host.") {
			said += last // the one thing that ssh writes past its log
		}
		if e.ExitCode == 255 && withoutWarnings(said) != "" {
			reason, _ = classify(said)
		}
	} else {
		said = e.Stderr
		if reason, _ = classify(said); reason == OtherReason && (filter == nil || started || e.ExitCode != 255) {
			reason = ""
		}
	}
	switch {
	case reason == "":
		return &proc.Error{Argv: c.Argv, ExitCode: e.ExitCode, Stderr: e.Stderr, Err: e.Err}
	case started:
		reason = Lost
	}
	return t.unreachable(reason, said)
}

// notInstalled adds what to do when the tool on the node did not even start.
func (t *openSSH) notInstalled(err error) error {
	name := t.opts.HostKeyAlias
	if name == "" {
		name = t.addr.Host
	}
	if code := proc.ExitCode(err); code == 126 || code == 127 {
		return fail.New(fail.Failed, fmt.Errorf("%s is %w: %w", name, statedir.ErrNotANode, err), fmt.Sprintf("git deploy add %s %s", name, Destination(t.addr)))
	}
	return fail.New(fail.Failed, fmt.Errorf("the tool on %s did not answer: %w", name, err))
}

// Destination is what `git deploy add` takes for an address.
func Destination(a Address) string {
	if a.Port == 0 {
		return a.login()
	}
	return Address{User: a.User, Host: a.Host, Port: a.Port}.String()
}

// Tool implements Transport.
func (t *openSSH) Tool(args ...string) []string {
	tool := t.opts.Tool
	if tool == "" {
		tool = statedir.ToolPath
	}
	argv := []string{tool}
	if t.needsSudo() {
		argv = []string{"sudo", "-n", "--", tool}
	}
	return append(argv, args...)
}

// needsSudo asks ssh for the login name only where the address does not tell it.
func (t *openSSH) needsSudo() bool {
	if t.opts.Sudo != nil {
		return *t.opts.Sudo
	}
	user := t.addr.User
	if user == "" {
		user = t.config()["user"]
	}
	if user == "" {
		return os.Geteuid() != 0
	}
	return user != "root"
}

// HostName implements Transport. Any other host was not written as a name for ssh.
func (t *openSSH) HostName(host string) string {
	if host == t.addr.Host {
		return cmp.Or(t.config()["hostname"], host)
	}
	return host
}

// Fresh implements Transport.
func (t *openSSH) Fresh() Transport {
	return &openSSH{
		addr: t.addr, opts: t.opts, cmd: t.cmd, pinned: t.pinned, dir: t.dir, borrowed: true,
		config: t.config, connecting: make(chan struct{}, 1),
	}
}

// Close implements Transport.
func (t *openSSH) Close() error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return nil
	}
	t.closed = true
	relay, m := t.relay, t.master
	t.mu.Unlock()
	if relay != nil {
		relay.close()
	}
	if m != nil {
		m.close()
	}
	if !t.borrowed {
		t.dir.remove()
	}
	return nil
}

// Git implements Transport.
func (t *openSSH) Git(network string) (GitRemote, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return GitRemote{}, os.ErrClosed
	case t.borrowed:
		return GitRemote{}, errors.New("git uses the shared connection only")
	case t.relay == nil:
		var err error
		if t.relay, err = newRelay(t.dir, t, t.opts.Relay); err != nil {
			return GitRemote{}, err
		}
	}
	return t.relay.git(network)
}
