package activate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/git-deploy/git-deploy/pkg/proc"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

const (
	// askLimit is how long systemd may take to take an order, or to answer.
	askLimit = 30 * time.Second
	// bootedPoll is how often systemd is asked whether the boot has come to its end.
	bootedPoll = 300 * time.Millisecond
)

// Reboot asks for a restart and waits to be ended by it. That takes a signal:
// the context of what must not be stopped half-way does not tell.
func (h *Host) Reboot(ctx context.Context) error {
	if h.layout.Root != "" {
		return fmt.Errorf("what lies below %s is no machine that could be restarted", h.layout.Root)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(end)
	argv := []string{"reboot"}
	if h.systemd() {
		argv = []string{"systemctl", "reboot"}
	}
	ask, cancel := context.WithTimeout(context.WithoutCancel(ctx), askLimit)
	defer cancel()
	if err := proc.Run(ask, proc.Cmd{Argv: argv}); err != nil && len(end) == 0 {
		return fmt.Errorf("restart the machine: %w", err)
	}
	select {
	case <-end:
		return nil
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return ctx.Err()
		}
		return nil
	}
}

// Booted waits until systemd has started all that a boot starts.
func (h *Host) Booted(ctx context.Context) error {
	if !h.systemd() {
		return nil
	}
	for {
		// It exits with 1 for all but "running"; what it says is what counts.
		out, _ := proc.Output(ctx, proc.Cmd{Argv: []string{"systemctl", "is-system-running"}})
		switch strings.TrimSpace(string(out)) {
		case "running", "degraded", "maintenance":
			return nil
		case "stopping":
			return errors.New("the machine is shutting down")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(bootedPoll):
		}
	}
}

// GoingDown asks systemd, which refuses to start anything from then on.
func (h *Host) GoingDown(ctx context.Context) bool { return GoingDown(ctx, h.layout) }

// GoingDown reports whether the machine that l describes is shutting down.
func GoingDown(ctx context.Context, l statedir.Layout) bool {
	if !Systemd(l) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	out, _ := proc.Output(ctx, proc.Cmd{Argv: []string{"systemctl", "is-system-running"}})
	return strings.TrimSpace(string(out)) == "stopping"
}
