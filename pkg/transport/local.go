package transport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"

	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/proc"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// local runs commands on this machine, for a node that deploys itself.
type local struct {
	layout statedir.Layout
	tool   string

	mu    sync.Mutex
	relay *relay
	dir   *privateDir
}

// Local returns the Transport to this machine's own state folder. tool is the
// program to run; empty is the installed one, or this program if there is none.
func Local(layout statedir.Layout, tool string) (Transport, error) {
	if tool == "" {
		tool = layout.Tool()
		if _, err := os.Stat(tool); errors.Is(err, os.ErrNotExist) {
			if tool, err = os.Executable(); err != nil {
				return nil, err
			}
		}
	}
	return &local{layout: layout, tool: tool}, nil
}

// Run implements Transport.
func (t *local) Run(ctx context.Context, c Command) error {
	var filter *markerFilter
	if c.Marked {
		var err error
		if c.Argv, err = mark(c.Argv, t.Tool("node")); err != nil {
			return err
		}
		filter = newMarkerFilter(c.Stdout)
		c.Stdout = filter
	}
	if len(c.Argv) == 0 {
		return errors.New("no command to run")
	}
	cmd := proc.Cmd{Argv: c.Argv, Stdin: c.Stdin, Stdout: c.Stdout, Stderr: c.Stderr, Unset: remoteUnset}
	if t.layout.Root != "" {
		cmd.Env = []string{statedir.RootEnv + "=" + t.layout.Root}
	}
	err := proc.Run(ctx, cmd)
	if err == nil && filter != nil && !filter.seen {
		return fail.New(fail.Failed, fmt.Errorf("%s did not answer", t.tool))
	}
	if proc.ExitCode(err) == 1 && filter != nil && !filter.seen && c.Argv[0] == "sudo" {
		// The tool itself would have written the marker first.
		who := cmp.Or(os.Getenv("USER"), strconv.Itoa(os.Geteuid()))
		return fail.New(fail.Failed, fmt.Errorf("sudo does not let %s run %s without a password: %w", who, t.tool, err),
			fmt.Sprintf("visudo    # and add: %s ALL=(root) NOPASSWD: %s", who, t.tool))
	}
	return err
}

// remoteUnset are variables that a login would not hand on: git sets them for the repository here.
var remoteUnset = []string{"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY",
	"GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_QUARANTINE_PATH", "GIT_PROTOCOL", "GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT"}

// Git implements Transport.
func (t *local) Git(network string) (GitRemote, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.relay == nil {
		dir, err := newPrivateDir()
		if err != nil {
			return GitRemote{}, err
		}
		t.dir = dir
		if t.relay, err = newRelay(dir, t, nil); err != nil {
			return GitRemote{}, err
		}
	}
	return t.relay.git(network)
}

// Tool implements Transport.
func (t *local) Tool(args ...string) []string {
	argv := []string{t.tool}
	if os.Geteuid() != 0 && t.layout.Root == "" {
		argv = []string{"sudo", "-n", "--", t.tool}
	}
	return append(argv, args...)
}

// HostName implements Transport.
func (t *local) HostName(host string) string { return host }

// Fresh implements Transport: here there is no connection to prove.
func (t *local) Fresh() Transport { return &local{layout: t.layout, tool: t.tool} }

// Close implements Transport.
func (t *local) Close() error {
	t.mu.Lock()
	relay, dir := t.relay, t.dir
	t.relay, t.dir = nil, nil
	t.mu.Unlock()
	if relay != nil {
		relay.close()
	}
	if dir != nil {
		dir.remove()
	}
	return nil
}
