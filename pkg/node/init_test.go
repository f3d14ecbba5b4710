package node

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

func initOptions(network, id, node string) InitOptions {
	return InitOptions{Network: bundle.NetworkID{Name: network, ID: id}, Node: node}
}

func TestInit(t *testing.T) {
	testenv.Need(t, "git")
	l := statedir.Layout{Root: filepath.Join(t.TempDir(), "with space")}
	t.Setenv(HostKeysEnv, "ssh-ed25519 AAAA root@a b\nssh-rsa BBBB\n")
	o := initOptions("home", networkID, "web")
	res, err := Init(ctx, l, o)
	if err != nil {
		t.Fatal(err)
	}
	if !res.Created || !slices.Equal(res.HostKeys, []string{"ssh-ed25519 AAAA", "ssh-rsa BBBB"}) || len(res.Warnings) > 0 {
		t.Errorf("%+v", res)
	}
	if st, err := os.Stat(l.Dir()); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("state folder: %v, %v", st.Mode(), err)
	}
	tree := func() string {
		out, err := exec.Command("find", l.Root, "-printf", "%p %m %l %T@ %s\n").Output()
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(out), "\n")
		slices.Sort(lines)
		return strings.Join(slices.DeleteFunc(lines, func(s string) bool { return strings.Contains(s, "/config ") }), "\n")
	}
	repo := l.Repo("home")
	for _, kv := range configuration {
		if out, err := run(repo, "git", "config", kv[0]); err != nil || out != kv[1] {
			t.Errorf("%s is %q, %v", kv[0], out, err)
		}
	}
	before := tree()
	again, err := Init(ctx, l, o)
	if err != nil || again.Created {
		t.Errorf("again: %+v, %v", again, err)
	}
	// node.json and its folder are written anew, with the same content.
	strip := func(s string) string {
		return strings.Join(slices.DeleteFunc(strings.Split(s, "\n"), func(s string) bool {
			return strings.Contains(s, "node.json") || strings.HasPrefix(s, l.Network("home")+" ") || strings.HasPrefix(s, repo+" ")
		}), "\n")
	}
	if after := tree(); strip(after) != strip(before) {
		t.Errorf("changed by the second time:\n%s\n---\n%s", before, after)
	}

	// Interrupted: what is missing is made.
	if err := os.Remove(l.NodeFile("home")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(repo, "hooks")); err != nil {
		t.Fatal(err)
	}
	if _, err := Init(ctx, l, o); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(l, "home"); err != nil {
		t.Error(err)
	}

	// A hook of somebody else's stays, and we say so; ours is brought up to date.
	foreign, own := filepath.Join(repo, "hooks/post-receive"), filepath.Join(repo, "hooks/pre-receive")
	write(t, foreign, "#!/bin/sh\nmail\n")
	write(t, own, "#!/bin/sh\nexec /old/git-deploy hook pre-receive \"$@\"\n")
	res, err = Init(ctx, l, o)
	if err != nil || len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], foreign) {
		t.Errorf("%+v, %v", res, err)
	}
	if text, _ := os.ReadFile(foreign); string(text) != "#!/bin/sh\nmail\n" {
		t.Errorf("foreign hook: %s", text)
	}
	if text, _ := os.ReadFile(own); !strings.Contains(string(text), "'"+l.Tool()+"'") {
		t.Errorf("our hook: %s", text)
	}

	for name, bad := range map[string]InitOptions{
		"is node \"web\" of another network named":     initOptions("home", "00000000-1111", "web"),
		"is node \"web\" of network \"home\", not":     initOptions("home", networkID, "alice"),
		"is node \"web\" of network \"home\", not \"b": initOptions("other", networkID, "bob"),
		"cannot name a node":                           initOptions("home", networkID, "../x"),
		"cannot name a network":                        initOptions("-x", networkID, "web"),
		"is not a network id":                          initOptions("home", "a\nb", "web"),
	} {
		if _, err := Init(ctx, l, bad); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%+v: %v, want %s", bad, err, name)
		}
	}
	other := initOptions("home", networkID, "alice")
	other.Adopt, other.Branch = true, "deploy"
	if _, err := Init(ctx, l, other); err != nil {
		t.Fatal(err)
	}
	n, err := Open(l, "")
	if err != nil || n.Node != "alice" || n.Ref() != "refs/heads/deploy" {
		t.Errorf("adopted: %+v, %v", n, err)
	}
	if head, _ := run(repo, "git", "symbolic-ref", "HEAD"); head != "refs/heads/deploy" {
		t.Errorf("HEAD is %s", head)
	}
}

