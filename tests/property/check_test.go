//go:build linux

package property

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/node"
	"github.com/git-deploy/git-deploy/pkg/statedir"
	"github.com/git-deploy/git-deploy/tests/property/schedule"
)

// render is a file with what its places hold. They are far enough apart to be
// merged without each other.
func render(file string, holds map[string]string) string {
	var b strings.Builder
	slots := schedule.Slots
	if !slices.Contains(schedule.Files(), file) {
		slots = 1
	}
	for slot := range slots {
		value := holds[schedule.Place(file, slot)]
		if value == "" {
			value = "nothing yet"
		}
		fmt.Fprintf(&b, "%d %s\n", slot, value)
		for line := range 5 {
			if slots > 1 {
				fmt.Fprintf(&b, "-- %s %d.%d\n", file, slot, line)
			}
		}
	}
	return b.String()
}

// parse reads what render wrote, or a merge made of it.
func parse(file, text string) map[string]string {
	holds := map[string]string{}
	for line := range strings.Lines(text) {
		slot, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if slot != "--" {
			holds[file+"/"+slot] += value
		}
	}
	return holds
}

// repos are the git directories of all clones and nodes.
func (w *world) repos() map[string]string {
	dirs := map[string]string{}
	for _, c := range w.people {
		dirs["the clone of "+c.who] = filepath.Join(c.dir, ".git")
	}
	for _, n := range w.nodes {
		dirs["the node "+n.name] = n.layout.Repo("home")
		dirs["the clone on "+n.name] = filepath.Join(n.own.dir, ".git")
	}
	return dirs
}

// watchObjects makes the repository that sees the objects of all others.
func (w *world) watchObjects() {
	dir := w.path("spy")
	var alternates []string
	for _, repo := range w.repos() {
		alternates = append(alternates, filepath.Join(repo, "objects"))
	}
	var err error
	w.spy, err = gitrepo.InitBare(context.Background(), dir, "main")
	must(err)
	write(dir, "objects/info/alternates", strings.Join(alternates, "\n")+"\n")
	w.objects, err = w.spy.Objects(context.Background())
	must(err)
}

// tree is what the places hold in a commit's tree.
func (w *world) tree(commit string) map[string]string {
	holds := map[string]string{}
	_, _, data, err := w.objects.Read(commit + ":data")
	must(err)
	for len(data) > 0 {
		head, rest, _ := strings.Cut(string(data), "\x00")
		_, file, _ := strings.Cut(head, " ")
		blob := fmt.Sprintf("%x", rest[:20])
		data = []byte(rest[20:])
		if w.files[file+blob] == nil {
			_, _, text, err := w.objects.Read(blob)
			must(err)
			w.files[file+blob] = parse(file, string(text))
		}
		maps.Copy(holds, w.files[file+blob])
	}
	return holds
}

// refs reads the refs of a repository from its files, so that nothing is asked of git.
func refs(dir string) map[string]string {
	all := map[string]string{}
	packed, _ := os.ReadFile(filepath.Join(dir, "packed-refs"))
	for line := range strings.Lines(string(packed)) {
		oid, ref, _ := strings.Cut(strings.TrimSpace(line), " ")
		if gitrepo.Oid(oid) {
			all[ref] = oid
		}
	}
	must(filepath.WalkDir(filepath.Join(dir, "refs"), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if oid := strings.TrimSpace(string(data)); gitrepo.Oid(oid) {
			ref, _ := filepath.Rel(dir, path)
			all[ref] = oid
		}
		return err
	}))
	return all
}

// learn tells the oracle of commits that nobody has told it of: merges, which write nothing themselves.
func (w *world) learn(tips ...string) {
	for _, tip := range tips {
		if tip == "" || w.history.Has(tip) {
			continue
		}
		_, _, data, err := w.objects.Read(tip)
		must(err)
		head, message, _ := strings.Cut(string(data), "\n\n")
		var parents []string
		for line := range strings.Lines(head) {
			if p, ok := strings.CutPrefix(line, "parent "); ok {
				parents = append(parents, strings.TrimSpace(p))
			}
		}
		w.learn(parents...)
		force := len(parents) == 2 && strings.HasPrefix(message, "Merge ") && strings.Contains(message, ", keeping nothing of ")
		if force && w.step.Kind != schedule.Force {
			fail("commit %s keeps nothing of %s, and nobody has forced that", tip, parents[1])
		}
		w.history.Add(tip, parents, nil, force)
		w.compare(tip)
	}
}

