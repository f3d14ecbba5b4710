//go:build linux

package property

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/git-deploy/git-deploy/pkg/proc"
	"github.com/git-deploy/git-deploy/pkg/statedir"
	"github.com/git-deploy/git-deploy/tests/property/schedule"
)

// do takes a step. One that makes no sense where the world has come to is left out.
func (w *world) do(s schedule.Step) {
	w.step = s
	p, n := w.people[s.Person], w.nodes[s.Node]
	switch s.Kind {
	case schedule.Commit:
		p.change(map[string]string{s.Place: "of " + p.who})
	case schedule.Spoil:
		p.change(map[string]string{schedule.Place(schedule.FaultFile(s.Node), 0): s.Spoils() + " by " + p.who})
		if s.Pushes() {
			p.push(n, false)
		}
	case schedule.New:
		p.change(map[string]string{schedule.Place(fmt.Sprint("new-", s.At), 0): "new"})
	case schedule.Drop:
		p.drop(s.Chance)
	case schedule.Push:
		p.push(n, false)
	case schedule.Force:
		p.insist(n)
		p.push(n, true)
	case schedule.Pushes:
		p.pushes(s.Several())
	case schedule.Race:
		w.race(p, w.people[s.Other], n)
	case schedule.Self:
		n.self(s)
	case schedule.Watch:
		n.watch(w.nodes[s.Peer])
	case schedule.Fetch:
		p.run("git", "deploy", "fetch", "--all-nodes")
	case schedule.Sync:
		p.sync()
	case schedule.Cut:
		p.cut[s.Node] = !p.cut[s.Node]
		w.ssh()
	case schedule.Power:
		if n.port == "" {
			n.boot()
		} else {
			n.off()
		}
	case schedule.Kill:
		w.kill(p, n, s.Place, s.Point)
	case schedule.Clock:
		p.skew = s.Skew
	default:
		panic("no step " + s.Kind)
	}
	w.quiet(statedir.RootEnv + "=" + w.path("nodes") + "/") // one look for all
}

// change writes places, each with a value that nobody else writes, and commits.
// "" removes the file.
func (c *clone) change(places map[string]string) {
	writes := map[string]string{}
	for place, value := range places {
		if writes[place] = value; value != "" {
			writes[place] = fmt.Sprintf("%s, step %d, %s", value, c.w.step.At, place)
		}
	}
	holds := c.w.tree(c.head())
	for place, value := range writes {
		holds[place] = value
	}
	for place := range writes {
		file, _, _ := strings.Cut(place, "/")
		if writes[place] == "" {
			must(os.Remove(filepath.Join(c.dir, "data", file)))
			continue
		}
		write(c.dir, "data/"+file, render(file, holds))
	}
	c.must("git", "add", "-A", "data")
	parent := c.head()
	c.must("git", "commit", "-qm", fmt.Sprintf("Step %d of %s", c.w.step.At, c.who))
	c.w.commits(c.head(), []string{parent}, writes)
}

// drop removes one of the files that somebody has added, where there is any.
func (c *clone) drop(chance uint64) {
	var added []string
	for place := range c.w.tree(c.head()) {
		if strings.HasPrefix(place, "new-") {
			added = append(added, place)
		}
	}
	if len(added) == 0 {
		return
	}
	slices.Sort(added)
	c.change(map[string]string{added[chance%uint64(len(added))]: ""})
}

// commits tells the oracle of a commit that somebody made.
func (w *world) commits(id string, parents []string, writes map[string]string) {
	w.learn(parents...)
	w.history.Add(id, parents, writes, false)
	w.made[id] = true
	w.compare(id)
}

// reaches reports whether a person's ssh gets through to the node.
func (c *clone) reaches(n *machine) bool {
	return n.port != "" && !c.cut[slices.Index(c.w.nodes[:], n)]
}

// branch is the node's branch, "" while it has none.
func (n *machine) branch() string { return refs(n.layout.Repo("home"))["refs/heads/main"] }

// fault is the file's place that says what is wrong with the node.
func (n *machine) fault() string {
	return schedule.Place(schedule.FaultFile(slices.Index(n.w.nodes[:], n)), 0)
}

