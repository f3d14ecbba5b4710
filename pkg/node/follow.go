package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/git-deploy/git-deploy/pkg/activate"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/proc"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

const (
	// quiet is how long a log may stand still before its follower asks whether anybody writes it.
	quiet = time.Second
	// settleTries is how often a follower has a dead deployment settled before it gives up.
	settleTries = 3
	settleEvery = 10 * time.Second
)

// Follow passes the events of deployment id, from number from on, to f, until
// its Finished event. It waits for the deployment to appear. A deployment
// whose processes have died is settled, in a process that does not depend on
// this one, and so comes to its end too.
func Follow(ctx context.Context, l statedir.Layout, id string, from int64, f func(event.Event) error) error {
	if !statedir.ValidID(id) {
		return fmt.Errorf("deployment id %.40q is not one", id)
	}
	tail := statedir.NewTail(l, id, from)
	defer func() { _ = tail.Close() }()
	var pace statedir.Pace
	last, asked, tries := time.Now(), time.Time{}, 0
	for {
		events, err := tail.Next()
		if err != nil {
			return err
		}
		for _, e := range events {
			if err := f(e); err != nil {
				return err
			}
		}
		if tail.Done() {
			return nil
		}
		if len(events) > 0 {
			last = time.Now()
		}
		if tail.Exists() && time.Since(last) > quiet && time.Since(asked) > quiet {
			asked = time.Now()
			switch alive, err := working(l, id); {
			case err != nil:
				return err
			case alive:
			case tries == settleTries:
				return fmt.Errorf("deployment %s: its process died, and it cannot be settled: see `git-deploy node recover` on the node", id)
			default:
				if err := startRecovery(l); err != nil {
					return err
				}
				tries++
				asked = time.Now().Add(settleEvery)
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-pace.Next(len(events) > 0):
		}
	}
}

// working reports whether deployment id will go on by itself.
func working(l statedir.Layout, id string) (bool, error) {
	if holder, err := statedir.HolderOf(l.DeploymentLock(id)); err != nil || holder != nil {
		return true, err
	}
	if awaitsReboot(l, id) {
		return true, nil
	}
	if _, err := activate.ReadState(l, id); errors.Is(err, os.ErrNotExist) {
		if age := jobAge(l, id); age >= 0 && age < handOver {
			return true, nil
		}
	}
	// It may have ended between the reading of its log and here.
	f, err := statedir.FinishedEvent(l, id)
	return f != nil, err
}

// startRecovery runs Recover in a process that outlives this one: putting back
// a system must not end with a follower's connection.
func startRecovery(l statedir.Layout) error {
	c := proc.Cmd{Argv: []string{l.Tool(), "node", "recover", "--running"}, Dir: "/"}
	if l.Root != "" {
		c.Env = []string{statedir.RootEnv + "=" + l.Root}
	}
	_, err := proc.Detach(c)
	return err
}

// Existing fails when there is no deployment id, or its record is gone.
func Existing(l statedir.Layout, id string) error {
	if !statedir.ValidID(id) {
		return fmt.Errorf("deployment id %.40q is not one", id)
	}
	if _, err := os.Stat(l.Deployment(id)); errors.Is(err, os.ErrNotExist) {
		return fail.New(fail.Failed, fmt.Errorf("there is no deployment %s on this node: it never began, or its record is gone", id), "git deploy log --fetch")
	} else if err != nil {
		return err
	}
	return nil
}

// FollowTo writes the events as JSON lines to w. It ends when nobody reads
// them any more, also while there are none.
func FollowTo(ctx context.Context, l statedir.Layout, id string, from int64, w io.Writer) error {
	ctx, stop := whileRead(ctx, w)
	defer stop()
	enc := event.NewEncoder(w)
	return Follow(ctx, l, id, from, func(e event.Event) error {
		enc.Emit(e)
		return enc.Err()
	})
}

// Confirm records what the deployer says, who has reached the node anew.
func Confirm(l statedir.Layout, id string, a activate.Answer, why string) error {
	if !statedir.ValidID(id) {
		return fmt.Errorf("deployment id %.40q is not one", id)
	}
	return activate.Confirm(l, id, a, why)
}
