package hooks

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

func TestHooksRunTheTool(t *testing.T) {
	for _, dir := range []string{"plain", "with space", "it's", `$(touch x)"\`} {
		tool := filepath.Join(t.TempDir(), dir, "git-deploy")
		if err := os.MkdirAll(filepath.Dir(tool), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(tool, []byte("#!/bin/sh\necho \"$@\"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range slices.Concat(Names(), CloneNames(), SelfNames()) {
			hook := filepath.Join(t.TempDir(), name)
			text := Render(name, tool)
			if err := os.WriteFile(hook, text, 0o755); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(hook, "a b").CombinedOutput()
			if err != nil || string(out) != "hook "+name+" a b\n" {
				t.Errorf("%q: %s: %v: %s", dir, name, err, out)
			}
			if !Ours(name, text) {
				t.Errorf("%q: %s is not recognised", dir, name)
			}
		}
	}
	for _, foreign := range []string{"", "#!/bin/sh\nexec mail\n", "#!/bin/sh\necho\nexec /x hook pre-receive \"$@\"\n", "#!/bin/sh\nexec /x hook pre-receive \"$@\"\nmail\n"} {
		if Ours("pre-receive", []byte(foreign)) {
			t.Errorf("taken for ours: %q", foreign)
		}
	}
}
