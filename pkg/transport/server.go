package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/git-deploy/git-deploy/pkg/statedir"
	"github.com/gliderlabs/ssh"
	gossh "golang.org/x/crypto/ssh"
)

// Server is the embedded ssh server: a deploy-only endpoint that needs
// neither root nor sshd. It runs nothing but the tool's node commands, git's
// two services on the node's repositories, and what Nix needs to copy paths;
// there is no shell, no password and no forwarding.
type Server struct {
	// HostKeyFile is made when it does not exist.
	HostKeyFile string
	// AuthorizedKeys are files in sshd's format, read at every login and command.
	AuthorizedKeys []string
	// Layout is the state folder that the commands work on.
	Layout statedir.Layout
	// Tool is the program that takes `node …`; empty is this program.
	Tool string
	// Env is added to the environment of the commands.
	Env []string
	// Log gets one line for each login, refusal and command; nil is slog's default.
	Log *slog.Logger
	// LoginTime is how long a client may take to log in (default 60 s), Alive
	// how long it may leave a keepalive unanswered while a command runs (default 45 s).
	LoginTime, Alive time.Duration

	signer   ssh.Signer
	authDir  string     // of the files that SSH_USER_AUTH names
	mu       sync.Mutex // orders begin against the end of Serve
	closing  bool
	sessions sync.WaitGroup
}

const (
	defaultLoginTime = 60 * time.Second
	defaultAlive     = 45 * time.Second
)

// ListenAndServe listens on the TCP address and serves until ctx ends.
func (s *Server) ListenAndServe(ctx context.Context, addr string) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return s.Serve(ctx, l)
}

// Serve serves connections of l until ctx ends, and returns when all commands
// have ended. A Server serves once.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	defer l.Close()
	if err := s.prepare(); err != nil {
		return err
	}
	defer os.RemoveAll(s.authDir)
	srv := &ssh.Server{
		HostSigners:            []ssh.Signer{s.signer},
		Version:                "git-deploy",
		PublicKeyHandler:       s.offered,
		ServerConfigCallback:   s.config,
		ConnCallback:           s.limitLogin,
		ChannelHandlers:        map[string]ssh.ChannelHandler{"session": s.session},
		RequestHandlers:        map[string]ssh.RequestHandler{},
		SubsystemHandlers:      map[string]ssh.SubsystemHandler{},
		PtyCallback:            func(ssh.Context, ssh.Pty) bool { return false },
		Handler:                s.handle,
		SessionRequestCallback: accept,
		ConnectionFailedCallback: func(conn net.Conn, err error) {
			s.Log.Info("login failed", "client", conn.RemoteAddr().String(), "error", err)
		},
	}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	s.Log.Info("serving", "address", l.Addr().String(), "hostkey", gossh.FingerprintSHA256(s.signer.PublicKey()))
	err := srv.Serve(l)
	_ = srv.Close() // ends the connections, and they their commands
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	s.sessions.Wait()
	if errors.Is(err, ssh.ErrServerClosed) && ctx.Err() != nil {
		return nil
	}
	return err
}

func (s *Server) prepare() error {
	if s.Log == nil {
		s.Log = slog.Default()
	}
	if s.LoginTime == 0 {
		s.LoginTime = defaultLoginTime
	}
	if s.Alive == 0 {
		s.Alive = defaultAlive
	}
	if s.Tool == "" {
		exe, err := os.Executable()
		if err != nil {
			return err
		}
		s.Tool = exe
	}
	if len(s.AuthorizedKeys) == 0 {
		return errors.New("no authorized_keys file: nobody could log in")
	}
	var err error
	if s.signer, err = hostKey(s.HostKeyFile); err != nil {
		return err
	}
	s.authDir, err = os.MkdirTemp("", "git-deploy-auth-")
	return err
}

// HostPublicKey returns the server's public host key as a known_hosts file
// has it after the host names, making the key when it does not exist.
func (s *Server) HostPublicKey() (string, error) {
	signer, err := hostKey(s.HostKeyFile)
	if err != nil {
		return "", err
	}
	return keyLine(signer.PublicKey()), nil
}

func keyLine(key gossh.PublicKey) string {
	return strings.TrimSpace(string(gossh.MarshalAuthorizedKey(key)))
}

type contextKey string

const (
	loginTimer    contextKey = "login timer"
	keepaliveOnce contextKey = "keepalive"
)

// limitLogin closes connections that do not log in. Nagle's delay stays off, as Go has it.
func (s *Server) limitLogin(ctx ssh.Context, conn net.Conn) net.Conn {
	ctx.SetValue(loginTimer, time.AfterFunc(s.LoginTime, func() { conn.Close() }))
	ctx.SetValue(keepaliveOnce, new(sync.Once))
	return conn
}

// verifiedKey is where the key that signed the login is kept, in the wire format.
const verifiedKey = "git-deploy-verified-key"

// config makes the connection remember the key that really signed: a client
// may offer any public key first, and only this callback knows the one that it has.
func (s *Server) config(ctx ssh.Context) *gossh.ServerConfig {
	return &gossh.ServerConfig{
		VerifiedPublicKeyCallback: func(conn gossh.ConnMetadata, key gossh.PublicKey, _ *gossh.Permissions, _ string) (*gossh.Permissions, error) {
			if timer, ok := ctx.Value(loginTimer).(*time.Timer); ok {
				timer.Stop()
			}
			s.Log.Info("login", "client", conn.RemoteAddr().String(), "user", conn.User(), "key", gossh.FingerprintSHA256(key))
			return &gossh.Permissions{Extensions: map[string]string{verifiedKey: string(key.Marshal())}}, nil
		},
	}
}

// offered says whether a key that a client offers could log in.
func (s *Server) offered(ctx ssh.Context, key ssh.PublicKey) bool {
	_, err := s.authorized(key, ctx.RemoteAddr())
	if err != nil {
		s.Log.Debug("key refused", "client", ctx.RemoteAddr().String(), "key", gossh.FingerprintSHA256(key), "reason", err)
	}
	return err == nil
}

// identity returns the key that logged in, which gliderlabs' session and the verified one must agree on.
func identity(sess ssh.Session) (gossh.PublicKey, error) {
	conn, ok := sess.Context().Value(ssh.ContextKeyConn).(*gossh.ServerConn)
	key := sess.PublicKey()
	if !ok || conn.Permissions == nil || key == nil || string(key.Marshal()) != conn.Permissions.Extensions[verifiedKey] {
		return nil, errors.New("the key of the login is not known for certain")
	}
	return key, nil
}

// keepalive closes the connection of a client that has vanished.
func (s *Server) keepalive(ctx ssh.Context) {
	once, _ := ctx.Value(keepaliveOnce).(*sync.Once)
	conn, ok := ctx.Value(ssh.ContextKeyConn).(*gossh.ServerConn)
	if once == nil || !ok {
		return
	}
	once.Do(func() {
		go func() {
			tick := time.NewTicker(s.Alive / 3)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				dead := time.AfterFunc(s.Alive, func() { conn.Close() })
				_, _, err := conn.SendRequest("keepalive@openssh.com", true, nil)
				dead.Stop()
				if err != nil {
					return
				}
			}
		}()
	})
}

func (s *Server) authorized(key gossh.PublicKey, client net.Addr) (*authorizedKey, error) {
	var errs []error
	for _, file := range s.AuthorizedKeys {
		entry, err := findAuthorized(file, key, client, time.Now())
		if err == nil {
			return entry, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", file, err))
	}
	return nil, errors.Join(errs...)
}
