package push

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/statedir"
	"github.com/git-deploy/git-deploy/pkg/transport"
)

// The test binary is also git-remote-node, the relay that git runs, and the
// tool and hooks of a node.
func TestMain(m *testing.M) {
	switch {
	case filepath.Base(os.Args[0]) == "git-remote-node" || len(os.Args) > 1 && os.Args[1] == transport.RelayCommand:
		os.Exit(RemoteHelper(context.Background(), os.Args, os.Stdin, os.Stdout, os.Stderr))
	case os.Getenv("FAKE_HOOK") != "":
		os.Exit(verdict(fakeHook(os.Getenv("FAKE_HOOK"))))
	case len(os.Args) > 1 && os.Args[1] == "node":
		os.Exit(verdict(fakeNode(os.Args[2:])))
	}
	os.Exit(m.Run())
}

func verdict(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, "git-deploy: error:", err)
		return 1
	}
	return 0
}

// fakeNode has the verbs of a node. What a deployment leads to, the file
// "outcome" of the commit says; see fakeActivate.
func fakeNode(args []string) error {
	l := statedir.FromEnv()
	if args[0] == transport.MarkedFlag {
		fmt.Print(transport.Marker)
		args = args[1:]
	}
	if log := os.Getenv("FAKE_LOG"); log != "" {
		f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		fmt.Fprintln(f, args[0])
		f.Close()
	}
	ctx := context.Background()
	repo := l.Repo("home")
	if _, err := os.Stat(repo); err != nil {
		return errors.New(statedir.NotANode + "any network")
	}
	switch args[0] {
	case "hello":
		r, err := gitrepo.OpenBare(repo)
		if err != nil {
			return err
		}
		var reply HelloReply
		if err := statedir.ReadJSON(l.NodeFile("home"), &reply); err != nil {
			return err
		}
		if reply.Refs, err = r.Refs(ctx); err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(reply)
	case "upload-pack", "receive-pack":
		cmd := exec.Command("git", args[0], repo)
		if len(args) > 2 && args[1] == "--protocol" {
			cmd.Env = append(os.Environ(), "GIT_PROTOCOL="+args[2])
		}
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		return cmd.Run()
	case "follow":
		from := int64(1)
		if args[1] == "--existing" {
			args = append(args[:1:1], args[2:]...)
			if _, err := os.Stat(l.Deployment(args[1])); err != nil {
				return fmt.Errorf("there is no deployment %s on this node", args[1])
			}
		}
		if len(args) > 3 {
			fmt.Sscan(args[3], &from)
		}
		return statedir.Follow(ctx, l, args[1], from, time.Minute, func(e event.Event) error {
			enc := event.NewEncoder(os.Stdout)
			enc.Emit(e)
			return enc.Err()
		})
	case "confirm":
		return os.WriteFile(filepath.Join(l.Deployment(args[1]), "confirmed"), nil, 0o600)
	case "deploy":
		options := map[string]string{}
		for i, a := range args {
			if a == "-o" {
				k, v, _ := strings.Cut(args[i+1], "=")
				options[k] = v
			}
		}
		r, err := gitrepo.OpenBare(repo)
		if err != nil {
			return err
		}
		tip, err := r.RevParse(ctx, "refs/heads/main")
		if err != nil {
			return err
		}
		if err := os.MkdirAll(l.Deployment(options["deployment"]), 0o700); err != nil {
			return err
		}
		log, err := statedir.OpenEvents(l, options["deployment"])
		if err != nil {
			return err
		}
		fakeActivate(ctx, l, r, event.Tee(log, event.NewEncoder(os.Stdout)), tip, tip, options)
		return nil
	}
	return fmt.Errorf("no verb %q", args)
}

func pushOptionsOfHook() map[string]string {
	options := map[string]string{}
	var n int
	fmt.Sscan(os.Getenv("GIT_PUSH_OPTION_COUNT"), &n)
	for i := range n {
		k, v, _ := strings.Cut(os.Getenv(fmt.Sprintf("GIT_PUSH_OPTION_%d", i)), "=")
		options[k] = v
	}
	return options
}

