//go:build linux

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/tests/lab"
)

// fleet is how many hosts BenchmarkFetch has; all are fetched from at once.
const fleet = 50

const (
	nodeTool = "/var/lib/git-deploy/bin/git-deploy"
	nodeRepo = "/var/lib/git-deploy/networks/home/repo.git"
)

// BenchmarkFetch: each host has a new commit every time, and tells of all others
// that they have it; the floor is as many plain `git fetch` over ssh, as many at
// once, of what the hosts say of themselves.
func BenchmarkFetch(b *testing.B) {
	x := newBench(b)
	tool := lab.Options{Prepare: func(disk string) error {
		dir := filepath.Join(disk, filepath.Dir(nodeTool))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		return exec.Command("cp", filepath.Join(x.dir, "bin/git-deploy"), dir).Run()
	}}
	x.run(`git deploy init home home --nixpkgs 'nixlib + "/mini"' && cd home && git bundle create -q ../all main`)
	hosts := make([]*lab.Host, fleet)
	for i := range hosts {
		hosts[i] = x.lab.Host(b, fmt.Sprintf("h%d", i), tool)
	}
	id, err := os.ReadFile(filepath.Join(x.dir, "home/network-id"))
	if err != nil {
		b.Fatal(err)
	}
	for _, h := range hosts {
		if err := h.WaitSSH(); err != nil {
			b.Fatal(err)
		}
		h.Run(nodeTool, "node", "init", "--network=home", "--id="+strings.TrimSpace(string(id)), "--node="+h.Name)
		x.run(`$GIT_SSH_COMMAND root@` + h.Name + ` 'cat >/tmp/all && git --git-dir ` + nodeRepo + ` fetch -q /tmp/all main:main' <all`)
	}
	var told strings.Builder
	for _, h := range hosts {
		for _, ref := range []string{"heads/main", "deploy/current", "deploy/boot", "deploy/branch"} {
			fmt.Fprintf(&told, "update refs/nodes/%s/%s $new\n", h.Name, ref)
		}
	}
	for i, clone := range []string{"ours", "plain"} {
		x.run(`cp -r home ` + clone)
		for _, h := range hosts {
			url := []string{"node://root@" + h.Name + "/home", "ssh://root@" + h.Name + nodeRepo}[i]
			x.run(`cd ` + clone + ` && git config remote.` + h.Name + `.url ` + url +
				` && git config remote.` + h.Name + `.fetch '+refs/heads/*:refs/remotes/` + h.Name + `/*' && git config --add remote.` + h.Name + `.fetch '+refs/deploy/*:refs/deploy/nodes/` + h.Name + `/*'`)
		}
	}
	grow := func() {
		var wg sync.WaitGroup
		for _, h := range hosts {
			wg.Go(func() {
				h.Run("sh", "-ec", `export GIT_DIR=`+nodeRepo+`; new=$(git -c user.name=N -c user.email=n@n commit-tree -p main -m change main^{tree}); git update-ref refs/heads/main $new; git update-ref --stdin <<EOF
`+told.String()+`EOF`)
			})
		}
		wg.Wait()
	}
	fetch := func(command string) func() time.Duration {
		return func() time.Duration { d, _ := x.run(command); return d }
	}
	for _, h := range hosts {
		x.run(`cd ours && git config --add remote.` + h.Name + `.fetch '+refs/nodes/*:refs/deploy/told/` + h.Name + `/*'`)
	}
	ours := fetch(`cd ours && git deploy fetch --all-nodes --timeout 1m >/dev/null`)
	plain := fetch(fmt.Sprintf(`cd plain && git remote | xargs -P %d -n 1 git fetch -q`, fleet))
	ours()
	plain()
	measured, floor := x.medianOf(3, func() time.Duration { grow(); return ours() }, plain)
	x.ratio(fmt.Sprintf("fetch-%d-nodes", fleet), measured, floor, 1.3)
}
