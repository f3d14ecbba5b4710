package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/plan"
	"github.com/git-deploy/git-deploy/pkg/ui"
)

// What is up with a node stands first, and all of it fits on 80 columns.
func TestStatusTable(t *testing.T) {
	now := time.Now()
	record := func(o event.Outcome) *gitrepo.Record {
		return &gitrepo.Record{Outcome: o, DeployedBy: "Ada Lovelace <ada@example.org>", Finished: now.Add(-2 * time.Hour)}
	}
	node := func(name string, edit func(*network.Status)) network.Status {
		s := network.Status{
			Remote: network.Remote{Name: name, Node: name, Branch: "main"}, Network: "home", Relation: network.InStep,
			Current: strings.Repeat("a", 40), Subject: "A subject that is as long as subjects of commits are now and then", Last: record(event.Succeeded),
		}
		edit(&s)
		return s
	}
	statuses := []network.Status{
		node("in-step", func(*network.Status) {}),
		node("pending", func(s *network.Status) { s.Relation, s.Behind = network.Behind, 3 }),
		node("unaffected", func(s *network.Status) { s.Relation, s.Ahead, s.Behind = network.Diverged, 12345, 67890 }),
		node("failed", func(s *network.Status) { s.Last, s.Pinned = record(event.RolledBack), true }),
		node("unreachable", func(s *network.Status) { s.Unreachable = &network.Contact{Since: now.Add(-72 * time.Hour)} }),
		node("pinned", func(s *network.Status) { s.Pinned = true }),
		node("waits", func(s *network.Status) { s.Waits, s.Boot = true, strings.Repeat("b", 40) }),
		node("a-node-with-a-name-as-long-as-names-may-be.in-a-domain.example", func(s *network.Status) { s.Branch = "release" }),
		{Remote: network.Remote{Name: "new", Node: "new", Branch: "main"}, Relation: network.Unknown},
	}
	plans := make([]plan.Node, len(statuses))
	plans[1].State, plans[2].State = plan.Affected, plan.Unaffected
	want := map[string]string{
		"in-step": "succeeded 2 h ago", "pending": "pending", "unaffected": "unaffected", "failed": "rolled-back 2 h ago",
		"unreachable": "unreachable since", "pinned": "pinned", "waits": "waits for a reboot", "a-node": "succeeded", "new": "no deployment seen",
	}
	table := statusTable(statuses, plans)
	text := table.Format(ui.Style{UTF8: true, Width: 80})
	rows := 0
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		if ui.Width(line) > 80 {
			t.Errorf("%d columns: %s", ui.Width(line), line)
		}
		if i == 0 || strings.HasPrefix(line, " ") {
			continue
		}
		rows++
		for name, state := range want {
			if strings.HasPrefix(line, name) && !strings.Contains(line, state) {
				t.Errorf("%s does not say %q: %s", name, state, line)
			}
		}
	}
	if rows != len(statuses) {
		t.Errorf("%d rows:\n%s", rows, text)
	}
	if words := strings.Join(strings.Fields(text), " "); !strings.Contains(words, "Ada Lovelace, pinned") {
		t.Errorf("not all is said at 80 columns:\n%s", text)
	}
	// The usual is one line, cut where git can tell the rest.
	usual := statusTable([]network.Status{node("alice-laptop", func(s *network.Status) { s.Relation, s.Behind = network.Behind, 4 })}, plans[:1])
	if text := usual.Format(ui.Style{UTF8: true, Width: 80}); strings.Count(text, "\n") != 2 || !strings.Contains(text, "… ") || !strings.Contains(text, "by Ada Lovelace\n") {
		t.Errorf("the usual state of a node:\n%s", text)
	}
	full := table.Format(ui.Style{UTF8: true})
	for _, words := range []string{"release: in step", "12345 ahead, 67890 behind", "rolled-back 2 h ago by Ada Lovelace, pinned", "waits for a reboot into bbbbbbbb", "new/ "} {
		if !strings.Contains(full, words) {
			t.Errorf("no %q in\n%s", words, full)
		}
	}
	t.Log("\n" + text)
}
