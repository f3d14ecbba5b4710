package transport

import (
	"context"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/proc"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// variant says which options an ssh program takes, as git tells them apart.
type variant string

const (
	variantSSH           variant = "ssh"   // OpenSSH
	variantPlink         variant = "plink" // also putty
	variantTortoisePlink variant = "tortoiseplink"
	variantSimple        variant = "simple" // [user@]host and command, no option at all
)

// sshCommand is the user's ssh program with the options given to it.
type sshCommand struct {
	argv    []string // program and first arguments
	env     []string
	variant variant
	// shell: argv is sh -c '… "$@"', so that our options can only stand behind the user's.
	shell string
}

// resolveSSH finds the ssh command as git does: GIT_SSH_COMMAND, core.sshCommand, GIT_SSH, ssh.
func resolveSSH(ctx context.Context, addr Address, opts Options) (sshCommand, error) {
	var c sshCommand
	line := os.Getenv("GIT_SSH_COMMAND")
	if line == "" {
		line = opts.SSHCommand
	}
	program := os.Getenv("GIT_SSH")
	switch {
	case strings.TrimSpace(line) != "":
		if err := c.split(line); err != nil {
			return c, fmt.Errorf("the ssh command %q: %w", line, err)
		}
	case program != "":
		c.argv = []string{program}
	default:
		c.argv = []string{"ssh"}
	}
	name := os.Getenv("GIT_SSH_VARIANT")
	if name == "" {
		name = opts.Variant
	}
	c.variant = c.detect(ctx, addr, name)
	if c.variant == variantSSH && c.shell == "" {
		c.argv = withoutSharing(c.argv)
	}
	return c, nil
}

// split splits a shell command line into words where that can be done without
// running anything, and leaves it to sh otherwise, as git does always.
func (c *sshCommand) split(line string) error {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(line), "")
	if err != nil {
		return err
	}
	if call := simpleCall(file); call != nil {
		cfg := &expand.Config{Env: expand.ListEnviron(os.Environ()...)}
		words, err := expand.Fields(cfg, call.Args...)
		ok := err == nil && len(words) > 0
		for _, a := range call.Assigns {
			var value string
			if a.Value != nil && ok {
				value, err = expand.Literal(cfg, a.Value)
				ok = err == nil
			}
			if a.Name == nil || a.Append || a.Index != nil || a.Array != nil {
				ok = false
				break
			}
			c.env = append(c.env, a.Name.Value+"="+value)
		}
		if ok {
			c.argv = words
			return nil
		}
	}
	c.env, c.shell = nil, line
	c.argv = []string{"sh", "-c", line + ` "$@"`, line}
	return nil
}

func simpleCall(file *syntax.File) *syntax.CallExpr {
	if len(file.Stmts) != 1 {
		return nil
	}
	stmt := file.Stmts[0]
	call, ok := stmt.Cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) == 0 || len(stmt.Redirs) > 0 || stmt.Negated || stmt.Background {
		return nil
	}
	return call
}

// detect tells the variant by ssh.variant or by the program's name; an unknown program is asked, as git does.
func (c *sshCommand) detect(ctx context.Context, addr Address, name string) variant {
	switch v := strings.ToLower(name); v {
	case "ssh", "plink", "tortoiseplink", "simple":
		return variant(v)
	case "putty":
		return variantPlink
	}
	program := c.argv[0]
	if c.shell != "" {
		program, _, _ = strings.Cut(strings.TrimSpace(c.shell), " ")
	}
	switch strings.TrimSuffix(strings.ToLower(path.Base(program)), ".exe") {
	case "ssh":
		return variantSSH
	case "plink", "putty":
		return variantPlink
	case "tortoiseplink":
		return variantTortoisePlink
	}
	if proc.Run(ctx, proc.Cmd{Argv: append(slices.Clone(c.argv), "-G", addr.Host), Env: c.env}) == nil {
		return variantSSH
	}
	return variantSimple
}

// withoutSharing takes the user's options for connection sharing away: our
// connection is ours. The letters are those of ssh's options with an argument.
func withoutSharing(argv []string) []string {
	const withArgument = "BbcDEeFIiJLlmOoPpQRSWw"
	out := argv[:1:1]
	for i := 1; i < len(argv); i++ {
		arg := argv[i]
		if len(arg) < 2 || arg[0] != '-' || arg == "--" {
			return append(out, argv[i:]...)
		}
		flags := "-"
		for j := 1; j < len(arg); j++ {
			if strings.IndexByte(withArgument, arg[j]) < 0 {
				if arg[j] != 'M' {
					flags += arg[j : j+1]
				}
				continue
			}
			value, words := arg[j+1:], []string{arg[j : j+1]}
			if value == "" && i+1 < len(argv) {
				i++
				value = argv[i]
			}
			if !sharingOption(arg[j], value) {
				out = append(out, "-"+words[0], value)
			}
			break
		}
		if flags != "-" {
			out = append(out, flags)
		}
	}
	return out
}

func sharingOption(letter byte, value string) bool {
	if letter == 'S' || letter == 'O' {
		return true
	}
	value = strings.ToLower(strings.TrimSpace(value))
	return letter == 'o' && (strings.HasPrefix(value, "controlmaster") || strings.HasPrefix(value, "controlpath") || strings.HasPrefix(value, "controlpersist"))
}

// args returns the argument vector up to and with the host. first are options that must win over the
// user's, last those that the user's win over; only OpenSSH gets them.
func (c *sshCommand) args(addr Address, first, last []string) ([]string, error) {
	var argv []string
	if c.variant == variantSSH && c.shell == "" {
		argv = append(argv, c.argv[0])
		argv = append(append(append(argv, first...), c.argv[1:]...), last...)
	} else {
		argv = slices.Clone(c.argv)
		if c.variant == variantSSH {
			argv = append(append(argv, first...), last...)
		}
	}
	if c.variant == variantTortoisePlink {
		argv = append(argv, "-batch")
	}
	if addr.Port != 0 {
		switch c.variant {
		case variantSSH:
			argv = append(argv, "-p", strconv.Itoa(addr.Port))
		case variantSimple:
			return nil, fmt.Errorf("the ssh program %q takes no port (set git's ssh.variant if it does)", c.argv[0])
		default:
			argv = append(argv, "-P", strconv.Itoa(addr.Port))
		}
	}
	return append(argv, addr.login()), nil
}
