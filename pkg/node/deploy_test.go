package node

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/pkg/activate"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/nix"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

func TestPlainPush(t *testing.T) {
	w := newWorld(t)
	first := w.git("rev-parse", "HEAD")
	out := w.mustPush()
	t.Log(out)
	if w.said() != "one" {
		t.Errorf("says %q", w.said())
	}
	for _, want := range []string{"evaluate", "build", "switch", "succeeded"} {
		if !strings.Contains(out, want) {
			t.Errorf("the pusher was not told of %q", want)
		}
	}
	w.idle()
	refs := w.refs()
	if refs[RefCurrent] != first || refs[RefBoot] != first {
		t.Errorf("refs: %v", refs)
	}
	second := w.commit("second", "two")
	w.mustPush()
	w.idle()
	if w.said() != "two" || w.refs()[RefCurrent] != second {
		t.Errorf("says %q, refs %v", w.said(), w.refs())
	}
	log := w.log()
	if len(log) != 2 {
		t.Fatalf("%d entries", len(log))
	}
	r := log[0]
	if r.Commit != second || r.PreviousCommit != first || r.Outcome != event.Succeeded || r.Action != "switch" || r.Node != "web" || r.Network != "home" ||
		r.Summary != "second" || r.StepMillis[event.Switch] == 0 || r.Started.IsZero() || r.Finished.Before(r.Started) || r.Tool != "test" {
		t.Errorf("record: %+v", r)
	}
	if show := w.git("-C", w.l.Repo("home"), "log", "-1", "--format=%an|%cn|%(trailers:key=Outcome,valueonly,separator=)|%(trailers:key=Deployment,valueonly,separator=)", RefLog); !strings.HasSuffix(show, "|git-deploy|succeeded|"+w.newest()) {
		t.Errorf("git log: %s", show)
	}
	if tree := w.git("-C", w.l.Repo("home"), "rev-parse", RefLog+"^{tree}"); tree != w.git("rev-parse", "HEAD^{tree}") {
		t.Error("the log entry does not hold the deployed tree")
	}
}

// What is told of many nodes costs no process for each.
func TestToldOfMany(t *testing.T) {
	w := newWorld(t)
	programs := func(nodes int) int {
		trace := t.TempDir()
		args := []string{"push", "web"}
		for i := range nodes {
			args = append(args, fmt.Sprintf("main:refs/nodes/n%d/heads/main", i))
		}
		t.Setenv("GIT_TRACE2_EVENT", trace)
		w.git(args...)
		t.Setenv("GIT_TRACE2_EVENT", "")
		files, err := os.ReadDir(trace)
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	programs(30)
	w.commit("second", "two")
	one := programs(1)
	w.commit("third", "three")
	if many := programs(30); many != one || one == 0 {
		t.Errorf("git was started %d times to be told of 30 nodes, and %d times for one", many, one)
	}
}

// A refused push changes nothing, and says why.
func TestRefused(t *testing.T) {
	w := newWorld(t)
	old := w.git("rev-parse", "HEAD")
	w.mustPush()
	tip := w.commit("second", "two")
	w.git("push", "web", "main:other") // other branches are stored and not deployed
	if w.said() != "one" || w.refs()["refs/heads/other"] != tip {
		t.Errorf("says %q, other is at %v", w.said(), w.refs())
	}
	w.git("push", "web", "main:refs/nodes/alice/heads/main", "main:refs/nodes/alice/deploy/log")
	// What another node runs may be older than it was, after a rollback there.
	w.git("push", "web", "main:refs/nodes/alice/deploy/current")
	w.git("push", "-f", "web", old+":refs/nodes/alice/deploy/current")
	w.git("tag", "v1")
	w.git("push", "web", "v1")
	before := w.refs()
	w.git("checkout", "-q", "--orphan", "unrelated")
	w.git("commit", "-q", "-m", "unrelated")
	w.git("checkout", "-q", "-b", "foreign", tip)
	write(t, w.clone+"/network-id", "00000000-1111-2222-3333-444444444444\n")
	w.git("commit", "-q", "-am", "foreign")
	w.git("checkout", "-q", "-b", "none", tip)
	w.git("rm", "-q", "network-id")
	w.git("commit", "-q", "-m", "none")
	w.git("checkout", "-q", "main")
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"rewind", []string{"-f", "unrelated:main"}, "nothing on a node is ever rewound"},
		{"deletion", []string{":main"}, "cannot be deleted"},
		{"protected ref", []string{"main:refs/deploy/current"}, "nobody can push below refs/deploy/"},
		{"protected ref beside a good one", []string{"main", "main:refs/deploy/x"}, "nobody can push below refs/deploy/"},
		{"replacement of a commit", []string{"main:refs/replace/" + old}, "take one thing for another"},
		{"a tag named as a branch", []string{"main:refs/tags/refs/heads/main"}, "take one thing for another"},
		{"other node's ref rewound", []string{"-f", old + ":refs/nodes/alice/heads/main"}, "only moves forward"},
		{"other node's log rewound", []string{"-f", old + ":refs/nodes/alice/deploy/log"}, "only moves forward"},
		{"other node's ref deleted", []string{":refs/nodes/alice/heads/main"}, "cannot be deleted"},
		{"other network", []string{"foreign:main"}, "is of another network (id 00000000-1111-2222-3333-444444444444); this machine is node \"web\""},
		{"no network", []string{"none:main"}, "has no file network-id"},
		{"meant for another node", []string{"main", "-o", "node=alice"}, "the push is for node \"alice\""},
		{"meant for another network", []string{"main", "-o", "network=00000000-1111"}, "the push is for the network with id"},
		{"unknown option", []string{"main", "-o", "acton=boot"}, "push option \"acton\" is unknown; there are: action="},
		{"bad choice", []string{"main", "-o", "action=reboot"}, "choose one of switch, boot, test, build"},
		{"bad id", []string{"main", "-o", "deployment=../../x"}, "is not a deployment id"},
		{"deployer builds without the helper", []string{"main", "-o", "build=deployer"}, "needs git-remote-node"},
	} {
		out, err := w.gitTry(append([]string{"push", "web"}, c.args...)...)
		out = strings.ReplaceAll(out, "\nremote: ", "\n")
		if err == nil || !strings.Contains(strings.Join(strings.Fields(out), " "), c.want) {
			t.Errorf("%s: %v\n%s\nwant: %s", c.name, err, out, c.want)
		}
	}
	if after := w.refs(); !maps.Equal(before, after) {
		t.Errorf("refs moved: %v, %v", before, after)
	}
	if len(w.log()) != 1 || w.said() != "one" {
		t.Errorf("log %v, says %q", w.log(), w.said())
	}
	w.idle()
}

