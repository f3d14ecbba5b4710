package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

const networkID = "6e0b4c52-8a5c-4a0e-9d0e-0f9f1c0c7f55"

// world is a node below a root prefix, with a Nix store of its own, and a clone.
type world struct {
	t     testing.TB
	l     statedir.Layout
	n     *Node
	clone string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	testenv.Need(t, "git")
	root := testenv.Nix(t)
	w := &world{t: t, l: statedir.Layout{Root: root}, clone: t.TempDir()}
	t.Setenv(statedir.RootEnv, root)
	t.Setenv("HOME", t.TempDir())
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	for _, kv := range [][2]string{{"AUTHOR_NAME", "Ann"}, {"AUTHOR_EMAIL", "ann@example.org"}, {"COMMITTER_NAME", "Ann"}, {"COMMITTER_EMAIL", "ann@example.org"}} {
		t.Setenv("GIT_"+kv[0], kv[1])
	}
	t.Setenv(HostKeysEnv, "ssh-ed25519 AAAA root@here")
	w.init()
	w.git("init", "-q", "-b", "main")
	w.git("remote", "add", "web", w.l.Repo("home"))
	w.commit("first", "one")
	t.Cleanup(w.stopServices)
	return w
}

func (w *world) init() *InitResult {
	w.t.Helper()
	res, err := Init(context.Background(), w.l, InitOptions{Network: bundle.NetworkID{Name: "home", ID: networkID}, Node: "web"})
	if err != nil {
		w.t.Fatal(err)
	}
	if w.n, err = Open(w.l, ""); err != nil {
		w.t.Fatal(err)
	}
	return res
}

