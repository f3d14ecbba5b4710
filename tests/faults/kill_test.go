//go:build linux

package faults

import (
	"slices"
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/tests/lab"
)

// victim is a process of a push, on either side.
type victim struct {
	kind, name string
	node       bool
	mute       bool // without it nobody tells the user the truth
	is         func(lab.Process) bool
	points     []point // where it lives
	short      []point
}

func hasArg(words ...string) func(lab.Process) bool {
	return func(p lab.Process) bool {
		return strings.Contains(" "+strings.Join(p.Args, " ")+" ", strings.Join(words, " "))
	}
}

func named(names ...string) func(lab.Process) bool {
	return func(p lab.Process) bool { return slices.Contains(names, p.Name) }
}

func victims() []victim {
	deployment := points(receivePoints, runnerPoints)
	// Of those that only wait for others.
	some := points(deployerPoints, []point{"build.started", "switch.started", "health.started", "confirm.started", "boot.started", "record.started"})
	return []victim{
		{kind: "kill-git-deploy", name: "`git deploy push`, on the deployer", mute: true, is: named("git-deploy"),
			points: points(some, seeds(1, 2))},
		{kind: "kill-git-push", name: "`git push`, on the deployer", mute: true, is: func(p lab.Process) bool { return p.Name == "git" && slices.Contains(p.Args, "push") },
			points: points(some, seeds(11, 2))},
		{kind: "kill-git-remote-node", name: "`git-remote-node`, on the deployer", mute: true, is: func(p lab.Process) bool { return p.Name == "git-remote-node" && len(p.Args) == 3 },
			points: points(deployerPoints, deployment, seeds(21, 6)), short: []point{"switch.done"}},
		{kind: "kill-ssh", name: "the deployer's `ssh`", is: named("ssh"),
			points: points(deployerPoints, deployment, seeds(31, 6)), short: []point{"switch.started"}},
		{kind: "kill-sshd", name: "the node's `sshd` of the push's connection", node: true, is: hasArg("sshd: root@notty"),
			points: points(deployerPoints[1:], deployment, seeds(41, 6)), short: []point{"build.started", "confirm.started"}},
		{kind: "kill-receive-pack", name: "`git receive-pack`", node: true, is: func(p lab.Process) bool { return p.Name == "git" && slices.Contains(p.Args, "receive-pack") },
			points: points(receivePoints, []point{"wait.started"}, seeds(51, 4)), short: []point{"build.done"}},
		{kind: "kill-pre-receive", name: "the hook `pre-receive`", node: true, is: hasArg("hook pre-receive"),
			points: points(receivePoints, []point{"wait.started"}, seeds(61, 4)), short: []point{"build.started"}},
		{kind: "kill-nix", name: "Nix, while it evaluates or builds", node: true, is: func(p lab.Process) bool { return strings.HasPrefix(p.Name, "nix") },
			points: []point{"evaluate.started", "build.started", "boot.started", "seed-71", "seed-72", "seed-73", "seed-74"}, short: []point{"build.started"}},
		{kind: "kill-builder", name: "the builder of a derivation", node: true, is: hasArg(`. "$scriptPath"`),
			points: []point{"build.started"}},
		{kind: "kill-activation", name: "the main process of the activation's unit", node: true, is: hasArg("node activate"),
			points: points([]point{"build.done"}, runnerPoints, seeds(81, 6)), short: []point{"switch.started", "record.started"}},
		{kind: "kill-switch", name: "`switch-to-configuration`", node: true, is: hasArg("switch-to-configuration"),
			points: []point{"switch.started", "boot.started"}, short: []point{"switch.started"}},
	}
}

// killKinds are kill -9 of each process at each event at which it lives.
func killKinds() []kind {
	var kinds []kind
	for _, v := range victims() {
		k := kind{name: v.kind, fault: "kill -9 of " + v.name}
		for _, at := range v.points {
			k.cases = append(k.cases, fcase{string(at), slices.Contains(v.short, at), func(tr *trial) {
				tr.maySucceed, tr.mayFail = true, true
				p := tr.at(at, parts{}, nil, func(p *pushing) bool { return tr.kill(v, p) })
				p.killed = p.killed || v.mute
			}})
		}
		kinds = append(kinds, k)
	}
	return append(kinds, killBoth(), killGoingBack())
}

// killBoth is the fault in which nobody is left who knows of the deployment.
func killBoth() kind {
	k := kind{name: "kill-both", fault: "kill -9 of the whole push and of the activation's main process, at once"}
	for _, at := range points([]point{"build.done"}, runnerPoints) {
		k.cases = append(k.cases, fcase{string(at), at == "health.started", func(tr *trial) {
			tr.maySucceed, tr.mayFail = true, true
			tr.at(at, parts{}, nil, func(p *pushing) bool {
				p.kill()
				return tr.kill(victim{node: true, is: hasArg("node activate")}, p)
			})
		}})
	}
	return k
}

// killGoingBack kills who puts the old system back.
func killGoingBack() kind {
	k := kind{name: "kill-rollback", fault: "kill -9 of the activation's main process, or of its `switch-to-configuration`, while the old system is put back"}
	for _, v := range []struct {
		name string
		is   func(lab.Process) bool
	}{{"activation", hasArg("node activate")}, {"switch", hasArg("switch-to-configuration")}} {
		for _, at := range backPoints {
			if v.name == "switch" && at != "rollback.started" {
				continue
			}
			k.cases = append(k.cases, fcase{string(at) + "-" + v.name, v.name == "activation" && at == "rollback.started", func(tr *trial) {
				tr.mayFail = true
				tr.at(at, sick, tr.holdBack(at), func(p *pushing) bool { return tr.kill(victim{node: true, is: v.is}, p) })
				tr.note = "old system"
			}})
		}
	}
	return k
}

// sick is a system that its health check refuses.
var sick = parts{"health": `health.command.sick.command = [ "/bin/sh" "-c" "echo not well; exit 1" ];`}

// holdBack keeps the old system from being put back until the gates open: at
// the start of that there is something to break for as long as is needed, and
// the end of it comes only if nothing is held up.
func (tr *trial) holdBack(at point) func() {
	if at != "rollback.started" {
		return nil
	}
	return func() { tr.must(tr.w.shut("switch", tr.w.good)) }
}

// at deploys, and injects a fault at a point. inject says whether there was
// something to break. before is called before the push starts.
func (tr *trial) at(at point, change parts, before func(), inject func(*pushing) bool) *pushing {
	tr.t.Helper()
	tr.must(tr.w.ada.write(change))
	if gate := at.gate(); gate != "" {
		tr.must(tr.w.shut(gate, tr.page()))
	}
	if before != nil {
		before()
	}
	p := tr.start(tr.w.ada)
	tr.missed = true
	if tr.w.await(at, p, tr.before.known()) {
		tr.missed = !inject(p)
	}
	tr.must(tr.w.open())
	return p
}

// kill kills a process of the push, which may take a moment to appear.
func (tr *trial) kill(v victim, p *pushing) bool {
	tr.t.Helper()
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		processes := tr.w.host.Processes
		if !v.node {
			processes = p.processes
		}
		hit := false
		for _, q := range processes() {
			if v.is(q) {
				tr.must(q.Kill())
				hit = true
			}
		}
		if hit {
			return true
		}
		select {
		case <-p.done:
			return false
		default:
		}
	}
	return false
}