// compare compares what a commit's tree holds with what it must hold.
func (w *world) compare(commit string) {
	want, conflicts := w.history.Want(commit)
	have := w.tree(commit)
	for _, place := range conflicts {
		fail("commit %s merges what conflicts in %s, and decides for %q", commit, place, have[place])
	}
	for _, place := range slices.Sorted(maps.Keys(want)) {
		if have[place] != want[place] {
			fail("commit %s holds in %s %q instead of %q", commit, place, have[place], want[place])
		}
	}
	for place := range have {
		if _, ok := want[place]; !ok {
			fail("commit %s holds in %s %q, which nobody wrote", commit, place, have[place])
		}
	}
}

// check checks all that must hold after every step.
func (w *world) check() {
	reached := map[string]bool{}
	for where, dir := range w.repos() {
		for ref, tip := range refs(dir) {
			if isLog(ref) {
				continue
			}
			w.learn(tip)
			reached[tip] = true
		}
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".lock") {
				fail("%s has the lock %s", where, path)
			}
			return nil
		})
	}
	for commit := range w.made {
		there := false
		for tip := range reached {
			there = there || w.history.Contains(tip, commit)
		}
		if !there {
			fail("commit %s is lost: no branch or deployment of anybody has it", commit)
		}
	}
	for _, n := range w.nodes {
		n.check()
	}
}

// isLog tells the deployment logs, of this node or another, from what people commit.
func isLog(ref string) bool { return strings.HasSuffix(ref, "/log") }

// check checks what must hold on a node when nothing is under way.
func (n *machine) check() {
	w, has := n.w, refs(n.layout.Repo("home"))
	branch := has["refs/heads/main"]
	if n.good != "" && !w.history.Contains(branch, n.good) {
		fail("%s: its branch was at %s, and is at %q now, which has not got that", n.name, n.good, branch)
	}
	records := n.records(has[gitrepo.LogRef])
	for _, r := range records {
		kept := false
		for ref, tip := range has {
			kept = kept || !isLog(ref) && w.history.Contains(tip, r.Commit)
		}
		if !kept {
			fail("%s: commit %s was deployed (%s), and no ref of it has it", n.name, r.Commit, r.Outcome)
		}
	}
	if n.port == "" {
		return // what its power took down is settled when it is up again
	}
	n.locks()
	for _, ref := range []string{node.RefBranch, node.RefCurrent, node.RefBoot} {
		if has[ref] != branch {
			fail("%s: nothing is under way, its branch is at %q and %s at %q", n.name, branch, ref, has[ref])
		}
	}
	n.outcomes(records)
	n.runs(branch, records)
	n.good = branch
}

// records reads the deployment log, the oldest first: a line of commits, to which each time some are added.
func (n *machine) records(tip string) []gitrepo.Record {
	var records []gitrepo.Record
	old := n.logTip == ""
	for at := tip; at != ""; {
		old = old || at == n.logTip
		_, _, data, err := n.w.objects.Read(at)
		must(err)
		head, message, _ := strings.Cut(string(data), "\n\n")
		r, err := gitrepo.ParseRecord(message)
		must(err)
		records = append(records, r)
		at = ""
		for line := range strings.Lines(head) {
			if p, ok := strings.CutPrefix(line, "parent "); ok {
				if at != "" {
					fail("%s: an entry of its deployment log has two parents", n.name)
				}
				at = strings.TrimSpace(p)
			}
		}
	}
	if !old {
		fail("%s: its deployment log was at %s, and is now at %q, which does not go on from there", n.name, n.logTip, tip)
	}
	n.logTip = tip
	slices.Reverse(records)
	return records
}

// locks fails when somebody holds a lock although nothing is under way.
func (n *machine) locks() {
	files := []string{n.layout.LockFile(), n.layout.RefsLock("home"), n.layout.NetworkLock("home")}
	ids, err := n.layout.IDs()
	must(err)
	for _, id := range ids {
		files = append(files, n.layout.DeploymentLock(id))
	}
	for _, file := range files {
		if holder, err := statedir.HolderOf(file); err != nil || holder != nil {
			fail("%s: nothing is under way, and the lock %s is held (%v): %v", n.name, file, holder, err)
		}
	}
}

