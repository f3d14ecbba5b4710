package push

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/proc"
)

// TimeoutEnv names the environment variable with how long a fetch waits for a
// node to answer (a Go duration); without it, as long as ssh does.
const TimeoutEnv = "GIT_DEPLOY_TIMEOUT"

// FetchResult is how the fetch from one node ended.
type FetchResult struct {
	Remote string    `json:"remote"`
	Node   string    `json:"node"`
	Code   fail.Code `json:"code"`
	Reason string    `json:"reason,omitempty"`
	Hint   string    `json:"-"`
	Millis int64     `json:"millis"`
}

// Fetch fetches from remotes, each by `git fetch`, and returns their results in
// the same order. One that fails, or has not answered within timeout (0: as long as ssh waits),
// does not stop the others. What they tell of nodes that answer themselves is left out.
func (f Fleet) Fetch(ctx context.Context, remotes []network.Remote, timeout time.Duration) ([]FetchResult, error) {
	lost, err := network.Lost(f.Repo.CommonDir)
	if err != nil {
		return nil, err
	}
	// A hundred nodes that tell of each other tell nothing that they do not say
	// themselves, in 40,000 refs: git opens a file for each, in every fetch.
	answering := slices.DeleteFunc(slices.Clone(remotes), func(r network.Remote) bool {
		_, is := lost[r.Name]
		return is
	})
	results, err := f.fetch(ctx, remotes, answering, timeout)
	if err != nil {
		return results, err
	}
	var reached []network.Remote
	silent := false
	for i, r := range remotes {
		if _, before := lost[r.Name]; results[i].Code == fail.OK {
			reached = append(reached, r)
		} else if !before {
			silent = true
		}
	}
	if silent { // only now: the others are asked about it
		if _, err := f.fetch(ctx, reached, reached, timeout); err != nil {
			return results, err
		}
	}
	// Once for all, and not by each fetch: git's own judgement of whether there is anything to tidy up.
	_ = proc.Run(ctx, f.Repo.Cmd("maintenance", "run", "--auto", "--quiet"))
	return results, nil
}

// fetch fetches from remotes, without what they tell of the nodes answering.
func (f Fleet) fetch(ctx context.Context, remotes, answering []network.Remote, timeout time.Duration) ([]FetchResult, error) {
	dir, err := os.MkdirTemp("", "git-deploy-") // a short path: a socket's is limited to 108 bytes
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	results := make([]FetchResult, len(remotes))
	var group errgroup.Group
	group.SetLimit(max(1, len(remotes)))
	if f.Jobs > 0 {
		group.SetLimit(f.Jobs)
	}
	for i, remote := range remotes {
		group.Go(func() error {
			start := time.Now()
			socket := filepath.Join(dir, strconv.Itoa(i))
			if err := os.WriteFile(socket+".config", []byte(remote.Untold(answering)), 0o600); err != nil {
				return err
			}
			results[i] = f.fetchOne(ctx, socket, remote, timeout)
			results[i].Millis = time.Since(start).Milliseconds()
			return nil
		})
	}
	err = group.Wait()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return results, err
}

func (f Fleet) fetchOne(ctx context.Context, socket string, remote network.Remote, timeout time.Duration) FetchResult {
	result := FetchResult{Remote: remote.Name, Node: remote.Node}
	var said bytes.Buffer
	// FETCH_HEAD is one file for all.
	cmd := f.Repo.Cmd("-c", "include.path="+socket+".config", "fetch", "--quiet", "--no-auto-maintenance", "--no-write-fetch-head", "--no-recurse-submodules", "--", remote.Name)
	if timeout > 0 {
		cmd.Env = append(cmd.Env, TimeoutEnv+"="+timeout.String())
	}
	cmd.Stdout, cmd.Stderr, cmd.Foreground = &said, &said, true // ssh may ask for a passphrase
	final, err := runWithEvents(ctx, cmd, socket, event.Discard)
	switch {
	case err == nil:
		return result
	case ctx.Err() != nil:
		result.Code, result.Reason = fail.Cancelled, "cancelled"
		return result
	}
	result.Code, result.Reason = fail.Failed, complaint(said.String(), err)
	if final != nil {
		result.Reason = final.Message
		result.Hint, _, _ = strings.Cut(final.Hint, "\n")
		if code, err := strconv.Atoi(final.Fields[CodeField]); err == nil && code != 0 {
			result.Code = fail.Code(code)
		}
	}
	return result
}

// within bounds how long a node may take to answer: it returns a context that
// ends unless something was written to the writer by then.
func within(ctx context.Context, limit time.Duration, w io.Writer) (context.Context, io.Writer, func()) {
	if limit <= 0 {
		return ctx, w, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	// ssh has the same limit for connecting, and says more about it.
	timer := time.AfterFunc(limit+limit/10, func() {
		cancel(fail.New(fail.Unreachable, fmt.Errorf("no answer within %s", limit)))
	})
	return ctx, writerFunc(func(p []byte) (int, error) {
		timer.Stop()
		return w.Write(p)
	}), func() { timer.Stop(); cancel(nil) }
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// answerLimit is what TimeoutEnv says; 0 is none.
func answerLimit() time.Duration {
	limit, err := time.ParseDuration(os.Getenv(TimeoutEnv))
	if err != nil {
		return 0
	}
	return limit
}
