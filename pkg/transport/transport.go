// Package transport runs commands on a node: through the user's own OpenSSH,
// or on this machine; and it holds the embedded ssh server that can stand in
// for sshd. It is not an ssh client: keys, agents, jump hosts, certificates
// and hardware tokens are OpenSSH's, so that whatever `ssh node` does works
// here too.
//
// # One connection
//
// A push uses one ssh connection for everything. Dial starts a ControlMaster
// of our own (`ssh -f -N`, in the foreground until it has authenticated, so
// that it can ask for a passphrase), whose socket lies in a private folder
// (0700); a master that the user has is neither used nor disturbed. Commands
// do not start an ssh client each: package transport speaks the multiplexing
// protocol of OpenSSH (PROTOCOL.mux, version 4) to the master and hands it
// pipes, so that a further command costs no process here at all. One idle
// connection to the master's socket keeps it alive as long as this process
// lives; when the process is gone, however it ended, the master follows
// within ControlPersist's few seconds.
//
// # Noise
//
// A login shell may print on stdout before the command runs. Commands to our
// own tool can be Marked: the tool prints Marker first, and all before it is
// dropped. git's own streams get the same: Git returns a receive-pack command
// that git runs here; it is this tool as a relay, which passes git's pipes to
// this process, and Run does the rest, whatever the transport is. So
// GIT_SSH_COMMAND is never set for git and every stream takes one way.
//
// # Invariants
//
//   - A remote command's exit code reaches the caller as *proc.Error; failing
//     to reach the node is ErrUnreachable, and never the other way round.
//   - Command lines for a remote shell are made in quote.go only.
//   - With a pinned host key no other key is accepted, whatever the user's
//     configuration says.
//   - Where the user's configuration has ssh connect by itself, this process
//     makes the TCP connection for it (direct.go); everything else is ssh's.
//   - The server knows a client by the key that signed the login, never by a
//     key that was merely offered.
package transport

import (
	"context"
	"errors"
	"io"
	"time"
)

// Marker is the line that the tool prints first when MarkedFlag asks for it.
const Marker = "\x1egit-deploy\n"

// MarkedFlag stands right after "node" in a marked command.
const MarkedFlag = "--marked"

// Command is a command to run on the node.
type Command struct {
	Argv []string
	// Stdin is copied to the command; nil is the empty input. Run does not
	// wait for a Read that is still blocked when the command has ended.
	Stdin          io.Reader
	Stdout, Stderr io.Writer // nil: dropped; the tail of stderr is in the error all the same
	// Marked says that Argv is from Tool("node", …): the tool is told to print
	// Marker first, and what the login shell prints before it is dropped.
	Marked bool
}

// Transport runs commands on one node. It is safe for concurrent use.
type Transport interface {
	// Run runs c to its end. A command that does not exit with 0 is a
	// *proc.Error with the remote's exit code. An error matching ErrUnreachable says that the node
	// could not be reached, or that the connection was lost (Reason Lost).
	Run(ctx context.Context, c Command) error
	// Git returns how git here reaches the repository of a network on the node.
	Git(network string) (GitRemote, error)
	// Tool returns the argument vector of the tool on the node, through sudo where that is needed.
	Tool(args ...string) []string
	// HostName returns where connections other than ssh's go for host: the
	// name of the node in ssh's configuration may be an alias that only ssh knows.
	HostName(host string) string
	// Fresh returns a Transport that makes a new connection and login for
	// every command. It is of no use after the Transport is closed.
	Fresh() Transport
	// Close ends the connection. Commands that run are cut off.
	Close() error
}

// GitRemote is what git needs to speak with the repository on the node. URL
// is a local path to git, which runs UploadPack or ReceivePack with it.
type GitRemote struct {
	URL         string
	UploadPack  string // for --upload-pack
	ReceivePack string // for --receive-pack
	// Begin starts receive-pack on the node before git asks for it, for a push
	// that is sure to come: its start takes as long as git's own.
	Begin  func()
	Env    []string // added to git's environment
	Config []string // key=value for git -c
}

// Options say how to reach a node.
type Options struct {
	// SSHCommand is core.sshCommand; GIT_SSH_COMMAND in the environment wins over it, and it over GIT_SSH.
	SSHCommand string
	// Variant is ssh.variant; GIT_SSH_VARIANT in the environment wins.
	Variant string
	// HostKeyAlias is the name under which KnownHosts holds the node's key.
	HostKeyAlias string
	// KnownHosts is the content of a known_hosts file and KnownHostsFile the
	// path of one (may be missing); if one of them has a key for HostKeyAlias,
	// only these keys are accepted. Otherwise the user's own files decide.
	KnownHosts     string
	KnownHostsFile string
	// SharedConnection makes Dial open one connection for all commands.
	SharedConnection bool
	// ConnectTimeout bounds TCP connect and handshake; 0 is
	// DefaultConnectTimeout, negative leaves it to the user's ssh configuration.
	// A ConnectTimeout in the ssh command wins.
	ConnectTimeout time.Duration
	// Stderr gets what ssh itself says while it connects (warnings, -v).
	Stderr io.Writer
	// Sudo runs the tool through sudo; nil decides by the login name: yes unless it is root.
	Sudo *bool
	// Tool is the path of the tool on the node; empty is statedir.ToolPath.
	Tool string
	// Relay starts Relay in a program of ours; nil is this program with RelayCommand.
	Relay []string
}

// DefaultConnectTimeout is used when Options say nothing.
const DefaultConnectTimeout = 10 * time.Second

// ErrUnreachable matches every error that means that the node could not be
// reached, or no longer.
var ErrUnreachable = errors.New("unreachable")

// Dial returns the Transport for addr, which must have a host. With
// SharedConnection it connects now and fails with ErrUnreachable when that
// is not possible.
func Dial(ctx context.Context, addr Address, opts Options) (Transport, error) {
	return dialOpenSSH(ctx, addr, opts)
}
