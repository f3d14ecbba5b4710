package push

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/hooks"
	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// site is a world with the node web, to which the first commit was pushed.
func site(t *testing.T) (w *world, repo string) {
	t.Helper()
	w = newWorld(t)
	repo = w.node("web")
	w.remote("web")
	w.git(w.clone, "push", "-q", "web")
	return w, repo
}

// theirs commits on the node itself, as another clone's push would.
func (w *world) theirs(repo, file, content string) string {
	w.t.Helper()
	other := filepath.Join(w.dir, "other")
	if _, err := os.Stat(other); err != nil {
		w.git("", "clone", "-q", repo, other)
	}
	w.git(other, "pull", "-q", "--rebase", "origin", "main")
	oid := w.commit(other, file, content)
	w.git(other, "push", "-q", "--receive-pack", "git -c core.hooksPath=/dev/null receive-pack", "origin", "main")
	return oid
}

func TestFirstPush(t *testing.T) {
	w := newWorld(t)
	repo := w.node("web")
	w.remote("web")
	out := w.git(w.clone, "push", "web")
	w.says(out, "web: build ... done", "now runs", "[new branch]      main -> main")
	head := w.rev(w.clone, "HEAD")
	w.equal("branch", w.rev(repo, "refs/heads/main"), head)
	w.equal("current", w.rev(repo, refCurrent), head)
	w.equal("tracking", w.rev(w.clone, "refs/remotes/web/main"), head)
	options, err := filepath.Glob(filepath.Join(w.dir, "root1/var/lib/git-deploy/deployments/*/options"))
	if err != nil || len(options) != 1 {
		t.Fatal(options, err)
	}
	data, _ := os.ReadFile(options[0])
	var o map[string]string
	if err := json.Unmarshal(data, &o); err != nil {
		t.Fatal(err)
	}
	if o["by"] != "Ada <ada@example.org>" || o["node"] != "web" || o["network"] != networkID || o["action"] != "switch" || o["follow"] != "false" || o["confirm"] != "" {
		t.Errorf("options %v", o)
	}
}

// The branch moves, nobody deploys, and the push says so.
func TestPushThatNoHookSees(t *testing.T) {
	w, repo := site(t)
	if err := os.RemoveAll(filepath.Join(repo, "hooks")); err != nil {
		t.Fatal(err)
	}
	first := w.rev(w.clone, "HEAD")
	second := w.commit(w.clone, "a", "1")
	w.fails(w.clone, []string{"push", "web"}, "web took the commit into its branch main, and no deployment of it began there", "hint: git deploy doctor web")
	w.equal("branch", w.rev(repo, "main"), second)
	w.equal("tracking", w.rev(w.clone, "refs/remotes/web/main"), second)
	w.equal("current", w.rev(repo, refCurrent), first)
	// What is there is deployed by the next push, as after any failure.
	w.says(w.git(w.clone, "push", "web"), "switch ... done")
	w.equal("current", w.rev(repo, refCurrent), second)
}

// Another push brings the same commit while this one is on its way: git has
// nothing to send then, and no hook runs.
func TestPushOfWhatHasComeMeanwhile(t *testing.T) {
	w, repo := site(t)
	head := w.commit(w.clone, "a", "1")
	hook := filepath.Join(w.clone, ".git/hooks/pre-push")
	w.write(hook, "#!/bin/sh\nexec git push -q --no-verify --receive-pack 'git -c core.hooksPath=/dev/null receive-pack' '"+repo+"' main\n")
	if err := os.Chmod(hook, 0o755); err != nil {
		t.Fatal(err)
	}
	out := w.git(w.clone, "push", "web")
	w.says(out, "switch ... done")
	w.equal("current", w.rev(repo, refCurrent), head)
}