// stopServices ends what runs below the root, and waits for activations, so
// that the folder can be removed.
func (w *world) stopServices() {
	eventually(w.t, "the lock is released", func() bool {
		h, err := statedir.HolderOf(w.l.LockFile())
		return err == nil && h == nil
	})
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !f(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// gitTry runs git in the clone.
func (w *world) gitTry(args ...string) (string, error) {
	return run(w.clone, append([]string{"git"}, args...)...)
}

func run(dir string, argv ...string) (string, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (w *world) git(args ...string) string {
	w.t.Helper()
	out, err := w.gitTry(args...)
	if err != nil {
		w.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// networkFile is a network.nix with one file that says text, and more settings of
// node web and of its configuration.
func networkFile(text, node, configuration string) string {
	return fmt.Sprintf(`{ nixlib, ... }: {
  network.name = "home";
  network.nixpkgs = nixlib + "/mini";
  nodes.web = {
    %s
    configuration = {
      environment.etc."said".text = "%s";
      %s
    };
  };
}
`, node, text, configuration)
}

// commit makes a commit whose system says text, and returns it.
func (w *world) commit(message, text string, more ...string) string {
	w.t.Helper()
	more = append(more, "", "")
	write(w.t, filepath.Join(w.clone, "network.nix"), networkFile(text, more[0], more[1]))
	write(w.t, filepath.Join(w.clone, "network-id"), networkID+"\n")
	w.git("add", "-A")
	w.git("commit", "-q", "--allow-empty", "-m", message)
	return w.git("rev-parse", "HEAD")
}

func (w *world) push(args ...string) (string, error) {
	return w.gitTry(append([]string{"push", "web", "main"}, args...)...)
}

func (w *world) mustPush(args ...string) string {
	w.t.Helper()
	out, err := w.push(args...)
	if err != nil {
		w.t.Fatalf("push %v: %v\n%s", args, err, out)
	}
	return out
}

// said is what the running system says.
func (w *world) said() string {
	data, err := os.ReadFile(filepath.Join(w.l.Root, "etc/said"))
	if err != nil {
		return ""
	}
	return string(data)
}

func (w *world) refs() map[string]string {
	w.t.Helper()
	refs, err := w.n.Repo.Refs(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return refs
}

func (w *world) log() []gitrepo.Record {
	w.t.Helper()
	records, err := w.n.records(context.Background(), 100)
	if err != nil {
		w.t.Fatal(err)
	}
	return records
}

func (w *world) events(id string) []event.Event {
	w.t.Helper()
	events, err := statedir.ReadEvents(w.l, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return events
}

// idle checks what must hold when nothing is under way.
func (w *world) idle() {
	w.t.Helper()
	refs := w.refs()
	if refs[RefBranch] != refs["refs/heads/main"] {
		w.t.Errorf("branch is at %.8s and belongs at %.8s", refs["refs/heads/main"], refs[RefBranch])
	}
	if refs[RefCurrent] != refs[RefBranch] && refs[RefBoot] != refs[RefBranch] && !pinned(refs) {
		w.t.Errorf("branch, current and boot differ: %v", refs)
	}
	if h, err := statedir.HolderOf(w.l.LockFile()); h != nil || err != nil {
		w.t.Errorf("lock: %v, %v", h, err)
	}
	ids, err := w.l.IDs()
	if err != nil {
		w.t.Fatal(err)
	}
	entries := map[string]int{}
	for _, r := range w.log() {
		entries[r.Deployment]++
	}
	for _, id := range ids {
		outcomes := 0
		for i, e := range w.events(id) {
			if e.Kind == event.Finished {
				outcomes++
			}
			if e.Seq != int64(i+1) {
				w.t.Errorf("%s: event %d has number %d", id, i+1, e.Seq)
			}
		}
		if outcomes != 1 || entries[id] > 1 {
			w.t.Errorf("%s: %d outcomes, %d entries in the log", id, outcomes, entries[id])
		}
		if _, err := os.Stat(w.l.Source(id)); err == nil {
			w.t.Errorf("%s: its source is left behind", id)
		}
		// The runner lets go of it just after it has said how it ended.
		eventually(w.t, id+"'s lock is free", func() bool {
			h, err := statedir.HolderOf(w.l.DeploymentLock(id))
			return h == nil && err == nil
		})
	}
	for _, pattern := range []string{"refs/*/*.lock", "refs/*/*/*.lock", "*.lock"} {
		if left, _ := filepath.Glob(filepath.Join(w.n.Repo.GitDir, pattern)); len(left) > 0 {
			w.t.Errorf("git left behind: %v", left)
		}
	}
	running, boot := w.system(w.l.CurrentSystem()), w.system(w.l.SystemProfile())
	records := w.log()
	if want := systemOf(records, refs[RefCurrent]); want != running && refs[RefCurrent] != "" {
		w.t.Errorf("runs %s, current is %s", running, want)
	}
	if want := systemOf(records, refs[RefBoot]); want != boot && refs[RefBoot] != "" {
		w.t.Errorf("boots %s, boot is %s", boot, want)
	}
}

func (w *world) system(link string) string {
	w.t.Helper()
	path, err := systemAt(link)
	if err != nil {
		w.t.Fatal(err)
	}
	return path
}

// newest is the id of the newest deployment.
func (w *world) newest() string {
	w.t.Helper()
	ids, err := w.l.IDs()
	if err != nil || len(ids) == 0 {
		w.t.Fatal("no deployment", err)
	}
	newest := ids[0]
	for _, id := range ids {
		a, _ := os.Stat(w.l.Deployment(id))
		b, _ := os.Stat(w.l.Deployment(newest))
		if a.ModTime().After(b.ModTime()) {
			newest = id
		}
	}
	return newest
}

func (w *world) outcome(id string) event.Outcome {
	w.t.Helper()
	f, err := statedir.FinishedEvent(w.l, id)
	if err != nil || f == nil {
		w.t.Fatalf("%s has no outcome: %v", id, err)
	}
	return f.Outcome
}

// reboot makes the node one that has just booted what its profile names.
func (w *world) reboot() {
	w.t.Helper()
	w.endSwitches()
	_ = os.Remove(w.l.CurrentSystem())
	if system := w.system(w.l.SystemProfile()); system != "" {
		if err := os.Symlink(system, w.l.CurrentSystem()); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := Recover(context.Background(), w.l, true, event.SinkFunc(func(e event.Event) { w.t.Log(e.Message) })); err != nil {
		w.t.Fatal(err)
	}
}

// endSwitches waits for each switch-to-configuration and nix-env that a runner
// which was killed alone left behind: after a real boot there is none.
func (w *world) endSwitches() {
	w.t.Helper()
	notes, err := filepath.Glob(filepath.Join(w.l.Deployments(), "*/switch.pid"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, note := range notes {
		var pid int
		data, _ := os.ReadFile(note)
		if n, _ := fmt.Sscan(string(data), &pid); n == 1 {
			eventually(w.t, "switch-to-configuration is over", func() bool {
				return errors.Is(syscall.Kill(-pid, 0), syscall.ESRCH)
			})
		}
	}
}

// build builds the bundle of what the clone holds, as a deployer would.
func (w *world) build() string { return w.nix("nix-build", "--no-out-link") }

func (w *world) nix(program string, more ...string) string {
	w.t.Helper()
	lib, err := filepath.Abs("../../nixlib")
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.Command(program, append([]string{lib + "/cli.nix", "--argstr", "dir", w.clone, "-A", "nodes.web.bundle"}, more...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr // warnings, too
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatalf("%s: %v\n%s", program, err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}
