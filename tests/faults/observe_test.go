//go:build linux

package faults

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/tests/lab"
)

// observation is what a node is like at one moment.
type observation struct {
	running, profile, boots string // store paths
	page, who               string // of the running system
	lock                    string // free or held
	refs                    map[string]string
	pages, whos             map[string]string // what a ref's commit asks for
	records                 map[string][]event.Outcome
	finished                map[string]int // Finished events of each deployment
	outcome                 map[string]event.Outcome
	began                   map[string]bool // its activation saved a state
	failed                  []string        // units
	left                    []string        // processes of deployments
}

const observe = `cd ` + stateDir + ` || exit 1
r=` + repoDir + `
echo "running $(readlink -f /run/current-system)"
echo "profile $(readlink -f /nix/var/nix/profiles/system)"
echo "boots $(readlink -f /boot/default)"
echo "page $(cat /etc/site/index.html)"
echo "who $(cat /etc/site/who)"
echo "lock $(flock -n lock echo free || echo held)"
git --git-dir $r for-each-ref --format='ref %(refname) %(objectname)' refs/heads refs/deploy
for ref in refs/heads/main refs/deploy/current refs/deploy/boot refs/deploy/branch; do
	echo "asks $ref $(git --git-dir $r show $ref:nodes/web/page 2>/dev/null)"
	who=
	for name in ada bob self; do who="$who,$(git --git-dir $r show $ref:nodes/web/$name 2>/dev/null)"; done
	echo "whos $ref ${who#,}"
done
git --git-dir $r log --format='record %(trailers:key=Deployment,valueonly,separator=%x20) %(trailers:key=Outcome,valueonly,separator=%x20)' refs/deploy/log
cd deployments || exit 1
ls -d 2* | sed 's/^/deployment /'
grep -aoH '"kind":"finished".*"outcome":"[a-z-]*"' */events.jsonl | sed 's/^\([^/]*\).*"outcome":"\([a-z-]*\)"/finished \1 \2/'
ls -d */state.json 2>/dev/null | sed 's|^\([^/]*\)/.*|began \1|'
systemctl list-units --state=failed --plain --no-legend | sed 's/^/failed /'
ps -eo args | grep -E 'receive-pack|hook p|node (activate|recover)|nix-(build|instantiate|store|env)|^nix |switch-to-conf' | grep -v grep | sed 's/^/left /'
exit 0
`

// observe looks at the node, at its console.
func (w *world) observe() (*observation, error) {
	out, err := w.host.Try("sh", "-c", observe)
	if err != nil {
		return nil, err
	}
	o := &observation{
		refs: map[string]string{}, pages: map[string]string{}, whos: map[string]string{}, records: map[string][]event.Outcome{},
		finished: map[string]int{}, outcome: map[string]event.Outcome{}, began: map[string]bool{},
	}
	for line := range strings.Lines(out) {
		what, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		first, second, _ := strings.Cut(rest, " ")
		switch what {
		case "running":
			o.running = rest
		case "profile":
			o.profile = rest
		case "boots":
			o.boots = rest
		case "page":
			o.page = rest
		case "who":
			o.who = rest
		case "whos":
			o.whos[first] = second
		case "lock":
			o.lock = rest
		case "ref":
			o.refs[first] = second
		case "asks":
			o.pages[first] = second
		case "record":
			o.records[first] = append(o.records[first], event.Outcome(second))
		case "deployment":
			o.finished[first] += 0
		case "finished":
			o.finished[first]++
			o.outcome[first] = event.Outcome(second)
		case "began":
			o.began[first] = true
		case "failed":
			o.failed = append(o.failed, rest)
		case "left":
			o.left = append(o.left, rest)
		}
	}
	return o, nil
}

// known are the deployments that there are.
func (o *observation) known() map[string]bool {
	ids := map[string]bool{}
	for id := range o.finished {
		ids[id] = true
	}
	return ids
}

// since returns the deployments that are not in known, oldest first.
func (o *observation) since(known map[string]bool) []string {
	var ids []string
	for id := range o.finished {
		if !known[id] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// busy says what on the node has not come to its end.
func (o *observation) busy() []string {
	var busy []string
	for id, n := range o.finished {
		if n == 0 {
			busy = append(busy, "deployment "+id+" has no outcome")
		}
	}
	if o.lock != "free" {
		busy = append(busy, "the lock is "+o.lock)
	}
	for _, p := range o.left {
		busy = append(busy, "there still is "+p)
	}
	return busy
}

// broken says which of the project's promises do not hold on an idle node.
// good are the pages of the systems that were confirmed: the last one before
// the fault, and those whose deployments the node calls succeeded.
func (o *observation) broken(good []string) []string {
	var broken []string
	say := func(format string, args ...any) { broken = append(broken, fmt.Sprintf(format, args...)) }
	if !slices.Contains(good, o.page) {
		say("version %q runs, which nobody confirmed (confirmed: %v)", o.page, good)
	}
	if o.running == "" || o.running != o.profile || o.running != o.boots {
		say("%s runs, the profile names %s, the boot loader %s", o.running, o.profile, o.boots)
	}
	for _, ref := range []string{"refs/heads/main", "refs/deploy/current", "refs/deploy/boot", "refs/deploy/branch"} {
		if o.pages[ref] != o.page {
			say("%s is at version %q, and %q runs", ref, o.pages[ref], o.page)
		}
		if o.whos[ref] != o.who {
			say("%s says %q, and %q runs", ref, o.whos[ref], o.who)
		}
	}
	for id, n := range o.finished {
		records := o.records[id]
		switch {
		case n != 1:
			say("deployment %s has %d outcomes", id, n)
		case o.began[id] && len(records) != 1:
			say("deployment %s was activated (%s), and has %d entries in the log", id, o.outcome[id], len(records))
		case len(records) > 1:
			say("deployment %s has %d entries in the log", id, len(records))
		case len(records) == 1 && records[0] != o.outcome[id]:
			say("deployment %s ended as %s, and the log says %s", id, o.outcome[id], records[0])
		}
	}
	for _, u := range o.failed {
		say("unit failed: %s", u)
	}
	return broken
}

// serves waits for the node to serve a page to others.
func (w *world) serves(page string) error {
	client := http.Client{Timeout: 2 * time.Second}
	var err error
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var resp *http.Response
		if resp, err = client.Get("http://" + w.host.Addr + ":8080/"); err != nil {
			continue
		}
		body, readErr := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err = readErr; err == nil && string(body) == page {
			return nil
		}
		err = fmt.Errorf("it serves %.60q", body)
	}
	return fmt.Errorf("the node does not serve version %s: %w", page, err)
}

// shut closes the gate for a version, open opens all.
func (w *world) shut(gate, page string) error {
	_, err := w.host.Try("sh", "-c", `mkdir -p /run/gate; printf %s "$1" >/run/gate/"$0"`, gate, page)
	return err
}

// open opens all gates.
func (w *world) open() error {
	return lab.Eventually(time.Minute, func() error {
		_, err := w.host.Try("rm", "-rf", "/run/gate")
		return err
	})
}