func TestPushToANodeWithOtherHooks(t *testing.T) {
	w, repo := site(t)
	first := w.rev(w.clone, "HEAD")
	w.commit(w.clone, "a", "1")
	l := statedir.FromEnv()
	reply := HelloReply{Version: 1, Node: "web", Branch: "main", Network: bundle.NetworkID{Name: "home", ID: networkID}}
	reply.Hooks = &hooks.State{Problem: "hooks/pre-receive is not a hook of git-deploy", Hint: "mv it away"}
	if err := statedir.WriteJSON(l.NodeFile("home"), reply, 0o600); err != nil {
		t.Fatal(err)
	}
	w.fails(w.clone, []string{"push", "web"}, "refused: unchanged: it did not take ", "hooks/pre-receive is not a hook of git-deploy", "hint: mv it away")
	w.equal("branch", w.rev(repo, "main"), first)
	reply.Hooks = &hooks.State{Restored: []string{"pre-receive", "core.hooksPath"}}
	if err := statedir.WriteJSON(l.NodeFile("home"), reply, 0o600); err != nil {
		t.Fatal(err)
	}
	w.says(w.git(w.clone, "push", "web"), "warning: its hooks were not as git-deploy had made them", "restored: pre-receive, core.hooksPath", "now runs")
}

func TestUpToDateIsOneCommand(t *testing.T) {
	w, _ := site(t)
	log := filepath.Join(w.dir, "verbs")
	t.Setenv("FAKE_LOG", log)
	out := w.git(w.clone, "push", "web")
	w.says(out, "Everything up-to-date")
	verbs, _ := os.ReadFile(log)
	w.equal("verbs", string(verbs), "hello\n")
}

// Whoever forgot to commit learns it also where there is nothing to send.
func TestUpToDateTellsOfUncommittedChanges(t *testing.T) {
	w, _ := site(t)
	const notice = "uncommitted changes in network.nix stay here"
	if out := w.git(w.clone, "push", "web"); strings.Contains(out, notice) {
		t.Errorf("nothing is changed, and yet: %s", out)
	}
	w.write(filepath.Join(w.clone, "network.nix"), "{ dirty = 1; }\n")
	w.says(w.git(w.clone, "push", "web"), notice, "Everything up-to-date")
	w.git(w.clone, "tag", "marked")
	w.says(w.git(w.clone, "push", "--atomic", "web", "main", "marked"), notice, "[new tag]")
}

func TestNotRunningIsDeployedAgain(t *testing.T) {
	w, repo := site(t)
	first := w.rev(w.clone, "HEAD")
	second := w.theirs(repo, "a", "1")
	w.git(w.clone, "pull", "-q", "--ff-only", "web", "main")
	w.equal("current", w.rev(repo, refCurrent), first)
	out := w.git(w.clone, "push", "web")
	w.says(out, "switch ... done", "Everything up-to-date")
	w.equal("current", w.rev(repo, refCurrent), second)
}

func TestOutcomes(t *testing.T) {
	w, repo := site(t)
	first := w.rev(w.clone, "HEAD")
	w.commit(w.clone, "outcome", "does not build\n")
	w.fails(w.clone, []string{"push", "web"}, "[remote rejected] main -> main (failed: builder failed)", "with two lines")
	w.equal("branch", w.rev(repo, "main"), first)
	w.equal("tracking", w.rev(w.clone, "web/main"), first)
	w.commit(w.clone, "outcome", "rolls back\n")
	w.fails(w.clone, []string{"push", "web"}, `[remote rejected] main -> main (rolled back: health check "web" failed)`)
	w.equal("branch", w.rev(repo, "main"), first)
	w.equal("tracking", w.rev(w.clone, "web/main"), first)
}

func TestDryRunAndBuildMoveNothing(t *testing.T) {
	w, repo := site(t)
	first := w.rev(w.clone, "HEAD")
	w.commit(w.clone, "f", "1")
	theirs := w.theirs(repo, "theirs", "1")
	for _, args := range [][]string{{"push", "--dry-run", "web"}, {"push", "-o", "dry-run", "web"}, {"push", "-o", "action=build", "web"}, {"push", "--dry-run", "web", "main", "HEAD:refs/heads/other"}} {
		before := w.git(w.clone, "for-each-ref")
		out := w.git(w.clone, args...)
		w.says(out, "build ... done", "unchanged: ")
		w.equal("branch", w.rev(repo, "main"), theirs)
		w.equal("current", w.rev(repo, refCurrent), first)
		w.equal("refs", strings.ReplaceAll(w.git(w.clone, "for-each-ref"), theirs, first), strings.ReplaceAll(before, theirs, first))
	}
	if _, err := w.try(repo, "rev-parse", "--verify", "refs/heads/other"); err == nil {
		t.Error("a dry run pushed another branch")
	}
}

