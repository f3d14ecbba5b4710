//go:build linux

package faults

import (
	"slices"

	"github.com/git-deploy/git-deploy/tests/lab"
)

// decisivePower are events of which each begins another phase of the activation.
var decisivePower = []point{"switch.started", "confirm.started", "boot.started", "record.started"}

// powerKinds cut the power, at every step: the link first, then everything at once.
func powerKinds() []kind {
	cut := kind{name: "power-cut", fault: "the power is cut, and comes back"}
	for _, at := range points(receivePoints, runnerPoints, seeds(101, 6)) {
		cut.cases = append(cut.cases, fcase{string(at), slices.Contains(decisivePower, at), func(tr *trial) {
			tr.maySucceed, tr.mayFail = true, true
			tr.at(at, parts{}, nil, func(*pushing) bool { tr.powerCut(); return true })
		}})
	}
	back := kind{name: "power-cut-rollback", fault: "the power is cut while the old system is put back"}
	for _, at := range backPoints {
		back.cases = append(back.cases, fcase{string(at), at == "rollback.started", func(tr *trial) {
			tr.mayFail = true
			tr.at(at, sick, tr.holdBack(at), func(*pushing) bool { tr.powerCut(); return true })
		}})
	}
	twice := kind{name: "power-cut-twice", fault: "the power is cut, and cut again while the boot that follows settles what was interrupted"}
	for _, at := range []point{"switch.started", "confirm.started", "boot.started", "boot.done"} {
		twice.cases = append(twice.cases, fcase{string(at), false, func(tr *trial) {
			tr.maySucceed, tr.mayFail = true, true
			tr.at(at, parts{}, nil, func(*pushing) bool {
				tr.must(tr.w.host.PowerLoss())
				tr.must(tr.w.host.Start())
				// The recovery may have ended by the time it is seen; then the second cut comes right after it.
				tr.must(lab.Eventually(bootLimit, func() error {
					_, err := tr.w.host.Try("sh", "-c", "pgrep -f 'node recover' || systemctl -q is-active multi-user.target")
					return err
				}))
				tr.powerCut()
				return true
			})
		}})
	}
	gone := kind{name: "power-cut-alone", fault: "the power is cut, and the pusher is killed before it comes back"}
	for _, at := range []point{"build.started", "switch.started", "switch.done", "confirm.started", "boot.started", "boot.done", "record.started"} {
		gone.cases = append(gone.cases, fcase{string(at), false, func(tr *trial) {
			tr.maySucceed, tr.mayFail = true, true
			tr.at(at, parts{}, nil, func(p *pushing) bool {
				tr.must(tr.w.host.PowerLoss())
				p.kill()
				tr.boot()
				return true
			})
		}})
	}
	reboot := kind{name: "reboot", fault: "somebody reboots the node"}
	for _, at := range points([]point{"build.started", "build.done"}, runnerPoints) {
		reboot.cases = append(reboot.cases, fcase{string(at), at == "health.started", func(tr *trial) {
			tr.maySucceed, tr.mayFail = true, true
			tr.at(at, parts{}, nil, func(*pushing) bool { tr.must(tr.w.host.Reboot()); return true })
		}})
	}
	return []kind{cut, back, twice, gone, reboot}
}

// powerCut cuts the power and gives it back.
func (tr *trial) powerCut() {
	tr.t.Helper()
	tr.must(tr.w.host.PowerLoss())
	tr.boot()
}

func (tr *trial) boot() {
	tr.t.Helper()
	tr.must(tr.w.host.Start())
	tr.must(tr.w.host.WaitSSH())
}
