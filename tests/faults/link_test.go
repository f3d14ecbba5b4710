//go:build linux

package faults

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

const bootLimit = time.Minute

// shortCut is shorter, and waitsForGood longer, than a node waits for its confirmation.
const shortCut = 1500 * time.Millisecond

// patient is a node that waits for its confirmation as long as a node does by itself.
var patient = parts{"confirm": "30"}

// linkKinds break the network between the deployer and the node.
func linkKinds() []kind {
	all := points(deployerPoints, receivePoints, runnerPoints)
	down := kind{name: "link-down", fault: "the link is down for 1.5 seconds"}
	for _, at := range points(all, seeds(201, 6)) {
		down.cases = append(down.cases, fcase{string(at), at == "switch.started", func(tr *trial) {
			tr.maySucceed, tr.mayFail, tr.unreachable = true, true, true
			tr.at(at, parts{}, nil, func(*pushing) bool {
				tr.must(tr.w.host.Cut())
				time.Sleep(shortCut) // that is the fault
				tr.must(tr.w.host.Heal())
				return true
			})
		}})
	}
	// The node decides alone, and the pusher learns of it when the link is back.
	lasting := kind{name: "link-down-until-decided", fault: "the link is down until the node has decided, or has been idle for 10 seconds"}
	for _, at := range all {
		lasting.cases = append(lasting.cases, fcase{string(at), at == "health.started", func(tr *trial) {
			tr.maySucceed, tr.mayFail, tr.unreachable = true, true, true
			tr.at(at, parts{}, nil, func(p *pushing) bool {
				tr.must(tr.w.host.Cut())
				tr.must(tr.w.open())
				tr.undisturbed()
				tr.must(tr.w.host.Heal())
				return true
			})
		}})
	}
	forever := kind{name: "link-down-forever", fault: "the link stays down until the pusher has given up"}
	for _, at := range []point{"health.started"} {
		forever.cases = append(forever.cases, fcase{string(at), false, func(tr *trial) {
			tr.mayFail, tr.unreachable = true, true
			tr.at(at, parts{}, nil, func(p *pushing) bool {
				tr.must(tr.w.host.Cut())
				tr.must(tr.w.open())
				select {
				case <-p.done:
				case <-time.After(7 * time.Minute):
					tr.t.Fatal("the push has not given up after 7 minutes")
				}
				tr.t.Logf("the push gave up after %v with %d", p.took.Round(time.Second), p.code)
				if p.code != 6 {
					tr.t.Errorf("the push gave up with %d, not with 6:\n%s", p.code, p.said())
				}
				p.killed = true // it said that it does not know, which is the truth
				tr.must(tr.w.host.Heal())
				return true
			})
		}})
	}
	flapping := kind{name: "link-flapping", fault: "the link goes down and up ten times, 0.2 seconds each"}
	for _, at := range []point{"connect.done", "build.started", "switch.started", "health.started", "confirm.started", "boot.started", "seed-221", "seed-222"} {
		flapping.cases = append(flapping.cases, fcase{string(at), false, func(tr *trial) {
			tr.maySucceed, tr.mayFail, tr.unreachable = true, true, true
			tr.at(at, parts{}, nil, func(*pushing) bool {
				for range 10 {
					tr.must(tr.w.host.Cut())
					time.Sleep(200 * time.Millisecond)
					tr.must(tr.w.host.Heal())
					time.Sleep(200 * time.Millisecond)
				}
				return true
			})
		}})
	}
	return []kind{down, lasting, forever, flapping, silentKind(), deafKind()}
}

// undisturbed waits until the node has no deployment under way.
func (tr *trial) undisturbed() {
	tr.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for limit := time.Now().Add(idleLimit); time.Now().Before(limit); time.Sleep(200 * time.Millisecond) {
		o := tr.look()
		decided := len(o.since(tr.before.known())) > 0 || time.Now().After(deadline)
		if decided && !slices.ContainsFunc(o.busy(), func(b string) bool { return strings.Contains(b, "no outcome") || strings.Contains(b, "lock") }) {
			return
		}
	}
	tr.t.Fatal("the node has not decided")
}

