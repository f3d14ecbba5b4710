package nixlib_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/internal/testenv"
)

// host is a root folder in which systems of mini are switched to.
type host struct {
	t    *testing.T
	root string
}

func newHost(t *testing.T) *host {
	testenv.Nix(t)
	testenv.Need(t, "setsid")
	h := &host{t, t.TempDir()}
	t.Cleanup(func() {
		// A system without services stops those that run.
		h.exit("test", h.build("{ }"))
	})
	return h
}

// build returns the system of a NixOS configuration.
func (h *host) build(configuration string) string {
	h.t.Helper()
	file := filepath.Join(h.t.TempDir(), "configuration.nix")
	if err := os.WriteFile(file, []byte(configuration), 0o644); err != nil {
		h.t.Fatal(err)
	}
	out, errs, err := run(h.t, "nix-build", "--no-out-link", abs(h.t, "mini/nixos"), "--arg", "configuration", file, "-A", "system")
	if err != nil {
		h.t.Fatalf("nix-build: %v\n%s", err, errs)
	}
	return strings.TrimSpace(out)
}

// exit runs switch-to-configuration and returns its exit code and words.
func (h *host) exit(action, system string) (int, string) {
	h.t.Helper()
	cmd := exec.Command(filepath.Join(system, "bin/switch-to-configuration"), action)
	cmd.Env = append(os.Environ(), "GIT_DEPLOY_ROOT="+h.root)
	out, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		h.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// switchTo builds a configuration and switches to it.
func (h *host) switchTo(configuration string) string {
	h.t.Helper()
	system := h.build(configuration)
	if code, out := h.exit("switch", system); code != 0 {
		h.t.Fatalf("switch-to-configuration: exit %d\n%s", code, out)
	}
	return system
}

func (h *host) path(p string) string { return filepath.Join(h.root, p) }

func (h *host) read(p string) string {
	data, err := os.ReadFile(h.path(p))
	if err != nil {
		return ""
	}
	return string(data)
}

// pid returns the process of a service, 0 if there is none.
func (h *host) pid(service string) int {
	var pid int
	if _, err := fmt.Sscan(h.read("run/mini/services/"+service+"/pid"), &pid); err != nil {
		return 0
	}
	if syscall.Kill(pid, 0) != nil {
		return 0
	}
	return pid
}

// loop is a service that runs until it is stopped; more are its settings.
func loop(name, more string) string {
	return `systemd.services.` + name + ` = { wantedBy = [ "multi-user.target" ]; script = "while :; do sleep 1; done"; ` + more + ` };`
}

func TestSwitchService(t *testing.T) {
	h := newHost(t)
	both := h.switchTo("{ " + loop("a", "") + loop("b", "") + " }")
	a, b := h.pid("a"), h.pid("b")
	if a == 0 || b == 0 {
		t.Fatalf("not running: a %d, b %d", a, b)
	}
	if pgid, err := syscall.Getpgid(a); err != nil || pgid != a {
		t.Errorf("a is in process group %d of another", pgid)
	}

	if _, out := h.exit("switch", both); strings.Contains(out, "start") || h.pid("a") != a {
		t.Errorf("the same system did something:\n%s", out)
	}

	h.switchTo("{ " + loop("a", "") + loop("b", `environment.X = "1";`) + " }")
	if h.pid("a") != a {
		t.Error("a has not changed and was restarted")
	}
	if now := h.pid("b"); now == b || now == 0 {
		t.Errorf("b has changed and was not restarted: %d", now)
	}

	h.switchTo("{ " + loop("a", `restartTriggers = [ "other" ];`) + " }")
	if now := h.pid("a"); now == a || now == 0 {
		t.Errorf("a was not restarted by its trigger: %d", now)
	}
	if h.pid("b") != 0 {
		t.Error("b is gone from the system and still runs")
	}

	// Killed, it comes back with the next switch.
	if err := syscall.Kill(h.pid("a"), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.switchTo("{ " + loop("a", `restartTriggers = [ "other" ];`) + " }")
	if h.pid("a") == 0 {
		t.Error("a was killed and not started again")
	}
}

func TestSwitchKeepsServicesThatSaySo(t *testing.T) {
	h := newHost(t)
	h.switchTo("{ " + loop("a", "restartIfChanged = false;") + " }")
	a := h.pid("a")
	h.switchTo("{ " + loop("a", `restartIfChanged = false; environment.X = "1";`) + " }")
	if h.pid("a") != a {
		t.Error("restarted")
	}
}

func TestSwitchFailingService(t *testing.T) {
	h := newHost(t)
	good := h.switchTo("{ " + loop("a", "") + " }")
	for name, service := range map[string]string{
		"dies":    `script = "echo this is why >&2; exit 3";`,
		"missing": `serviceConfig.ExecStart = "/nowhere/program";`,
		"oneshot": `script = "echo this is why >&2; false"; serviceConfig.Type = "oneshot";`,
	} {
		t.Run(name, func(t *testing.T) {
			bad := h.build(`{ systemd.services.bad = { wantedBy = [ "multi-user.target" ]; ` + service + ` }; }`)
			code, out := h.exit("test", bad)
			if code != 4 || !strings.Contains(out, "the following units failed: bad.service") {
				t.Errorf("exit %d\n%s", code, out)
			}
			if name != "missing" && !strings.Contains(out, "this is why") {
				t.Errorf("the service's last words are missing:\n%s", out)
			}
			if code, out := h.exit("test", good); code != 0 || h.pid("a") == 0 {
				t.Errorf("going back: exit %d\n%s", code, out)
			}
		})
	}
}

func TestSwitchOneshot(t *testing.T) {
	h := newHost(t)
	config := func(n string) string {
		return `{ systemd.services.once = {
		  wantedBy = [ "multi-user.target" ];
		  serviceConfig = { Type = "oneshot"; RemainAfterExit = true; };
		  environment.N = "` + n + `";
		  script = "echo $N >> $GIT_DEPLOY_ROOT/ran";
		}; }`
	}
	h.switchTo(config("1"))
	h.switchTo(config("1"))
	h.switchTo(config("2"))
	if got := h.read("ran"); got != "1\n2\n" {
		t.Errorf("ran %q", got)
	}
}

func TestSwitchActivationScripts(t *testing.T) {
	h := newHost(t)
	h.switchTo(`{
	  system.activationScripts.b = { deps = [ "a" ]; text = "echo b >> $GIT_DEPLOY_ROOT/ran"; };
	  system.activationScripts.a = "echo a >> $GIT_DEPLOY_ROOT/ran";
	}`)
	if got := h.read("ran"); got != "a\nb\n" {
		t.Errorf("ran %q", got)
	}
	bad := h.build(`{ system.activationScripts.broken = "false"; environment.etc.x.text = "x"; }`)
	code, out := h.exit("test", bad)
	if code != 2 || !strings.Contains(out, "'broken' failed") {
		t.Errorf("exit %d\n%s", code, out)
	}
}

func TestSwitchFiles(t *testing.T) {
	h := newHost(t)
	if err := os.MkdirAll(h.path("etc/dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.path("etc/mine"), []byte("the host's own"), 0o644); err != nil {
		t.Fatal(err)
	}
	h.switchTo(`{ pkgs, ... }: {
	  environment.etc = {
	    "a".text = "it's a $HOME \\ %s";
	    "dir/b c".source = pkgs.writeText "b" "b";
	    "secret" = { text = "s"; mode = "0600"; };
	    "mine".text = "the system's";
	  };
	}`)
	for path, want := range map[string]string{
		"etc/a":       `it's a $HOME \ %s`,
		"etc/dir/b c": "b",
		"etc/secret":  "s",
		"etc/mine":    "the host's own",
	} {
		if got := h.read(path); got != want {
			t.Errorf("%s = %q, want %q", path, got, want)
		}
	}
	if info, err := os.Lstat(h.path("etc/secret")); err != nil || info.Mode() != 0o600 {
		t.Errorf("etc/secret: %v, %v", info, err)
	}
	h.switchTo(`{ environment.etc."dir/n".text = "n"; }`)
	for _, gone := range []string{"etc/a", "etc/dir/b c", "etc/secret"} {
		if _, err := os.Lstat(h.path(gone)); err == nil {
			t.Errorf("%s is still there", gone)
		}
	}
	if h.read("etc/mine") != "the host's own" || h.read("etc/dir/n") != "n" {
		t.Error("etc/mine or etc/dir/n is wrong")
	}
}

func TestSwitchActions(t *testing.T) {
	h := newHost(t)
	link := func(p string) string { l, _ := os.Readlink(h.path(p)); return l }
	one := h.switchTo(`{ environment.etc.n.text = "1"; }`)
	two := h.build(`{ environment.etc.n.text = "2"; ` + loop("a", "") + ` }`)
	check := func(action, running, boot, n string) {
		t.Helper()
		if code, out := h.exit(action, two); code != 0 {
			t.Fatalf("%s: exit %d\n%s", action, code, out)
		}
		if link("run/current-system") != running || link("boot/default") != boot || h.read("etc/n") != n {
			t.Errorf("%s: running %s, boot %s, n %s", action, link("run/current-system"), link("boot/default"), h.read("etc/n"))
		}
	}
	check("dry-activate", one, one, "1")
	check("boot", one, two, "1")
	check("test", two, two, "2")
	if code, _ := h.exit("jump", two); code != 1 {
		t.Errorf("unknown action: exit %d", code)
	}
}

// TestSwitchOutlivesItsCaller: whoever started it goes away, terminal, pipes
// and all, and the switch is done nevertheless.
func TestSwitchOutlivesItsCaller(t *testing.T) {
	h := newHost(t)
	system := h.build(`{ system.activationScripts.slow = ": > $GIT_DEPLOY_ROOT/began; while [ ! -e $GIT_DEPLOY_ROOT/go ]; do sleep 0.02; done"; ` + loop("a", "") + ` }`)
	cmd := exec.Command(filepath.Join(system, "bin/switch-to-configuration"), "switch")
	cmd.Env = append(os.Environ(), "GIT_DEPLOY_ROOT="+h.root)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	read.Close()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(h.path("began")); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the activation script does not begin")
		}
	}
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.path("go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if h.pid("a") == 0 {
		t.Error("the service does not run")
	}
}

// TestSwitchRealServer runs a web server that a change replaces.
func TestSwitchRealServer(t *testing.T) {
	testenv.Need(t, "busybox")
	h := newHost(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	site := func(text string) string {
		return fmt.Sprintf(`{ pkgs, ... }: {
		  environment.etc."site/index.html".text = %q;
		  systemd.services.web = {
		    wantedBy = [ "multi-user.target" ];
		    serviceConfig.ExecStart = "${pkgs.busybox}/bin/httpd -f -p 127.0.0.1:%d -h \${GIT_DEPLOY_ROOT}/etc/site";
		  };
		}`, text, port)
	}
	serves := func(want string) {
		t.Helper()
		var got string
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			if got, _, _ = run(t, "busybox", "wget", "-qO-", fmt.Sprintf("http://127.0.0.1:%d/", port)); got == want {
				return
			}
		}
		t.Fatalf("serves %q, want %q", got, want)
	}
	h.switchTo(site("one"))
	serves("one")
	pid := h.pid("web")
	h.switchTo(site("two"))
	serves("two")
	if h.pid("web") != pid {
		t.Error("a changed page restarted the server")
	}
}
