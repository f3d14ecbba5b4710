package push

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/proc"
)

// EventsEnv names the environment variable with the path of a unix socket:
// git-remote-node writes its events there, as JSON lines, instead of drawing
// them, and ends with a Finished event that holds CodeField.
const EventsEnv = "GIT_DEPLOY_EVENTS"

// CodeField is the field of the last event with the push's exit code (fail.Code).
const CodeField = "code"

// Fleet pushes to many nodes at once, each through `git push`.
type Fleet struct {
	Repo  *gitrepo.Repo
	Jobs  int        // how many at once; 0: all
	Flags []string   // further options of git push
	Sink  event.Sink // gets the events of all nodes
}

// NodeResult is how the push to one node ended.
type NodeResult struct {
	Remote string    `json:"remote"`
	Node   string    `json:"node"`
	Code   fail.Code `json:"code"`
	Reason string    `json:"reason,omitempty"`
}

// Push pushes refspec(remote) to each of remotes and returns their results in
// the same order. They are pushed to at once, apart from those that the network
// puts in an order. One that fails does not stop the others.
func (f Fleet) Push(ctx context.Context, remotes []network.Remote, refspec func(network.Remote) string) ([]NodeResult, error) {
	dir, err := os.MkdirTemp("", "git-deploy-") // a short path: a socket's is limited to 108 bytes
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	results := make([]NodeResult, len(remotes))
	orders := map[int]bool{}
	for _, remote := range remotes {
		orders[remote.Order] = true
	}
	for _, order := range slices.Sorted(maps.Keys(orders)) {
		var group errgroup.Group
		group.SetLimit(len(remotes))
		if f.Jobs > 0 {
			group.SetLimit(f.Jobs)
		}
		for i, remote := range remotes {
			if remote.Order != order {
				continue
			}
			group.Go(func() error {
				results[i] = f.pushOne(ctx, filepath.Join(dir, strconv.Itoa(i)), remote, refspec(remote))
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			return results, err
		}
	}
	return results, nil
}

func (f Fleet) pushOne(ctx context.Context, socket string, remote network.Remote, refspec string) NodeResult {
	result := NodeResult{Remote: remote.Name, Node: remote.Node}
	sink := event.Stamp(f.Sink, remote.Node, "")
	finished := false
	failed := func(code fail.Code, reason string) NodeResult {
		result.Code, result.Reason = code, reason
		if !finished {
			sink.Emit(event.Event{Kind: event.Finished, Outcome: event.Failed, Message: reason})
		}
		return result
	}
	var stderr bytes.Buffer
	cmd := f.Repo.Cmd(append(append([]string{"push", "--quiet"}, f.Flags...), "--", remote.Name, refspec)...)
	cmd.Stdout, cmd.Stderr = &stderr, &stderr
	final, err := runWithEvents(ctx, cmd, socket, sink)
	if final != nil {
		finished = true
		result.Reason = final.Message
		if code, err := strconv.Atoi(final.Fields[CodeField]); err == nil {
			result.Code = fail.Code(code)
		}
	}
	switch {
	case err == nil:
		return result
	case ctx.Err() != nil:
		return failed(fail.Cancelled, "cancelled")
	case result.Code != fail.OK:
		return result
	}
	return failed(fail.Failed, complaint(stderr.String(), err))
}

// runWithEvents runs git, passes the helper's events on, and returns the last one if it says how that ended.
func runWithEvents(ctx context.Context, cmd proc.Cmd, socket string, sink event.Sink) (*event.Event, error) {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("listen for events: %w", err)
	}
	last := make(chan *event.Event, 1)
	go func() { last <- relay(listener, sink) }()
	cmd.Env = append(cmd.Env, EventsEnv+"="+socket)
	err = proc.Run(ctx, cmd)
	listener.Close()
	return <-last, err
}

// relay passes the events of one helper on until the listener closes, and
// returns the last one if it says how the push ended.
func relay(listener net.Listener, sink event.Sink) *event.Event {
	var last *event.Event
	for {
		conn, err := listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				sink.Emit(event.Event{Kind: event.Warning, Message: err.Error()})
			}
			return last
		}
		lines := bufio.NewScanner(conn)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			e, err := event.Parse(lines.Bytes())
			if err != nil {
				continue // the helper is ours, but of another version perhaps
			}
			if e.Kind == event.Finished {
				last = &e
			}
			sink.Emit(e)
		}
		conn.Close()
	}
}

// complaint returns what git itself said when the helper said nothing, e.g. `src refspec nosuch does not match any`.
func complaint(stderr string, err error) string {
	for line := range strings.SplitSeq(stderr, "\n") {
		for _, prefix := range []string{"error: ", "fatal: "} {
			if text, ok := strings.CutPrefix(line, prefix); ok {
				return text
			}
		}
	}
	return err.Error()
}
