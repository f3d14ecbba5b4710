//go:build linux

package scripts

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/git-deploy/git-deploy/tests/lab"
)

// commands are what scripts have besides testscript's own commands; README.md describes them.
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"host":       cmdHost,
	"onhost":     cmdOnHost,
	"cut":        each((*lab.Host).Cut),
	"heal":       each((*lab.Host).Heal),
	"kill":       each((*lab.Host).Kill),
	"powerloss":  each((*lab.Host).PowerLoss),
	"start":      each(startHost),
	"reboot":     each((*lab.Host).Reboot),
	"network":    cmdNetwork,
	"node":       cmdNode,
	"write":      cmdWrite,
	"commit":     cmdCommit,
	"serves":     cmdServes,
	"eventually": cmdEventually,
	"exitcode":   cmdExitCode,
	"json":       cmdJSON,
	"same":       cmdSame,
	"set":        cmdSet,
}

func startHost(h *lab.Host) error {
	if err := h.Start(); err != nil {
		return err
	}
	return h.WaitSSH()
}

// hostNamed returns a host of the script.
func hostNamed(ts *testscript.TestScript, name string) *lab.Host {
	h := of(ts).lab.Get(name)
	if h == nil {
		ts.Fatalf("there is no host %s", name)
	}
	return h
}

func usage(ts *testscript.TestScript, neg, ok bool, text string) {
	if neg {
		ts.Fatalf("unsupported: ! %s", text)
	}
	if !ok {
		ts.Fatalf("usage: %s", text)
	}
}

// each makes a command of what can be done to hosts.
func each(do func(*lab.Host) error) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		usage(ts, neg, len(args) > 0, "cut|heal|kill|powerloss|start|reboot HOST…")
		for _, name := range args {
			ts.Check(do(hostNamed(ts, name)))
		}
	}
}

// cmdHost: host NAME… [systemd] [deployer] [wireguard] [root=SUITE] [without=PROGRAM,…]
func cmdHost(ts *testscript.TestScript, neg bool, args []string) {
	var names []string
	var prepare []func(disk string) error
	opt := lab.Options{Prepare: func(disk string) error {
		for _, do := range prepare {
			if err := do(disk); err != nil {
				return err
			}
		}
		return nil
	}}
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		switch key {
		case "systemd", "busybox":
			opt.Init = lab.Init(key)
		case "root":
			root, err := lab.DebianRoot(value)
			if err != nil {
				ts.Fatalf("%v", err)
			}
			opt.Root = root
		case "deployer":
			prepare = append(prepare, of(ts).deployer)
		case "wireguard":
			prepare = append(prepare, lab.InstallWireGuard)
		case "without":
			opt.Without = strings.Split(value, ",")
		default:
			names = append(names, arg)
		}
	}
	usage(ts, neg, len(names) > 0, "host NAME… [systemd] [deployer] [wireguard] [root=SUITE] [without=PROGRAM,…]")
	for _, name := range names {
		h, err := of(ts).lab.AddHost(name, opt)
		ts.Check(err)
		ts.Setenv(variable(name), h.Addr)
		ts.Setenv(variable(name)+"6", h.Addr6)
	}
	for _, name := range names {
		h := hostNamed(ts, name)
		ts.Check(h.WaitSSH())
		if opt.Init == lab.Systemd {
			ts.Check(h.WaitRunning())
		}
	}
}

// deployer gives a host what a deployer has: the programs, a key that all
// hosts accept, and the keys of the hosts that there are.
func (s *state) deployer(disk string) error {
	config := "Host *\n  User root\n  IdentityFile ~/.ssh/id\n  UserKnownHostsFile ~/.ssh/known_hosts\n  StrictHostKeyChecking yes\n"
	if err := os.WriteFile(filepath.Join(disk, "root/.ssh/config"), []byte(config), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(disk, "root/.gitconfig"), []byte(gitConfig), 0o600); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(disk, "usr/local/bin"), 0o755); err != nil {
		return err
	}
	for from, to := range map[string]string{
		s.lab.Key():                             "root/.ssh/id",
		s.lab.KnownHosts():                      "root/.ssh/known_hosts",
		filepath.Join(s.bin, "git-deploy"):      "usr/local/bin/git-deploy",
		filepath.Join(s.bin, "git-remote-node"): "usr/local/bin/git-remote-node",
	} {
		if out, err := exec.Command("cp", "-p", from, filepath.Join(disk, to)).CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
	}
	return os.Chmod(filepath.Join(disk, "root/.ssh/id"), 0o600)
}

// variable is the name of the variable that holds a host's address.
func variable(host string) string {
	return strings.NewReplacer("-", "_", ".", "_").Replace(host)
}

// cmdOnHost: onhost HOST COMMAND…
func cmdOnHost(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, false, len(args) > 1, "onhost HOST COMMAND…")
	outcome(ts, neg, ts.Exec("env", words(ts, append([]string{"onhost"}, args...))...))
}

// words returns what to execute for a command line of a script, as arguments of env.
func words(ts *testscript.TestScript, args []string) []string {
	switch {
	case args[0] == "onhost" && len(args) > 2:
		line, err := hostNamed(ts, args[1]).Argv(args[2:]...)
		ts.Check(err)
		return line
	case args[0] == "exec" && len(args) > 1:
		return args[1:]
	}
	return args
}

