package node

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
)

// HookEnv is what git gives a hook.
type HookEnv struct {
	Repo    string // GIT_DIR
	Getenv  func(string) string
	Stdin   io.Reader
	Stderr  io.Writer // shown to the pusher
	Version string    // of this tool
}

// NewHookEnv returns the environment of this process.
func NewHookEnv(stdin io.Reader, stderr io.Writer, version string) HookEnv {
	return HookEnv{Repo: os.Getenv("GIT_DIR"), Getenv: os.Getenv, Stdin: stdin, Stderr: stderr, Version: version}
}

// Ended is a deployment that went no further, by its outcome. Whoever
// followed it has been told, so that it needs no further words.
type Ended struct {
	Outcome event.Outcome
	Message string
}

func (e *Ended) Error() string {
	if e.Message == "" {
		return string(e.Outcome)
	}
	return fmt.Sprintf("%s: %s", e.Outcome, e.Message)
}

// Told marks an error that needs no further words.
func (e *Ended) Told() {}

// ExitCode is the code to exit with.
func (e *Ended) ExitCode() int { return int(fail.OutcomeCode(e.Outcome)) }

// open finds the node that the hook's repository belongs to.
func (h *HookEnv) open() (*Node, error) {
	if h.Repo == "" {
		return nil, fail.Errorf(fail.Usage, "this is run by git, in a node's repository")
	}
	l, name, err := place(h.Repo)
	if err != nil {
		return nil, err
	}
	return Open(l, name)
}

// receive reads all that git tells a hook of a push.
func (h *HookEnv) receive() (n *Node, updates []update, o Options, err error) {
	if n, err = h.open(); err != nil {
		return nil, nil, o, err
	}
	if updates, err = parseUpdates(h.Stdin); err != nil {
		return nil, nil, o, err
	}
	given, err := h.pushOptions()
	if err != nil {
		return nil, nil, o, err
	}
	o, err = ParseOptions(given)
	return n, updates, o, err
}

// pushOptions reads what git push -o gave.
func (h *HookEnv) pushOptions() ([]string, error) {
	count := h.Getenv("GIT_PUSH_OPTION_COUNT")
	if count == "" {
		return nil, nil
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > 1000 {
		return nil, fmt.Errorf("GIT_PUSH_OPTION_COUNT is %.20q", count)
	}
	var options []string
	for i := range n {
		options = append(options, h.Getenv("GIT_PUSH_OPTION_"+strconv.Itoa(i)))
	}
	return options, nil
}

// update is one line of a receiving hook's stdin: what a push does to one ref.
type update struct{ old, new, ref string }

func (u update) creates() bool { return gitrepo.Zero(u.old) }
func (u update) deletes() bool { return gitrepo.Zero(u.new) }

// parseUpdates reads the lines "old new ref".
func parseUpdates(r io.Reader) ([]update, error) {
	var updates []update
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		old, rest, _ := strings.Cut(lines.Text(), " ")
		oid, ref, _ := strings.Cut(rest, " ")
		if !gitrepo.Oid(old) || !gitrepo.Oid(oid) || !strings.HasPrefix(ref, "refs/") {
			return nil, fmt.Errorf("hook: not a ref update: %.200q", lines.Text())
		}
		updates = append(updates, update{old, oid, ref})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("hook: read ref updates: %w", err)
	}
	return updates, nil
}
