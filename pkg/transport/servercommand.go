package transport

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

var errNoShell = errors.New("this is a git-deploy node: it deploys, and has no shell. Try: git clone node://…, git push, git deploy status")

var (
	gitProtocol = regexp.MustCompile(`^[a-z0-9=:.-]{1,64}$`)
	storePath   = regexp.MustCompile(`^/[A-Za-z0-9/+._?=-]+$`)
)

// serve finds what to run for line; nothing is for `true`. The client's words never reach a shell.
func (s *Server) serve(line, protocol string) ([]string, error) {
	if strings.TrimSpace(line) == "" {
		return nil, errNoShell
	}
	words, err := Words(line)
	if err != nil {
		return nil, fmt.Errorf("%w: %.200q", err, line)
	}
	if len(words) > 3 && slices.Equal(words[:3], []string{"sudo", "-n", "--"}) {
		words = words[3:]
	}
	if len(words) > 2 && words[0] == "git" && (words[1] == "receive-pack" || words[1] == "upload-pack") {
		words = append([]string{"git-" + words[1]}, words[2:]...)
	}
	if len(words) == 0 {
		return nil, errNoShell
	}
	name, args := words[0], words[1:]
	switch {
	case path.Base(name) == "git-deploy" && len(args) > 1 && args[0] == "node":
		return append([]string{s.Tool}, args...), nil
	case name == "git-receive-pack" && len(args) == 1:
		return s.gitService("receive-pack", args[0], "")
	case name == "git-upload-pack" && len(args) == 1:
		return s.gitService("upload-pack", args[0], protocol)
	case path.Base(name) == "nix-store" && nixStore(args):
		return append([]string{"nix-store"}, args...), nil
	case path.Base(name) == "nix-daemon" && slices.Equal(args, []string{"--stdio"}):
		return []string{"nix-daemon", "--stdio"}, nil
	case name == "true" && len(args) == 0:
		return nil, nil
	}
	return nil, fmt.Errorf("not a command that this node runs: %.200q", line)
}

func (s *Server) gitService(service, repo, protocol string) ([]string, error) {
	argv := []string{s.Tool, "node", service}
	if protocol != "" && gitProtocol.MatchString(protocol) {
		argv = append(argv, "--protocol", protocol)
	}
	if network := strings.Trim(repo, "/"); network != "" {
		if err := CheckName("network name", network); err != nil {
			return nil, err
		}
		argv = append(argv, network)
	}
	return argv, nil
}

// nixStore allows what copying a closure takes.
func nixStore(args []string) bool {
	if len(args) == 0 {
		return false
	}
	flags, paths := args, []string(nil)
	if i := slices.IndexFunc(args, func(a string) bool { return !strings.HasPrefix(a, "-") }); i >= 0 {
		flags, paths = args[:i], args[i:]
	}
	for _, p := range paths {
		if !storePath.MatchString(p) {
			return false
		}
	}
	switch strings.Join(flags, " ") {
	case "--serve", "--serve --write", "--import", "--import --sync-before-registering":
		return len(paths) == 0
	case "--export", "--check-validity", "--check-validity --print-invalid", "--query --requisites", "-qR", "--query --hash", "--realise", "-r":
		return len(paths) > 0
	}
	return false
}
