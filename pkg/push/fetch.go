package push

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
// does not stop the others.
func (f Fleet) Fetch(ctx context.Context, remotes []network.Remote, timeout time.Duration) ([]FetchResult, error) {
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
			results[i] = f.fetchOne(ctx, filepath.Join(dir, strconv.Itoa(i)), remote, timeout)
			results[i].Millis = time.Since(start).Milliseconds()
			return nil
		})
	}
	_ = group.Wait()
	if ctx.Err() != nil {
		return results, context.Cause(ctx)
	}
	// Once for all, and not by each fetch: git's own judgement of whether there is anything to tidy up.
	_ = proc.Run(ctx, f.Repo.Cmd("maintenance", "run", "--auto", "--quiet"))
	return results, nil
}

func (f Fleet) fetchOne(ctx context.Context, socket string, remote network.Remote, timeout time.Duration) FetchResult {
	result := FetchResult{Remote: remote.Name, Node: remote.Node}
	var said bytes.Buffer
	// FETCH_HEAD is one file for all.
	cmd := f.Repo.Cmd("fetch", "--quiet", "--no-auto-maintenance", "--no-write-fetch-head", "--no-recurse-submodules", "--", remote.Name)
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
