// Package health asks whether this machine does what it should: the checks
// that a node declares, and systemd's failed units. It only looks; what
// follows from a failure is package activate's.
//
// Every check ends within Bound, whatever it asks: a probe that hangs is left
// at its timeout, and a command is killed with all that it started.
//
// Foreign text in errors (output, journals, answers) is bounded and holds no
// control characters. Lines after an error's first one are indented.
package health

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
)

const defaultTimeout = 10 * time.Second

// Run runs all checks at once and returns nil when every one has passed. One
// that fails for good ends the others, because the answer is known. It
// reports Progress, with the name of the check that passed as Message, and each
// new complaint of a check that is still being tried as Log.
func Run(ctx context.Context, checks []bundle.Check, sink event.Sink) error {
	probes, err := newProbes(checks)
	if err != nil {
		return err
	}
	outer := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		passed int64
		failed []error
	)
	for i, c := range checks {
		wg.Go(func() {
			err := try(ctx, c, probes[i], sink)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				passed++
				sink.Emit(event.Event{
					Kind: event.Progress, Step: event.Health, Message: c.Name, Time: time.Now(),
					Done: passed, Expected: int64(len(checks)), Unit: "checks",
				})
			case ctx.Err() == nil: // else it did not fail, it was stopped
				failed = append(failed, err)
				cancel()
			}
		})
	}
	wg.Wait()
	if err := outer.Err(); err != nil && len(failed) == 0 {
		return fmt.Errorf("health checks: %w", err)
	}
	return errors.Join(failed...)
}

// Try tries each check once, all at the same time and without delay, and
// returns what each one complains of, in the order of checks; nil passes.
// Patience is for a system that has just been switched to.
func Try(ctx context.Context, checks []bundle.Check) []error {
	results := make([]error, len(checks))
	var wg sync.WaitGroup
	for i, c := range checks {
		wg.Go(func() {
			p, err := newProbe(c)
			if err == nil {
				err = once(ctx, c, p)
			}
			results[i] = err
		})
	}
	wg.Wait()
	return results
}

// Bound is how long Run takes with these checks at the most.
func Bound(checks []bundle.Check) time.Duration {
	const most = math.MaxInt64 / int64(time.Second)
	longest := int64(0)
	for _, c := range checks {
		tries := int64(max(c.Retries, 0)) + 1
		one := int64(timeout(c) / time.Second)
		if c.Type == "command" || c.Type == "units" {
			one += int64(2 * grace / time.Second) // to be killed
		}
		longest = max(longest, int64(max(c.Delay, 0))+tries*one+(tries-1)*int64(max(c.Interval, 0)))
	}
	return time.Duration(min(longest, most)) * time.Second
}

// Outside fails when checks hold one that must not run on the machine that
// deploys. They come from the node: what it sends may connect, but not run
// programs or read files there.
func Outside(checks []bundle.Check) error {
	for _, c := range checks {
		if c.Type != "http" && c.Type != "tcp" {
			return fmt.Errorf("health check %q: checks of type %q run on the node only", c.Name, c.Type)
		}
	}
	return nil
}

// probe is one try of one check. It ends with its context.
type probe func(ctx context.Context) error

func newProbes(checks []bundle.Check) ([]probe, error) {
	probes := make([]probe, len(checks))
	for i, c := range checks {
		p, err := newProbe(c)
		if err != nil {
			return nil, fmt.Errorf("health check %q: %w", c.Name, err)
		}
		probes[i] = p
	}
	return probes, nil
}

func newProbe(c bundle.Check) (probe, error) {
	switch c.Type {
	case "http":
		return httpProbe(c)
	case "tcp":
		return tcpProbe(c)
	case "command":
		return commandProbe(c)
	case "file":
		return fileProbe(c)
	case "units":
		return unitsProbe(c)
	}
	return nil, fmt.Errorf("unknown type %q (http, tcp, command, file or units)", c.Type)
}

// try tries until the check passes or has no tries left.
func try(ctx context.Context, c bundle.Check, p probe, sink event.Sink) error {
	if err := pause(ctx, c.Delay); err != nil {
		return err
	}
	complaint := ""
	for n := 0; ; n++ {
		err := once(ctx, c, p)
		if err == nil {
			return nil
		}
		if n >= c.Retries {
			return fmt.Errorf("health check %q failed%s: %w", c.Name, tries(n+1), err)
		}
		if ctx.Err() == nil && err.Error() != complaint {
			complaint = err.Error()
			sink.Emit(event.Event{Kind: event.Log, Step: event.Health, Message: c.Name + ": " + complaint, Time: time.Now()})
		}
		if err := pause(ctx, c.Interval); err != nil {
			return err
		}
	}
}

func timeout(c bundle.Check) time.Duration {
	if c.Timeout <= 0 {
		return defaultTimeout
	}
	return time.Duration(c.Timeout) * time.Second
}

func once(ctx context.Context, c bundle.Check, p probe) error {
	limit := timeout(c)
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := p(within)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		var said *outputError
		if errors.As(err, &said) {
			return fmt.Errorf("no answer within %s%s", limit, indented(said.output))
		}
		return fmt.Errorf("no answer within %s", limit)
	}
	return err
}

func tries(n int) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf(" %d times", n)
}

func pause(ctx context.Context, seconds int) error {
	if seconds <= 0 {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Duration(seconds) * time.Second):
		return nil
	}
}
