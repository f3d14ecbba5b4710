package node

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// A greeting restores what is missing of our hooks, and tells of what is not
// ours; what is not ours receives nothing.
func TestHelloLooksAtTheHooks(t *testing.T) {
	testenv.Need(t, "git")
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	t.Setenv(HostKeysEnv, "ssh-ed25519 AAAA")
	real := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	l := statedir.Layout{Root: link}
	if _, err := Init(ctx, l, initOptions("home", networkID, "web")); err != nil {
		t.Fatal(err)
	}
	repo := l.Repo("home")
	pre, post := filepath.Join(repo, "hooks/pre-receive"), filepath.Join(repo, "hooks/post-receive")
	elsewhere := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	config := func(args ...string) {
		t.Helper()
		if out, err := run(repo, append([]string{"git", "config"}, args...)...); err != nil {
			t.Fatal(out, err)
		}
	}
	for _, c := range []struct {
		name     string
		do       func()
		restored []string
		problem  string
		hint     string
	}{
		{name: "nothing", do: func() {}},
		{name: "gone", do: func() { must(os.RemoveAll(filepath.Dir(pre))) }, restored: []string{"pre-receive", "post-receive"}},
		{name: "one gone", do: func() { must(os.Remove(pre)) }, restored: []string{"pre-receive"}},
		{name: "not executable", do: func() { must(os.Chmod(post, 0o644)) }, restored: []string{"post-receive"}},
		{name: "older", do: func() { write(t, pre, "#!/bin/sh\nexec /old/git-deploy hook pre-receive \"$@\"\n") }, restored: []string{"pre-receive"}},
		{name: "all repositories have other hooks, and a git died", do: func() {
			config("--global", "core.hooksPath", elsewhere)
			lock, past := filepath.Join(repo, "config.lock"), time.Now().Add(-2*staleLock)
			write(t, lock, "")
			must(os.Chtimes(lock, past, past))
		}, restored: []string{"core.hooksPath"}},
		{name: "other hooks here", do: func() { config("core.hooksPath", elsewhere) }, problem: "leads git to " + elsewhere, hint: "config --unset-all core.hooksPath"},
		{name: "other hooks here that call ours", do: func() {
			for _, name := range []string{"pre-receive", "post-receive"} {
				write(t, filepath.Join(elsewhere, name), "#!/bin/sh\nmail\n'"+l.Tool()+"' hook "+name+"\n")
				must(os.Chmod(filepath.Join(elsewhere, name), 0o755))
			}
		}},
		{name: "ours again", do: func() { config("--unset-all", "core.hooksPath") }, restored: []string{"core.hooksPath"}},
		{name: "foreign", do: func() { write(t, pre, "#!/bin/sh\nmail\n") }, problem: "hooks/pre-receive is not a hook of git-deploy", hint: "mv " + pre},
		{name: "foreign that calls ours", do: func() {
			write(t, pre, "#!/bin/sh\nmail\nexec "+l.Tool()+" hook pre-receive\n")
			must(os.Chmod(pre, 0o755))
		}},
		{name: "foreign that nobody runs", do: func() { must(os.Chmod(pre, 0o644)) }, problem: "hooks/pre-receive is not a hook of git-deploy", hint: "mv " + pre},
		{name: "moved away", do: func() { must(os.Rename(pre, pre+".old")) }, restored: []string{"pre-receive"}},
		{name: "a folder", do: func() { must(os.Remove(pre)); must(os.Mkdir(pre, 0o755)) }, problem: "hooks/pre-receive is not a hook", hint: "mv " + pre},
		{name: "no tool", do: func() { must(os.Remove(l.Tool())) }, problem: "which the hooks run, is not there", hint: "git deploy add web "},
	} {
		c.do()
		h, err := Hello(ctx, l, "", "test")
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if s := h.Hooks; !slices.Equal(s.Restored, c.restored) || (s.Problem == "") != (c.problem == "") || !strings.Contains(s.Problem, c.problem) || !strings.Contains(s.Hint, c.hint) {
			t.Errorf("%s: %+v", c.name, s)
		}
		if c.problem != "" {
			if err := ReceivePack(ctx, l, ""); err == nil || !strings.Contains(err.Error(), c.problem) {
				t.Errorf("%s: received: %v", c.name, err)
			}
			continue
		}
		for _, path := range []string{pre, post} {
			if info, err := os.Stat(path); err != nil || info.Mode()&0o111 == 0 {
				t.Errorf("%s: %s: %v, %v", c.name, path, info, err)
			}
		}
		if again, err := Hello(ctx, l, "", "test"); err != nil || len(again.Hooks.Restored) > 0 || again.Hooks.Problem != "" {
			t.Errorf("%s, the second time: %+v, %v", c.name, again.Hooks, err)
		}
	}
}
