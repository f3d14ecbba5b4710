//go:build linux

package faults

import (
	"fmt"
	"time"
)

// machineKinds need a kernel, a disk, a memory or a clock that is the node's own.
func machineKinds() []kind {
	power := kind{name: "machine-power-cut", fault: "the power of a machine with a disk of its own is cut: what was not written to it is lost"}
	for _, at := range []point{"evaluate.done", "build.started", "build.done", "wait.done", "switch.started", "switch.done", "health.started",
		"confirm.started", "confirm.done", "boot.started", "boot.done", "record.started", "record.done", "seed-401", "seed-402", "seed-403"} {
		power.cases = append(power.cases, fcase{string(at), at == "boot.started", func(tr *trial) {
			tr.maySucceed, tr.mayFail = true, true
			tr.at(at, slow, nil, func(*pushing) bool { tr.powerCut(); return true })
			tr.sound()
		}})
	}
	back := kind{name: "machine-power-cut-rollback", fault: "the same, while the old system is put back"}
	for _, at := range backPoints {
		back.cases = append(back.cases, fcase{string(at), false, func(tr *trial) {
			tr.mayFail = true
			tr.at(at, merge(sick, slow), tr.holdBack(at), func(*pushing) bool { tr.powerCut(); return true })
			tr.sound()
		}})
	}
	return []kind{power, back, fullKind(), readOnlyKind(), memoryKind(), oomKind(), clockKind()}
}

// slow is for a machine that takes its time.
var slow = parts{"confirm": "20", "activate": "60"}

func merge(all ...parts) parts {
	m := parts{}
	for _, p := range all {
		for name, text := range p {
			m[name] = text
		}
	}
	return m
}

// sound checks that repository and store are whole.
func (tr *trial) sound() {
	tr.t.Helper()
	for _, p := range tr.pushes {
		tr.ended(p)
	}
	tr.idle()
	out, err := tr.w.host.Try("sh", "-c", "git --git-dir "+repoDir+" fsck --full --no-dangling 2>&1 && nix-store --verify --check-contents 2>&1")
	if err != nil {
		tr.t.Errorf("the repository or the store is broken: %v\n%s", err, out)
	}
}

// console runs a script on the machine that breaks it.
func (tr *trial) console(script string) {
	tr.t.Helper()
	if out, err := tr.w.host.Try("sh", "-c", script); err != nil {
		tr.t.Fatalf("%v\n%s", err, out)
	}
}

func fullKind() kind {
	k := kind{name: "disk-full", fault: "the disk is full to the last block, until the push has ended"}
	for _, at := range []point{"connect.done", "check.started", "evaluate.started", "build.started", "build.done", "switch.started", "switch.done", "health.started", "confirm.started", "boot.started"} {
		k.cases = append(k.cases, fcase{string(at), at == "switch.started", func(tr *trial) {
			tr.maySucceed, tr.mayFail = true, true
			p := tr.at(at, slow, nil, func(*pushing) bool {
				tr.console("dd if=/dev/zero of=/filler bs=1M 2>/dev/null; dd if=/dev/zero of=/filler2 bs=512 2>/dev/null; df / | tail -n1")
				return true
			})
			tr.ended(p)
			tr.console("rm -f /filler /filler2")
		}})
	}
	return k
}

func readOnlyKind() kind {
	k := kind{name: "read-only", fault: "the file system becomes read-only, as after an error of the disk, until the push has ended and the machine is started again"}
	for _, at := range []point{"connect.done", "build.started", "build.done", "switch.started", "health.started", "confirm.started", "boot.started"} {
		k.cases = append(k.cases, fcase{string(at), false, func(tr *trial) {
			tr.maySucceed, tr.mayFail, tr.unreachable = true, true, true
			p := tr.at(at, slow, nil, func(*pushing) bool {
				tr.console("echo 1 >/proc/sys/kernel/sysrq; echo u >/proc/sysrq-trigger; until grep ' / ext4 ro' /proc/mounts; do sleep 0.05; done")
				return true
			})
			select {
			case <-p.done:
			case <-time.After(90 * time.Second): // it may wait for a node that can say nothing any more
			}
			tr.powerCut()
		}})
	}
	return k
}

