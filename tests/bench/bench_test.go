//go:build linux

// Package bench measures git-deploy against floors in the same run, on test
// hosts: `make bench` prints one line for each figure,
//
//	name measured floor ratio bound ok|over
//
// and never fails for a figure that is over its bound: numbers are for people
// to read, and a busy machine is no defect.
package bench

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/tests/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }

// rounds is how often each figure and its floor are measured, in turn; the median counts.
const rounds = 9

// bench is a deployer with hosts.
type bench struct {
	b   *testing.B
	lab *lab.Lab
	dir string
	env []string
}

func newBench(b *testing.B) *bench {
	testenv.Need(b, "git", "nix-build", "ssh", "busybox", "go")
	l := lab.New(b)
	dir, err := os.MkdirTemp("", "b")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	x := &bench{b: b, lab: l, dir: dir}
	bin := filepath.Join(dir, "bin")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", bin+"/", "./cmd/...")
	build.Dir, build.Env = "../..", append(lab.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
	config := "[user]\n\tname = Ada\n\temail = ada@example.org\n[init]\n\tdefaultBranch = main\n"
	if err := os.WriteFile(filepath.Join(dir, "gitconfig"), []byte(config), 0o644); err != nil {
		b.Fatal(err)
	}
	x.env = append(append(os.Environ(), l.Env()...),
		"HOME="+dir, "PATH="+bin+":"+os.Getenv("PATH"), "GIT_CONFIG_GLOBAL="+filepath.Join(dir, "gitconfig"), "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C.UTF-8")
	return x
}

// run runs a shell command in the bench's folder and returns how long it took and the resident set of its largest process in KiB.
func (x *bench) run(command string) (time.Duration, int64) {
	x.b.Helper()
	cmd := exec.Command("sh", "-euc", command)
	cmd.Dir, cmd.Env = x.dir, x.env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	err := cmd.Run()
	took := time.Since(start)
	if err != nil {
		x.b.Fatalf("%s: %v\n%s", command, err, out.String())
	}
	return took, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
}

// median runs a and b in turn and returns the medians of how long they took.
func (x *bench) median(a, b func() time.Duration) (time.Duration, time.Duration) {
	return x.medianOf(rounds, a, b)
}

// medianOf is median of so many rounds.
func (x *bench) medianOf(rounds int, a, b func() time.Duration) (time.Duration, time.Duration) {
	var as, bs []time.Duration
	for range rounds {
		as, bs = append(as, a()), append(bs, b())
	}
	slices.Sort(as)
	slices.Sort(bs)
	return as[rounds/2], bs[rounds/2]
}

// figure prints one line. Without a floor the bound is on the value itself.
func figure(name, measured, floor string, ratio, bound float64) {
	verdict := "ok"
	if ratio > bound {
		verdict = "over"
	}
	fmt.Printf("%s %s %s %.2f %.2f %s\n", name, measured, floor, ratio, bound, verdict)
}

func (x *bench) ratio(name string, measured, floor time.Duration, bound float64) {
	figure(name, ms(measured), ms(floor), float64(measured)/float64(floor), bound)
}

func ms(d time.Duration) string { return fmt.Sprintf("%.0fms", float64(d)/float64(time.Millisecond)) }

// passiveOpens counts the TCP connections that the host has accepted.
func passiveOpens(h *lab.Host) int {
	lines := strings.Split(h.Run("grep", "^Tcp:", "/proc/net/snmp"), "\n")
	names, values := strings.Fields(lines[0]), strings.Fields(lines[1])
	var n int
	_, _ = fmt.Sscan(values[slices.Index(names, "PassiveOpens")], &n)
	return n
}

// peak watches all processes called name, and returns a function that ends this
// and tells their largest resident set in KiB.
func peak(name string) func() int64 {
	stop, result := make(chan struct{}), make(chan int64)
	go func() {
		var most int64
		for {
			files, _ := filepath.Glob("/proc/[0-9]*/status")
			for _, file := range files {
				status, err := os.ReadFile(file)
				if err != nil || !bytes.HasPrefix(status, []byte("Name:\t"+name+"\n")) {
					continue
				}
				for line := range strings.SplitSeq(string(status), "\n") {
					var kib int64
					if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
						most = max(most, kib)
					}
				}
			}
			select {
			case <-stop:
				result <- most
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	return func() int64 { close(stop); return <-result }
}

func BenchmarkPush(b *testing.B) {
	x := newBench(b)
	web := x.lab.Host(b, "web", lab.Options{})
	hand := x.lab.Host(b, "hand", lab.Options{})
	for _, h := range []*lab.Host{web, hand} {
		if err := h.WaitSSH(); err != nil {
			b.Fatal(err)
		}
	}
	x.run(`git deploy init home home --nixpkgs 'nixlib + "/mini"' && cd home && git deploy add web root@web`)
	slow := "" // evaluated with the text
	write := func(n int) {
		text := fmt.Sprintf(`{
  deploy.host = "web";
  configuration = { pkgs, ... }: {
    environment.etc."motd".text = %s "round %d\n";
    systemd.services.site = {
      wantedBy = [ "multi-user.target" ];
      serviceConfig.ExecStart = "${pkgs.busybox}/bin/busybox httpd -f -p 127.0.0.1:8080";
    };
  };
}
`, slow, n)
		if err := os.WriteFile(filepath.Join(x.dir, "home/nodes/web.nix"), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
		x.run(`cd home && git commit -qam "round"`)
	}
	write(0)
	x.run(`cd home && git push web`)

	// By hand: a repository whose work tree follows the push, and the same nixlib beside it.
	hand.Run("git", "init", "-q", "-b", "main", "/root/net")
	hand.Run("git", "-C", "/root/net", "config", "receive.denyCurrentBranch", "updateInstead")
	x.run(`cd home && git remote add hand ssh://root@hand/root/net && git push -q hand main && tar c -C ` + nixlib(b) + ` . | $GIT_SSH_COMMAND root@hand 'mkdir -p /root/nixlib && tar x -C /root/nixlib'`)
	const onNode = `cd /root/net && s=$(nix-build --no-out-link /root/nixlib/cli.nix --argstr dir /root/net -A nodes.web.bundle) && s=$(sed "s/.*\"system\":\"\([^\"]*\)\".*/\1/" $s)`
	byHand := `cd home && S="$GIT_SSH_COMMAND -o ControlPath=` + x.dir + `/cm" && $S -MNf root@hand && GIT_SSH_COMMAND="$S" git push -q hand main &&
		s=$($S root@hand '` + onNode + ` && echo $s') && $S root@hand nix-env --profile /nix/var/nix/profiles/system --set $s && $S root@hand $s/bin/switch-to-configuration switch && $S -O exit root@hand 2>/dev/null`
	x.run(byHand)

	ours, plain := x.median(
		func() time.Duration { d, _ := x.run(`cd home && git push web`); return d },
		func() time.Duration { d, _ := x.run(`cd home && git push hand main`); return d })
	x.ratio("push-nothing", ours, plain, 1.3)

	n := 0
	oneLine := func() (time.Duration, int64) {
		n++
		write(n)
		return x.run(`cd home && git push web`)
	}
	before := passiveOpens(web)
	ours, floor := x.median(
		func() time.Duration { d, _ := oneLine(); return d },
		func() time.Duration { d, _ := x.run(byHand); return d })
	x.ratio("push-one-line", ours, floor, 1.15)
	connections := float64(passiveOpens(web)-before) / rounds
	figure("connections-per-push", fmt.Sprintf("%.0f", connections), "2", connections/2, 1)
	// What a push adds to the work itself does not grow with it: mini evaluates in
	// 0.04 s, a node of the real nixpkgs takes 2 to 3 s.
	slow = "builtins.seq (let fib = n: if n < 2 then n else fib (n - 1) + fib (n - 2); in fib 34)"
	ours, floor = x.medianOf(3,
		func() time.Duration { d, _ := oneLine(); return d },
		func() time.Duration { d, _ := x.run(byHand); return d })
	x.ratio("push-one-line-slow-evaluation", ours, floor, 1.15)
	slow = ""
	// Apart from the timing: looking at all processes all the time is work too.
	stop := peak("git-deploy")
	_, helper := oneLine()
	node := stop()
	figure("helper-resident", fmt.Sprintf("%.1fMiB", float64(helper)/1024), "40MiB", float64(helper)/1024/40, 1)
	figure("node-resident", fmt.Sprintf("%.1fMiB", float64(node)/1024), "40MiB", float64(node)/1024/40, 1)
}

func nixlib(b *testing.B) string {
	dir, err := filepath.Abs("../../nixlib")
	if err != nil {
		b.Fatal(err)
	}
	return dir
}
