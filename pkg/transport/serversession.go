package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/git-deploy/git-deploy/pkg/proc"
	"github.com/git-deploy/git-deploy/pkg/statedir"
	"github.com/gliderlabs/ssh"
	gossh "golang.org/x/crypto/ssh"
)

// session serves one channel. gliderlabs' context is the connection's, and
// with connection sharing a channel ends long before the connection: so each
// channel gets a context of its own, which ends with it.
func (s *Server) session(srv *ssh.Server, conn *gossh.ServerConn, newChan gossh.NewChannel, ctx ssh.Context) {
	if !s.begin() {
		_ = newChan.Reject(gossh.ResourceShortage, "the server is stopping")
		return
	}
	defer s.sessions.Done()
	s.keepalive(ctx)
	inner, cancel := context.WithCancel(ctx)
	sctx := &sessionContext{Context: ctx, inner: inner, done: make(chan struct{})}
	ssh.DefaultSessionHandler(srv, conn, watchedChannel{newChan, cancel}, sctx)
	cancel()
	if sctx.started {
		<-sctx.done // the command is killed now; the server waits for it
	}
}

func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing {
		s.sessions.Add(1)
	}
	return !s.closing
}

// sessionContext is an ssh.Context that ends with its channel.
type sessionContext struct {
	ssh.Context
	inner   context.Context
	started bool // a handler runs; set before handleRequests goes on
	done    chan struct{}
}

func (c *sessionContext) Done() <-chan struct{}       { return c.inner.Done() }
func (c *sessionContext) Err() error                  { return c.inner.Err() }
func (c *sessionContext) Deadline() (time.Time, bool) { return c.inner.Deadline() }

// watchedChannel calls closed when the channel's requests end, which is when the channel does.
type watchedChannel struct {
	gossh.NewChannel
	closed func()
}

func (w watchedChannel) Accept() (gossh.Channel, <-chan *gossh.Request, error) {
	ch, reqs, err := w.NewChannel.Accept()
	if err != nil {
		return ch, reqs, err
	}
	watched := make(chan *gossh.Request)
	go func() {
		for r := range reqs {
			watched <- r
		}
		w.closed()
		close(watched)
	}()
	return ch, watched, nil
}

// accept is asked before a command is accepted, in the loop over the channel's
// requests. A shell is accepted, so that handle can say that there is none.
func accept(sess ssh.Session, request string) bool {
	c, ok := sess.Context().(*sessionContext)
	if !ok || request == "subsystem" {
		return false
	}
	c.started = true
	return true
}

// handle runs the command of a session.
func (s *Server) handle(sess ssh.Session) {
	ctx := sess.Context().(*sessionContext)
	defer close(ctx.done)
	log := s.Log.With("client", sess.RemoteAddr().String(), "user", sess.User())
	fail := func(err error) {
		log.Info("command refused", "command", sess.RawCommand(), "reason", err)
		fmt.Fprintf(sess.Stderr(), "git-deploy: error: %v\n", err)
		_ = sess.Exit(1)
	}
	key, err := identity(sess)
	if err != nil {
		fail(err)
		return
	}
	log = log.With("key", gossh.FingerprintSHA256(key))
	// Again, as the connection may be older than the file is now.
	entry, err := s.authorized(key, sess.RemoteAddr())
	if err != nil {
		fail(errors.New("the key is no longer authorized"))
		return
	}
	env, protocol := []string(nil), ""
	for _, kv := range sess.Environ() {
		if v, ok := strings.CutPrefix(kv, "GIT_PROTOCOL="); ok && gitProtocol.MatchString(v) {
			protocol = v
		}
	}
	line := sess.RawCommand()
	if entry.Command != "" {
		env, line = append(env, "SSH_ORIGINAL_COMMAND="+line), entry.Command
	}
	argv, err := s.serve(line, protocol)
	switch {
	case err != nil:
		fail(err)
		return
	case argv == nil:
		_ = sess.Exit(0)
		return
	}
	if protocol != "" {
		env = append(env, "GIT_PROTOCOL="+protocol)
	}
	auth, err := s.authFile(key)
	if err != nil {
		fail(err)
		return
	}
	defer os.Remove(auth)
	env = append(env, s.environ(sess, auth)...)
	start := time.Now()
	log.Info("command", "argv", argv)
	err = s.exec(ctx, sess, argv, env)
	log.Info("command ended", "argv", argv, "code", max(0, proc.ExitCode(err)), "took", time.Since(start).Round(time.Millisecond), "error", err)
}