// outcomes compares the deployment log with the event logs: each deployment has
// one outcome, in the event log, and once it was accepted also in git.
func (n *machine) outcomes(records []gitrepo.Record) {
	recorded := map[string]event.Outcome{}
	for _, r := range records {
		if _, twice := recorded[r.Deployment]; twice {
			fail("%s: deployment %s is twice in the log", n.name, r.Deployment)
		}
		recorded[r.Deployment] = r.Outcome
	}
	ids, err := n.layout.IDs()
	must(err)
	for _, id := range ids {
		events, err := statedir.ReadEvents(n.layout, id)
		must(err)
		var ends []event.Outcome
		accepted := false
		for _, e := range events {
			accepted = accepted || e.Step == event.Switch || e.Step == event.Health
			if e.Kind == event.Finished {
				ends = append(ends, e.Outcome)
			}
		}
		in, ok := recorded[id]
		switch {
		case len(ends) != 1:
			fail("%s: deployment %s has %d outcomes %q, and nothing is under way", n.name, id, len(ends), ends)
		case ok && in != ends[0]:
			fail("%s: deployment %s has ended %s, and the deployment log says %s", n.name, id, ends[0], in)
		case !ok && (accepted || ends[0] == event.Succeeded):
			fail("%s: deployment %s has ended %s, and is not in the deployment log", n.name, id, ends[0])
		}
		delete(recorded, id)
	}
	for id := range recorded {
		fail("%s: deployment %s is in the log only", n.name, id)
	}
}

// runs compares what the machine runs, and boots, with what its branch says.
func (n *machine) runs(branch string, records []gitrepo.Record) {
	running, _ := os.Readlink(n.layout.CurrentSystem())
	if branch == "" {
		// Where nothing ran before there is nothing to put back, and it says so. What
		// stayed is then what the next failure puts back.
		stayed := func(r gitrepo.Record) bool { return r.Outcome == event.RollbackFailed }
		if running != "" && !slices.ContainsFunc(records, stayed) {
			fail("%s has no branch, and runs %s", n.name, running)
		}
		return
	}
	system := ""
	for _, r := range records {
		if r.Commit == branch && r.Outcome == event.Succeeded {
			system = r.System
		}
	}
	profile, _ := filepath.EvalSymlinks(n.layout.Root + "/nix/var/nix/profiles/system")
	boots, _ := os.Readlink(filepath.Join(n.layout.Root, "boot/default"))
	if system == "" || running != system || profile != system || boots != system {
		fail("%s: its branch %s has the system %q; it runs %q, its profile is %q and it boots %q", n.name, branch, system, running, profile, boots)
	}
	want := n.w.tree(branch)
	for file, of := range map[string]string{"shared": "shared", "own": "own-" + n.name, "fault": "fault-" + n.name} {
		text, err := os.ReadFile(filepath.Join(n.layout.Root, "etc", file))
		must(err)
		for place, value := range parse(of, string(text)) {
			if want[place] != value {
				fail("%s runs %q in %s, and its branch says %q", n.name, value, place, want[place])
			}
		}
	}
}

// settle is what all do when everybody can reach everybody again: all merge
// what they have, and push. Then all are the same, and have it all.
func (w *world) settle() {
	w.step = schedule.Step{At: w.step.At + 1}
	for _, c := range w.people {
		c.cut = [schedule.Nodes]bool{}
	}
	for _, n := range w.nodes {
		if n.port == "" {
			n.boot()
		}
	}
	w.ssh()
	for i, n := range w.nodes {
		w.step.At++
		if n.own.head() != "" {
			n.pull()
			n.own.correct(n)
			if n.own.head() != n.branch() {
				n.push(uint64(0xabcde000 + i))
			}
		}
	}
	for _, c := range w.people {
		w.step.At++
		c.sync()
		// What has failed somewhere is a change of somebody's all the same.
		for _, n := range w.nodes {
			for ref, tip := range refs(filepath.Join(c.dir, ".git")) {
				if strings.HasPrefix(ref, "refs/deploy/nodes/"+n.name+"/failed/") {
					c.merge(ref, tip)
				}
			}
		}
		c.correct(w.nodes[:]...)
		c.push(w.nodes[0], false)
		w.check()
	}
	last := w.people[schedule.People-1]
	last.pushes([]int{0, 1, 2, 3, 4})
	w.check()
	for _, c := range w.people {
		c.sync()
		if c.head() != last.head() {
			fail("%s and %s have synced, and are at %s and %s", c.who, last.who, c.head(), last.head())
		}
	}
	for commit := range w.made {
		for _, n := range w.nodes {
			if !w.history.Contains(n.branch(), commit) {
				fail("all is merged, and %s has not got commit %s", n.name, commit)
			}
		}
	}
	for _, n := range w.nodes {
		if n.branch() != last.head() {
			fail("all is pushed, and %s is at %s instead of %s", n.name, n.branch(), last.head())
		}
	}
	for where, dir := range w.repos() {
		if out, err := exec.Command("git", "--git-dir", dir, "fsck", "--connectivity-only", "--no-dangling", "--no-progress").CombinedOutput(); err != nil {
			fail("%s is damaged: %v\n%s", where, err, out)
		}
	}
}
