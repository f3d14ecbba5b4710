package activate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/google/renameio/v2"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/health"
	"github.com/git-deploy/git-deploy/pkg/proc"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// For returns the Machine on which job is activated: this one, or a profile of it.
func For(l statedir.Layout, job Job, sink event.Sink) Machine {
	host := NewHost(l, job.ID, sink)
	if len(job.Bundle.Profile.Activate) == 0 {
		return host
	}
	return &profileHost{Host: host, network: job.Network, profile: job.Bundle.Profile, new: job.Bundle.System}
}

// profileHost is a profile that one network owns beside the system of this
// machine: a package with a program that makes it live. What runs is
// remembered in a link, since only that program knows what it did; what boots
// by default is the profile itself, which is set after the confirmation.
// Nothing of it depends on boots.
type profileHost struct {
	*Host
	network string
	profile bundle.Profile
	new     string // the package to activate
}

// ProfileLink is the link that Nix keeps a profile's generations under.
func ProfileLink(l statedir.Layout, p bundle.Profile) string {
	if p.Path != "" {
		return l.Root + p.Path
	}
	return filepath.Join(l.Profiles(), "per-user", userOf(p), p.Name)
}

func userOf(p bundle.Profile) string {
	if p.User == "" {
		return "root"
	}
	return p.User
}

// profiles is profiles.json of a network: how its last packages are made live.
// An older one may bring another program than the new one.
type profiles struct {
	Packages []profilePackage `json:"packages"` // the newest last
}

type profilePackage struct {
	Path    string         `json:"path"`
	Profile bundle.Profile `json:"profile"`
}

// keepPackages is how many packages are remembered.
const keepPackages = 50

func readProfiles(l statedir.Layout, network string) (profiles, error) {
	var p profiles
	err := statedir.ReadJSON(l.ProfilesFile(network), &p)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return p, err
}

// ProfileOf returns how a package of a network is made live; path "" is the
// newest one. ok is false where that is not known.
func ProfileOf(l statedir.Layout, network, path string) (p bundle.Profile, ok bool) {
	known, err := readProfiles(l, network)
	if err != nil {
		return p, false
	}
	for _, k := range slices.Backward(known.Packages) {
		if path == "" || k.Path == path {
			return k.Profile, true
		}
	}
	return p, false
}

// remember writes down how the new package is made live, before it is.
func (h *profileHost) remember() error {
	known, err := readProfiles(h.layout, h.network)
	if err != nil {
		return err
	}
	known.Packages = slices.DeleteFunc(known.Packages, func(k profilePackage) bool { return k.Path == h.new })
	known.Packages = append(known.Packages, profilePackage{h.new, h.profile})
	known.Packages = known.Packages[max(0, len(known.Packages)-keepPackages):]
	return statedir.WriteJSON(h.layout.ProfilesFile(h.network), known, 0o600)
}

func (h *profileHost) Running() (string, error) {
	running, err := readSystem("what is active of the profile", h.layout.ActiveLink(h.network))
	if err != nil || running != "" {
		return running, err
	}
	return h.BootDefault() // another tool may have set it
}

func (h *profileHost) BootDefault() (string, error) {
	return readSystem("the profile", ProfileLink(h.layout, h.profile))
}

// BootID is always the same: what a profile's program did outlives a reboot.
func (h *profileHost) BootID() (string, error) { return "profile", nil }

// FailedUnits are the system's business.
func (h *profileHost) FailedUnits(context.Context) ([]string, error) { return nil, nil }

func (h *profileHost) Healthy(ctx context.Context, _ []string, checks []bundle.Check) error {
	return health.Run(ctx, checks, h.sink)
}

func (h *profileHost) SetProfile(ctx context.Context, path string) error {
	return h.setProfile(ctx, ProfileLink(h.layout, h.profile), path)
}

// Switch runs the package's own program as the profile's user.
func (h *profileHost) Switch(ctx context.Context, step event.Step, path string, verb Verb) error {
	if verb == VerbBoot {
		return nil // the link is all
	}
	p := h.profile
	if path == h.new {
		if err := h.remember(); err != nil {
			return err
		}
	} else if known, ok := ProfileOf(h.layout, h.network, path); ok {
		p = known
	}
	argv := slices.Clone(p.Activate)
	if !filepath.IsAbs(argv[0]) {
		argv[0] = filepath.Join(path, argv[0])
	}
	if _, err := os.Stat(argv[0]); err != nil {
		return fmt.Errorf("the profile %s cannot be made live: %w", p.Name, err)
	}
	cmd := proc.Cmd{Argv: argv, Dir: "/"}
	cmd.Env, cmd.Unset = switchEnv(h.layout, os.Environ())
	cmd.Env = append(cmd.Env, "GIT_DEPLOY_PROFILE="+ProfileLink(h.layout, p))
	if err := h.asUser(&cmd, userOf(p)); err != nil {
		return err
	}
	if last, err := h.execute(ctx, step, cmd); err != nil {
		if last == "" {
			last = err.Error()
		}
		return fmt.Errorf("%s of the profile %s failed (exit code %d): %s", p.Activate[0], p.Name, proc.ExitCode(err), last)
	}
	if err := renameio.Symlink(path, h.layout.ActiveLink(h.network)); err != nil {
		return fmt.Errorf("note what is active of the profile: %w", err)
	}
	return nil
}

// asUser makes cmd run as a user of this machine. Below a root prefix there are none.
func (h *profileHost) asUser(cmd *proc.Cmd, name string) error {
	if name == "root" || h.layout.Root != "" {
		return nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return fmt.Errorf("the profile %s is to be activated as %q: %w", h.profile.Name, name, err)
	}
	groups, err := u.GroupIds()
	if err != nil {
		return fmt.Errorf("groups of %s: %w", name, err)
	}
	var numbers []uint32
	for _, text := range append([]string{u.Uid, u.Gid}, groups...) {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return fmt.Errorf("ids of %s: %w", name, err)
		}
		numbers = append(numbers, uint32(n))
	}
	cmd.Credential = &syscall.Credential{Uid: numbers[0], Gid: numbers[1], Groups: numbers[2:]}
	if st, err := os.Stat(u.HomeDir); err == nil && st.IsDir() {
		cmd.Dir = u.HomeDir
	}
	cmd.Env = slices.DeleteFunc(cmd.Env, func(kv string) bool { return strings.HasPrefix(kv, "PATH=") || strings.HasPrefix(kv, "HOME=") })
	cmd.Env = append(cmd.Env, "HOME="+u.HomeDir, "USER="+name, "LOGNAME="+name,
		"PATH="+u.HomeDir+"/.nix-profile/bin:/etc/profiles/per-user/"+name+"/bin:"+switchPath)
	if dir := "/run/user/" + u.Uid; exists(dir) {
		cmd.Env = append(cmd.Env, "XDG_RUNTIME_DIR="+dir) // to reach the user's own units
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

var errNoBoot = errors.New("a profile is not booted")

func (h *profileHost) BootsOnce(context.Context) (bool, error)       { return false, nil }
func (h *profileHost) Arm(context.Context, event.Step, string) error { return errNoBoot }
func (h *profileHost) Disarm(context.Context, event.Step) error      { return nil }
func (h *profileHost) Reboot(context.Context) error                  { return errNoBoot }
func (h *profileHost) Booted(context.Context) error                  { return nil }