// environ is what sshd would set, and what the tool wants to know.
func (s *Server) environ(sess ssh.Session, auth string) []string {
	clientHost, clientPort, _ := net.SplitHostPort(sess.RemoteAddr().String())
	serverHost, serverPort, _ := net.SplitHostPort(sess.LocalAddr().String())
	env := []string{
		"SSH_CONNECTION=" + strings.Join([]string{clientHost, clientPort, serverHost, serverPort}, " "),
		"SSH_CLIENT=" + strings.Join([]string{clientHost, clientPort, serverPort}, " "),
		"SSH_USER_AUTH=" + auth,
		"GIT_DEPLOY_HOST_KEYS=" + keyLine(s.signer.PublicKey()),
		statedir.RootEnv + "=" + s.Layout.Root,
	}
	return append(env, s.Env...)
}

// authFile writes what sshd writes with ExposeAuthInfo: how the client logged in.
func (s *Server) authFile(key gossh.PublicKey) (string, error) {
	f, err := os.CreateTemp(s.authDir, "key")
	if err != nil {
		return "", err
	}
	_, err = fmt.Fprintf(f, "publickey %s\n", keyLine(key))
	return f.Name(), errors.Join(err, f.Close())
}

// serverUnset are variables of whoever started the server that a login does not have.
var serverUnset = append([]string{"SSH_AUTH_SOCK", "SSH_AGENT_PID", "SSH_ASKPASS", "SSH_TTY", "SSH_ORIGINAL_COMMAND",
	"GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_DEPLOY_EVENTS"}, remoteUnset...)

// exec runs argv with the session as its stdio. The exit status goes out when both outputs are drained.
func (s *Server) exec(ctx context.Context, sess ssh.Session, argv, env []string) error {
	p, err := proc.Start(ctx, proc.Cmd{Argv: argv, Stdin: sess, Stdout: sess, Stderr: sess.Stderr(), Env: env, Unset: serverUnset})
	if err != nil {
		fmt.Fprintf(sess.Stderr(), "git-deploy: error: %v\n", err)
		_ = sess.Exit(127)
		return err
	}
	signals := make(chan ssh.Signal, 4)
	ended := make(chan struct{})
	sess.Signals(signals)
	go func() {
		for {
			select {
			case sig := <-signals:
				if n, ok := signalNumbers[sig]; ok {
					_ = p.Signal(n)
				}
			case <-ended:
				return
			}
		}
	}()
	err = p.Wait()
	sess.Signals(nil)
	close(ended)
	exit(sess, err)
	return err
}

// exit tells the client how the program ended, and closes the channel.
func exit(sess ssh.Session, err error) {
	var e *proc.Error
	code := 0
	if errors.As(err, &e) {
		if name, ok := signalNames[e.Signal()]; ok {
			msg := struct {
				Name    string
				Core    bool
				Message string
				Lang    string
			}{Name: name}
			_, _ = sess.SendRequest("exit-signal", false, gossh.Marshal(&msg))
			_ = sess.Close()
			return
		}
		if code = e.ExitCode; code < 0 {
			code = 255
		}
	}
	_ = sess.Exit(code)
}

var signalNumbers = map[ssh.Signal]syscall.Signal{
	ssh.SIGHUP: syscall.SIGHUP, ssh.SIGINT: syscall.SIGINT, ssh.SIGTERM: syscall.SIGTERM, ssh.SIGKILL: syscall.SIGKILL,
	ssh.SIGQUIT: syscall.SIGQUIT, ssh.SIGUSR1: syscall.SIGUSR1, ssh.SIGUSR2: syscall.SIGUSR2,
}

var signalNames = map[syscall.Signal]string{
	syscall.SIGABRT: "ABRT", syscall.SIGALRM: "ALRM", syscall.SIGFPE: "FPE", syscall.SIGHUP: "HUP", syscall.SIGILL: "ILL", syscall.SIGINT: "INT",
	syscall.SIGKILL: "KILL", syscall.SIGPIPE: "PIPE", syscall.SIGQUIT: "QUIT", syscall.SIGSEGV: "SEGV", syscall.SIGTERM: "TERM",
	syscall.SIGUSR1: "USR1", syscall.SIGUSR2: "USR2",
}