// expected is how a push to the node must end that nothing happens to.
func (c *clone) expected(n *machine, force bool) string {
	if !c.reaches(n) {
		return "unreachable"
	}
	heads := []string{c.head()}
	tip := n.branch()
	if tip != "" && tip != heads[0] {
		heads = append(heads, tip)
	}
	c.w.learn(heads...)
	holds, conflicts := c.w.history.Want(heads...)
	if force {
		holds, conflicts = c.w.tree(heads[0]), nil
	}
	switch {
	case tip != "" && c.w.history.Contains(tip, heads[0]) && !force, tip == heads[0]:
		return "ok" // it is there, and runs
	case len(conflicts) > 0, !force && len(heads) > 1 && c.w.crossed(heads[0], tip):
		return "conflict"
	case !strings.HasPrefix(holds[n.fault()], "none"):
		return "fault"
	}
	return "ok"
}

// crossed reports whether git finds a conflict. Where histories cross, it may
// find one in what somebody has resolved since: then people resolve it again.
func (w *world) crossed(ours, theirs string) bool {
	err := exec.Command("git", "--git-dir", w.spy.GitDir, "-c", "merge.renames=false", "merge-tree", "--write-tree", ours, theirs).Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		fail("git merge-tree %s %s: %v", ours, theirs, err)
	}
	return err != nil
}

// push pushes to one node, and deals with what comes of it.
func (c *clone) push(n *machine, force bool) {
	expected, before, ours := c.expected(n, force), n.branch(), c.head()
	args := []string{"push"}
	if force {
		args = append(args, "--force")
	}
	said, code := c.run("git", append(args, n.name)...)
	c.judge(n, expected, before, ours, code == 0, said)
	if expected == "conflict" || expected == "fault" {
		c.mend(n)
	}
}

// insist says anew what the node has otherwise, so that a push by force has something to keep.
func (c *clone) insist(n *machine) {
	tip := n.branch()
	if tip == "" {
		return
	}
	c.w.learn(tip)
	places := map[string]string{}
	holds, conflicts := c.w.history.Want(c.head(), tip)
	for _, place := range c.w.history.Changes(c.head(), tip) {
		if holds[place] == "" && !slices.Contains(conflicts, place) {
			places[place] = "" // removed is removed
			continue
		}
		places[place] = "insisted by " + c.who
		if strings.HasPrefix(place, "fault-") {
			places[place] = "none, " + places[place]
		}
	}
	if len(places) > 0 {
		c.change(places)
	}
}

// judge compares how a push ended with how it should have.
func (c *clone) judge(n *machine, expected, before, ours string, ok bool, said string) {
	n.quiet()
	after := n.branch()
	c.w.learn(after, ours)
	switch {
	case ok && expected != "ok":
		fail("%s's push to %s succeeds, and should not: %s\n%s", c.who, n.name, expected, said)
	case !ok && expected == "ok":
		fail("%s's push to %s fails, and nothing is in its way\n%s", c.who, n.name, said)
	case ok && !c.w.history.Contains(after, ours):
		fail("%s's push to %s succeeds, and %s is not on its branch\n%s", c.who, n.name, ours, said)
	case !ok && after != before:
		fail("%s's push to %s fails, and its branch moves from %q to %q\n%s", c.who, n.name, before, after, said)
	case ok && before != "" && !c.w.history.Contains(after, before):
		fail("%s's push to %s takes %s off its branch\n%s", c.who, n.name, before, said)
	}
}

// mend does what a person does whose push has failed: merges by hand, or
// corrects what is wrong with the node.
func (c *clone) mend(n *machine) {
	if tip := n.branch(); tip != "" && c.reaches(n) {
		c.must("git", "fetch", "-q", n.name)
		c.merge(n.name+"/main", tip)
	}
	c.correct(n)
}

// correct makes the node one that can be deployed, in this clone.
func (c *clone) correct(nodes ...*machine) {
	holds, writes := c.w.tree(c.head()), map[string]string{}
	for _, n := range nodes {
		if !strings.HasPrefix(holds[n.fault()], "none") {
			writes[n.fault()] = "none any more, says " + c.who
		}
	}
	if len(writes) > 0 {
		c.change(writes)
	}
}

