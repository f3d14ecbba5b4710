package transport

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/internal/testenv"
)

// git runs git in dir and returns what it prints.
func git(t testing.TB, dir string, env []string, args ...string) (string, error) {
	t.Helper()
	testenv.Need(t, "git")
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b", "GIT_TERMINAL_PROMPT=0")
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func mustGit(t testing.TB, dir string, args ...string) string {
	t.Helper()
	out, err := git(t, dir, nil, args...)
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(out)
}

// networkRepo makes the node's repository "home" and a clone with a commit, and returns the clone.
func networkRepo(t testing.TB, h *host) string {
	t.Helper()
	mustGit(t, h.dir, "init", "-q", "--bare", "-b", "main", "repos/home")
	clone := filepath.Join(h.dir, "clone")
	mustGit(t, h.dir, "init", "-q", "-b", "main", clone)
	commit(t, clone, "one")
	return clone
}

func commit(t testing.TB, clone, text string) {
	t.Helper()
	write(t, filepath.Join(clone, "file"), strings.Repeat(text+"\n", 20000))
	mustGit(t, clone, "add", "file")
	mustGit(t, clone, "commit", "-q", "-m", text)
}

// gitArgs are git's arguments for a command over a GitRemote.
func gitArgs(r GitRemote, args ...string) []string {
	var all []string
	for _, c := range r.Config {
		all = append(all, "-c", c)
	}
	return append(all, args...)
}

func TestGitOverTransport(t *testing.T) {
	noise := `ForceCommand echo "Welcome!"; echo careful >&2; eval "$SSH_ORIGINAL_COMMAND"`
	for name, start := range map[string]func(testing.TB) *host{
		"sshd with noise": func(t testing.TB) *host { return sshd(t, noise) },
		"embedded":        func(t testing.TB) *host { return embedded(t) },
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t)
			clone := networkRepo(t, h)
			tr := h.dial(t, h.options(t))
			r, err := tr.Git("home")
			if err != nil {
				t.Fatal(err)
			}
			head := mustGit(t, clone, "rev-parse", "HEAD")
			if out, err := git(t, clone, nil, gitArgs(r, "send-pack", "--receive-pack="+r.ReceivePack, r.URL, "main:refs/heads/main")...); err != nil {
				t.Fatalf("send-pack: %v\n%s", err, out)
			}
			if got := mustGit(t, filepath.Join(h.dir, "repos/home"), "rev-parse", "main"); got != head {
				t.Errorf("main is %s, want %s", got, head)
			}
			// git push too, refused by the other side.
			mustGit(t, filepath.Join(h.dir, "repos/home"), "config", "receive.denyNonFastForwards", "true")
			mustGit(t, clone, "commit", "-q", "--amend", "-m", "other")
			out, err := git(t, clone, nil, gitArgs(r, "push", "--force", "--receive-pack="+r.ReceivePack, r.URL, "main")...)
			if err == nil || !strings.Contains(out, "denying non-fast-forward") {
				t.Errorf("push: %v\n%s", err, out)
			}
			// Fetch with protocol 2.
			second := filepath.Join(h.dir, "second")
			mustGit(t, h.dir, "init", "-q", second)
			trace := filepath.Join(h.dir, "trace")
			if out, err := git(t, second, []string{"GIT_TRACE_PACKET=" + trace}, gitArgs(r, "fetch", "--upload-pack="+r.UploadPack, r.URL, "main:refs/heads/got")...); err != nil {
				t.Fatalf("fetch: %v\n%s", err, out)
			}
			if got := mustGit(t, second, "rev-parse", "got"); got != head {
				t.Errorf("fetched %s, want %s", got, head)
			}
			if b, err := os.ReadFile(trace); err != nil || !strings.Contains(string(b), "version 2") {
				t.Errorf("no protocol 2: %v", err)
			}
			// Many small ones: git closes its end before the other side has ended.
			for range 20 {
				if out, err := git(t, second, nil, gitArgs(r, "fetch", "--upload-pack="+r.UploadPack, r.URL, "main")...); err != nil {
					t.Fatalf("fetch: %v\n%s", err, out)
				}
			}
			// What does not exist on the other side is an error with its words.
			none, err := tr.Git("none")
			if err != nil {
				t.Fatal(err)
			}
			out, err = git(t, clone, nil, gitArgs(none, "push", "--receive-pack="+none.ReceivePack, none.URL, "main")...)
			if err == nil || !strings.Contains(out, "none") {
				t.Errorf("push to nowhere: %v\n%s", err, out)
			}
			if n := h.proxy.count.Load(); n != 1 {
				t.Errorf("%d connections", n)
			}
			tr.Close()
			if out, err := git(t, clone, nil, gitArgs(r, "push", "--receive-pack="+r.ReceivePack, r.URL, "main")...); err == nil {
				t.Errorf("push after Close: %s", out)
			}
		})
	}
}

// TestGitGivesUp: git's death ends the command on the node.
func TestGitGivesUp(t *testing.T) {
	h := embedded(t)
	networkRepo(t, h)
	hook := filepath.Join(h.dir, "repos/home/hooks/pre-receive")
	pidFile := filepath.Join(h.dir, "hookpid")
	write(t, hook, "#!/bin/sh\necho $$ >"+pidFile+"\nsleep 1000\n")
	if err := os.Chmod(hook, 0o700); err != nil {
		t.Fatal(err)
	}
	tr := h.dial(t, h.options(t))
	r, err := tr.Git("home")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, "git", gitArgs(r, "send-pack", "--receive-pack="+r.ReceivePack, r.URL, "main:refs/heads/main")...)
	cmd.Dir = filepath.Join(h.dir, "clone")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := 0
	waitFor(t, "the hook to run", func() bool {
		b, _ := os.ReadFile(pidFile)
		_, err := fmt.Sscan(string(b), &pid)
		return err == nil
	})
	cancel()
	_ = cmd.Wait()
	waitFor(t, "the hook to end", func() bool { return !processAlive(pid) })
}

// TestPlainGit: git over ssh without anything of ours on this side.
func TestPlainGit(t *testing.T) {
	h := embedded(t)
	clone := networkRepo(t, h)
	write(t, filepath.Join(h.dir, "user_known_hosts"), fmt.Sprintf("[127.0.0.1]:%d %s\n", h.addr.Port, h.hostKey))
	env := []string{"GIT_SSH_COMMAND=ssh -F " + h.sshConfig}
	url := fmt.Sprintf("ssh://%s@127.0.0.1:%d/home", h.addr.User, h.addr.Port)
	if out, err := git(t, clone, env, "push", url, "main"); err != nil {
		t.Fatalf("push: %v\n%s\n%s", err, out, h.log)
	}
	for _, version := range []string{"0", "1", "2"} {
		if out, err := git(t, h.dir, env, "-c", "protocol.version="+version, "-c", "ssh.variant=ssh", "clone", "-q", url, "clone"+version); err != nil {
			t.Errorf("clone with protocol %s: %v\n%s", version, err, out)
		}
	}
	out, err := git(t, h.dir, env, "clone", fmt.Sprintf("ssh://%s@127.0.0.1:%d/../etc", h.addr.User, h.addr.Port), "etc")
	if err == nil || !strings.Contains(out, "network name") {
		t.Errorf("%v\n%s", err, out)
	}
}
