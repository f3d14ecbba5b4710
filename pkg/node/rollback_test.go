package node

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/nix"
)

// tool runs a verb of the node as ssh would, and returns the events it prints.
func (w *world) tool(args ...string) ([]event.Event, string, error) {
	w.t.Helper()
	cmd := exec.Command(w.l.Tool(), append([]string{"node"}, args...)...)
	cmd.Dir = "/"
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var events []event.Event
	for line := range strings.Lines(string(out)) {
		e, parseErr := event.Parse([]byte(line))
		if parseErr != nil {
			w.t.Errorf("%v: %v", args, parseErr)
		}
		events = append(events, e)
	}
	return events, stderr.String(), err
}

// last is the outcome and the reason at the end of events.
func last(events []event.Event) (event.Outcome, string) {
	if len(events) == 0 {
		return "", ""
	}
	e := events[len(events)-1]
	return e.Outcome, e.Message
}

func TestRollback(t *testing.T) {
	w := newWorld(t)
	commits := map[string]string{"one": w.git("rev-parse", "HEAD")}
	w.mustPush()
	for _, says := range []string{"two", "three"} {
		commits[says] = w.commit(says, says)
		w.mustPush()
	}
	check := func(what, says string, pinnedNow bool) {
		t.Helper()
		refs := w.refs()
		if w.said() != says || refs[RefCurrent] != commits[says] || refs[RefBoot] != commits[says] || refs["refs/heads/main"] != commits["three"] {
			t.Errorf("%s: says %q, refs %v", what, w.said(), refs)
		}
		if pinned(refs) != pinnedNow {
			t.Errorf("%s: pinned: %v", what, pinned(refs))
		}
		w.idle()
	}
	rollback := func(what string, args ...string) {
		t.Helper()
		events, text, err := w.tool(append([]string{"rollback", "home"}, args...)...)
		if o, why := last(events); err != nil || o != event.Succeeded {
			t.Errorf("%s: %v, %s: %s\n%s", what, err, o, why, text)
		}
	}
	rollback("to the previous")
	check("to the previous", "two", true)
	if r := w.log()[0]; r.Action != "rollback" || r.Commit != commits["two"] || r.PreviousCommit != commits["three"] {
		t.Errorf("record: %+v", r)
	}
	rollback("further back")
	check("further back", "one", true)
	if events, _, err := w.tool("rollback", "home"); err == nil {
		t.Errorf("back beyond the first: %v", events)
	}
	rollback("to a commit", commits["two"][:10])
	check("to a commit", "two", true)
	generations, err := nix.Generations(w.l.SystemProfile())
	if err != nil {
		t.Fatal(err)
	}
	rollback("to a generation", strconv.Itoa(generations[0].Number))
	check("to a generation", "one", true)
	for _, target := range []string{"0", "99", "deadbeef", "x", "-f", "../../x"} {
		events, _, err := w.tool("rollback", "home", target)
		if o, _ := last(events); err == nil || o != event.Refused {
			t.Errorf("to %q: %v, %s", target, err, o)
		}
	}
	check("after refusals", "one", true)

	events, _, err := w.tool("deploy", "home")
	if o, why := last(events); err == nil || o != event.Refused || !strings.Contains(why, "pinned") {
		t.Errorf("redeploying a pinned node: %v, %s: %s", err, o, why)
	}
	events, text, err := w.tool("deploy", "home", "unpin=true")
	if o, why := last(events); err != nil || o != event.Succeeded {
		t.Errorf("unpin: %v, %s: %s\n%s", err, o, why, text)
	}
	check("unpinned", "three", false)
	rollback("once more")
	check("once more", "two", true)

	// A push that fails leaves the node pinned where it was, one that succeeds unpins it.
	w.commit("bad", "bad", "", failing)
	if out := w.mustPush(); !strings.Contains(out, "rolled-back") {
		t.Errorf("%s", out)
	}
	check("after a failure", "two", true)
	w.git("reset", "-q", "--hard", commits["three"])
	commits["three"] = w.commit("four", "three")
	w.mustPush()
	check("after a push", "three", false)
}

func TestRedeploy(t *testing.T) {
	w := newWorld(t)
	events, _, err := w.tool("deploy", "home")
	if o, why := last(events); err == nil || o != event.Refused || !strings.Contains(why, "nothing to deploy") {
		t.Errorf("nothing there: %v, %s: %s", err, o, why)
	}
	w.mustPush()
	generations, _ := nix.Generations(w.l.SystemProfile())
	events, text, err := w.tool("deploy", "home", "by=Bob <bob@x>", "from=laptop")
	if o, why := last(events); err != nil || o != event.Succeeded {
		t.Errorf("the same system: %v, %s: %s\n%s", err, o, why, text)
	}
	for i, e := range events {
		if e.Seq != int64(i+1) {
			t.Errorf("event %d has number %d", i+1, e.Seq)
		}
		if e.Step == event.Switch {
			t.Error("the running system was switched to")
		}
	}
	after, _ := nix.Generations(w.l.SystemProfile())
	if len(after) != len(generations) {
		t.Errorf("%d generations, before %d", len(after), len(generations))
	}
	if r := w.log()[0]; r.DeployedBy != "Bob <bob@x>" || r.From != "laptop" {
		t.Errorf("record: %+v", r)
	}
	for option, want := range map[string]event.Outcome{"dry-run": event.DryRun, "action=build": event.Built} {
		events, _, err := w.tool("deploy", "home", option)
		if o, _ := last(events); err != nil || o != want {
			t.Errorf("%s: %v, %s", option, err, o)
		}
	}
	w.idle()
}

func TestHelloAfterDeployments(t *testing.T) {
	w := newWorld(t)
	w.mustPush()
	h, err := Hello(ctx, w.l, "/home", "v")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(h)
	if h.Node != "web" || h.Network.ID != networkID || h.Branch != "main" || h.Refs["refs/heads/main"] != w.git("rev-parse", "HEAD") ||
		h.Running == "" || h.Running != h.Profile || h.Pinned || h.Holder != nil || h.StoreDir != nix.StoreDir() || !strings.HasSuffix(h.System, "-linux") {
		t.Errorf("%s", text)
	}
	if !strings.Contains(string(text), `"holder":null`) || h.Wanted != h.Running {
		t.Errorf("%s", text)
	}
	// Another tool switches: what this network deployed is still known.
	other := filepath.Join(nix.StoreDir(), strings.Repeat("0", 32)+"-other")
	if err := errors.Join(os.Remove(w.l.CurrentSystem()), os.Symlink(other, w.l.CurrentSystem())); err != nil {
		t.Fatal(err)
	}
	if now, err := Hello(ctx, w.l, "", "v"); err != nil || now.Wanted != h.Wanted || now.Running == now.Wanted {
		t.Errorf("%+v, %v", now, err)
	}
}
