package activate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/statedir"
	"github.com/git-deploy/git-deploy/pkg/ui"
)

// Answer is what a deployer says of a deployment that waits for it.
type Answer string

const (
	HasReached Answer = "reached"   // it has connected anew, and now runs its checks
	Confirms   Answer = "confirmed" // it has connected anew, and all is well
	Refuses    Answer = "refused"   // it has connected anew, and a check of its failed
)

// maxWhy bounds what a deployer says when it refuses.
const maxWhy = 8 << 10

// Confirm records what the deployer says, who has reached the node anew. It
// fails when the deployment is not waiting for that: a confirmation from before
// the switch would prove nothing. why is told when the deployer refuses.
func Confirm(l statedir.Layout, id string, a Answer, why string) error {
	s, err := ReadState(l, id)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("deployment %s is not being activated on this node", id)
	}
	if err != nil {
		return err
	}
	if s.Phase == Finished && s.Result != nil {
		return fmt.Errorf("deployment %s is over already: %s", id, s.Result.Outcome)
	}
	if s.Phase != Confirming {
		return fmt.Errorf("deployment %s does not wait for a confirmation: it is %s", id, s.Phase)
	}
	// A power cut undoes the switch anyway: no fsync. But what is there is whole.
	file := map[Answer]string{HasReached: ReachedFile(l, id), Confirms: ConfirmedFile(l, id), Refuses: RefusedFile(l, id)}[a]
	if file == "" {
		return fmt.Errorf("%q is no answer", a)
	}
	if len(why) > maxWhy {
		why = strings.ToValidUTF8(why[:maxWhy], "")
	}
	if err := os.WriteFile(file+".new", []byte(why), 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

func (h *Host) ResetConfirmation() error {
	for _, file := range []string{ReachedFile(h.layout, h.id), ConfirmedFile(h.layout, h.id), RefusedFile(h.layout, h.id)} {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// confirmPoll is how often the files are looked for: a stat each time, for some
// seconds, in which a push has nothing to do but to wait for it.
const confirmPoll = 3 * time.Millisecond

func (h *Host) Reached(ctx context.Context) error {
	return h.answered(ctx, ReachedFile(h.layout, h.id), ConfirmedFile(h.layout, h.id), RefusedFile(h.layout, h.id))
}

func (h *Host) Confirmed(ctx context.Context) error {
	if err := h.answered(ctx, ConfirmedFile(h.layout, h.id), RefusedFile(h.layout, h.id)); err != nil {
		return err
	}
	why, err := os.ReadFile(RefusedFile(h.layout, h.id))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look for the confirmation: %w", err)
	}
	var lines []string
	for line := range strings.Lines(string(why)) {
		lines = append(lines, strings.TrimRight(ui.Clean(strings.TrimRight(line, "\n")), " "))
	}
	return fmt.Errorf("seen from the deployer: %s", strings.Join(lines, "\n"))
}

// answered returns when one of files is there.
func (h *Host) answered(ctx context.Context, files ...string) error {
	tick := time.NewTicker(confirmPoll)
	defer tick.Stop()
	for {
		for _, file := range files {
			_, err := os.Stat(file)
			if err == nil {
				return nil
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("look for the confirmation: %w", err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
