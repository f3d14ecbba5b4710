// Package hooks holds the git hooks as they are installed: two lines each,
// which hand over to the tool. It renders and recognises them; package node
// installs those of a node, git deploy remotes those of a clone.
package hooks

import (
	"embed"
	"regexp"
	"strings"
)

//go:embed pre-receive post-receive post-merge post-checkout post-commit post-rewrite
var files embed.FS

const toolMark = "@tool@"

// Names lists the hooks of a node's repository.
func Names() []string { return []string{"pre-receive", "post-receive"} }

// CloneNames lists the hooks of a clone, which keep its remotes as the network describes them.
func CloneNames() []string { return []string{"post-merge", "post-checkout"} }

// SelfNames lists the hooks of a clone on a node that deploy the machine itself after each commit and pull.
func SelfNames() []string { return []string{"post-commit", "post-merge", "post-rewrite"} }

// Render returns the hook that runs the tool at path tool.
func Render(name, tool string) []byte {
	return []byte(strings.Replace(template(name), toolMark, quote(tool), 1))
}

// Ours reports whether content is a hook that Render made, for whatever path.
func Ours(name string, content []byte) bool {
	before, after, _ := strings.Cut(template(name), toolMark)
	return regexp.MustCompile("^" + regexp.QuoteMeta(before) + `(\S+|'.*')` + regexp.QuoteMeta(after) + "$").Match(content)
}

func template(name string) string {
	data, err := files.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return string(data)
}

// quote makes path one word for sh.
func quote(path string) string {
	if strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-") == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
