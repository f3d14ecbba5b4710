package plan

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/nix"
)

// cli is a nixlib of a few lines: a node's system is made of the file with its
// name, and of <extra> where there is one.
const cli = `{ dir }:
let
  extra = builtins.tryEval <extra>;
  salt = if extra.success then builtins.readFile extra.value else "";
  mk = name: text: derivation {
    inherit name text;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [ "-c" "echo $text > $out" ];
  };
  node = name: rec {
    tool = mk "tool-1.${toString (builtins.stringLength (builtins.readFile (dir + "/${name}")))}" "tool";
    system = mk "system-${name}" "${builtins.readFile (dir + "/${name}")} ${salt} ${tool}";
    text = builtins.toJSON { version = 1; node = name; system = "${system}"; };
    bundle = mk "deploy.json" text;
  };
in {
  manifest = { version = 1; network = { name = "test"; id = "1"; }; nodes = { web = {}; db = {}; mail = {}; }; };
  nodes = { web = node "web"; db = node "db"; mail = node "mail"; };
}
`

// world is a clone, and what its nodes are known to run.
type world struct {
	t        *testing.T
	dir, lib string
	repo     *gitrepo.Repo
	statuses []network.Status

	mu          sync.Mutex
	evaluated   []string
	now, atOnce int
}

func newWorld(t *testing.T) *world {
	store := testenv.Nix(t)
	w := &world{t: t, dir: filepath.Join(store, "clone"), lib: filepath.Join(store, "nixlib")}
	w.write(filepath.Join(w.lib, "cli.nix"), cli)
	t.Setenv(nix.NixlibEnv, w.lib)
	for name, value := range map[string]string{"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
		"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "a@x", "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "a@x"} {
		t.Setenv(name, value)
	}
	if err := os.Mkdir(w.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	w.git("init", "-q", "-b", "main")
	w.write(filepath.Join(w.dir, "network.nix"), "{ }")
	first := w.commit("web", "one", "db", "one", "mail", "one")
	var err error
	if w.repo, err = gitrepo.Open(t.Context(), w.dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"db", "mail", "web"} {
		w.statuses = append(w.statuses, network.Status{
			Remote: network.Remote{Name: name, Node: name, Branch: "main"},
			Tip:    first, Current: first, System: w.build(first, name),
		})
	}
	return w
}

func (w *world) write(path, text string) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) git(args ...string) string {
	w.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = w.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit writes pairs of file and content.
func (w *world) commit(pairs ...string) string {
	w.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		w.write(filepath.Join(w.dir, pairs[i]), pairs[i+1])
	}
	w.git("add", "-A")
	w.git("commit", "-q", "--allow-empty", "-m", "Change "+strings.Join(pairs, " "))
	return w.git("rev-parse", "HEAD")
}