func TestDoesNotEvaluateOrBuild(t *testing.T) {
	w := newWorld(t)
	good := w.git("rev-parse", "HEAD")
	w.mustPush()
	for name, configuration := range map[string]string{
		"evaluate": `environment.etc."x".text = throw "no such luck";`,
		"build":    `environment.etc."x".source = derivation { name = "broken-thing"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "echo some words; exit 3" ]; };`,
	} {
		w.git("reset", "-q", "--hard", good)
		w.commit(name, "bad", "", configuration)
		out, err := w.push()
		if err == nil || !strings.Contains(out, name+" ... failed") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		for _, want := range map[string][]string{"evaluate": {"no such luck"}, "build": {"broken-thing", "some words"}}[name] {
			if !strings.Contains(out, want) {
				t.Errorf("%s: the pusher was not told %q:\n%s", name, want, out)
			}
		}
		if w.said() != "one" || w.refs()["refs/heads/main"] != good || w.outcome(w.newest()) != event.Failed {
			t.Errorf("%s: says %q, refs %v", name, w.said(), w.refs())
		}
		if _, err := os.Lstat(w.l.Result(w.newest())); err == nil {
			t.Errorf("%s: left a GC root", name)
		}
	}
	w.idle()
}

const failing = `system.activationScripts.sick = "echo I am sick; exit 1";`

func TestRolledBack(t *testing.T) {
	w := newWorld(t)
	bad := w.commit("bad from the first", "zero", "", failing)
	out, err := w.push()
	t.Log(out, err)
	refs := w.refs()
	if refs["refs/heads/main"] != "" || refs[RefCurrent] != "" || refs[RefFailed+w.newest()] != bad {
		t.Errorf("a first deployment that failed: %v", refs)
	}
	if o := w.outcome(w.newest()); o.OK() {
		t.Errorf("outcome %s", o)
	}
	good := w.commit("good", "one")
	w.mustPush()
	w.idle()
	bad = w.commit("bad", "two", "", failing)
	out, _ = w.push()
	for _, want := range []string{"I am sick", "rolled-back"} {
		if !strings.Contains(out, want) {
			t.Errorf("the pusher was not told %q:\n%s", want, out)
		}
	}
	refs = w.refs()
	if w.said() != "one" || refs["refs/heads/main"] != good || refs[RefCurrent] != good || refs[RefFailed+w.newest()] != bad {
		t.Errorf("says %q, refs %v", w.said(), refs)
	}
	if r := w.log()[0]; r.Outcome != event.RolledBack || r.Commit != bad || !strings.Contains(r.Reason, "sick") {
		t.Errorf("record: %+v", r)
	}
	w.idle()
	w.commit("fixed", "three")
	w.mustPush()
	if w.said() != "three" {
		t.Errorf("says %q after the fix", w.said())
	}
	w.idle()
}

