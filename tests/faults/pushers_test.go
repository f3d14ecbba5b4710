//go:build linux

package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/fail"
)

// pusherKinds are several deployers of one node.
func pusherKinds() []kind {
	both := kind{name: "two-pushers", fault: "two people push different changes at the same moment, in both orders"}
	for _, c := range []struct {
		name  string
		first string
		after point // the second begins when the first is there; "": at once
		short bool
	}{
		{"ada-bob", "ada", "", true}, {"bob-ada", "bob", "", false},
		{"ada-bob-at-build.started", "ada", "build.started", false}, {"bob-ada-at-build.done", "bob", "build.done", false},
		{"ada-bob-at-switch.started", "ada", "switch.started", false}, {"bob-ada-at-health.started", "bob", "health.started", false},
		{"ada-bob-at-confirm.started", "ada", "confirm.started", false}, {"bob-ada-at-record.started", "bob", "record.started", false},
	} {
		both.cases = append(both.cases, fcase{c.name, c.short, func(tr *trial) { tr.together(c.first, c.after, false) }})
	}
	self := kind{name: "two-pushers-and-self", fault: "two people push, and the node deploys a change of its own in between, over its own repository"}
	for _, c := range []struct {
		name, first string
		after       point
		short       bool
	}{{"ada-self-bob", "ada", "", true}, {"bob-self-ada", "bob", "", false},
		{"ada-self-bob-at-build.started", "ada", "build.started", false}, {"bob-self-ada-at-switch.started", "bob", "switch.started", false}} {
		self.cases = append(self.cases, fcase{c.name, c.short, func(tr *trial) { tr.together(c.first, c.after, true) }})
	}
	dies := kind{name: "holder-dies", fault: "kill -9 of a push, and of what activates it on the node, while another push waits for it"}
	for _, at := range []point{"build.started", "switch.started", "health.started", "confirm.started"} {
		dies.cases = append(dies.cases, fcase{string(at), at == "switch.started", func(tr *trial) { tr.holderDies(at) }})
	}
	return []kind{both, self, dies}
}

// change commits a change of one person's own file, from an old clone.
func (d *deployer) change(text string) error {
	if err := os.WriteFile(filepath.Join(d.net(), "nodes/web/"+d.name), []byte(text), 0o644); err != nil {
		return err
	}
	return d.commit(d.name + " " + text)
}

// together has two people push at once. No change may be lost.
func (tr *trial) together(firstName string, after point, self bool) {
	tr.t.Helper()
	first, second := tr.w.ada, tr.w.bob
	if firstName == "bob" {
		first, second = second, first
	}
	tr.must(tr.w.ada.write(parts{})) // what runs afterwards is this version
	page := tr.page()
	text := "at version " + page
	tr.must(first.change(text))
	tr.must(second.change(text))
	if after != "" && after.gate() != "" {
		gated := page
		if firstName == "bob" { // his clone has the version that runs
			gated = tr.w.good
		}
		tr.must(tr.w.shut(after.gate(), gated))
	}
	a := tr.start(first)
	if after != "" {
		tr.missed = !tr.w.await(after, a, tr.before.known())
	}
	b := tr.start(second)
	want := map[string]string{"ada": text, "bob": text}
	if self {
		tr.must(tr.w.open())
		want["self"] = text
		out, err := tr.w.host.Try("sh", "-c", selfDeploy, text)
		if err != nil && !strings.Contains(err.Error(), superseded) {
			tr.t.Errorf("the node's deployment of itself: %v\n%s", err, out)
		}
	} else if after.gate() != "" {
		// Until the second one waits, or has given up.
		time.Sleep(time.Second)
	}
	tr.must(tr.w.open())
	tr.ended(a)
	tr.ended(b)
	for _, p := range []*pushing{a, b} {
		if p.code != 0 && !strings.Contains(p.said(), superseded) {
			tr.t.Errorf("the push of %s ends with %d", p.d.name, p.code)
		}
	}
	tr.idle()
	for name, text := range want {
		out, err := tr.w.host.Try("git", "--git-dir", repoDir, "show", "refs/deploy/current:nodes/web/"+name)
		if err != nil || strings.TrimSpace(out) != text {
			tr.t.Errorf("the change of %s is lost: %q %v", name, out, err)
		}
	}
	tr.maySucceed = true
	tr.note = "all changes run"
}

// superseded is what a deployment is whose commit was taken in, but came to be
// activated only as part of another's.
const superseded = "superseded"

// selfDeploy is a change that the node makes of itself.
const selfDeploy = `set -eu
export HOME=/root PATH=/usr/local/bin:$PATH GIT_TERMINAL_PROMPT=0
cd /root
[ -d own ] || git clone -q node://localhost/ own
cd own
git pull -q --no-rebase --no-edit
printf %s "$0" >nodes/web/self
git add -A
git commit -qm "self: $0"
git push -q 2>&1
`

// holderDies kills everything of a deployment while another one waits.
func (tr *trial) holderDies(at point) {
	tr.t.Helper()
	tr.maySucceed, tr.mayFail = true, true
	text := fmt.Sprint("instead of version ", tr.w.page+1)
	tr.must(tr.w.bob.change(text))
	var second *pushing
	first := tr.at(at, parts{}, nil, func(p *pushing) bool {
		second = tr.start(tr.w.bob)
		tr.waits(second)
		p.kill()
		if at != "build.started" {
			return tr.kill(victim{node: true, is: hasArg("node activate")}, p)
		}
		return true
	})
	tr.ended(first)
	if second == nil {
		return // missed
	}
	tr.ended(second)
	if fail.Code(second.code) != fail.OK {
		tr.t.Errorf("the second push ends with %d", second.code)
	}
	o := tr.idle()
	out, err := tr.w.host.Try("git", "--git-dir", repoDir, "show", "refs/deploy/current:nodes/web/bob")
	if err != nil || strings.TrimSpace(out) != text {
		tr.t.Errorf("the change of bob is lost: %q %v", out, err)
	}
	tr.note = "the second push deployed"
	tr.good = append(tr.good, o.page)
}

// waits returns when a push waits for another one, or is on its way for as long as one takes to get there.
func (tr *trial) waits(p *pushing) {
	deadline := time.Now().Add(5 * time.Second)
	for time.Now().Before(deadline) && !strings.Contains(p.said(), "waiting for") {
		select {
		case <-p.done:
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}
