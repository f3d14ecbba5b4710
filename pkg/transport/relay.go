package transport

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/git-deploy/git-deploy/pkg/proc"
	"golang.org/x/sys/unix"
)

// RelayCommand is the command of the tool that Relay implements.
const RelayCommand = "ssh-relay"

// relay lets git, which wants a program to speak with, use a Transport of
// this process: the program (Relay) hands its stdio over a socket in a
// private folder, and the Transport runs the command with it.
type relay struct {
	t        Transport
	listener *net.UnixListener
	command  []string
	stop     context.CancelFunc
	ctx      context.Context
	sessions sync.WaitGroup

	mu    sync.Mutex
	early *early // begun, and not yet asked for
}

// relayRequest is what Relay asks for, with its stdio as file descriptors beside.
type relayRequest struct {
	Service  string `json:"service"`
	Network  string `json:"network"`
	Protocol string `json:"protocol"` // GIT_PROTOCOL
}

// relayReply ends a relayed command.
type relayReply struct {
	Code  int    `json:"code"`
	Error string `json:"error,omitempty"`
}

func newRelay(dir *privateDir, t Transport, command []string) (*relay, error) {
	if command == nil {
		exe, err := os.Executable()
		if err != nil {
			return nil, err
		}
		command = []string{exe, RelayCommand}
	}
	socket := dir.file("relay")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("make the socket for git: %w", err)
	}
	r := &relay{t: t, listener: l, command: append(append([]string(nil), command...), socket)}
	r.ctx, r.stop = context.WithCancel(context.Background())
	go r.accept()
	return r, nil
}

// git returns the remote for a network ("" is the only one of the node).
func (r *relay) git(network string) (GitRemote, error) {
	if network != "" {
		if err := CheckName("network name", network); err != nil {
			return GitRemote{}, err
		}
	}
	up, err := CommandLine(append(append([]string(nil), r.command...), "upload-pack"))
	if err != nil {
		return GitRemote{}, err
	}
	receive, err := CommandLine(append(append([]string(nil), r.command...), "receive-pack"))
	return GitRemote{URL: "/" + network, Begin: func() { r.begin(network) }, UploadPack: up, ReceivePack: receive, Config: []string{"protocol.file.allow=always"}}, err
}

func (r *relay) close() {
	r.stop()
	r.listener.Close()
	r.sessions.Wait()
}

func (r *relay) accept() {
	for {
		conn, err := r.listener.AcceptUnix()
		if err != nil {
			return
		}
		r.sessions.Go(func() {
			defer conn.Close()
			if err := r.serve(conn); err != nil {
				slog.Debug("relay", "error", err)
			}
		})
	}
}

func (r *relay) serve(conn *net.UnixConn) error {
	req, stdio, err := receiveRequest(conn)
	if err != nil {
		return err
	}
	defer func() {
		for _, f := range stdio {
			f.Close()
		}
	}()
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	go func() { // the relay program is gone: git gave up
		_, _ = io.Copy(io.Discard, conn)
		cancel()
	}()
	if e := r.take(req); e != nil {
		err = e.attach(ctx, stdio)
	} else {
		err = r.run(ctx, req, stdio[0], stdio[1], stdio[2])
	}
	reply := relayReply{}
	if err != nil {
		if reply.Code = proc.ExitCode(err); reply.Code <= 0 {
			reply.Code, reply.Error = 1, err.Error()
		}
	}
	return json.NewEncoder(conn).Encode(reply)
}

// run runs the service on the node.
func (r *relay) run(ctx context.Context, req relayRequest, stdin io.Reader, stdout, stderr io.Writer) error {
	argv := []string{"node", req.Service}
	if req.Service == "upload-pack" && req.Protocol != "" {
		argv = append(argv, "--protocol", req.Protocol)
	}
	if req.Network != "" {
		argv = append(argv, req.Network)
	}
	return r.t.Run(ctx, Command{Argv: r.t.Tool(argv...), Marked: true, Stdin: stdin, Stdout: stdout, Stderr: stderr})
}

func receiveRequest(conn *net.UnixConn) (req relayRequest, stdio [3]*os.File, err error) {
	buf, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(3*4))
	n, oobn, _, _, err := conn.ReadMsgUnix(buf, oob)
	if err != nil {
		return req, stdio, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) != 1 {
		return req, stdio, errors.Join(err, errors.New("no file descriptors"))
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return req, stdio, err
	}
	for i, fd := range fds {
		unix.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), "relay")
		if i < len(stdio) {
			stdio[i] = f
		}
	}
	if len(fds) != len(stdio) {
		return req, stdio, fmt.Errorf("%d file descriptors", len(fds))
	}
	if err := json.Unmarshal(buf[:n], &req); err != nil {
		return req, stdio, err
	}
	if req.Service != "upload-pack" && req.Service != "receive-pack" {
		return req, stdio, fmt.Errorf("unknown service %q", req.Service)
	}
	return req, stdio, nil
}

// Relay is the program that git runs as its upload-pack or receive-pack, with
// the arguments SOCKET SERVICE PATH. It returns the exit code.
func Relay(args []string) int {
	code, err := relayMain(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "git-deploy: error:", err)
	}
	return code
}

func relayMain(args []string) (int, error) {
	if len(args) != 3 {
		return 2, fmt.Errorf("usage: %s SOCKET SERVICE PATH (git runs it)", RelayCommand)
	}
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: args[0], Net: "unix"})
	if err != nil {
		return 1, err
	}
	defer conn.Close()
	req, err := json.Marshal(relayRequest{Service: args[1], Network: strings.Trim(args[2], "/"), Protocol: os.Getenv("GIT_PROTOCOL")})
	if err != nil {
		return 1, err
	}
	if _, _, err := conn.WriteMsgUnix(req, unix.UnixRights(0, 1, 2), nil); err != nil {
		return 1, err
	}
	go leaveWith(os.Getppid(), conn)
	var reply relayReply
	if err := json.NewDecoder(conn).Decode(&reply); err != nil {
		return 1, errors.New("the push has ended")
	}
	if reply.Error != "" {
		return reply.Code, errors.New(reply.Error)
	}
	return reply.Code, nil
}

// leaveWith closes conn when git, the parent, has died: it closes its end of
// our output then, which nobody would notice before the next write. A git
// that lives on closes it too, when it has all it wants, and waits for us.
func leaveWith(git int, conn io.Closer) {
	stdout := []unix.PollFd{{Fd: 1}}
	for n := 0; n == 0; {
		var err error
		if n, err = unix.Poll(stdout, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		n = max(n, 0)
	}
	for os.Getppid() == git {
		time.Sleep(20 * time.Millisecond)
	}
	conn.Close()
}
