package transport

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	gossh "golang.org/x/crypto/ssh"
)

// hostKey reads the server's host key, or makes one.
func hostKey(file string) (gossh.Signer, error) {
	info, err := os.Stat(file)
	if errors.Is(err, os.ErrNotExist) {
		if err = makeHostKey(file); err == nil {
			info, err = os.Stat(file)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("host key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("host key %s: others can read it (mode %04o): chmod 600 it, or make a new one", file, info.Mode().Perm())
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	signer, err := gossh.ParsePrivateKey(b)
	if err != nil {
		return nil, fmt.Errorf("host key %s: %w", file, err)
	}
	return signer, nil
}

// makeHostKey writes a new key; a file that appeared meanwhile stays.
func makeHostKey(file string) error {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	block, err := gossh.MarshalPrivateKey(key, "git-deploy")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".hostkey") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(pem.EncodeToMemory(block))
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), file); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// authorizedKey is one line of an authorized_keys file.
type authorizedKey struct {
	Comment string
	Command string // command="…": runs in place of what the client asks for
}

// findAuthorized returns the line for key. A line with an option that is not
// understood, or that cannot be kept, counts as absent.
func findAuthorized(file string, key gossh.PublicKey, client net.Addr, now time.Time) (*authorizedKey, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	want := key.Marshal()
	result := errors.New("the key is not in it")
	for n, line := range bytes.Split(content, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		listed, comment, options, _, err := gossh.ParseAuthorizedKey(line)
		if err != nil || !bytes.Equal(listed.Marshal(), want) {
			continue
		}
		entry := &authorizedKey{Comment: comment}
		if err := entry.apply(options, client, now); err != nil {
			result = fmt.Errorf("line %d: %w", n+1, err)
			continue
		}
		return entry, nil
	}
	return nil, result
}

// apply checks and takes over the options of a line.
func (k *authorizedKey) apply(options []string, client net.Addr, now time.Time) error {
	for _, o := range options {
		name, value, _ := strings.Cut(o, "=")
		value = strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(value, `"`), `"`), `\"`, `"`)
		switch strings.ToLower(name) {
		case "restrict", "pty", "no-pty", "user-rc", "no-user-rc", "port-forwarding", "no-port-forwarding",
			"agent-forwarding", "no-agent-forwarding", "x11-forwarding", "no-x11-forwarding",
			"permitopen", "permitlisten", "environment":
			// None of it exists here, and sshd too ignores environment= unless told otherwise.
		case "command":
			k.Command = value
		case "expiry-time":
			end, err := parseExpiry(value)
			if err != nil {
				return err
			}
			if !now.Before(end) {
				return fmt.Errorf("the key expired at %s", end.Format(time.RFC3339))
			}
		case "from":
			if !matchFrom(value, client) {
				return fmt.Errorf("the key may not be used from %s", client)
			}
		case "cert-authority", "principals":
			return errors.New("certificates are not supported by the embedded server; use sshd")
		default:
			return fmt.Errorf("the option %q is not supported by the embedded server", name)
		}
	}
	return nil
}

// parseExpiry reads YYYYMMDD[HHMM[SS]][Z], as sshd does.
func parseExpiry(s string) (time.Time, error) {
	loc := time.Local
	text, utc := strings.CutSuffix(s, "Z")
	if utc {
		loc = time.UTC
	}
	for _, layout := range []string{"20060102", "200601021504", "20060102150405"} {
		if t, err := time.ParseInLocation(layout, text, loc); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("expiry-time %q is not a time", s)
}

// matchFrom matches addresses, networks and patterns; a match of a negated one refuses. Host
// names are not looked up, so that a pattern of a name never matches.
func matchFrom(list string, client net.Addr) bool {
	host, _, err := net.SplitHostPort(client.String())
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	ip = ip.Unmap().WithZone("")
	matched := false
	for _, pattern := range strings.Split(list, ",") {
		pattern, negated := strings.CutPrefix(strings.TrimSpace(pattern), "!")
		ok := false
		if prefix, err := netip.ParsePrefix(pattern); err == nil {
			ok = prefix.Contains(ip)
		} else {
			ok, _ = path.Match(pattern, ip.String())
		}
		if ok && negated {
			return false
		}
		matched = matched || ok
	}
	return matched
}
