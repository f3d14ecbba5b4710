package transport

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	gossh "golang.org/x/crypto/ssh"
)

// pin returns the content of the known_hosts file to use and the keys that it
// has for the alias; no keys: nothing is pinned.
func pin(opts Options) (content string, keys []string, err error) {
	content = opts.KnownHosts
	if opts.KnownHostsFile != "" {
		b, err := os.ReadFile(opts.KnownHostsFile)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", nil, err
		}
		content = strings.TrimSuffix(content, "\n") + "\n" + string(b)
	}
	if opts.HostKeyAlias == "" || strings.TrimSpace(content) == "" {
		return "", nil, nil
	}
	keys, err = PinnedKeys(content, opts.HostKeyAlias)
	return content, keys, err
}

// PinnedKeys lists the keys that a known_hosts content has for a host field,
// as "ssh-ed25519 SHA256:…". Keys of certificate authorities count; revoked ones do not.
// Patterns and hashed names are not looked into: a network's file names its nodes in full.
func PinnedKeys(knownHosts, host string) ([]string, error) {
	var keys []string
	rest := []byte(knownHosts)
	for {
		marker, hosts, key, _, next, err := gossh.ParseKnownHosts(rest)
		if errors.Is(err, io.EOF) {
			return keys, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read known_hosts: %w", err)
		}
		rest = next
		for _, h := range hosts {
			if h == host && marker != "revoked" {
				keys = append(keys, key.Type()+" "+gossh.FingerprintSHA256(key))
			}
		}
	}
}

// pinOptions makes ssh accept the keys in file for alias and no others,
// wherever else the user's configuration would find some.
func pinOptions(alias, file string) []string {
	return []string{
		"-o", "HostKeyAlias=" + alias,
		"-o", "UserKnownHostsFile=" + file,
		"-o", "GlobalKnownHostsFile=/dev/null",
		"-o", "KnownHostsCommand=none",
		"-o", "StrictHostKeyChecking=yes",
		"-o", "CheckHostIP=no",
		"-o", "VerifyHostKeyDNS=no",
		"-o", "UpdateHostKeys=no",
	}
}