// silentKind takes the connections that there are, and lets new ones through:
// what a firewall does that has forgotten its states.
func silentKind() kind {
	k := kind{name: "silent-peer", fault: "the packets of all open connections are dropped from here on; new connections work"}
	for _, at := range []point{"build.started", "switch.started", "switch.done", "health.started", "confirm.started"} {
		k.cases = append(k.cases, fcase{string(at), at == "health.started", func(tr *trial) {
			tr.maySucceed, tr.mayFail = true, at == "build.started"
			tr.at(at, patient, nil, func(*pushing) bool { return tr.silence() })
			tr.restore()
		}})
	}
	return k
}

// deafKind lets the node hear, and nobody hear the node.
func deafKind() kind {
	k := kind{name: "no-replies", fault: "the packets from the node's sshd are dropped until the node has decided"}
	for _, at := range []point{"build.started", "switch.started", "health.started", "confirm.started", "boot.started"} {
		k.cases = append(k.cases, fcase{string(at), false, func(tr *trial) {
			tr.maySucceed, tr.mayFail, tr.unreachable = true, true, true
			tr.at(at, parts{}, nil, func(*pushing) bool {
				tr.nft("add rule ip " + tr.table() + " input ip saddr " + tr.w.host.Addr + " tcp sport 22 drop")
				tr.must(tr.w.open())
				tr.undisturbed()
				tr.restore()
				return true
			})
			tr.restore()
		}})
	}
	return k
}

// table is the trial's own table of filters in the deployer's network.
func (tr *trial) table() string { return "faults-" + tr.w.host.Name }

// nft adds rules for packets that come to the deployer.
func (tr *trial) nft(rules ...string) {
	tr.t.Helper()
	script := append([]string{
		"add table ip " + tr.table(),
		"add chain ip " + tr.table() + " input { type filter hook input priority 0; }",
		"add chain ip " + tr.table() + " output { type filter hook output priority 0; }",
	}, rules...)
	out, err := exec.Command("nft", strings.Join(script, "; ")).CombinedOutput()
	if err != nil {
		tr.t.Fatalf("nft: %v: %s", err, out)
	}
}

// restore lets all packets through again.
func (tr *trial) restore() {
	_ = exec.Command("nft", "delete table ip "+tr.table()).Run() // there may be none
}

// silence drops the packets of all connections to the node's sshd.
func (tr *trial) silence() bool {
	tr.t.Helper()
	ports := tr.localPorts()
	if len(ports) == 0 {
		return false
	}
	set := "{ " + strings.Join(ports, ", ") + " }"
	tr.nft("add rule ip "+tr.table()+" input ip saddr "+tr.w.host.Addr+" tcp sport 22 tcp dport "+set+" drop",
		"add rule ip "+tr.table()+" output ip daddr "+tr.w.host.Addr+" tcp dport 22 tcp sport "+set+" drop")
	return true
}

// localPorts are the deployer's ends of its connections to the node's sshd.
func (tr *trial) localPorts() []string {
	tr.t.Helper()
	f, err := os.Open("/proc/net/tcp")
	tr.must(err)
	defer f.Close()
	var a, b, c, d int
	_, err = fmt.Sscanf(tr.w.host.Addr, "%d.%d.%d.%d", &a, &b, &c, &d)
	tr.must(err)
	remote := fmt.Sprintf("%02X%02X%02X%02X:0016", d, c, b, a)
	var ports []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) > 3 && fields[2] == remote && fields[3] == "01" {
			var port int
			_, local, _ := strings.Cut(fields[1], ":")
			if _, err := fmt.Sscanf(local, "%X", &port); err == nil {
				ports = append(ports, fmt.Sprint(port))
			}
		}
	}
	return ports
}
