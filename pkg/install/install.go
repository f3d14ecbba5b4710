// Package install makes a host a node: the tool, the bare repository with its
// hooks, and what the network must know of the host. It changes nothing of
// what the host runs; that is the first push.
package install

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"runtime"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/node"
	"github.com/git-deploy/git-deploy/pkg/proc"
	"github.com/git-deploy/git-deploy/pkg/statedir"
	"github.com/git-deploy/git-deploy/pkg/transport"
	"github.com/git-deploy/git-deploy/pkg/ui"
)

// Options say what the host shall be.
type Options struct {
	Network bundle.NetworkID
	Node    string
	Branch  string
	Profile bundle.Profile
	Adopt   bool   // also where the host is another node, or its system another network's
	Tool    string // version of the tool here
}

// Result is what was found and made.
type Result struct {
	Machine   node.Machine
	Installed bool // the tool was copied
	node.InitResult
}

// Node makes the host behind t a node. It can be repeated.
func Node(ctx context.Context, t transport.Transport, o Options) (*Result, error) {
	result := &Result{}
	err := ask(ctx, t, &result.Machine, "machine")
	if missing(err) || err == nil && result.Machine.Tool != o.Tool {
		if err := copyTool(ctx, t); err != nil {
			// A host that brings its own tool (the embedded server, a NixOS
			// module) need not take ours.
			if result.Machine.Tool == "" {
				return nil, fmt.Errorf("install the tool on the host: %w", err)
			}
		} else {
			result.Installed = true
			err := ask(ctx, t, &result.Machine, "machine")
			if err != nil {
				return nil, fmt.Errorf("run the tool on the host: %w", err)
			}
		}
	} else if err != nil {
		return nil, err
	}
	if m := result.Machine; len(m.Missing) > 0 {
		hint := "install them on the host, then run this again"
		if m.NixOS {
			hint = "add to the host's configuration: environment.systemPackages = [ pkgs.git ]; and nixos-rebuild switch"
		}
		return nil, fail.New(fail.Failed, fmt.Errorf("the host lacks programs that a node needs: %s", strings.Join(m.Missing, ", ")), hint)
	}
	args := []string{"init", "--network", o.Network.Name, "--id", o.Network.ID, "--node", o.Node}
	if o.Branch != "" {
		args = append(args, "--branch", o.Branch)
	}
	if scope := node.ScopeOf(o.Profile); scope != "" {
		args = append(args, "--scope", scope)
	}
	if o.Adopt {
		args = append(args, "--adopt")
	}
	if err := ask(ctx, t, &result.InitResult, args...); err != nil {
		return nil, err
	}
	return result, nil
}

// ask runs a verb of the tool on the host and reads its answer, one JSON value.
func ask(ctx context.Context, t transport.Transport, answer any, verb ...string) error {
	var out bytes.Buffer
	err := t.Run(ctx, transport.Command{Argv: t.Tool(append([]string{"node"}, verb...)...), Stdout: &out, Marked: true})
	if err != nil {
		return explain(err)
	}
	if err := json.Unmarshal(out.Bytes(), answer); err != nil {
		return fmt.Errorf("the host's answer to %s: %w", verb[0], err)
	}
	return nil
}

// explain gives an error of the remote tool the words that the tool itself printed.
func explain(err error) error {
	var failed *proc.Error
	if errors.Is(err, transport.ErrUnreachable) || !errors.As(err, &failed) {
		return err
	}
	said, hints := ui.ParseError("git-deploy", failed.Stderr)
	if said == "" {
		return err
	}
	return fail.New(fail.Code(failed.ExitCode), errors.New(said), hints...)
}

// missing reports whether the remote shell, or sudo, did not find the tool.
func missing(err error) bool {
	code := proc.ExitCode(err)
	return code == 127 || code == 126 ||
		code == 1 && strings.Contains(proc.Stderr(err), "command not found") // sudo
}

// copyTool copies this program, which is static, to where remote commands expect it.
func copyTool(ctx context.Context, t transport.Transport) error {
	var uname bytes.Buffer
	if err := t.Run(ctx, transport.Command{Argv: []string{"uname", "-sm"}, Stdout: &uname}); err != nil {
		return err
	}
	arch := map[string]string{"amd64": "x86_64", "arm64": "aarch64", "riscv64": "riscv64"}[runtime.GOARCH]
	// A noisy login shell may have printed before.
	lines := strings.Split(strings.TrimSpace(uname.String()), "\n")
	if have := lines[len(lines)-1]; have != "Linux "+arch {
		return fail.New(fail.Failed, fmt.Errorf("the host is %s, this program is for Linux %s", have, arch),
			"put a git-deploy for the host to "+statedir.ToolPath+" there, then run this again")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	program, err := os.Open(self)
	if err != nil {
		return err
	}
	defer program.Close()
	// Written beside and renamed: a hook that runs at this moment has the old or the new one.
	script := `set -eu; umask 022; mkdir -p "$1"; chmod 700 "${1%/bin}"; t=$(mktemp "$1/.git-deploy.XXXXXX"); trap 'rm -f "$t"' EXIT; cat > "$t"; chmod 755 "$t"; sync; mv -f "$t" "$1/git-deploy"; trap - EXIT`
	tool := t.Tool()
	sudo := tool[:len(tool)-1]
	argv := append(append([]string{}, sudo...), "sh", "-c", script, "sh", path.Dir(statedir.ToolPath))
	return t.Run(ctx, transport.Command{Argv: argv, Stdin: program})
}

// Leave takes the host behind t out of a network.
func Leave(ctx context.Context, t transport.Transport, network string, purge bool) (*node.LeaveResult, error) {
	args := []string{"leave"}
	if purge {
		args = append(args, "--purge")
	}
	var res node.LeaveResult
	if err := ask(ctx, t, &res, append(args, network)...); err != nil {
		return nil, err
	}
	return &res, nil
}