// merge merges another commit as people do, conflicts included: what is in
// conflict gets a value of its own.
func (c *clone) merge(rev, tip string) {
	ours := c.head()
	c.w.learn(ours, tip)
	if c.w.history.Contains(ours, tip) {
		return
	}
	if _, code := c.run("git", "merge", "-q", "--no-edit", rev); code == 0 {
		if head := c.head(); head != tip {
			c.w.commits(head, []string{ours, tip}, nil)
		}
		return
	}
	holds, conflicts := c.w.history.Want(ours, tip)
	writes := map[string]string{}
	for _, place := range conflicts {
		value := "merged by " + c.who
		if strings.HasPrefix(place, "fault-") {
			value = "none " + value
		}
		writes[place] = fmt.Sprintf("%s, step %d, %s", value, c.w.step.At, ours[:12]+tip[:12])
		holds[place] = writes[place]
	}
	unmerged := c.must("git", "diff", "--name-only", "--diff-filter=U")
	if unmerged == "" {
		fail("%s merges %s, which fails without a conflict", c.who, rev)
	}
	for file := range strings.SplitSeq(unmerged, "\n") {
		write(c.dir, file, render(filepath.Base(file), holds))
	}
	c.must("git", "commit", "-qam", fmt.Sprintf("Merge %s by hand in step %d", rev, c.w.step.At))
	c.w.commits(c.head(), []string{ours, tip}, writes)
}

// pushes pushes to several nodes with one command.
func (c *clone) pushes(nodes []int) {
	argv := []string{"deploy", "push"}
	var expected, before []string
	ours := c.head()
	for _, i := range nodes {
		n := c.w.nodes[i]
		argv = append(argv, n.name)
		expected, before = append(expected, c.expected(n, false)), append(before, n.branch())
	}
	said, code := c.run("git", argv...)
	bad := 0
	for i, j := range nodes {
		// Each on its own; which have failed, the exit code does not say.
		c.judge(c.w.nodes[j], expected[i], before[i], ours, expected[i] == "ok", said)
		if expected[i] != "ok" {
			bad++
		}
	}
	if (code == 0) != (bad == 0) {
		fail("%s's push to %d nodes ends with exit code %d, and %d of them could not go well\n%s", c.who, len(nodes), code, bad, said)
	}
	for i, j := range nodes {
		if expected[i] == "conflict" || expected[i] == "fault" {
			c.mend(c.w.nodes[j])
		}
	}
}

// race is two pushes at once. Both may lose to what the other brings.
func (w *world) race(p, q *clone, n *machine) {
	if !p.reaches(n) || !q.reaches(n) {
		return
	}
	before := n.branch()
	var wg sync.WaitGroup
	ours, codes := [2]string{p.head(), q.head()}, [2]int{}
	problems := make([]any, 2)
	for i, c := range []*clone{p, q} {
		wg.Go(func() {
			defer func() { problems[i] = recover() }()
			_, codes[i] = c.run("git", "push", n.name)
		})
	}
	wg.Wait()
	for _, problem := range problems {
		if problem != nil {
			panic(problem)
		}
	}
	n.quiet()
	after := n.branch()
	w.learn(after, ours[0], ours[1])
	if before != "" && !w.history.Contains(after, before) {
		fail("two pushes to %s at once take %s off its branch", n.name, before)
	}
	for i, c := range []*clone{p, q} {
		if codes[i] == 0 && !w.history.Contains(after, ours[i]) {
			fail("of two pushes to %s at once, that of %s succeeds, and %s is not on the branch", n.name, c.who, ours[i])
		}
		if codes[i] != 0 {
			c.mend(n)
		}
	}
}

// self is a change made on the machine itself, with plain git: a clone there,
// which is pulled, changed and pushed. The deployment's id comes of its clock.
func (n *machine) self(s schedule.Step) {
	if n.port == "" || n.branch() == "" {
		return
	}
	n.pull()
	n.own.skew = s.Skew
	places := map[string]string{schedule.Place("own-"+n.name, int(s.Chance%schedule.Slots)): "of " + n.own.who}
	if s.Fault != "" {
		places[n.fault()] = s.Fault + " by " + n.own.who
	}
	n.own.change(places)
	n.push(s.Chance)
}

func (n *machine) pull() {
	c := n.own
	c.must("git", "fetch", "-q", "origin")
	if c.head() == "" {
		c.must("git", "switch", "-qc", "main", "--no-track", "origin/main")
	}
	c.merge("origin/main", n.branch())
}

func (n *machine) push(chance uint64) {
	c, before := n.own, n.branch()
	ok := strings.HasPrefix(n.w.tree(c.head())[n.fault()], "none")
	id := fmt.Sprintf("%s-%08x", time.Now().Add(c.skew).UTC().Format("20060102T150405Z"), uint32(chance))
	said, _ := c.run("git", "push", "-q", "-o", "deployment="+id, "origin", "main")
	n.quiet()
	switch after := n.branch(); {
	case ok && after != c.head():
		fail("%s deploys itself, nothing is in the way, and its branch is at %s instead of %s\n%s", n.name, after, c.head(), said)
	case !ok && after != before:
		fail("%s deploys itself, which cannot go well, and its branch moves from %s to %s\n%s", n.name, before, after, said)
	}
	c.correct(n)
}

