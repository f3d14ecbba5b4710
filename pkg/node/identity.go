package node

import (
	"crypto/sha256"
	"encoding/base64"
	"os"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/gitrepo"
)

// who deploys, as far as the node can tell.
type identity struct {
	by   string // "Name <mail>", as the pusher says
	key  string // SHA256:… of the key that logged in, as sshd says
	from string // host
}

// identify takes together what the pusher says (options) and what the ssh
// server says (environment).
func identify(o Options, getenv func(string) string) identity {
	id := identity{by: o.By, from: o.From, key: keyFingerprint(getenv("SSH_USER_AUTH"))}
	client, _, _ := strings.Cut(getenv("SSH_CONNECTION"), " ")
	if id.from == "" {
		id.from = gitrepo.Clean(client)
	}
	if id.by == "" {
		id.by = id.key
	}
	if id.by == "" {
		id.by = gitrepo.Clean(getenv("SUDO_USER"))
	}
	if id.by == "" {
		id.by = gitrepo.Clean(getenv("USER"))
	}
	return id
}

// keyFingerprint reads the file that sshd's ExposeAuthInfo leaves: one line for
// each authentication method, e.g. "publickey ssh-ed25519 AAAA…".
func keyFingerprint(file string) string {
	if file == "" {
		return ""
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "" // it goes with the session, which may have ended
	}
	return fingerprint(string(data))
}

func fingerprint(authInfo string) string {
	for line := range strings.Lines(authInfo) {
		f := strings.Fields(line)
		if len(f) < 3 || f[0] != "publickey" {
			continue
		}
		if blob, err := base64.StdEncoding.DecodeString(f[2]); err == nil {
			sum := sha256.Sum256(blob)
			return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
		}
	}
	return ""
}
