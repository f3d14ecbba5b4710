//go:build linux

package faults

import (
	"strings"

	"github.com/git-deploy/git-deploy/tests/lab"
)

// daemonKinds are of a node whose Nix works through its daemon.
func daemonKinds() []kind {
	k := kind{name: "kill-nix-daemon", fault: "kill -9 of the Nix daemon and its workers, on a node that uses it"}
	for _, at := range []point{"evaluate.started", "build.started", "build.done", "switch.started", "confirm.started", "boot.started", "seed-301", "seed-302"} {
		k.cases = append(k.cases, fcase{string(at), at == "build.started", func(tr *trial) {
			tr.maySucceed, tr.mayFail = true, true
			tr.useDaemon()
			tr.at(at, parts{}, nil, func(p *pushing) bool {
				return tr.kill(victim{node: true, is: func(p lab.Process) bool { return strings.HasPrefix(p.Name, "nix-daemon") }}, p)
			})
		}})
	}
	return []kind{k}
}

// useDaemon has the node's Nix ask a daemon until the trial is over.
func (tr *trial) useDaemon() {
	tr.t.Helper()
	_, err := tr.w.host.Try("sh", "-ec", `systemd-run -q --unit=nix-daemon -p Restart=always -p RestartSec=100ms -p StartLimitBurst=50 '--setenv=NIX_CONFIG=store = local' nix-daemon
		cp /etc/nix/nix.conf /etc/nix/nix.conf.before
		echo 'store = daemon' >>/etc/nix/nix.conf
		until nix-store --query --hash "$(readlink -f /run/current-system)" >/dev/null 2>&1; do sleep 0.05; done`)
	tr.must(err)
	tr.undo = append(tr.undo, func() {
		_, _ = tr.w.host.Try("sh", "-c", "mv /etc/nix/nix.conf.before /etc/nix/nix.conf; systemctl stop nix-daemon")
	})
}