func TestOpen(t *testing.T) {
	testenv.Need(t, "git")
	l := statedir.Layout{Root: t.TempDir()}
	t.Setenv(HostKeysEnv, "ssh-ed25519 AAAA")
	if _, err := Open(l, "home"); err == nil || len(fail.HintsOf(err)) == 0 {
		t.Errorf("no network: %v", err)
	}
	if _, err := Init(ctx, l, initOptions("home", networkID, "web")); err != nil {
		t.Fatal(err)
	}
	for _, arg := range []string{"", "/", "home", "/home", "/home/"} {
		if n, err := Open(l, arg); err != nil || n.Network.Name != "home" {
			t.Errorf("Open(%q): %v", arg, err)
		}
	}
	second := initOptions("work", "00000000-1111", "web")
	if _, err := Init(ctx, l, second); err == nil || !strings.Contains(err.Error(), "the system of this machine belongs to the network \"home\"") {
		t.Errorf("a second network takes the system: %v", err)
	}
	second.Scope = "dotfiles"
	if _, err := Init(ctx, l, second); err != nil {
		t.Fatal(err)
	}
	for arg, want := range map[string]string{"": "home, work", "/other": "home, work", "../home": "cannot name", "-x": "cannot name"} {
		if _, err := Open(l, arg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%q): %v, want %s", arg, err, want)
		}
	}
	for _, repo := range []string{l.Repo("home") + "/../../work/repo.git", l.Repo("home")} {
		got, name, err := place(repo)
		if err != nil || got != l || name == "" {
			t.Errorf("place(%s): %v, %s, %v", repo, got, name, err)
		}
	}
	if _, _, err := place("/srv/git/x.git"); err == nil {
		t.Error("a foreign repository was taken for a node's")
	}
}

// The verbs become git on the right repository, whatever the environment says.
func TestServices(t *testing.T) {
	testenv.Need(t, "git")
	l := statedir.Layout{Root: t.TempDir()}
	t.Setenv(HostKeysEnv, "ssh-ed25519 AAAA")
	t.Setenv(statedir.RootEnv, l.Root)
	if _, err := Init(ctx, l, initOptions("home", networkID, "web")); err != nil {
		t.Fatal(err)
	}
	clone := t.TempDir()
	for _, args := range [][]string{
		{"init", "-q", "-b", "topic"}, {"config", "user.name", "a"}, {"config", "user.email", "a@b"},
		{"commit", "-q", "--allow-empty", "-m", "x"},
	} {
		if out, err := run(clone, append([]string{"git"}, args...)...); err != nil {
			t.Fatal(out)
		}
	}
	// git calls these with the path of the address appended, as ssh does.
	misled := "env GIT_DIR=/nowhere GIT_OBJECT_DIRECTORY=/nowhere GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=receive.denyCreates GIT_PUSH_OPTION_COUNT=9 "
	receive, upload := misled+l.Tool()+" node receive-pack", misled+l.Tool()+" node upload-pack"
	here := filepath.Join(clone, "home") // git wants the folder to be there
	if err := os.Mkdir(here, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"push", "--receive-pack", receive + " home #", here, "topic"},
		{"fetch", "--upload-pack", upload + " home #", here, "topic"},
	} {
		if out, err := run(clone, append([]string{"git"}, args...)...); err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	if out, err := run(l.Repo("home"), "git", "rev-parse", "topic"); err != nil {
		t.Error(out)
	}
}

// What a broken disk left of node.json is told with what helps, and that helps.
func TestBrokenNodeFile(t *testing.T) {
	testenv.Need(t, "git")
	t.Setenv(HostKeysEnv, "ssh-ed25519 AAAA")
	l := statedir.Layout{Root: t.TempDir()}
	o := initOptions("home", networkID, "web")
	if _, err := Init(ctx, l, o); err != nil {
		t.Fatal(err)
	}
	write(t, l.NodeFile("home"), "{")
	_, err := Hello(ctx, l, "", "test")
	if hints := strings.Join(fail.HintsOf(err), "\n"); !strings.HasPrefix(hints, "rm "+l.NodeFile("home")+" ") {
		t.Errorf("%v, hints %q", err, hints)
	}
	if _, err := Init(ctx, l, o); err == nil || len(fail.HintsOf(err)) == 0 {
		t.Errorf("made anew: %v", err)
	}
	if err := os.Remove(l.NodeFile("home")); err != nil {
		t.Fatal(err)
	}
	if _, err := Init(ctx, l, o); err != nil {
		t.Error(err)
	}
	if h, err := Hello(ctx, l, "", "test"); err != nil || h.Node != "web" {
		t.Errorf("%+v, %v", h, err)
	}
}
