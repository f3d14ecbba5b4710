package activate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/nix"
	"github.com/git-deploy/git-deploy/pkg/proc"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// A boot loader that can boot a system once makes a trial safe: whatever
// becomes of it, the boot after that one boots the confirmed system. The
// loader's menu is written by the system's own switch-to-configuration, from
// the generations of the system profile. So the new system becomes a generation,
// the confirmed system writes the menu (and stays its default), and the loader
// is told to choose the new entry once.

// bootLoader can boot a system once.
type bootLoader interface {
	// arm chooses the entry of a generation, which is system, for the next boot.
	arm(ctx context.Context, generation int, system string) error
	disarm(ctx context.Context) error
}

func (h *Host) BootsOnce(context.Context) (bool, error) { return h.loader() != nil, nil }

func (h *Host) Arm(ctx context.Context, step event.Step, system string) error {
	loader := h.loader()
	if loader == nil {
		return errors.New("the boot loader cannot boot a system once")
	}
	confirmed, err := h.BootDefault()
	if err != nil {
		return err
	}
	if err := statedir.SyncFS(system); err != nil {
		return err
	}
	generation, err := nix.AddGeneration(h.layout.SystemProfile(), system)
	if err != nil {
		return err
	}
	if err := statedir.SyncDir(filepath.Dir(h.layout.SystemProfile())); err != nil {
		return err
	}
	if err := h.Switch(ctx, step, confirmed, VerbBoot); err != nil {
		return err
	}
	return loader.arm(ctx, generation, system)
}

func (h *Host) Disarm(ctx context.Context, _ event.Step) error {
	loader := h.loader()
	if loader == nil {
		return errors.New("the boot loader cannot boot a system once")
	}
	return loader.disarm(ctx)
}

// loader finds out how this machine boots; nil when that cannot be done once.
func (h *Host) loader() bootLoader {
	root := h.layout.Root
	if own := root + "/etc/git-deploy/boot-once"; executable(own) {
		return ownLoader{own}
	}
	const variable = "LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f" // systemd-boot's
	if _, err := os.Stat(root + "/sys/firmware/efi/efivars/" + variable); err == nil {
		if bootctl := h.find("bootctl"); bootctl != "" {
			for _, dir := range []string{"/boot", "/efi", "/boot/efi"} {
				if _, err := os.Stat(root + dir + "/loader/entries"); err == nil {
					return systemdBoot{bootctl, root + dir + "/loader/entries"}
				}
			}
		}
	}
	// NixOS's grub.cfg heeds what grub-reboot notes.
	config := root + "/boot/grub/grub.cfg"
	if text, err := os.ReadFile(config); err == nil && strings.Contains(string(text), "next_entry") {
		if reboot, edit := h.find("grub-reboot"), h.find("grub-editenv"); reboot != "" && edit != "" {
			return grub{reboot: reboot, edit: edit, dir: root + "/boot", config: config}
		}
	}
	return nil
}

// find looks for a program where switch-to-configuration would: a unit's own
// PATH need not hold what comes with a boot loader.
func (h *Host) find(name string) string {
	for dir := range strings.SplitSeq(switchPath, ":") {
		if path := filepath.Join(h.layout.Root+dir, name); executable(path) {
			return path
		}
	}
	return ""
}

func executable(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0
}

// ownLoader is a program that the machine's configuration provides for a boot
// loader that is not known here. It is called with a system and the number of
// its generation, and without words to take that back.
type ownLoader struct{ program string }

func (l ownLoader) arm(ctx context.Context, generation int, system string) error {
	return proc.Run(ctx, proc.Cmd{Argv: []string{l.program, system, strconv.Itoa(generation)}})
}

func (l ownLoader) disarm(ctx context.Context) error {
	return proc.Run(ctx, proc.Cmd{Argv: []string{l.program}})
}

type systemdBoot struct{ bootctl, entries string }

func (l systemdBoot) arm(ctx context.Context, generation int, _ string) error {
	name := fmt.Sprintf("nixos-generation-%d", generation)
	// With boot counting the file's name, not the entry's, says how often it was tried.
	files, _ := filepath.Glob(filepath.Join(l.entries, name+"+*.conf"))
	if _, err := os.Stat(filepath.Join(l.entries, name+".conf")); err != nil && len(files) == 0 {
		return fmt.Errorf("the boot menu got no entry for the new system: %w", err)
	}
	return proc.Run(ctx, proc.Cmd{Argv: []string{l.bootctl, "set-oneshot", name + ".conf"}})
}

func (l systemdBoot) disarm(ctx context.Context) error {
	return proc.Run(ctx, proc.Cmd{Argv: []string{l.bootctl, "set-oneshot", ""}})
}

type grub struct{ reboot, edit, dir, config string }

func (l grub) arm(ctx context.Context, generation int, _ string) error {
	text, err := os.ReadFile(l.config)
	if err != nil {
		return err
	}
	entry := grubEntry(string(text), generation)
	if entry == "" {
		return fmt.Errorf("the boot menu (%s) got no entry for generation %d", l.config, generation)
	}
	return proc.Run(ctx, proc.Cmd{Argv: []string{l.reboot, "--boot-directory=" + l.dir, entry}})
}

func (l grub) disarm(ctx context.Context) error {
	return proc.Run(ctx, proc.Cmd{Argv: []string{l.edit, filepath.Join(l.dir, "grub/grubenv"), "unset", "next_entry"}})
}

var (
	grubSubmenu   = regexp.MustCompile(`^submenu "([^">]+)"`)
	grubMenuentry = regexp.MustCompile(`^menuentry "([^">]* - Configuration (\d+)(?: [^">]*)?)"`)
)

// grubEntry returns how grub-reboot calls the entry of a generation, "" where
// there is none: NixOS puts all generations into a submenu.
func grubEntry(config string, generation int) string {
	submenu := ""
	for line := range strings.Lines(config) {
		line = strings.TrimSpace(line)
		if m := grubSubmenu.FindStringSubmatch(line); m != nil {
			submenu = m[1] + ">"
		}
		if m := grubMenuentry.FindStringSubmatch(line); m != nil && m[2] == strconv.Itoa(generation) {
			return submenu + m[1]
		}
	}
	return ""
}
