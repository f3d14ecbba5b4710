package transport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Address says where a node is. It has either a Host
// (node://[user@]host[:port][/network]) or the name of a Node of the network
// (node::name), whose address the network's repository or git's configuration knows.
type Address struct {
	User, Host string
	Port       int // 0: ssh's own default
	Network    string
	Node       string
}

const scheme = "node://"

// ParseAddress reads an address as git hands it to the remote helper: a
// node:// URL, or the bare name that stood behind node::.
func ParseAddress(s string) (Address, error) {
	a, err := parseAddress(s)
	if err != nil {
		return Address{}, fmt.Errorf("address %q: %w", s, err)
	}
	return a, nil
}

func parseAddress(s string) (Address, error) {
	rest, isURL := strings.CutPrefix(strings.TrimPrefix(s, "node::"), scheme)
	if !isURL {
		if strings.Contains(rest, "://") {
			return Address{}, errors.New("not a node:// address")
		}
		if err := CheckName("node name", rest); err != nil {
			return Address{}, err
		}
		return Address{Node: rest}, nil
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		return Address{}, fmt.Errorf("%q has no meaning here", rest[i:i+1])
	}
	authority, path, _ := strings.Cut(rest, "/")
	var a Address
	var err error
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		if a.User, err = parseUser(authority[:i]); err != nil {
			return Address{}, err
		}
		authority = authority[i+1:]
	}
	if a.Host, a.Port, err = parseHostPort(authority); err != nil {
		return Address{}, err
	}
	if path = strings.TrimSuffix(path, "/"); path != "" {
		if a.Network, err = url.PathUnescape(path); err != nil {
			return Address{}, err
		}
		if err := CheckName("network name", a.Network); err != nil {
			return Address{}, err
		}
	}
	return a, nil
}

func parseUser(s string) (string, error) {
	if strings.Contains(s, ":") {
		return "", errors.New("a password has no place in an address; ssh keys log in")
	}
	user, err := url.PathUnescape(s)
	if err != nil {
		return "", err
	}
	return user, checkSSHWord("user name", user)
}

func parseHostPort(s string) (host string, port int, err error) {
	var portText string
	hasPort := false
	if inner, ok := strings.CutPrefix(s, "["); ok {
		var after string
		host, after, ok = strings.Cut(inner, "]")
		if !ok {
			return "", 0, errors.New("the bracket of the IPv6 address is not closed")
		}
		host = strings.Replace(host, "%25", "%", 1) // RFC 6874
		ip, err := netip.ParseAddr(host)
		if err != nil || !ip.Is6() {
			return "", 0, fmt.Errorf("%q is not an IPv6 address", host)
		}
		if err := checkSSHWord("zone", ip.Zone()); ip.Zone() != "" && err != nil {
			return "", 0, err
		}
		if after != "" {
			if portText, hasPort = strings.CutPrefix(after, ":"); !hasPort {
				return "", 0, fmt.Errorf("unexpected %q after the IPv6 address", after)
			}
		}
	} else {
		host, portText, hasPort = strings.Cut(s, ":")
		if strings.Contains(portText, ":") {
			return "", 0, errors.New("an IPv6 address needs brackets, as in node://[2001:db8::1]")
		}
		if host, err = url.PathUnescape(host); err != nil {
			return "", 0, err
		}
		if strings.ContainsAny(host, "@:[]%/?#") {
			return "", 0, fmt.Errorf("host %q has a character that no host name has", host)
		}
		if err := checkSSHWord("host", host); err != nil {
			return "", 0, err
		}
	}
	if hasPort {
		if port, err = parsePort(portText); err != nil {
			return "", 0, err
		}
	}
	return host, port, nil
}

func parsePort(s string) (int, error) {
	port, err := strconv.ParseUint(s, 10, 16)
	if err != nil || port == 0 || s[0] == '+' {
		return 0, fmt.Errorf("port %q is not a number from 1 to 65535", s)
	}
	return int(port), nil
}

// checkSSHWord refuses what ssh would take for an option, and what could act
// in the shell that runs a ProxyCommand with %h and %r (as ssh does since 9.6).
func checkSSHWord(what, s string) error {
	if s == "" {
		return fmt.Errorf("the %s is empty", what)
	}
	if s[0] == '-' {
		return fmt.Errorf("%s %q begins with a hyphen", what, s)
	}
	for _, r := range s {
		if r <= ' ' || r == 0x7f || r == '\ufffd' || (r >= 0x80 && !strconv.IsPrint(r)) {
			return fmt.Errorf("%s %q has a space or a character that cannot be printed", what, s)
		}
		if strings.ContainsRune("'`\"\\$;&<>|(){}*!", r) {
			return fmt.Errorf("%s %q has the character %q", what, s, r)
		}
	}
	return nil
}

// CheckName refuses what is not a name of a node or a network: letters,
// digits, dots, hyphens and underscores, beginning with a letter or digit.
func CheckName(what, s string) error {
	if s == "" {
		return fmt.Errorf("the %s is empty", what)
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && (i == 0 || c != '.' && c != '-' && c != '_') {
			return fmt.Errorf("%s %q: only letters, digits, \".\", \"-\" and \"_\", and a letter or digit first", what, s)
		}
	}
	return nil
}

// String returns the address as ParseAddress reads it and git takes it as a URL.
func (a Address) String() string {
	if a.Host == "" {
		return "node::" + a.Node
	}
	var b strings.Builder
	b.WriteString(scheme)
	if a.User != "" {
		b.WriteString(escapeUser(a.User) + "@")
	}
	host := a.Host
	if strings.Contains(host, ":") {
		host = "[" + strings.Replace(host, "%", "%25", 1) + "]"
	}
	b.WriteString(host)
	if a.Port != 0 {
		b.WriteString(":" + strconv.Itoa(a.Port))
	}
	if a.Network != "" {
		b.WriteString("/" + a.Network)
	}
	return b.String()
}

// escapeUser escapes what would end the user name; PathEscape leaves ':' and '@' alone.
func escapeUser(s string) string {
	return strings.NewReplacer("@", "%40", ":", "%3A").Replace(url.PathEscape(s))
}

// HostPort returns host:port for people and for known_hosts, without the default port.
func (a Address) HostPort() string {
	if a.Port == 0 || a.Port == 22 {
		return a.Host
	}
	return net.JoinHostPort(a.Host, strconv.Itoa(a.Port))
}

// login returns [user@]host for ssh.
func (a Address) login() string {
	if a.User == "" {
		return a.Host
	}
	return a.User + "@" + a.Host
}