// fakeHook is pre-receive and post-receive.
func fakeHook(hook string) error {
	l, ctx := statedir.FromEnv(), context.Background()
	data, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	options := pushOptionsOfHook()
	id := options["deployment"]
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		old, new, ref := f[0], f[1], f[2]
		if ref != "refs/heads/main" {
			continue
		}
		r, err := gitrepo.OpenEnv()
		if err != nil {
			return err
		}
		if hook == "pre-receive" {
			if err := os.MkdirAll(l.Deployment(id), 0o700); err != nil {
				return err
			}
			if err := statedir.WriteJSON(filepath.Join(l.Deployment(id), "options"), options, 0o600); err != nil {
				return err
			}
		}
		log, err := statedir.OpenEvents(l, id)
		if err != nil {
			return err
		}
		if hook == "post-receive" {
			fakeActivate(ctx, l, r, log, old, new, options)
			continue
		}
		outcome, _ := r.ReadFile(ctx, new, "outcome")
		finish := func(o event.Outcome, why string) error {
			log.Emit(event.Event{Kind: event.Finished, Outcome: o, Message: why})
			return fmt.Errorf("%s", why)
		}
		if err := event.RunStep(log, event.Build, func() error {
			if string(outcome) == "does not build\n" {
				return fmt.Errorf("builder failed\nwith two lines")
			}
			return nil
		}); err != nil {
			return finish(event.Failed, err.Error())
		}
		if race := os.Getenv("FAKE_RACE"); race != "" { // another push is faster, once
			os.Unsetenv("FAKE_RACE")
			if _, err := os.Stat(race); err == nil {
				script, _ := os.ReadFile(race)
				os.Remove(race)
				cmd := exec.Command("sh", "-c", string(script))
				for _, kv := range os.Environ() {
					if !strings.HasPrefix(kv, "GIT_") || strings.HasPrefix(kv, "GIT_CONFIG") {
						cmd.Env = append(cmd.Env, kv)
					}
				}
				if out, err := cmd.CombinedOutput(); err != nil {
					return fmt.Errorf("race: %w %s", err, out)
				}
				return finish(event.Superseded, "another push was faster")
			}
		}
		switch {
		case options["dry-run"] == "true":
			return finish(event.DryRun, "dry run")
		case options["action"] == "build":
			return finish(event.Built, "built")
		}
	}
	return nil
}

// fakeActivate does what the commit's file "outcome" says: nothing special, "rolls back", "hangs until confirmed".
func fakeActivate(ctx context.Context, l statedir.Layout, r *gitrepo.Repo, log event.Sink, old, new string, options map[string]string) {
	outcome, _ := r.ReadFile(ctx, new, "outcome")
	_ = event.RunStep(log, event.Switch, func() error { return nil })
	finished := event.Event{Kind: event.Finished, Outcome: event.Succeeded}
	if options["confirm"] == "true" {
		err := event.RunStep(log, event.Confirm, func() error {
			for start := time.Now(); time.Since(start) < 10*time.Second; time.Sleep(10 * time.Millisecond) {
				if _, err := os.Stat(filepath.Join(l.Deployment(options["deployment"]), "confirmed")); err == nil {
					return nil
				}
			}
			return fmt.Errorf("nobody confirmed")
		})
		if err != nil {
			finished.Outcome, finished.Message = event.RolledBack, err.Error()
		}
	}
	if string(outcome) == "rolls back\n" {
		finished.Outcome, finished.Message = event.RolledBack, "health check \"web\" failed"
	}
	updates := []gitrepo.RefUpdate{{Ref: refCurrent, New: new}, {Ref: refBoot, New: new}}
	if !finished.Outcome.OK() {
		updates = []gitrepo.RefUpdate{{Ref: "refs/heads/main", New: old, Old: new}}
	}
	if err := r.UpdateRefs(ctx, "fake", updates...); err != nil {
		finished.Outcome, finished.Message = event.Failed, err.Error()
	}
	log.Emit(finished)
}

const networkID = "5f0c5d3e-0000-4000-8000-000000000001"

// world is a deployer's clone and nodes.
type world struct {
	t     testing.TB
	dir   string
	clone string
	nodes int
}

