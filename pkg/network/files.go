package network

import (
	"crypto/rand"
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/fail"
)

// Files of a network's repository.
const (
	IDFile         = "network-id"  // one line, read without Nix by every node
	File           = "network.nix" // the network, unless there is a flake.nix
	FlakeFile      = "flake.nix"
	KnownHostsFile = "known_hosts"     // host keys by node name, in OpenSSH's format
	SignersFile    = "allowed_signers" // whose commits nodes take, in OpenSSH's format; without it everybody's
	NodesDir       = "nodes"           // one file or folder for each node
)

//go:embed templates
var templates embed.FS

// NewID returns a new network id, a random UUID.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// ParseID reads the content of IDFile.
func ParseID(content []byte) (string, error) {
	id := strings.TrimSpace(string(content))
	if len(id) < 8 || len(id) > 64 || !made(id, "-") || id[0] == '-' {
		return "", fmt.Errorf("%s holds %.40q, which is not a network id", IDFile, id)
	}
	return id, nil
}

// made reports whether s consists of ASCII letters, digits and the characters
// of more. (Regular expressions would be compiled in every process of a push.)
func made(s, more string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && strings.IndexByte(more, c) < 0 {
			return false
		}
	}
	return true
}

// CheckName reports whether name can name a network or a node: it becomes a
// folder, a git remote and an attribute. what is "network" or "node".
func CheckName(what, name string) error {
	bad := name == "" || len(name) > 63 || !made(name, "_.-") || strings.Trim(name, ".-") != name ||
		strings.Contains(name, "..") || strings.HasSuffix(name, ".lock")
	if bad {
		return fail.Errorf(fail.Usage, "%q cannot name a %s: use letters, digits, hyphens and dots, beginning and ending with a letter or digit", name, what)
	}
	return nil
}

// NetworkFile returns the text of a new network.nix. nixpkgs is a Nix
// expression; empty means <nixpkgs>.
func NetworkFile(name, nixpkgs string) string {
	if nixpkgs == "" {
		nixpkgs = "<nixpkgs>"
	}
	return fill("network.nix", "@name@", name, "@nixpkgs@", nixpkgs)
}

// NodeSettings is what a new node's file says.
type NodeSettings struct {
	Name, Host, User string
	Port             int
	Tags             []string
	Imports          []string // files beside it that are the machine's own configuration, e.g. "./configuration.nix"
}

// NodeFile returns the text of a new node's file.
func NodeFile(s NodeSettings) string {
	var settings, imports strings.Builder
	if s.User != "" && s.User != "root" {
		fmt.Fprintf(&settings, "\n  deploy.user = %s;", quoteNix(s.User))
	}
	if s.Port != 0 {
		fmt.Fprintf(&settings, "\n  deploy.port = %s;", strconv.Itoa(s.Port))
	}
	if len(s.Tags) > 0 {
		settings.WriteString("\n  deploy.tags = [")
		for _, tag := range s.Tags {
			settings.WriteString(" " + quoteNix(tag))
		}
		settings.WriteString(" ];")
	}
	if len(s.Imports) > 0 {
		imports.WriteString("      imports = [\n")
		for _, file := range s.Imports {
			imports.WriteString("        " + file + "\n")
		}
		imports.WriteString("      ];\n")
	}
	// quoteNix brings its own quotes; the template has them for readability.
	return fill("node.nix", "@name@", s.Name, `"@host@"`, quoteNix(s.Host), "@settings@", settings.String(), "@imports@", imports.String())
}

func fill(template string, pairs ...string) string {
	text, err := templates.ReadFile("templates/" + template)
	if err != nil {
		panic(err) // embedded: it is there
	}
	return strings.NewReplacer(pairs...).Replace(string(text))
}

// quoteNix returns s as a Nix string.
func quoteNix(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "${", `\${`, "\n", `\n`, "\r", `\r`).Replace(s) + `"`
}

// PinHostKeys returns the content of KnownHostsFile with exactly keys for
// node. A key is "ssh-ed25519 AAAA…", a comment behind it is dropped.
func PinHostKeys(knownHosts, node string, keys []string) (string, error) {
	var want []string
	for _, key := range keys {
		words := strings.Fields(key)
		if len(words) < 2 || strings.ContainsAny(key, "\r\n") {
			return "", fmt.Errorf("%q is not an ssh host key", key)
		}
		want = append(want, node+" "+words[0]+" "+words[1])
	}
	if slices.Equal(HostKeys(knownHosts, node), want) {
		return knownHosts, nil
	}
	var out strings.Builder
	for _, line := range strings.SplitAfter(knownHosts, "\n") {
		if host, _, ok := strings.Cut(line, " "); ok && host == node {
			continue
		}
		out.WriteString(line)
	}
	if s := out.String(); s != "" && !strings.HasSuffix(s, "\n") {
		out.WriteByte('\n')
	}
	for _, line := range want {
		out.WriteString(line + "\n")
	}
	return out.String(), nil
}

// HostKeys returns the lines of a KnownHostsFile that are for node.
func HostKeys(knownHosts, node string) []string {
	var lines []string
	for _, line := range strings.Split(knownHosts, "\n") {
		if host, _, ok := strings.Cut(line, " "); ok && host == node {
			lines = append(lines, line)
		}
	}
	return lines
}
