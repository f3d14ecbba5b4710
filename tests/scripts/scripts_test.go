//go:build linux

// Package scripts runs the scripts of this folder: what people do with
// git-deploy, over real git, sshd and Nix on test hosts. The commands that
// scripts have besides testscript's own are in commands_test.go; README.md
// tells how to write one.
package scripts

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/tests/lab"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Each script has hosts that build and boot: more at once only wait for each other.
	_ = flag.Set("test.parallel", "2")
	lab.Main(m)
}

func TestScripts(t *testing.T) {
	testenv.Need(t, "git", "nix-build", "ssh", "curl")
	files, err := filepath.Glob("*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	bin := programs(t)
	testscript.Run(t, testscript.Params{
		Files:              files,
		RequireUniqueNames: true,
		Cmds:               commands,
		Condition:          condition,
		Setup:              func(env *testscript.Env) error { return setup(env, bin) },
	})
}

// condition knows [newest]: a root with the newest git and Nix can be had,
// [wireguard]: hosts can have WireGuard, and [shells]: bash, zsh and fish are here.
func condition(name string) (bool, error) {
	var err error
	switch name {
	case "newest":
		_, err = lab.DebianRoot("sid")
	case "wireguard":
		_, err = lab.WireGuard()
	case "shells":
		for _, shell := range []string{"bash", "zsh", "fish"} {
			_, missing := exec.LookPath(shell)
			err = errors.Join(err, missing)
		}
	default:
		return false, errors.New("unknown condition " + name)
	}
	if os.Getenv("CI") == "true" {
		return err == nil, err
	}
	return err == nil, nil
}

// programs builds the programs once and returns their folder. Programs that
// are built already can be named by GIT_DEPLOY_BIN.
var build = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("GIT_DEPLOY_BIN"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.MkdirTemp("", "bin")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-o", dir+"/", "./cmd/...")
	cmd.Dir = "../.."
	cmd.Env = append(lab.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.New("go build: " + string(out))
	}
	return dir, nil
})

func programs(t *testing.T) string {
	t.Helper()
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// state is what the commands of one script share.
type state struct {
	lab *lab.Lab
	bin string
}

type stateKey struct{}

func of(ts *testscript.TestScript) *state { return ts.Value(stateKey{}).(*state) }

// setup gives a script a lab without hosts and a deployer's account of its own.
func setup(env *testscript.Env, bin string) error {
	l := lab.New(env.T().(testing.TB))
	env.Values[stateKey{}] = &state{lab: l, bin: bin}
	// Sockets are made below TMPDIR, and their paths must be short.
	tmp, err := os.MkdirTemp("", "t")
	if err != nil {
		return err
	}
	env.Defer(func() { _ = os.RemoveAll(tmp) })
	home := filepath.Join(env.WorkDir, ".ada")
	if err := os.Mkdir(home, 0o700); err != nil && !os.IsExist(err) {
		return err
	}
	config := filepath.Join(home, ".gitconfig")
	if err := os.WriteFile(config, []byte(gitConfig), 0o644); err != nil {
		return err
	}
	nixlib, err := filepath.Abs("../../nixlib")
	if err != nil {
		return err
	}
	for _, kv := range append(l.Env(),
		"HOME="+home,
		"TMPDIR="+tmp,
		"PATH="+bin+":"+env.Getenv("PATH"),
		"GIT_CONFIG_GLOBAL="+config,
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_TERMINAL_PROMPT=0",
		"LC_ALL=C.UTF-8",
		"NO_COLOR=1",
		"SSH_CONFIG="+l.SSHConfig(),
		"SSH_KEY="+l.Key(),
		"BIN="+bin,
		"NIXLIB="+nixlib,
		"REPO=/var/lib/git-deploy/networks/home/repo.git",
	) {
		name, value, _ := strings.Cut(kv, "=")
		env.Setenv(name, value)
	}
	return nil
}

const gitConfig = `[user]
	name = Ada
	email = ada@example.org
[init]
	defaultBranch = main
[advice]
	detachedHead = false
`