// outcome ends the script when a command did not end as it should have.
func outcome(ts *testscript.TestScript, neg bool, err error) {
	switch {
	case err != nil && !neg:
		ts.Fatalf("%v", err)
	case err == nil && neg:
		ts.Fatalf("unexpected success")
	}
}

// cmdNetwork: network NAME [NODE…]: makes a network in the folder NAME, goes
// there, and adds the hosts NODE… to it, each with a small service.
func cmdNetwork(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) > 0, "network NAME [NODE…]")
	ts.Check(ts.Exec("git", "deploy", "init", "--nixpkgs", `nixlib + "/mini"`, args[0], args[0]))
	ts.Check(ts.Chdir(args[0]))
	cmdNode(ts, false, args[1:])
}

// cmdNode: node NODE…: adds hosts to the network here, each with a small service.
func cmdNode(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, true, "node NODE…")
	for _, name := range args {
		ts.Check(ts.Exec("git", "deploy", "add", name, "root@"+name))
		// Beside what `add` wrote, which is the node's configuration as a user first has it.
		file := ts.MkAbs("nodes/" + name + ".nix")
		ts.Check(os.Remove(file))
		ts.Check(os.MkdirAll(ts.MkAbs("nodes/"+name), 0o755))
		ts.Check(os.WriteFile(ts.MkAbs("nodes/"+name+"/default.nix"), []byte(fmt.Sprintf(nodeFile, name)), 0o644))
		ts.Check(os.WriteFile(ts.MkAbs("nodes/"+name+"/page"), []byte("hello from "+name+"\n"), 0o644))
		ts.Check(ts.Exec("git", "add", "-A", "nodes"))
		ts.Check(ts.Exec("git", "commit", "-qm", "Let "+name+" serve a page"))
	}
}

const nodeFile = `{
  deploy.host = "%s";

  configuration =
    { ... }:
    {
      environment.etc."site/index.html".text = builtins.readFile ./page;
      systemd.services.site = {
        description = "the page of this host";
        wantedBy = [ "multi-user.target" ];
        serviceConfig.ExecStart = "/usr/bin/busybox httpd -f -p 8080 -h /etc/site";
      };
    };
}
`

// cmdWrite: write FILE TEXT…
func cmdWrite(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) > 0, "write FILE TEXT…")
	file := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(file), 0o755))
	ts.Check(os.WriteFile(file, []byte(strings.Join(args[1:], " ")+"\n"), 0o644))
}

// cmdCommit: commit MESSAGE…: commits all there is in the work tree.
func cmdCommit(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) > 0, "commit MESSAGE…")
	ts.Check(ts.Exec("git", "add", "-A"))
	ts.Check(ts.Exec("git", "commit", "-qm", strings.Join(args, " ")))
}

// cmdServes: serves HOST TEXT…: the service of HOST answers with TEXT, soon.
func cmdServes(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) > 1, "serves HOST TEXT…")
	want := strings.Join(args[1:], " ")
	url := "http://" + hostNamed(ts, args[0]).Addr + ":8080/"
	err := lab.Eventually(5*time.Second, func() error {
		got, err := exec.Command("curl", "-fsS", "-m", "2", url).CombinedOutput()
		if err == nil && strings.TrimSpace(string(got)) == want {
			return nil
		}
		return fmt.Errorf("%s serves %q, not %q", args[0], strings.TrimSpace(string(got)), want)
	})
	ts.Check(err)
}

// cmdEventually: eventually [SECONDS] COMMAND…: the command succeeds, at the latest then.
func cmdEventually(ts *testscript.TestScript, neg bool, args []string) {
	limit := 20 * time.Second
	if len(args) > 0 {
		if d, err := time.ParseDuration(args[0]); err == nil {
			limit, args = d, args[1:]
		}
	}
	usage(ts, neg, len(args) > 0, "eventually [DURATION] COMMAND…")
	ts.Check(lab.Eventually(limit, func() error { return ts.Exec("env", words(ts, args)...) }))
}

// cmdExitCode: exitcode CODE COMMAND…
func cmdExitCode(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) > 1, "exitcode CODE COMMAND…")
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec("env", words(ts, args[1:])...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, not %d", got, want)
	}
}

// cmdJSON: json FILE PATH VALUE: FILE (often stdout) holds VALUE at PATH,
// which is keys and indices with dots between them; len is the length.
func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, false, len(args) == 3, "json FILE PATH VALUE")
	var at any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &at))
	for _, key := range strings.Split(args[1], ".") {
		switch v := at.(type) {
		case map[string]any:
			at = v[key]
		case []any:
			if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < len(v) {
				at = v[i]
			} else if key == "len" {
				at = len(v)
			} else {
				at = nil
			}
		default:
			at = nil
		}
	}
	got := fmt.Sprint(at)
	if at == nil {
		got = ""
	}
	if (got == args[2]) == neg {
		ts.Fatalf("%s is %q", args[1], got)
	}
}

// cmdSet: set VARIABLE COMMAND…: the command's output, without newline, becomes the variable.
func cmdSet(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) > 1, "set VARIABLE COMMAND…")
	ts.Check(ts.Exec("env", words(ts, args[1:])...))
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

// cmdSame: same A B: both words are the same, and not empty.
func cmdSame(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, false, len(args) == 2, "same A B")
	if args[0] == "" || args[1] == "" {
		ts.Fatalf("empty: %q %q", args[0], args[1])
	}
	if (args[0] == args[1]) == neg {
		ts.Fatalf("%q and %q", args[0], args[1])
	}
}
