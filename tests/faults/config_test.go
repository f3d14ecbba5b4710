//go:build linux

package faults

import (
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/fail"
)

// badSystem is a configuration that must not stay.
type badSystem struct {
	name   string
	change parts
	says   string // what the user must be told
	short  bool
}

const oneshot = `
      systemd.services.bad = {
        wantedBy = [ "multi-user.target" ];
        script = ''SCRIPT'';
        serviceConfig = { KIND };
      };
`

func unit(kind, script string) string {
	return strings.NewReplacer("KIND", kind, "SCRIPT", script).Replace(oneshot)
}

// configKinds deploy systems that cut the node off, or do not come up.
func configKinds() []kind {
	const unreached = "did not reach the node again within 5s"
	kinds := []struct {
		name, fault string
		systems     []badSystem
	}{
		{"config-sshd", "a system whose sshd does not start, lets nobody in, or listens elsewhere", []badSystem{
			{"does-not-start", parts{"sshd": "-o Port=none"}, "sshd", false},
			{"lets-nobody-in", parts{"sshd": "-o AllowUsers=nobody"}, unreached, true},
			{"listens-elsewhere", parts{"sshd": "-p 2222"}, unreached, false},
			{"is-gone", parts{"activation": "systemctl stop sshd || true"}, unreached, false},
		}},
		{"config-firewall", "a system whose firewall drops or rejects ssh", []badSystem{
			{"drops", parts{"firewall": "drop"}, unreached, true},
			{"rejects", parts{"firewall": "reject with tcp reset"}, unreached, false},
		}},
		{"config-network", "a system without its default route, its address or its interface", []badSystem{
			{"no-route", parts{"route": "ip route del default"}, unreached, true},
			{"no-address", parts{"route": "ip addr del $(ip -o -4 addr show eth0 | sed 's/.*inet \\([^ ]*\\).*/\\1/') dev eth0"}, unreached, false},
			{"no-interface", parts{"route": "ip link set eth0 down"}, unreached, false},
		}},
		{"config-key", "a system without the deployer's key", []badSystem{
			{"no-key", parts{"keys": ""}, unreached, true},
		}},
		{"config-hangs", "a system with a unit, or an activation script, that never ends", []badSystem{
			{"unit", parts{"activate": "4", "services": unit(`Type = "oneshot";`, "exec /bin/sleep 3600")}, "took longer than 4s", true},
			{"activation-script", parts{"activate": "4", "activation": "sleep 3600"}, "took longer than 4s", false},
			{"stubborn-script", parts{"activate": "4", "activation": "trap : TERM; while :; do sleep 1; done"}, "took longer than 4s", false},
		}},
		{"config-fails", "a system whose activation script fails, or whose unit fails or is restarted again and again", []badSystem{
			{"activation-script", parts{"activation": "echo no way; false"}, "activation script failed", false},
			{"unit", parts{"services": unit(`Type = "oneshot";`, "echo cannot bind; exit 1")}, "bad.service", true},
			{"service-that-dies", parts{"services": unit("", "sleep 1; echo giving up; exit 1"), "health": waitCheck}, "bad.service", false},
			{"restart-loop", parts{"services": unit(`Restart = "always"; RestartSec = "100ms";`, "sleep 0.2; exit 1")}, "bad.service", false},
		}},
		{"config-sick", "a system whose health check fails, or never answers", []badSystem{
			{"check-fails", sick, "not well", true},
			{"command-never-ends", parts{"health": `health.command.sick = { command = [ "/bin/sleep" "3600" ]; timeout = 2; };`}, "sick", false},
			{"http-never-answers", parts{
				"health":   `health.http.sick = { url = "http://127.0.0.1:8099/"; timeout = 2; };`,
				"services": unit("", `exec /usr/bin/busybox nc -l -p 8099 -e /bin/sleep 3600`)}, "sick", false},
			{"nobody-listens", parts{"health": `health.tcp.sick = { port = 8098; timeout = 2; };`}, "sick", false},
		}},
	}
	var all []kind
	for _, k := range kinds {
		one := kind{name: k.name, fault: k.fault}
		for _, s := range k.systems {
			one.cases = append(one.cases, fcase{s.name, s.short, func(tr *trial) { tr.rolledBack(s) }})
		}
		all = append(all, one)
	}
	return all
}

// waitCheck takes longer than the service lives.
const waitCheck = `health.command.patience = { command = [ "/bin/sleep" "2" ]; timeout = 10; };`

// rolledBack deploys a system and expects the old one back.
func (tr *trial) rolledBack(s badSystem) {
	tr.t.Helper()
	tr.mayFail = true
	p := tr.deploy(s.change)
	tr.ended(p)
	if fail.Code(p.code) != fail.RolledBack {
		tr.t.Errorf("the push ends with %d, not with %d", p.code, fail.RolledBack)
	}
	if !strings.Contains(p.said(), s.says) {
		tr.t.Errorf("the push does not say %q", s.says)
	}
	// Its limits are 4 to 30 seconds for the switch, 5 for the confirmation; the rest is for building and going back.
	if limit := 75 * time.Second; p.took > limit {
		tr.t.Errorf("the push took %v, more than %v", p.took, limit)
	}
}