// watch has the node take over what a peer has.
func (n *machine) watch(peer *machine) {
	if n.port == "" {
		return
	}
	before := n.branch()
	said, code := n.own.run("git", "deploy", "watch", fmt.Sprintf("%s=node://root@%s/home", peer.name, peer.name))
	n.quiet()
	after, theirs := n.branch(), peer.branch()
	n.w.learn(after, before, theirs)
	switch {
	case before != "" && !n.w.history.Contains(after, before):
		fail("%s takes over what %s has, and %s goes off its branch\n%s", n.name, peer.name, before, said)
	case code == 0 && peer.port != "" && theirs != "" && !n.w.history.Contains(after, theirs) && !strings.Contains(said, "before"):
		fail("%s takes over what %s has, and %s is not on its branch\n%s", n.name, peer.name, theirs, said)
	}
}

// sync merges what all nodes have; people resolve what it leaves.
func (c *clone) sync() {
	_, code := c.run("git", "deploy", "sync")
	c.w.learn(c.head())
	for _, n := range c.w.nodes {
		tip := n.branch()
		if tip == "" || !c.reaches(n) {
			continue
		}
		c.w.learn(tip)
		if code == 0 && !c.w.history.Contains(c.head(), tip) {
			fail("%s syncs, and what %s has is not there", c.who, n.name)
		}
		c.merge(n.name+"/main", tip)
	}
}

// kill pushes a change of the node's own, and kills something when it has come to the point.
func (w *world) kill(c *clone, n *machine, place, point string) {
	_, slot, _ := strings.Cut(place, "/")
	c.change(map[string]string{"own-" + n.name + "/" + slot: "of " + c.who + ", to be killed"})
	if !c.reaches(n) {
		return
	}
	expected, before, ours := c.expected(n, false), n.branch(), c.head()
	at, what, _ := strings.Cut(point, ":")
	n.gate(at)
	mark := fmt.Sprintf("PROPERTY_PUSH=%s", w.path(fmt.Sprint("push-", w.step.At)))
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := c.command(ctx, "git", "push", n.name)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env = &out, &out, append(cmd.Env, mark)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(cmd.Start())
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	ended := false
	w.eventually("the push comes to its "+at, func() bool {
		select {
		case <-done:
			ended = true
		default:
		}
		_, err := os.Stat(filepath.Join(n.layout.Root, "at-"+at))
		return ended || err == nil
	})
	defer func() {
		n.gate("")
		<-done
		code := cmd.ProcessState.ExitCode()
		w.note(c, cmd.Args, out.String(), code)
		n.quiet()
		// Once it is accepted, a new connection finds out how it ends.
		if ended || point == "health:link" {
			c.judge(n, expected, before, ours, code == 0, out.String())
		} else if w.learn(n.branch(), ours); code == 0 && !w.history.Contains(n.branch(), ours) {
			fail("%s's push to %s succeeds, and %s is not on its branch\n%s", c.who, n.name, ours, out.String())
		}
	}()
	if ended {
		return
	}
	id := ""
	if holder, err := statedir.HolderOf(n.layout.LockFile()); err == nil && holder != nil {
		id = holder.Deployment
	}
	if strings.HasPrefix(what, "pusher") {
		killAll(mark)
		n.gate("")
	}
	switch what {
	case "pusher-refuse":
		w.eventually("the deployment waits for a confirmation", func() bool {
			cmd := exec.Command(filepath.Join(w.bin, "git-deploy"), "node", "confirm", "--refuse", id)
			cmd.Env, cmd.Stdin = append(n.own.env, "TMPDIR="+w.path("t")), strings.NewReader("no")
			over, _ := statedir.FinishedEvent(n.layout, id)
			return cmd.Run() == nil || over != nil
		})
	case "pusher-follow":
		c.run("git", "deploy", "follow", n.name)
	case "runner":
		for _, pid := range proc.WithEnv(n.mark()) {
			if line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); bytes.Contains(line, []byte("\x00activate\x00")) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	case "link":
		for _, pid := range proc.WithEnv(mark) {
			if line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); string(line) == "ssh\n" {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	case "node", "both":
		n.off()
		if what == "both" {
			killAll(mark)
		}
		n.boot()
	}
}
