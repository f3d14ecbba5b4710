package activate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/health"
	"github.com/git-deploy/git-deploy/pkg/nix"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// Host is the machine that this program runs on.
type Host struct {
	layout statedir.Layout
	id     string // of the deployment
	sink   event.Sink
	since  time.Time // journals are read from here on
	bootID string    // the kernel's file; tests reboot by writing another one
}

// NewHost returns the Machine for one deployment, whose folder exists.
func NewHost(l statedir.Layout, id string, sink event.Sink) *Host {
	return &Host{
		layout: l, id: id, sink: sink, since: time.Now(),
		bootID: bootIDFile,
	}
}

// systemd reports whether systemd runs this machine: below a root prefix it is not ours.
func (h *Host) systemd() bool { return Systemd(h.layout) }

// Systemd reports whether systemd is PID 1 of the machine that l describes.
func Systemd(l statedir.Layout) bool {
	_, err := os.Stat(l.SystemdRuntime())
	return l.Root == "" && err == nil
}

func (h *Host) Save(s State) error {
	return statedir.WriteJSON(StateFile(h.layout, h.id), s, 0o600)
}

func (h *Host) Load() (State, bool, error) {
	s, err := ReadState(h.layout, h.id)
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, false, nil
	}
	return s, err == nil, err
}

func (h *Host) Running() (string, error) {
	return readSystem("the running system", h.layout.CurrentSystem())
}

func (h *Host) BootDefault() (string, error) {
	return readSystem("the system profile", h.layout.SystemProfile())
}

func readSystem(what, link string) (string, error) {
	path, err := nix.Resolve(link)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read %s: %w", what, err)
	}
	return path, nil
}

func (h *Host) BootID() (string, error) { return readBootID(h.bootID) }

const bootIDFile = "/proc/sys/kernel/random/boot_id"

// BootID differs after every boot of this machine.
func BootID() (string, error) { return readBootID(bootIDFile) }

func readBootID(file string) (string, error) {
	id, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the boot id: %w", err)
	}
	return strings.TrimSpace(string(id)), nil
}

func (h *Host) FailedUnits(ctx context.Context) ([]string, error) {
	if !h.systemd() {
		return nil, nil
	}
	return health.FailedUnits(ctx)
}

// Ready tries as often as the checks say: what is busy now may be idle soon.
func (h *Host) Ready(ctx context.Context, checks []bundle.Check) error {
	return health.Run(ctx, checks, event.SinkFunc(func(e event.Event) {
		e.Step = event.Check
		h.sink.Emit(e)
	}))
}

// Healthy looks at the units before and after the checks: a service may fall
// over while they run, and one that has fallen over explains a failing check.
func (h *Host) Healthy(ctx context.Context, before []string, checks []bundle.Check) error {
	if err := h.unitsOK(ctx, before); err != nil {
		return err
	}
	if len(checks) == 0 {
		return nil
	}
	if err := health.Run(ctx, checks, h.sink); err != nil {
		return errors.Join(err, h.unitsOK(ctx, before))
	}
	return h.unitsOK(ctx, before)
}

func (h *Host) unitsOK(ctx context.Context, before []string) error {
	if !h.systemd() {
		return nil
	}
	return health.UnitsFailed(ctx, before, h.since)
}

// SetProfile makes a generation only when the profile names another system,
// and makes it survive a power cut.
func (h *Host) SetProfile(ctx context.Context, system string) error {
	return h.setProfile(ctx, h.layout.SystemProfile(), system)
}

func (h *Host) setProfile(ctx context.Context, profile, system string) error {
	// It could set the profile after us.
	if err := h.stopLeftover(); err != nil {
		return err
	}
	now, err := readSystem("the profile", profile)
	if err != nil || now == system {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(profile), 0o755); err != nil {
		return err
	}
	// Nix leaves what it builds to the kernel to write, some time. What boots must be there before.
	if err := statedir.SyncFS(system); err != nil {
		return err
	}
	x := nix.New(h.sink)
	x.Started = h.noteChild
	defer h.forgetChild()
	if err := x.SetProfile(ctx, profile, system); err != nil {
		return err
	}
	return statedir.SyncDir(filepath.Dir(profile))
}