func TestActions(t *testing.T) {
	w := newWorld(t)
	one := w.git("rev-parse", "HEAD")
	w.mustPush()
	two := w.commit("second", "two")
	before := w.refs()
	for option, outcome := range map[string]event.Outcome{"dry-run": event.DryRun, "action=build": event.Built} {
		out, err := w.push("-o", option)
		if err == nil || !strings.Contains(out, string(outcome)) || !strings.Contains(out, "closure:") {
			t.Errorf("%s: %v\n%s", option, err, out)
		}
		if !maps.Equal(before, w.refs()) || w.said() != "one" || w.outcome(w.newest()) != outcome {
			t.Errorf("%s: refs %v, says %q", option, w.refs(), w.said())
		}
		if _, err := os.Stat(w.l.Result(w.newest())); (err == nil) != (outcome == event.Built) {
			t.Errorf("%s: GC root: %v", option, err)
		}
		w.idle()
	}
	w.mustPush("-o", "action=boot")
	refs := w.refs()
	if w.said() != "one" || refs[RefCurrent] != one || refs[RefBoot] != two || refs["refs/heads/main"] != two {
		t.Errorf("boot: says %q, refs %v", w.said(), refs)
	}
	w.idle()
	w.reboot()
	if refs := w.refs(); refs[RefCurrent] != two {
		t.Errorf("after the reboot: %v", refs)
	}
	w.idle()

	three := w.commit("third", "three")
	w.mustPush("-o", "action=test")
	tested := w.newest()
	refs = w.refs()
	if w.said() != "three" || refs[RefCurrent] != three || refs[RefBoot] != two || refs["refs/heads/main"] != three {
		t.Errorf("test: says %q, refs %v", w.said(), refs)
	}
	w.idle()
	w.reboot()
	refs = w.refs()
	if refs[RefCurrent] != two || refs["refs/heads/main"] != two || refs[RefFailed+tested] != three {
		t.Errorf("after the reboot: %v", refs)
	}
	w.idle()
	w.mustPush() // the tested one for good
	if refs := w.refs(); refs[RefCurrent] != three || refs[RefBoot] != three {
		t.Errorf("for good: %v", refs)
	}
	w.idle()
}

func TestPrebuilt(t *testing.T) {
	w := newWorld(t)
	w.mustPush()
	two := w.commit("second", "two")
	path, drv := w.build(), w.nix("nix-instantiate")
	out := w.mustPush("-o", "bundle="+path, "-o", "build=deployer")
	if w.said() != "two" || w.refs()[RefCurrent] != two || strings.Contains(out, "evaluate") {
		t.Errorf("bundle: says %q\n%s", w.said(), out)
	}
	w.commit("third", "three")
	w.mustPush("-o", "drv="+drv, "-o", "evaluate=deployer") // of the second: the deployer's word counts
	if w.said() != "two" {
		t.Errorf("drv: says %q", w.said())
	}
	w.idle()
	w.commit("fourth", "four")
	missing := nix.StoreDir() + "/" + strings.Repeat("0", 32) + "-deploy.json"
	if out, err := w.push("-o", "bundle="+missing); err == nil || !strings.Contains(out, "is not here") {
		t.Errorf("a bundle that is not here: %v\n%s", err, out)
	}
	file := w.clone + "/" + strings.Repeat("0", 32) + "-deploy.json"
	if out, err := w.push("-o", "bundle="+file); err == nil {
		t.Errorf("a bundle outside the store:\n%s", out)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range [][2]string{{`"web"`, `"alice"`}, {networkID, "00000000-1111"}} {
		other := w.clone + "/deploy.json"
		write(t, other, strings.ReplaceAll(string(text), wrong[0], wrong[1]))
		added, err := run("/", "nix-store", "--add", other)
		if err != nil {
			t.Fatal(added)
		}
		if out, err := w.push("-o", "bundle="+added); err == nil || !strings.Contains(out, "and this is node") {
			t.Errorf("a bundle for %s: %v\n%s", wrong[1], err, out)
		}
	}
	w.idle()
}

// A deployer that promises to connect anew has to, within the node's limit.
func TestConfirmation(t *testing.T) {
	w := newWorld(t)
	w.mustPush()
	limit := "deploy.timeouts.confirm = 2;"
	w.commit("confirmed", "two", limit)
	waits := func(id string) {
		t.Helper()
		eventually(t, "it waits for the confirmation", func() bool {
			events, _ := statedir.ReadEvents(w.l, id)
			return slices.ContainsFunc(events, func(e event.Event) bool { return e.Step == event.Confirm })
		})
	}
	id := statedir.NewID()
	if err := Confirm(w.l, id, activate.Confirms, ""); err == nil {
		t.Error("confirmed an unknown deployment")
	}
	w.mustPush("-o", "follow=false", "-o", "confirm=true", "-o", "deployment="+id)
	waits(id)
	if w.said() != "two" {
		t.Errorf("says %q", w.said())
	}
	if err := Confirm(w.l, id, activate.Confirms, ""); err != nil {
		t.Error(err)
	}
	ends := func(id string, want event.Outcome) {
		t.Helper()
		if err := Follow(ctx, w.l, id, 0, func(event.Event) error { return nil }); err != nil {
			t.Error(err)
		}
		if o := w.outcome(id); o != want {
			t.Errorf("outcome %s", o)
		}
		w.idleSoon()
	}
	ends(id, event.Succeeded)
	if err := Confirm(w.l, id, activate.Confirms, ""); err == nil {
		t.Error("confirmed what is over")
	}
	w.commit("not confirmed", "three", limit)
	id = statedir.NewID()
	w.mustPush("-o", "follow=false", "-o", "confirm=true", "-o", "deployment="+id)
	waits(id)
	ends(id, event.RolledBack)
	if w.said() != "two" {
		t.Errorf("says %q", w.said())
	}
}