func TestOtherRefsGoByGitsRules(t *testing.T) {
	w, repo := site(t)
	w.git(w.clone, "tag", "-am", "one", "v1")
	head := w.commit(w.clone, "f", "1")
	out := w.git(w.clone, "push", "web", "main", "main:refs/heads/store", "v1", "HEAD~1:refs/heads/old")
	w.says(out, "[new branch]      main -> store", "[new tag]         v1 -> v1", "main -> main")
	w.equal("store", w.rev(repo, "store"), head)
	w.equal("tag", w.git(repo, "cat-file", "-t", "v1"), "tag")
	w.equal("main", w.rev(repo, "main"), head)

	w.fails(w.clone, []string{"push", "web", "main~1:refs/heads/store"}, "non-fast-forward")
	w.git(w.clone, "push", "web", "+main~1:refs/heads/store")
	w.equal("store", w.rev(repo, "store"), w.rev(w.clone, "main~1"))
	w.fails(w.clone, []string{"push", "--force-with-lease=store:" + head, "web", "main:store"}, "stale info")
	w.git(w.clone, "push", "--force-with-lease=store:"+w.rev(w.clone, "main~1"), "web", "main:store")
	w.says(w.git(w.clone, "push", "web", ":refs/heads/store", ":v1"), "[deleted]         store", "[deleted]         v1")
	w.says(w.git(w.clone, "push", "web", "main:refs/heads/old"), "old")
	w.fails(w.clone, []string{"push", "web", ":main"}, "cannot be deleted")
	w.equal("main", w.rev(repo, "main"), head)
}

func TestAtomic(t *testing.T) {
	w, repo := site(t)
	first := w.rev(w.clone, "HEAD")
	w.commit(w.clone, "outcome", "does not build\n")
	out := w.fails(w.clone, []string{"push", "--atomic", "web", "main", "main:refs/heads/store"}, "failed: builder failed", "atomic push failed")
	if strings.Contains(out, "new branch") {
		t.Error(out)
	}
	w.equal("refs", w.git(repo, "for-each-ref", "--format=%(refname)", "refs/heads"), "refs/heads/main")
	w.equal("main", w.rev(repo, "main"), first)
	// Without atomic they do not depend on each other.
	w.fails(w.clone, []string{"push", "web", "main", "main:refs/heads/store"}, "failed: builder failed", "[new branch]      main -> store")
	head := w.commit(w.clone, "outcome", "builds\n")
	w.git(w.clone, "push", "--atomic", "web", "main", "main:refs/heads/store2")
	w.equal("main", w.rev(repo, "main"), head)
	w.equal("store2", w.rev(repo, "store2"), head)
	w.git(w.clone, "push", "--atomic", "web", "main", "main:refs/heads/store3")
	w.equal("store3", w.rev(repo, "store3"), head)
}

func TestLostRaces(t *testing.T) {
	w, repo := site(t)
	w.theirs(repo, "theirs", "0")
	w.git(w.clone, "push", "-q", "web")
	ours := w.commit(w.clone, "ours", "1")
	// While the node builds, another push gets in.
	race := filepath.Join(w.dir, "race")
	w.write(race, `set -e; cd '`+w.dir+`/other'; echo 1 >theirs; git commit -qam race
git push -q --receive-pack 'git -c core.hooksPath=/dev/null receive-pack' origin main`)
	t.Setenv("FAKE_RACE", race)
	w.git(w.clone, "push", "web")
	theirs := w.rev(filepath.Join(w.dir, "other"), "HEAD")
	w.equal("parents", w.git(repo, "log", "-1", "--format=%P", "main"), ours+" "+theirs)
	w.equal("current", w.rev(repo, refCurrent), w.rev(repo, "main"))
	w.equal("local", w.rev(w.clone, "main"), w.rev(repo, "main"))
}

func TestWrongNodeAndNetwork(t *testing.T) {
	w, _ := site(t)
	w.commit(w.clone, "f", "1")
	w.git(w.clone, "config", "remote.web.deployNode", "gateway")
	w.fails(w.clone, []string{"push", "web"}, `the host at this address is the node "web" and not "gateway"`, "git config remote.web.deployNode web")
	w.git(w.clone, "config", "remote.web.deployNode", "web")
	w.commit(w.clone, "network-id", "5f0c5d3e-0000-4000-8000-000000000002\n")
	w.fails(w.clone, []string{"push", "web"}, `web belongs to the network "home"`, "git deploy adopt")
	w.git(w.clone, "rm", "-q", "network-id")
	w.git(w.clone, "commit", "-qm", "no id")
	w.fails(w.clone, []string{"push", "web"}, "it has no file network-id", "git deploy init")
}

