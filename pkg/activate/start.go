package activate

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/proc"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// UnitName is the systemd unit that runs the activation of deployment id.
func UnitName(id string) string { return "git-deploy-activate@" + id + ".service" }

// Start starts `tool node activate id` as something that nothing of ours, and
// no connection, can take down with it: a systemd unit, or a process in a
// session of its own where systemd does not run. It does not wait for it.
func Start(ctx context.Context, l statedir.Layout, id, tool string) error {
	var err error
	if Systemd(l) {
		err = proc.Run(ctx, proc.Cmd{Argv: unitArgv(id, tool, templateInstalled(), os.Environ())})
	} else {
		err = startDetached(l, id, tool)
	}
	if err != nil {
		return fmt.Errorf("start the activation of deployment %s: %w", id, err)
	}
	return nil
}

// templateInstalled reports whether the NixOS module (or a package) provides the unit.
func templateInstalled() bool {
	for _, dir := range []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"} {
		if _, err := os.Stat(filepath.Join(dir, "git-deploy-activate@.service")); err == nil {
			return true
		}
	}
	return false
}

func unitArgv(id, tool string, template bool, environ []string) []string {
	if template {
		return []string{"systemctl", "start", "--no-block", UnitName(id)}
	}
	argv := []string{
		"systemd-run", "--quiet", "--no-block", "--collect", "--unit=" + UnitName(id),
		"--description=Activate git-deploy deployment " + id,
		// As in nixlib: killed, it is started again, and settles what it was in the middle of.
		"--property=Restart=on-abnormal", "--property=OOMPolicy=continue",
	}
	// A service manager's own environment need not know where git and Nix are.
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if name == "PATH" || strings.HasPrefix(name, "NIX_") {
			argv = append(argv, "--setenv="+kv)
		}
	}
	return append(argv, tool, "node", "activate", id)
}

func startDetached(l statedir.Layout, id, tool string) error {
	log, err := os.OpenFile(filepath.Join(l.Deployment(id), "runner.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := proc.Cmd{Argv: []string{tool, "node", "activate", id}, Dir: "/", Unset: hookVariables(os.Environ()), Stdout: log, Stderr: log}
	if l.Root != "" {
		cmd.Env = []string{statedir.RootEnv + "=" + l.Root}
	}
	_, err = proc.Detach(cmd)
	return err
}

// hookVariables names what git sets for a hook (its repository, the push
// options): in the runner they would point every git command at the wrong thing.
func hookVariables(environ []string) []string {
	var names []string
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "GIT_") && !strings.HasPrefix(name, "GIT_DEPLOY_") {
			names = append(names, name)
		}
	}
	return names
}
