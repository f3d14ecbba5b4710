package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/git-deploy/git-deploy/pkg/proc"
)

// ssh leaves Nagle's algorithm on while it logs in, and with it waits twice
// for the 40 ms after which a kernel acknowledges data that it has no answer
// to: once for the node's kernel and once for ours, which together is as much
// as all the rest of a login on a local network. So where the user's
// configuration has ssh connect by itself, we connect in its place, to the
// address that it would take, and give it the socket.

// sshConfig is what ssh -G says of the host: keywords in lower case.
type sshConfig map[string]string

// askConfig asks ssh what the user's configuration says of the host.
func (t *openSSH) askConfig() sshConfig {
	if t.cmd.variant != variantSSH {
		return nil
	}
	argv, err := t.cmd.args(t.addr, []string{"-G"}, nil)
	if err != nil {
		return nil
	}
	out, err := proc.Output(context.Background(), proc.Cmd{Argv: argv, Env: t.cmd.env})
	if err != nil {
		return nil // the connection itself tells what is wrong
	}
	config := sshConfig{}
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if _, have := config[key]; !have {
			config[key] = value
		}
	}
	return config
}

// onlyTCP are the settings that ssh must have for a connection that is nothing but TCP.
var onlyTCP = sshConfig{
	"proxycommand": "", "proxyjump": "", "bindaddress": "", "bindinterface": "",
	"addressfamily": "any", "canonicalizehostname": "false", "checkhostip": "no",
	"connectionattempts": "1", "tcpkeepalive": "yes",
}

// target is the address that ssh would connect to, "" where that takes more
// than TCP, or where the command that runs ssh may run it elsewhere (ip netns exec, a container).
func (t *openSSH) target() string {
	if t.cmd.shell != "" || path.Base(t.cmd.argv[0]) != "ssh" {
		return ""
	}
	c := t.config()
	for key, value := range onlyTCP {
		if c[key] != value {
			return ""
		}
	}
	if c["hostname"] == "" || c["port"] == "" {
		return ""
	}
	return net.JoinHostPort(c["hostname"], c["port"])
}

// connectTimeout is what ssh would allow, with the option that options adds; 0 is no limit.
func (t *openSSH) connectTimeout(c sshConfig) time.Duration {
	if n, err := strconv.Atoi(c["connecttimeout"]); err == nil {
		return time.Duration(n) * time.Second
	}
	switch d := t.opts.ConnectTimeout; {
	case d < 0:
		return 0
	case d > 0:
		return d
	}
	return DefaultConnectTimeout
}

// dialDirect connects to the node; nil without an error leaves that to ssh.
func (t *openSSH) dialDirect(ctx context.Context) (*net.TCPConn, error) {
	target := t.target()
	if target == "" {
		return nil, nil
	}
	config := t.config()
	d := net.Dialer{Timeout: t.connectTimeout(config)}
	conn, err := d.DialContext(ctx, "tcp", target)
	var errno syscall.Errno
	var timeout net.Error
	why := ""
	switch {
	case err == nil:
		tcp := conn.(*net.TCPConn)
		go acknowledge(tcp)
		return tcp, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.As(err, &errno):
		why = strings.ToUpper(errno.Error()[:1]) + errno.Error()[1:]
	case errors.As(err, &timeout) && timeout.Timeout() && !errors.As(err, new(*net.DNSError)):
		why = "Connection timed out"
	default:
		return nil, nil // the system may know the name by a service that only its own library asks
	}
	return nil, t.unreachable("", fmt.Sprintf("ssh: connect to host %s port %s: %s", config["hostname"], config["port"], why))
}

// direct is the option with which ssh takes the connection from its stdin.
var direct = []string{"-o", "ProxyCommand=-"}

// lend returns conn as a file for ssh, or nil for no conn.
func lend(conn *net.TCPConn) (*os.File, error) {
	if conn == nil {
		return nil, nil
	}
	return conn.File()
}
