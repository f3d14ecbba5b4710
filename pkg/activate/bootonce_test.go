package activate

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/nix"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// As NixOS's install-grub.pl writes it.
const grubConfig = `
if [ -s $prefix/grubenv ]; then
  load_env
fi
if [ "${next_entry}" ]; then
  set default="${next_entry}"
  set next_entry=
  save_env next_entry
fi
menuentry "NixOS - Default" --class nixos --unrestricted {
  linux /nix/store/a/bzImage
}
submenu "NixOS - All configurations" --class submenu {
menuentry "NixOS - Configuration 12 (2026-11-27 - 26.05)" --class nixos --unrestricted {
}
menuentry "NixOS - Configuration 1 (2026-11-01 - 26.05)" --class nixos --unrestricted {
}
}
`

func TestGrubEntry(t *testing.T) {
	for generation, want := range map[int]string{
		12: "NixOS - All configurations>NixOS - Configuration 12 (2026-11-27 - 26.05)",
		1:  "NixOS - All configurations>NixOS - Configuration 1 (2026-11-01 - 26.05)",
		2:  "",
	} {
		if got := grubEntry(grubConfig, generation); got != want {
			t.Errorf("generation %d: %q", generation, got)
		}
	}
}

// TestBootsOnce arms each boot loader that is known and looks at what it was told.
func TestBootsOnce(t *testing.T) {
	fresh := strings.Repeat("b", 32) + "-new"
	for name, c := range map[string]struct {
		files map[string]string // of the machine; a program is "#!"
		want  []string          // what was run, then what Disarm ran; nil: it cannot
		wrong string            // why arming fails
	}{
		"none":         {},
		"bios bootctl": {files: map[string]string{"usr/bin/bootctl": "#!", "boot/loader/entries/x.conf": ""}},
		"own": {
			files: map[string]string{"etc/git-deploy/boot-once": "#!", "usr/bin/bootctl": "#!"},
			want:  []string{"boot-once ROOT/store/" + fresh + " 2", "boot-once"},
		},
		"systemd-boot": {
			files: map[string]string{
				"usr/bin/bootctl": "#!", "boot/loader/entries/nixos-generation-2.conf": "",
				"sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f": "",
			},
			want: []string{"bootctl set-oneshot nixos-generation-2.conf", "bootctl set-oneshot "},
		},
		"systemd-boot with counting": {
			files: map[string]string{
				"run/current-system/sw/bin/bootctl": "#!", "boot/loader/entries/nixos-generation-2+3.conf": "",
				"sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f": "",
			},
			want: []string{"bootctl set-oneshot nixos-generation-2.conf", "bootctl set-oneshot "},
		},
		"systemd-boot without the entry": {
			files: map[string]string{
				"usr/bin/bootctl": "#!", "boot/loader/entries/nixos-generation-1.conf": "",
				"sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f": "",
			},
			wrong: "no entry for the new system",
		},
		"grub without the entry": {
			files: map[string]string{"usr/sbin/grub-reboot": "#!", "usr/bin/grub-editenv": "#!", "boot/grub/grub.cfg": grubConfig},
			wrong: "no entry for generation 2",
		},
		"grub": {
			files: map[string]string{
				"usr/sbin/grub-reboot": "#!", "usr/bin/grub-editenv": "#!",
				"boot/grub/grub.cfg": strings.Replace(grubConfig, "Configuration 12 ", "Configuration 2 ", 1),
			},
			want: []string{
				"grub-reboot --boot-directory=ROOT/boot NixOS - All configurations>NixOS - Configuration 2 (2026-11-27 - 26.05)",
				"grub-editenv ROOT/boot/grub/grubenv unset next_entry",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			t.Setenv("NIX_STATE_DIR", root+"/nix/var/nix")
			t.Setenv("NIX_STORE_DIR", root+"/store")
			old, fresh := root+"/store/"+strings.Repeat("a", 32)+"-old", root+"/store/"+fresh
			log := filepath.Join(root, "log")
			write := func(path, text string, mode os.FileMode) {
				t.Helper()
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), mode); err != nil {
					t.Fatal(err)
				}
			}
			for path, text := range c.files {
				mode := os.FileMode(0o644)
				if text == "#!" {
					text, mode = fmt.Sprintf("#!/bin/sh\necho \"${0##*/}${1+ $*}\" >> %s\n", log), 0o755
				}
				write(filepath.Join(root, path), text, mode)
			}
			write(old+"/bin/switch-to-configuration", fmt.Sprintf("#!/bin/sh\necho menu of old $1 >> %s\n", log), 0o755)
			write(fresh+"/init", "", 0o755)
			l := statedir.Layout{Root: root}
			write(filepath.Join(l.Deployment(anID), "job.json"), "", 0o600)
			profile := l.SystemProfile()
			if err := os.MkdirAll(filepath.Dir(profile), 0o755); err != nil {
				t.Fatal(err)
			}
			for link, to := range map[string]string{profile + "-1-link": old, profile: "system-1-link"} {
				if err := os.Symlink(to, link); err != nil {
					t.Fatal(err)
				}
			}
			h := NewHost(l, anID, event.Discard)
			can, err := h.BootsOnce(t.Context())
			if err != nil || can != (c.want != nil || c.wrong != "") {
				t.Fatalf("boots once: %v, %v", can, err)
			}
			err = h.Arm(t.Context(), event.Boot, fresh)
			if !can || c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) {
					t.Errorf("armed: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := h.Disarm(t.Context(), event.Rollback); err != nil {
				t.Fatal(err)
			}
			said, _ := os.ReadFile(log)
			want := "menu of old boot\n" + strings.ReplaceAll(strings.Join(c.want, "\n"), "ROOT", root) + "\n"
			if string(said) != want {
				t.Errorf("ran\n%swant\n%s", said, want)
			}
			// The profile names the confirmed system all the time; the new one is a generation.
			if to, _ := os.Readlink(profile); to != "system-1-link" {
				t.Errorf("the profile names %s", to)
			}
			if to, _ := os.Readlink(profile + "-2-link"); to != fresh {
				t.Errorf("generation 2 is %q", to)
			}
			if n, err := nix.AddGeneration(profile, fresh); n != 2 && err == nil {
				t.Errorf("the same system again is generation %d, %v", n, err)
			}
		})
	}
}