func TestPushOptionsAreChecked(t *testing.T) {
	w, _ := site(t)
	w.commit(w.clone, "f", "1")
	for option, words := range map[string]string{
		"acton=boot":    `there is no option "acton"`,
		"action=reboot": "action is one of switch, boot, test, build",
		"wait=long":     "wait is a duration",
		"deployment=1":  "deployment is set by git-deploy itself",
		"dry-run=maybe": "dry-run is true or false",
	} {
		w.fails(w.clone, []string{"push", "-o", option, "web"}, words)
	}
	w.git(w.clone, "push", "-o", "action=boot", "-o", "wait=1s", "web")
}

func TestFetchCloneAndLsRemote(t *testing.T) {
	w, repo := site(t)
	clone := filepath.Join(w.dir, "copy")
	w.git("", "clone", "-q", "node://localhost", clone)
	w.equal("clone", w.rev(clone, "HEAD"), w.rev(repo, "main"))
	theirs := w.theirs(repo, "theirs", "1")
	w.git(clone, "pull", "-q")
	w.equal("pull", w.rev(clone, "HEAD"), theirs)
	w.says(w.git("", "ls-remote", "node://localhost"), theirs+"\trefs/heads/main", "refs/deploy/current")
	t.Setenv("GIT_TRACE_PACKET", "1")
	w.says(w.git(clone, "fetch"), "version 2")
	// A push by address alone.
	w.commit(clone, "f", "1")
	w.says(w.git(clone, "push", "node://localhost", "main"), "main -> main")
	w.equal("main", w.rev(repo, "main"), w.rev(clone, "main"))
}

func TestNodeByName(t *testing.T) {
	w, repo := site(t)
	w.git(w.clone, "remote", "rename", "web", "production")
	w.commit(w.clone, "f", "1")
	w.git(w.clone, "push", "node::web", "main")
	w.equal("main", w.rev(repo, "main"), w.rev(w.clone, "main"))
}

func TestShallow(t *testing.T) {
	w, repo := site(t)
	w.commit(w.clone, "a", "1")
	w.commit(w.clone, "b", "1")
	w.git(w.clone, "push", "-q", "web")
	shallow := filepath.Join(w.dir, "shallow")
	w.git("", "clone", "-q", "--depth=1", "node://localhost", shallow)
	w.commit(shallow, "c", "1")
	w.git(shallow, "push", "origin", "main")
	w.equal("main", w.rev(repo, "main"), w.rev(shallow, "main"))
	// The node's side grows from a commit that is not in the shallow clone.
	w.git("", "clone", "-q", "--depth=1", "file://"+repo, filepath.Join(w.dir, "s2"))
	s2 := filepath.Join(w.dir, "s2")
	w.git(s2, "remote", "add", "web", "node://localhost")
	w.git(s2, "fetch", "-q", "--depth=1", "web", "main")
	w.git(s2, "switch", "-q", "--orphan", "x")
	w.git(s2, "checkout", "-q", "main", "--", ".")
	w.git(s2, "commit", "-qm", "unrelated")
	w.fails(s2, []string{"push", "web", "x:main"}, "git fetch --unshallow origin")
}

func TestKnowledgeOfOthersIsSentAlong(t *testing.T) {
	w, web := site(t)
	t.Setenv("GIT_DEPLOY_ROOT", filepath.Join(w.dir, "root1"))
	w.git(w.clone, "config", "remote.gateway.url", "node://root@gateway.invalid")
	w.git(w.clone, "config", "remote.gateway.fetch", "+refs/heads/*:refs/remotes/gateway/*")
	w.git(w.clone, "config", "remote.backup.url", "/not/a/node")
	other := w.git(w.clone, "commit-tree", "-m", "on gateway", "-p", "HEAD", "HEAD^{tree}")
	w.git(w.clone, "update-ref", "refs/remotes/gateway/main", other)
	w.git(w.clone, "update-ref", "refs/remotes/backup/main", other)
	w.git(w.clone, "push", "-q", "web") // nothing to deploy, nothing sent
	w.equal("refs", w.git(web, "for-each-ref", "--format=%(refname)", "refs/nodes"), "")
	w.commit(w.clone, "f", "1")
	w.git(w.clone, "push", "web")
	w.equal("refs", w.git(web, "for-each-ref", "--format=%(refname) %(objectname)", "refs/nodes"), "refs/nodes/gateway/heads/main "+other)
	// What is older than the node's knowledge does not stop a push.
	w.git(w.clone, "update-ref", "refs/remotes/gateway/main", w.rev(w.clone, "HEAD~1"))
	w.commit(w.clone, "f", "2")
	w.git(w.clone, "push", "web")
	w.equal("refs", w.git(web, "for-each-ref", "--format=%(objectname)", "refs/nodes"), other)
}

