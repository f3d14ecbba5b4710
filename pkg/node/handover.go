package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/activate"
	"github.com/git-deploy/git-deploy/pkg/event"
)

// Between pre-receive, which has built, and the activation lies git: it moves
// the refs, or it dies with its connection. So the runner is started before
// git goes on, by pre-receive, and waits for what git does. Nothing that
// happens to the connection leaves a branch that nobody activates.

// handOverPoll is how often the runner looks at the branch.
const handOverPoll = 3 * time.Millisecond

// processName names a process so that its number, used again, is not taken for it.
func processName(pid int) string { return fmt.Sprintf("%d %s", pid, startTime(pid)) }

// gitAbove names the git receive-pack that runs this hook; it fails when that has died already.
func gitAbove() (string, error) {
	parent := os.Getppid()
	words, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", parent))
	if err != nil || !strings.Contains(string(words), "receive-pack") {
		return "", errGone
	}
	return processName(parent), nil
}

// processLives reports whether the process called name by processName is still there.
func processLives(name string) bool {
	pid, start, _ := strings.Cut(name, " ")
	n, err := strconv.Atoi(pid)
	return err == nil && start != "" && startTime(n) == start
}

// startTime is when the kernel started a process, in its own ticks; "" when it
// is gone or only its exit code is left.
func startTime(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The program's name, in parentheses, may hold anything.
	_, rest, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')')+1:]), " ")
	f := strings.Fields(rest)
	if len(f) < 20 || f[0] == "Z" {
		return ""
	}
	return f[19]
}

// awaitBranch waits until git has moved the deploy branch to what was built,
// or will not do so any more. It returns the deployment's end in that case.
func (d *deployment) awaitBranch(ctx context.Context, job activate.Job) error {
	for job.Receiver != "" {
		if d.n.Repo.LooseRef(d.n.Ref()) == job.Commit {
			return nil
		}
		if !processLives(job.Receiver) {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(handOverPoll):
		}
	}
	accepted, err := d.n.accepted(ctx, job)
	if err != nil || accepted {
		return err
	}
	return d.notAccepted(ctx, job)
}

// notAccepted ends a deployment whose commit did not become the branch's.
func (d *deployment) notAccepted(ctx context.Context, job activate.Job) error {
	tip, err := d.n.Repo.Refs(ctx, d.n.Ref())
	if err != nil {
		return err
	}
	if tip[d.n.Ref()] != job.BranchBefore {
		return d.stopped(ctx, event.Superseded, errors.New("another push moved the branch meanwhile"))
	}
	return d.stopped(ctx, event.Interrupted, errors.New("stopped before anything was changed: the push was not completed"))
}