func memoryKind() kind {
	k := kind{name: "memory-exhausted", fault: "processes take all memory, again and again for 5 seconds; the kernel kills what it likes"}
	for _, at := range []point{"evaluate.started", "build.started", "switch.started", "health.started", "confirm.started"} {
		k.cases = append(k.cases, fcase{string(at), false, func(tr *trial) {
			tr.maySucceed, tr.mayFail = true, true
			tr.at(at, slow, nil, func(*pushing) bool {
				// A kernel that still finds pages to drop may never get to killing.
				tr.console("timeout -s KILL 5 sh -c 'while :; do tail /dev/zero >/dev/null 2>&1; done' || true")
				return true
			})
		}})
	}
	return k
}

// oomKind makes the process at work the one that the kernel kills. It is sysrq
// that calls for the killing: without swap, running out of memory can take minutes.
func oomKind() kind {
	k := kind{name: "out-of-memory", fault: "the kernel's OOM killer kills the process that is at work on the node"}
	for _, v := range []struct {
		at    point
		who   string // for pgrep -f, which must not find the one that asks
		short bool
	}{
		{"evaluate.started", "^nix-build", false}, {"build.started", "[h]ook pre-receive", false}, {"build.started", `[.] "[$]scriptPath"`, false},
		{"switch.started", "[n]ode activate", false}, {"switch.started", "[s]witch-to-configuration", false},
		{"health.started", "[n]ode activate", false},
	} {
		name := fmt.Sprintf("%s-%s", v.at, map[string]string{"^nix-build": "nix", "[h]ook pre-receive": "hook", `[.] "[$]scriptPath"`: "builder",
			"[n]ode activate": "activation", "[s]witch-to-configuration": "switch"}[v.who])
		k.cases = append(k.cases, fcase{name, v.short, func(tr *trial) {
			tr.maySucceed, tr.mayFail = true, true
			tr.at(v.at, slow, nil, func(*pushing) bool {
				out, err := tr.w.host.Try("sh", "-c", `n=0; while [ $n -lt 200 ]; do pids=$(pgrep -f "$0") && break; sleep 0.01; n=$((n + 1)); done
					hit=; for p in $pids; do echo 1000 >/proc/$p/oom_score_adj && hit=1; done 2>/dev/null
					[ -n "$hit" ] || exit 0
					echo 1 >/proc/sys/kernel/sysrq; echo f >/proc/sysrq-trigger
					n=0; for p in $pids; do while [ -e /proc/$p ] && [ $n -lt 500 ]; do sleep 0.01; n=$((n + 1)); done; [ -e /proc/$p ] || { echo killed; exit; }; done`, v.who)
				tr.must(err)
				return out == "killed"
			})
		}})
	}
	return k
}

func clockKind() kind {
	k := kind{name: "clock-jump", fault: "the clock jumps a year ahead, or back, and stays there until the next push is over"}
	for _, jump := range []string{"+1 year", "-1 year"} {
		for _, at := range []point{"evaluate.started", "build.started", "switch.started", "health.started", "confirm.started"} {
			name := string(at) + map[byte]string{'+': "-ahead", '-': "-back"}[jump[0]]
			k.cases = append(k.cases, fcase{name, at == "health.started" && jump[0] == '-', func(tr *trial) {
				tr.maySucceed = true
				tr.undo = append(tr.undo, func() { _, _ = tr.w.host.Try("date", "-s", fmt.Sprintf("@%d", time.Now().Unix())) })
				tr.at(at, slow, nil, func(*pushing) bool { tr.console(`date -s "` + jump + `"`); return true })
			}})
		}
	}
	return k
}