// On the socket come all events, and last the exit code.
func TestEventsSocket(t *testing.T) {
	w, repo := site(t)
	run := func(outcome string) (events []event.Event) {
		w.commit(w.clone, "outcome", outcome)
		l, err := net.Listen("unix", filepath.Join(w.dir, "s"))
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv(EventsEnv, filepath.Join(w.dir, "s"))
		done := make(chan *event.Event, 1)
		go func() { done <- relay(l, event.SinkFunc(func(e event.Event) { events = append(events, e) })) }()
		w.try(w.clone, "push", "web")
		l.Close()
		<-done
		return events
	}
	for _, c := range []struct{ outcome, code string }{{"fine\n", "0"}, {"rolls back\n", "4"}, {"does not build\n", "1"}} {
		events := run(c.outcome)
		last := events[len(events)-1]
		if last.Kind != event.Finished || last.Fields[CodeField] != c.code || last.Node != "web" {
			t.Errorf("%q ends with %+v", c.outcome, last)
		}
		n := 0
		for _, e := range events {
			if e.Kind == event.Finished {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%q finished %d times", c.outcome, n)
		}
	}
	w.theirs(repo, "outcome", "theirs\n")
	events := run("ours\n")
	if last := events[len(events)-1]; last.Fields[CodeField] != "5" || !strings.Contains(last.Hint, "git merge") {
		t.Errorf("a conflict ends with %+v", last)
	}
	os.RemoveAll(filepath.Join(w.dir, "root1"))
	testenv.Need(t, "ssh")
	w.git(w.clone, "config", "remote.web.url", "node://root@127.0.0.1:1")
	events = run("x\n")
	if last := events[len(events)-1]; last.Fields[CodeField] != "6" {
		t.Errorf("unreachable ends with %+v", last)
	}
}

// A host that answers, and is no node, is told of once, with what makes it one.
func TestHostThatIsNoNode(t *testing.T) {
	w, repo := site(t)
	if err := os.RemoveAll(filepath.Dir(repo)); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"push", "web"}, {"fetch", "web"}, {"clone", "node://localhost/home", "elsewhere"}} {
		out, err := w.try(w.clone, args...)
		if err == nil || strings.Count(out, "git-deploy: error: ") != 1 || !strings.Contains(out, "this machine is not a node of any network") {
			t.Errorf("git %v: %v, %s", args, err, out)
		}
		if hint := "git-deploy: hint: git deploy add web "; args[0] != "clone" && !strings.Contains(out, hint) {
			t.Errorf("git %v: no %q in %s", args, hint, out)
		}
	}
}

// A node is no mirror: it has refs of its own, and those of others.
func TestMirror(t *testing.T) {
	w, repo := site(t)
	before := w.git(repo, "for-each-ref")
	w.git(repo, "update-ref", "refs/heads/kept", "main")
	w.commit(w.clone, "a", "1")
	out := w.fails(w.clone, []string{"push", "--mirror", "web"},
		"nothing was pushed: refs/deploy/", "web: hint: git push web main ", "web: hint: git push --all web ",
		"refs/deploy/current (written by the node itself)", "main -> main (not pushed either)")
	if n := strings.Count(out, "can only be written by web itself"); n != 1 {
		t.Errorf("said %d times: %s", n, out)
	}
	w.git(repo, "update-ref", "-d", "refs/heads/kept")
	w.equal("refs", w.git(repo, "for-each-ref"), before)
	w.says(w.git(w.clone, "push", "--all", "web"), "main -> main")
}