func newWorld(t testing.TB) *world {
	t.Helper()
	testenv.Need(t, "git")
	dir := t.TempDir()
	w := &world{t: t, dir: dir, clone: filepath.Join(dir, "clone")}
	bin := filepath.Join(dir, "bin")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(exe, filepath.Join(bin, "git-remote-node")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("HOME", dir)
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	t.Setenv("GIT_CONFIG_GLOBAL", filepath.Join(dir, "gitconfig"))
	t.Setenv("GIT_TRACE_PACKET", "")
	w.write(filepath.Join(dir, "gitconfig"), "[user]\n\tname = Ada\n\temail = ada@example.org\n[init]\n\tdefaultBranch = main\n[advice]\n\tpushUpdateRejected = false\n")
	w.git("", "init", "-q", w.clone)
	w.write(filepath.Join(w.clone, "network-id"), networkID+"\n")
	w.write(filepath.Join(w.clone, "network.nix"), "{ }\n")
	w.git(w.clone, "add", ".")
	w.git(w.clone, "commit", "-qm", "first")
	return w
}

// node makes this machine the node of the given name and returns its repository.
func (w *world) node(name string) string {
	w.t.Helper()
	w.nodes++
	root := filepath.Join(w.dir, fmt.Sprintf("root%d", w.nodes))
	w.t.Setenv(statedir.RootEnv, root)
	l := statedir.FromEnv()
	repo := l.Repo("home")
	w.git("", "init", "-q", "--bare", repo)
	w.git(repo, "config", "receive.advertisePushOptions", "true")
	w.git(repo, "config", "receive.denyDeletes", "false")
	exe, _ := os.Executable()
	for _, hook := range []string{"pre-receive", "post-receive"} {
		w.write(filepath.Join(repo, "hooks", hook), "#!/bin/sh\nFAKE_HOOK="+hook+" exec '"+exe+"'\n")
		os.Chmod(filepath.Join(repo, "hooks", hook), 0o755)
	}
	if err := statedir.WriteJSON(l.NodeFile("home"), HelloReply{Version: 1, Node: name, Branch: "main",
		Network: bundle.NetworkID{Name: "home", ID: networkID}}, 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(l.Tool()), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Symlink(exe, l.Tool()); err != nil {
		w.t.Fatal(err)
	}
	return repo
}

// remote makes this machine a remote of the clone.
func (w *world) remote(name string) {
	w.t.Helper()
	for key, value := range map[string]string{
		"url": "node://localhost", "fetch": "+refs/heads/*:refs/remotes/" + name + "/*",
		"push": "refs/heads/main:refs/heads/main", "deployNode": name, "tagOpt": "--no-tags",
	} {
		w.git(w.clone, "config", "remote."+name+"."+key, value)
	}
}

func (w *world) write(path, content string) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// commit changes a file in a clone and returns the new commit.
func (w *world) commit(dir, file, content string) string {
	w.t.Helper()
	w.write(filepath.Join(dir, file), content)
	w.git(dir, "add", "-f", file)
	w.git(dir, "commit", "-qm", "change "+file)
	return w.rev(dir, "HEAD")
}

func (w *world) rev(dir, rev string) string { return w.git(dir, "rev-parse", rev) }

// git runs git and fails the test when it fails.
func (w *world) git(dir string, args ...string) string {
	w.t.Helper()
	out, err := w.try(dir, args...)
	if err != nil {
		w.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// try runs git and returns all of its output.
func (w *world) try(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return strings.TrimSuffix(string(out), "\n"), err
}

// fails runs git, which must fail with all of words in its output.
func (w *world) fails(dir string, args []string, words ...string) string {
	w.t.Helper()
	out, err := w.try(dir, args...)
	if err == nil {
		w.t.Errorf("git %s succeeded:\n%s", strings.Join(args, " "), out)
	}
	w.says(out, words...)
	return out
}

func (w *world) says(out string, words ...string) {
	w.t.Helper()
	for _, word := range words {
		if !strings.Contains(out, word) {
			w.t.Errorf("%q is not said:\n%s", word, out)
		}
	}
}

func (w *world) equal(what, got, want string) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("%s: got %s, want %s", what, got, want)
	}
}