// build returns the system that a push of commit to node would give, built.
func (w *world) build(commit, node string) string {
	w.t.Helper()
	source := filepath.Join(w.t.TempDir(), "source")
	if err := os.Mkdir(source, 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := w.repo.Extract(w.t.Context(), commit, source); err != nil {
		w.t.Fatal(err)
	}
	path, err := nix.New(event.Discard).BuildBundle(w.t.Context(), source, node, "")
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := nix.ReadBundle(path)
	if err != nil {
		w.t.Fatal(err)
	}
	return b.System
}

// Emit counts evaluations, and how many there are at once.
func (w *world) Emit(e event.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e.Kind {
	case event.StepStarted:
		w.evaluated = append(w.evaluated, e.Node)
		w.now++
		w.atOnce = max(w.atOnce, w.now)
	case event.StepDone, event.StepFailed:
		w.now--
	}
}

// plan plans commit and checks what becomes of db, mail and web, and how many evaluations that took.
func (w *world) plan(p Planner, commit, want string, evaluations int) []Node {
	w.t.Helper()
	p.Repo, p.Sink = w.repo, w
	w.evaluated, w.atOnce = nil, 0
	nodes, err := p.Plan(w.t.Context(), w.statuses, func(network.Remote) (string, error) { return commit, nil })
	if err != nil {
		w.t.Fatal(err)
	}
	var got []string
	for _, n := range nodes {
		got = append(got, string(n.State))
	}
	if s := strings.Join(got, " "); s != want {
		w.t.Errorf("the plan is %s, not %s: %+v", s, want, nodes)
	}
	if len(w.evaluated) != evaluations {
		w.t.Errorf("evaluated %v, that is not %d", w.evaluated, evaluations)
	}
	return nodes
}

func TestPlan(t *testing.T) {
	w := newWorld(t)
	first := w.statuses[0].Tip
	w.plan(Planner{}, first, "has has has", 0)
	second := w.commit("web", "two!")
	nodes := w.plan(Planner{Jobs: 2, Diff: true}, second, "unaffected unaffected affected", 4) // and what web runs
	if w.atOnce > 2 {
		t.Errorf("%d evaluations at once", w.atOnce)
	}
	if system := w.build(second, "web"); nodes[2].System != system {
		t.Errorf("a push gives %s, the plan says %s", system, nodes[2].System)
	}
	d := nodes[2].Diff
	if d == nil || !d.Derivations || len(d.Changed) == 0 {
		t.Errorf("by derivation: %+v (%s)", d, nodes[2].NoDiff)
	}
	// Both are built now.
	nodes = w.plan(Planner{Diff: true}, second, "unaffected unaffected affected", 0)
	if d := nodes[2].Diff; d == nil || d.Derivations || d.From != w.statuses[2].System {
		t.Errorf("by package: %+v (%s)", d, nodes[2].NoDiff)
	}

	// One does not evaluate: the others are planned nevertheless.
	w.git("rm", "-q", "mail")
	third := w.commit()
	nodes = w.plan(Planner{}, third, "unaffected unknown affected", 3)
	if !strings.Contains(nodes[1].Reason, "mail") {
		t.Errorf("why mail is unknown: %q", nodes[1].Reason)
	}
	w.plan(Planner{}, third, "unaffected unknown affected", 1) // errors are not kept

	w.statuses[2].Tip, w.statuses[2].System = "", ""
	w.plan(Planner{}, second, "unaffected unaffected unknown", 0)
}

// A node with its own store folder has other paths for the same systems: what it runs is evaluated here too.
func TestPlanForAnotherStore(t *testing.T) {
	w := newWorld(t)
	second := w.commit("web", "two!")
	for _, i := range []int{0, 2} {
		w.statuses[i].System = "/elsewhere/store/" + filepath.Base(w.statuses[i].System)
	}
	nodes := w.plan(Planner{Diff: true}, second, "unaffected unaffected affected", 5)
	if d := nodes[2].Diff; d == nil || !d.Derivations || len(d.Changed) == 0 {
		t.Errorf("what differs: %+v (%s)", d, nodes[2].NoDiff)
	}
	w.plan(Planner{}, second, "unaffected unaffected affected", 0)
	w.statuses[0].Current = ""
	w.statuses[2].Current = strings.Repeat("0", 40) // not here
	nodes = w.plan(Planner{}, second, "unknown unaffected unknown", 0)
	if !strings.Contains(nodes[0].Reason, "not known which commit runs") || !strings.Contains(nodes[2].Reason, "/elsewhere/store") {
		t.Errorf("why: %q, %q", nodes[0].Reason, nodes[2].Reason)
	}
}

func TestPlanMerges(t *testing.T) {
	w := newWorld(t)
	first := w.statuses[0].Tip
	ours := w.commit("web", "ours")
	w.git("checkout", "-q", "--detach", first)
	theirs := w.commit("db", "theirs")
	w.git("checkout", "-q", "main")
	db := &w.statuses[0]
	db.Tip, db.Current, db.System = theirs, theirs, w.build(theirs, "db")
	nodes := w.plan(Planner{}, ours, "unaffected unaffected affected", 3)
	if !nodes[0].Merge || nodes[1].Merge {
		t.Errorf("merged: %+v", nodes)
	}
	known := func() string {
		statuses := append([]network.Status{}, w.statuses...)
		for i := range statuses {
			statuses[i].Relation = network.Behind
		}
		statuses[0].Relation = network.Diverged
		var states []string
		for _, n := range Known(w.repo, statuses, ours, w.git("rev-parse", ours+"^{tree}")) {
			states = append(states, string(n.State))
		}
		return strings.Join(states, " ")
	}
	if got := known(); got != "unaffected unaffected affected" {
		t.Errorf("known without an evaluation: %s", got)
	}

	w.git("checkout", "-q", "--detach", first)
	conflict := w.commit("web", "theirs too")
	w.git("checkout", "-q", "main")
	web := &w.statuses[2]
	web.Tip, web.Current, web.System = conflict, conflict, w.build(conflict, "web")
	nodes = w.plan(Planner{}, ours, "unaffected unaffected unknown", 0)
	if !strings.Contains(nodes[2].Reason, "conflicts in web") {
		t.Errorf("why: %q", nodes[2].Reason)
	}
	w.git("checkout", "-q", "--orphan", "other")
	other := w.commit("x", "y")
	w.plan(Planner{}, other, "unknown unknown unknown", 0)
}

// What was evaluated holds for the same tree, node, nixlib and Nix, and for nothing else.
func TestCache(t *testing.T) {
	w := newWorld(t)
	second := w.commit("web", "two!")
	all := "unaffected unaffected affected"
	w.plan(Planner{}, second, all, 3)
	w.plan(Planner{}, second, all, 0)
	w.plan(Planner{New: true}, second, all, 3)
	w.plan(Planner{}, w.commit(), all, 0) // another commit, the same files
	w.plan(Planner{}, w.commit("note", "for people"), all, 3)
	w.plan(Planner{}, second, all, 0)

	// Another nixlib, with which all systems are others.
	lib := filepath.Join(t.TempDir(), "nixlib")
	w.write(filepath.Join(lib, "cli.nix"), strings.ReplaceAll(cli, "tool-1.", "tool-2."))
	t.Setenv(nix.NixlibEnv, lib)
	w.plan(Planner{}, second, "affected affected affected", 3)
	t.Setenv(nix.NixlibEnv, w.lib)
	w.plan(Planner{}, second, all, 0)
	// The same folder, another content.
	w.write(filepath.Join(w.lib, "more.nix"), "{ }")
	w.plan(Planner{}, second, all, 3)
	if err := os.Remove(filepath.Join(w.lib, "more.nix")); err != nil {
		t.Fatal(err)
	}

	// <extra> leads elsewhere, first by its address and then behind the same one.
	dir := t.TempDir()
	for i := range 2 {
		w.write(filepath.Join(dir, fmt.Sprint(i)), fmt.Sprint("salt ", i))
		link := filepath.Join(dir, "extra")
		_ = os.Remove(link)
		if err := os.Symlink(filepath.Join(dir, fmt.Sprint(i)), link); err != nil {
			t.Fatal(err)
		}
		t.Setenv("NIX_PATH", "extra="+link)
		w.plan(Planner{}, second, "affected affected affected", 3)
		w.plan(Planner{}, second, "affected affected affected", 0)
	}
	t.Setenv("NIX_PATH", "")

	// What is broken is evaluated anew, and mended by that.
	files, err := filepath.Glob(filepath.Join(w.repo.CommonDir, "git-deploy/plan/*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		w.write(file, "{")
	}
	w.plan(Planner{}, second, all, 3)
	w.plan(Planner{}, second, all, 0)
	// A derivation that was collected is made again where it is needed.
	if err := exec.Command("nix-store", "--gc", "--quiet").Run(); err != nil {
		t.Fatal(err)
	}
	nodes := w.plan(Planner{Diff: true}, second, all, 2)
	if d := nodes[2].Diff; d == nil || !d.Derivations {
		t.Errorf("after a collection: %+v (%s)", d, nodes[2].NoDiff)
	}
}
