package nix

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
)

// cli is a nixlib of a few lines: this package promises to call it, not what it does.
const cli = `{ dir }:
let
  net = import (dir + "/network.nix");
  mk = name: text: derivation {
    inherit name;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [ "-c" text ];
  };
  node = name: n: {
    bundle = mk "deploy.json-${name}" ''echo building ${name}; echo '{"version":1,"node":"${name}","system":"${n mk}"}' > $out'';
  };
in {
  manifest = { version = 1; network = { name = "test"; id = "1"; }; nodes = builtins.mapAttrs (name: _: { host = name; }) net; };
  nodes = builtins.mapAttrs node net;
}
`

// network writes a tree with this network.nix (and nixlib) and gives the test a Nix store.
func network(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	store := testenv.Nix(t)
	lib := filepath.Join(store, "nixlib")
	write(t, filepath.Join(lib, "cli.nix"), cli)
	t.Setenv(NixlibEnv, lib)
	dir = filepath.Join(store, "network")
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// recorder keeps events.
type recorder struct{ events []event.Event }

func (r *recorder) nix() *Nix {
	return New(event.SinkFunc(func(e event.Event) { r.events = append(r.events, e) }))
}

func (r *recorder) steps() string {
	var steps []string
	for _, e := range r.events {
		switch e.Kind {
		case event.StepStarted, event.StepDone, event.StepFailed:
			steps = append(steps, string(e.Step)+strings.TrimPrefix(string(e.Kind), "step"))
		}
	}
	return strings.Join(steps, " ")
}

const twoNodes = `{
  web = mk: mk "system-web-1.0" "echo hello from the builder; echo web > $out";
  "db.example" = mk: mk "system-db-1.0" "echo db > $out";
  bad = mk: mk "system-bad-1.0" "echo about to fail; exit 7";
  wrong = import ./nodes/wrong.nix;
  missing = import ./nodes/missing.nix;
  refers = mk: let nodes = { }; in mk "x" nodes.wbe.name;
}`

func TestBuildBundle(t *testing.T) {
	dir := network(t, map[string]string{"network.nix": twoNodes, "nodes/wrong.nix": "mk:\n  mk \"x\" (1 + nope)\n"})
	ctx := t.Context()
	root := filepath.Join(t.TempDir(), "result")

	var r recorder
	path, err := r.nix().BuildBundle(ctx, dir, "web", root)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := r.steps(), "evaluate-started evaluate-done build-started build-done"; got != want {
		t.Errorf("steps: %s", got)
	}
	if log := messages(r.events, event.Log); !slices.Contains(log, "hello from the builder") {
		t.Errorf("the builder's output is missing in %q", log)
	}
	if target, _ := os.Readlink(root); target != path {
		t.Errorf("the root leads to %q, not to %q", target, path)
	}
	b, err := ReadBundle(path)
	if err != nil || b.Node != "web" || nameOf(b.System) != "system-web-1.0" {
		t.Errorf("bundle %+v, %v", b, err)
	}

	// Again: nothing to build, the same steps.
	r = recorder{}
	if again, err := r.nix().BuildBundle(ctx, dir, "web", root); err != nil || again != path {
		t.Errorf("again: %q, %v", again, err)
	}
	if got, want := r.steps(), "evaluate-started evaluate-done build-started build-done"; got != want {
		t.Errorf("steps: %s", got)
	}
	if _, err := r.nix().BuildBundle(ctx, dir, "db.example", ""); err != nil {
		t.Error("a node's name with a dot:", err)
	}
}

func TestBuildBundleFails(t *testing.T) {
	dir := network(t, map[string]string{"network.nix": twoNodes, "nodes/wrong.nix": "mk:\n  mk \"x\" (1 + nope)\n"})
	for _, c := range []struct{ node, steps, text, hint string }{
		{"bad", "evaluate-started evaluate-done build-started build-failed",
			"build of system-bad-1.0 failed: builder failed with exit code 7\n  about to fail", "nix-store --read-log "},
		{"wrong", "evaluate-started evaluate-failed",
			"undefined variable 'nope'\n  at nodes/wrong.nix:2:15\n    2 |   mk \"x\" (1 + nope)\n      |               ^", ""},
		{"missing", "evaluate-started evaluate-failed", "there is no file nodes/missing.nix", "git add nodes/missing.nix"},
		{"nobody", "evaluate-started evaluate-failed", `this network has no node "nobody", only: bad, db.example, missing, refers, web, wrong`, "git deploy status"},
		{"refers", "evaluate-started evaluate-failed", "there is no node \"wbe\" (nodes: bad, db.example, missing, refers, web, wrong)\n  at network.nix:7:", ""},
	} {
		t.Run(c.node, func(t *testing.T) {
			var r recorder
			_, err := r.nix().BuildBundle(t.Context(), dir, c.node, "")
			if err == nil || !strings.Contains(err.Error(), c.text) {
				t.Fatalf("error is\n%v\nwant\n%s", err, c.text)
			}
			if strings.Contains(err.Error(), dir) {
				t.Errorf("error names the temporary folder:\n%v", err)
			}
			if got := r.steps(); got != c.steps {
				t.Errorf("steps: %s", got)
			}
			if hints := strings.Join(fail.HintsOf(err), "\n"); !strings.Contains(hints, c.hint) {
				t.Errorf("hints: %q", hints)
			}
		})
	}
	if _, err := New(event.Discard).BuildBundle(t.Context(), dir, `x".y`, ""); err == nil {
		t.Error("a name with a quote was taken")
	}
}

func TestManifest(t *testing.T) {
	dir := network(t, map[string]string{"network.nix": twoNodes, "nodes/wrong.nix": "throw \"must not be evaluated\""})
	m, err := New(event.Discard).Manifest(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Names(); !slices.Equal(got, []string{"bad", "db.example", "missing", "refers", "web", "wrong"}) {
		t.Errorf("nodes %q", got)
	}
}

func TestInstantiateAndRealise(t *testing.T) {
	dir := network(t, map[string]string{"network.nix": twoNodes, "nodes/wrong.nix": "0"})
	var r recorder
	n := r.nix()
	drvRoot, outRoot := filepath.Join(t.TempDir(), "drv"), filepath.Join(t.TempDir(), "out")
	drv, err := n.Instantiate(t.Context(), dir, "web", drvRoot)
	if err != nil || !strings.HasSuffix(drv, "-deploy.json-web.drv") {
		t.Fatalf("%q, %v", drv, err)
	}
	path, err := n.Realise(t.Context(), drv, outRoot)
	if err != nil {
		t.Fatal(err)
	}
	if target, _ := os.Readlink(outRoot); target != path {
		t.Errorf("the root leads to %q, not to %q", target, path)
	}
	if got, want := r.steps(), "evaluate-started evaluate-done build-started build-done"; got != want {
		t.Errorf("steps: %s", got)
	}
	if _, err := n.Realise(t.Context(), "--help", ""); err == nil {
		t.Error("an option was taken for a store path")
	}
	out, err := exec.Command("nix-store", "--gc", "--print-roots").Output()
	if err != nil || !strings.Contains(string(out), outRoot) || !strings.Contains(string(out), drvRoot) {
		t.Errorf("roots are not registered: %v\n%s", err, out)
	}
}

func TestCancelledBuildStops(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // Nix leaves the build's folder
	dir := network(t, map[string]string{"network.nix": `{ slow = mk: mk "slow" "echo started; while :; do :; done"; }`})
	ctx, cancel := context.WithCancel(t.Context())
	n := New(event.SinkFunc(func(e event.Event) {
		if e.Message == "started" {
			cancel()
		}
	}))
	began := time.Now()
	_, err := n.BuildBundle(ctx, dir, "slow", "")
	if !errors.Is(err, context.Canceled) || fail.CodeOf(err) != fail.Cancelled {
		t.Errorf("error %v, code %d", err, fail.CodeOf(err))
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestEntryOf(t *testing.T) {
	dir := t.TempDir()
	if _, err := EntryOf(dir); err == nil || len(fail.HintsOf(err)) == 0 {
		t.Errorf("empty folder: %v", err)
	}
	write(t, filepath.Join(dir, "network.nix"), "{}")
	if e, err := EntryOf(dir); e != NetworkEntry || err != nil {
		t.Errorf("%q, %v", e, err)
	}
	write(t, filepath.Join(dir, "flake.nix"), "{}")
	if e, err := EntryOf(dir); e != FlakeEntry || err != nil {
		t.Errorf("%q, %v", e, err)
	}
}

// build builds an expression over mk and returns its path.
func build(t *testing.T, expr string) string {
	t.Helper()
	out, err := exec.Command("nix-build", "--no-out-link", "-E", `let mk = name: text: derivation {
		inherit name; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" text ]; }; in `+expr).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func TestClosureDiff(t *testing.T) {
	testenv.Nix(t)
	from := build(t, `mk "system-1" "echo ${mk "lib-1.0" "echo old > $out"} ${mk "same-3" "echo > $out"} ${mk "gone-2" "echo > $out"} > $out"`)
	to := build(t, `mk "system-1" "echo ${mk "lib-1.1" "echo new and longer > $out"} ${mk "same-3" "echo > $out"} ${mk "new" "echo > $out"} > $out"`)
	n := New(event.Discard)
	d, err := n.ClosureDiff(t.Context(), from, to)
	if err != nil {
		t.Fatal(err)
	}
	names := func(changes []event.PackageChange) string {
		var s []string
		for _, c := range changes {
			s = append(s, c.Name+" "+strings.Join(c.From, ",")+"→"+strings.Join(c.To, ","))
		}
		return strings.Join(s, "; ")
	}
	if got, want := names(d.Added), "new →"; got != want {
		t.Errorf("added %q", got)
	}
	if got, want := names(d.Removed), "gone 2→"; got != want {
		t.Errorf("removed %q", got)
	}
	if got, want := names(d.Changed), "lib 1.0→1.1; system 1→1"; got != want {
		t.Errorf("changed %q", got)
	}
	var delta int64
	for _, c := range slices.Concat(d.Added, d.Removed, d.Changed) {
		delta += c.Delta
	}
	if delta != d.Delta() || d.Size == 0 || d.FromSize == 0 {
		t.Errorf("sizes %d and %d differ by %d, the packages by %d", d.FromSize, d.Size, d.Delta(), delta)
	}

	first, err := n.ClosureDiff(t.Context(), "", to)
	if err != nil || len(first.Added) != 4 || first.FromSize != 0 {
		t.Errorf("first deployment: %+v, %v", first, err)
	}
	gone := StoreDir() + "/00000000000000000000000000000000-gone"
	began := time.Now()
	if _, err := n.ClosureDiff(t.Context(), gone, to); err == nil || !strings.Contains(err.Error(), "-gone' is not valid") {
		t.Errorf("a path that is not there: %v", err)
	}
	t.Logf("said so after %s", time.Since(began))
	if same, err := n.ClosureDiff(t.Context(), to, to); err != nil || !same.Empty() {
		t.Errorf("same: %+v, %v", same, err)
	}
}

func TestProfile(t *testing.T) {
	store := testenv.Nix(t)
	a, b := build(t, `mk "system-a" "echo a > $out"`), build(t, `mk "system-b" "echo b > $out"`)
	n := New(event.Discard)
	profile := filepath.Join(store, "profiles", "system")
	if err := os.Mkdir(filepath.Dir(profile), 0o755); err != nil {
		t.Fatal(err)
	}
	if gens, err := Generations(profile); err != nil || len(gens) != 0 {
		t.Errorf("no profile: %v, %v", gens, err)
	}
	for _, p := range []string{a, b, b, a} {
		if err := n.SetProfile(t.Context(), profile, p); err != nil {
			t.Fatal(err)
		}
		if now, err := Resolve(profile); err != nil || now != p {
			t.Fatalf("the profile leads to %q (%v), not to %q", now, err, p)
		}
	}
	gens, err := Generations(profile)
	if err != nil || len(gens) != 3 || gens[0].Path != a || gens[1].Path != b || !gens[2].Current || gens[1].Current || gens[0].Number != 1 {
		t.Errorf("generations %+v, %v", gens, err)
	}
}

// TestCopyTo copies into a second store of the same name, as a node has it:
// "there" are the same environment variables with another database and a
// bind of the store would need root, so it exports, deletes, and imports.
func TestCopyTo(t *testing.T) {
	testenv.Nix(t)
	path := build(t, `mk "top" "echo ${mk "dep" "echo dep > $out"} > $out"`)
	n := New(event.Discard)
	closure, err := n.Closure(t.Context(), path)
	if err != nil || len(closure) != 2 || closure[1] != path {
		t.Fatalf("closure %q, %v", closure, err)
	}
	stream := filepath.Join(t.TempDir(), "stream")
	var asked [][]string
	// The other machine has nothing and keeps what it is sent.
	run := func(_ context.Context, argv []string, stdin io.Reader, stdout io.Writer) error {
		asked = append(asked, argv)
		switch argv[1] {
		case "--check-validity":
			_, err := io.WriteString(stdout, strings.Join(argv[3:], "\n")+"\n")
			return err
		case "--import":
			data, err := io.ReadAll(stdin)
			if err != nil {
				return err
			}
			return os.WriteFile(stream, data, 0o600)
		}
		return errors.New("unexpected")
	}
	var r recorder
	if err := r.nix().CopyTo(t.Context(), run, path); err != nil {
		t.Fatal(err)
	}
	if len(asked) != 3 || r.steps() != "copy-started copy-done" {
		t.Errorf("asked %q, steps %s", asked, r.steps())
	}
	if last := r.events[len(r.events)-2]; last.Kind != event.Progress || last.Done != last.Expected || last.Done == 0 {
		t.Errorf("last progress %+v", last)
	}

	if out, err := exec.Command("nix-store", append([]string{"--delete"}, closure[1], closure[0])...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if valid, err := n.ValidPath(t.Context(), path); valid || err != nil {
		t.Fatalf("deleted, but %v, %v", valid, err)
	}
	f, err := os.Open(stream)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	imported := exec.Command(asked[2][0], asked[2][1:]...)
	imported.Stdin = f
	if out, err := imported.CombinedOutput(); err != nil {
		t.Fatalf("%q: %v: %s", asked[2], err, out)
	}
	if valid, err := n.ValidPath(t.Context(), path); !valid || err != nil {
		t.Errorf("imported, but %v, %v", valid, err)
	}

	// A machine that has everything is asked once.
	asked = nil
	all := func(_ context.Context, argv []string, _ io.Reader, _ io.Writer) error {
		asked = append(asked, argv)
		return nil
	}
	if err := n.CopyTo(t.Context(), all, path); err != nil || len(asked) != 1 {
		t.Errorf("asked %q, %v", asked, err)
	}
	// One that fails is not waited for.
	broken := func(_ context.Context, argv []string, _ io.Reader, stdout io.Writer) error {
		if argv[1] == "--import" {
			return errors.New("disk full")
		}
		_, err := io.WriteString(stdout, strings.Join(argv[3:], "\n")+"\n")
		return err
	}
	if err := n.CopyTo(t.Context(), broken, path); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("error %v", err)
	}
}

func TestExtract(t *testing.T) {
	parent := t.TempDir()
	src := t.TempDir()
	write(t, filepath.Join(src, "cli.nix"), "1")
	write(t, filepath.Join(src, "lib", "a.nix"), "2")
	one, err := extract(os.DirFS(src), parent)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(one, "lib", "a.nix")); err != nil || string(data) != "2" {
		t.Errorf("%q, %v", data, err)
	}
	if again, err := extract(os.DirFS(src), parent); err != nil || again != one {
		t.Errorf("again: %q, %v", again, err)
	}
	write(t, filepath.Join(src, "lib", "a.nix"), "3")
	if other, err := extract(os.DirFS(src), parent); err != nil || other == one {
		t.Errorf("other content: %q, %v", other, err)
	}
	if entries, _ := os.ReadDir(parent); len(entries) != 2 {
		t.Errorf("left over: %v", entries)
	}
}

func TestResolve(t *testing.T) {
	t.Setenv("NIX_STORE_DIR", "/nix/store")
	dir := t.TempDir()
	path := "/nix/store/4lyz2ar09fkjr3yh30afra3k04bjnl2x-a-2.0"
	for link, to := range map[string]string{"gen": path, "profile": "gen", "out": "/etc/passwd", "loop": "loop"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := Resolve(filepath.Join(dir, "profile")); got != path || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	for _, link := range []string{"out", "loop", "none"} {
		if got, err := Resolve(filepath.Join(dir, link)); err == nil {
			t.Errorf("%s: %q", link, got)
		}
	}
	if _, err := Resolve(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
}
