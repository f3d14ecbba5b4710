package gitrepo

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/google/go-cmp/cmp"
)

func sample() Record {
	return Record{
		Deployment: "20261123T150405Z-0123abcd", Network: "home", Node: "web", Commit: "",
		Branch: "refs/heads/main", Action: "switch", Outcome: event.RolledBack,
		Reason: "health check \"http\": connection refused", System: "/nix/store/x-nixos",
		PreviousSystem: "/nix/store/y-nixos", DeployedBy: "Ada <ada@example.org>", Key: "SHA256:abc", From: "laptop",
		Tool: "1.0", Started: time.Date(2026, 11, 23, 15, 4, 5, 0, time.UTC), Finished: time.Date(2026, 11, 23, 15, 4, 9, 5000, time.UTC),
		StepMillis: map[event.Step]int64{event.Build: 1200, event.Switch: 35}, Summary: "open the firewall",
		Extra: map[string]string{"Boot-Id": "17"},
	}
}

// appendLog adds rec to the deployment log, as a node does.
func appendLog(t *testing.T, r *Repo, rec Record) (string, error) {
	t.Helper()
	tree, err := r.RevParse(t.Context(), rec.Commit+"^{tree}")
	if err != nil {
		return "", err
	}
	tip, _ := r.RevParse(t.Context(), LogRef)
	c, err := rec.LogCommit(tree, tip)
	if err != nil {
		return "", err
	}
	oid, err := r.CommitTree(t.Context(), c)
	if err != nil {
		return "", err
	}
	return oid, r.UpdateRef(t.Context(), LogRef, oid, "", "test")
}

func TestLog(t *testing.T) {
	r, dir := newRepo(t)
	rec := sample()
	rec.Commit = git(t, dir, "rev-parse", "HEAD")
	for range 2 {
		oid, err := appendLog(t, r, rec)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseRecord(git(t, dir, "log", "-1", "--format=%B", oid))
		if diff := cmp.Diff(rec, back); diff != "" || err != nil {
			t.Errorf("read back: %v\n%s", err, diff)
		}
	}
	got := git(t, dir, "log", "-1", "--format=%an <%ae>|%cn <%ce>|%s|%(trailers:key=Outcome,valueonly,separator=)|%(trailers:key=Step-build-Ms,valueonly,separator=)|%T", LogRef)
	want := "Ada <ada@example.org>|git-deploy <git-deploy@web>|web: rolled-back " + rec.Commit[:8] + " open the firewall|rolled-back|1200|" + git(t, dir, "rev-parse", "HEAD^{tree}")
	if got != want {
		t.Errorf("log\n got %s\nwant %s", got, want)
	}
	if n := git(t, dir, "rev-list", "--count", LogRef); n != "2" {
		t.Errorf("%s entries", n)
	}
}

func TestLogTakesStrangePeople(t *testing.T) {
	r, dir := newRepo(t)
	for _, by := range []string{"", "<>", "\n", "Ada", "a\nb <x\ny>", "<<<", "\x00", "\xff"} {
		rec := sample()
		rec.Commit, rec.DeployedBy, rec.Reason = git(t, dir, "rev-parse", "HEAD"), by, by
		if _, err := appendLog(t, r, rec); err != nil {
			t.Errorf("by %q: %v", by, err)
		}
	}
}

func TestParseRecordRefusesOthers(t *testing.T) {
	for _, m := range []string{"", "a commit", "a commit\n\nSigned-off-by: x <y>\n", "a\n\nDeployment: 1\nno trailer\n"} {
		if _, err := ParseRecord(m); err == nil {
			t.Errorf("ParseRecord(%q) took it", m)
		}
	}
}

// Whatever the values are, reading gives back what was written, folded to lines.
func FuzzRecord(f *testing.F) {
	f.Add("web", "it\nfailed", "Ada <a@b>", "first: line", "Key: x\n\nOutcome: succeeded", "Extra", int64(5), int64(1700000000))
	f.Add("", "", "", "", "", "-", int64(-1), int64(0))
	f.Add("a: b", "\u2028\x85\xff", "<", "---", "# c", "Reason", int64(0), int64(-62135596801))
	f.Fuzz(func(t *testing.T, node, reason, by, summary, detail, extra string, ms, at int64) {
		r := sample()
		r.Node, r.Reason, r.DeployedBy, r.Summary, r.Detail = node, reason, by, summary, detail
		r.StepMillis = map[event.Step]int64{event.Build: ms}
		r.Extra = map[string]string{extra: by}
		if at%(1<<40) != 0 {
			r.Started = time.Unix(at%(1<<33), 0).UTC()
		}
		message, err := r.Message()
		if err != nil {
			return // refused
		}
		if strings.ContainsRune(message, 0) {
			t.Error("NUL in a commit message")
		}
		back, err := ParseRecord(message)
		if err != nil {
			t.Fatalf("%v in %q", err, message)
		}
		want := r
		want.Node, want.Reason, want.DeployedBy, want.Summary, want.Detail = Clean(node), Clean(reason), Clean(by), Clean(summary), ""
		want.Extra = nil
		if v := Clean(by); v != "" {
			want.Extra = map[string]string{extra: v}
		}
		if want.Node == "" { // the summary's place cannot be told then
			want.Summary, back.Summary = "", ""
		}
		if diff := cmp.Diff(want, back); diff != "" {
			t.Errorf("%q\n%s", message, diff)
		}
		for _, c := range message {
			if unicode.IsControl(c) && c != '\n' {
				t.Errorf("control character in %q", message)
			}
		}
	})
}
