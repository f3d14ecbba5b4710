// Package nix evaluates, builds and copies with the user's Nix, and keeps
// profiles. It calls the programs nix-instantiate, nix-build, nix-store and
// nix-env, which are the same from Nix 2.8 to 2.34, and reports what they do
// as events.
//
// It does not decide what is deployed, and knows nothing of git or ssh: a
// Runner gives it the other machine to copy to. Where it evaluates, it
// evaluates nixlib/cli.nix, which it carries with it.
//
// A program's failure becomes an *EvalError or a *BuildError whenever Nix says
// which: what the user wrote and where, or which derivation failed and its last
// words. It is never just an exit code.
package nix

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/proc"
)

// Nix runs Nix's programs and reports to Sink.
type Nix struct {
	Sink      event.Sink
	ShowTrace bool          // errors hold every frame that Nix knows
	Repair    bool          // what is built is compared with what the store knows of it, and made anew where they differ
	Started   func(pid int) // hears of each process, which leads a group of its own; may be nil
}

// New returns a Nix that reports to sink.
func New(sink event.Sink) *Nix { return &Nix{Sink: sink} }

// StoreDir is the folder of the Nix store.
func StoreDir() string {
	if dir := os.Getenv("NIX_STORE_DIR"); dir != "" {
		return filepath.Clean(dir)
	}
	return "/nix/store"
}

// Entry is the file at which the evaluation of a network starts.
type Entry string

const (
	FlakeEntry   Entry = "flake.nix"
	NetworkEntry Entry = "network.nix"
)

// EntryOf says at which file the network in dir starts.
func EntryOf(dir string) (Entry, error) {
	for _, e := range []Entry{FlakeEntry, NetworkEntry} {
		if _, err := os.Stat(filepath.Join(dir, string(e))); err == nil {
			return e, nil
		}
	}
	return "", hinted(errors.New("there is neither a flake.nix nor a network.nix at the top of the repository, so it describes no network"),
		"git deploy init NAME")
}

// Manifest evaluates what is known of the network in dir without evaluating any node.
func (n *Nix) Manifest(ctx context.Context, dir string) (*bundle.Manifest, error) {
	argv, err := n.eval("nix-instantiate", dir, "manifest")
	if err != nil {
		return nil, err
	}
	out, err := n.run(ctx, runOptions{argv: append(argv, "--eval", "--strict", "--json"), dir: dir})
	if err != nil {
		return nil, n.explainMore(ctx, dir, "", err)
	}
	return bundle.ParseManifest(out)
}

// BuildBundle evaluates and builds the bundle of node in one process, keeps it
// alive by the symlink gcRoot ("": not at all), and returns its store path. It
// reports the steps Evaluate and Build.
func (n *Nix) BuildBundle(ctx context.Context, dir, node, gcRoot string) (string, error) {
	argv, err := n.bundle("nix-build", dir, node)
	if err != nil {
		return "", err
	}
	if gcRoot == "" {
		argv = append(argv, "--no-out-link")
	} else {
		argv = append(argv, "--out-link", gcRoot)
	}
	argv = append(argv, n.repair()...)
	steps := &stepper{sink: n.Sink}
	steps.start(event.Evaluate)
	out, err := n.run(ctx, runOptions{argv: argv, dir: dir, steps: steps, step: event.Evaluate})
	err = n.explainMore(ctx, dir, node, err)
	steps.end(err)
	if err != nil {
		return "", err
	}
	return onePath("nix-build", out)
}

// Instantiate evaluates the bundle of node and returns its derivation, kept
// alive by the symlink gcRoot. It reports the step Evaluate.
func (n *Nix) Instantiate(ctx context.Context, dir, node, gcRoot string) (drv string, err error) {
	argv, err := n.bundle("nix-instantiate", dir, node)
	if err != nil {
		return "", err
	}
	err = event.RunStep(n.Sink, event.Evaluate, func() error {
		out, err := n.run(ctx, runOptions{argv: append(argv, rootFlags(gcRoot)...), dir: dir, step: event.Evaluate})
		if err = n.explainMore(ctx, dir, node, err); err != nil {
			return err
		}
		drv, err = onePath("nix-instantiate", out)
		return err
	})
	return drv, err
}

// Realise builds or downloads what drv stands for and returns its path, kept
// alive by the symlink gcRoot. It reports the step Build.
func (n *Nix) Realise(ctx context.Context, drv, gcRoot string) (path string, err error) {
	err = event.RunStep(n.Sink, event.Build, func() error {
		path, err = n.realise(ctx, drv, gcRoot, event.Build, n.repair()...)
		return err
	})
	return path, err
}

// repair are the flags with which a build repairs what it uses.
func (n *Nix) repair() []string {
	if !n.Repair {
		return nil
	}
	return []string{"--repair"}
}

func (n *Nix) realise(ctx context.Context, path, gcRoot string, step event.Step, flags ...string) (string, error) {
	if err := storePath(path); err != nil {
		return "", err
	}
	out, err := n.run(ctx, runOptions{argv: slices.Concat([]string{"nix-store", "--realise", path}, rootFlags(gcRoot), flags), step: step})
	if err != nil {
		return "", err
	}
	return onePath("nix-store", out)
}

// ReadBundle reads the deploy.json that BuildBundle or Realise returned.
func ReadBundle(path string) (*bundle.Bundle, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the bundle: %w", err)
	}
	b, err := bundle.Parse(data)
	if err != nil {
		return nil, err
	}
	if err := storePath(b.System); err != nil {
		return nil, fmt.Errorf("deploy.json: system: %w", err)
	}
	return b, nil
}

// bundle returns the command that evaluates the bundle of node.
func (n *Nix) bundle(program, dir, node string) ([]string, error) {
	if node == "" || strings.ContainsAny(node, "\"\\$\n") {
		return nil, fmt.Errorf("%q cannot be the name of a node", node)
	}
	return n.eval(program, dir, `nodes."`+node+`".bundle`)
}

func (n *Nix) eval(program, dir, attr string) ([]string, error) {
	if _, err := EntryOf(dir); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	lib, err := NixlibDir()
	if err != nil {
		return nil, err
	}
	return []string{program, filepath.Join(lib, "cli.nix"), "--argstr", "dir", dir, "-A", attr}, nil
}

// rootFlags are understood, or ignored, by every version.
func rootFlags(gcRoot string) []string {
	if gcRoot == "" {
		return nil
	}
	return []string{"--add-root", gcRoot, "--indirect"}
}

// onePath takes the one store path (or the symlink to it) that a program printed.
func onePath(program string, out []byte) (string, error) {
	lines := strings.Fields(string(out))
	if len(lines) != 1 {
		return "", fmt.Errorf("%s printed %d paths instead of one: %.200q", program, len(lines), out)
	}
	return Resolve(lines[0])
}

// Resolve follows symlinks until a path directly in the store, which need not exist.
func Resolve(link string) (string, error) {
	path := link
	for range 32 {
		if storePath(path) == nil {
			return path, nil
		}
		target, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	return "", fmt.Errorf("%s does not lead to the Nix store %s", link, StoreDir())
}

// storePath fails unless path is directly in the store; it also keeps values
// that come from elsewhere from being taken for options.
func storePath(path string) error {
	base, ok := strings.CutPrefix(path, StoreDir()+"/")
	if !ok || strings.Contains(base, "/") || len(base) < 34 || base[32] != '-' {
		return fmt.Errorf("%q is not a path of the Nix store %s", path, StoreDir())
	}
	return nil
}

type runOptions struct {
	argv  []string
	dir   string     // the network's tree, for readable positions
	steps *stepper   // set where one process does both, evaluation and build
	step  event.Step // of Log and Progress where steps is nil
}

// run runs one program and returns its stdout.
func (n *Nix) run(ctx context.Context, o runOptions) ([]byte, error) {
	argv := append(o.argv, "--log-format", "internal-json",
		"--option", "extra-experimental-features", "nix-command flakes")
	if n.ShowTrace { // not always: it makes a failing evaluation many times slower
		argv = append(argv, "--show-trace")
	}
	log := newLogParser(n.Sink, o.step, o.steps)
	lines := &lineWriter{line: log.Line}
	var out bytes.Buffer
	p, err := proc.Start(ctx, proc.Cmd{Argv: argv, Stdout: &out, Stderr: lines})
	if err == nil {
		if n.Started != nil {
			n.Started(p.Pid())
		}
		err = p.Wait()
	}
	lines.flush()
	if err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%s: %w", argv[0], ctx.Err())
		}
		return nil, log.failure(argv[0], err, sources{dir: o.dir, trace: n.ShowTrace})
	}
	return out.Bytes(), nil
}

// stepper reports Evaluate and then Build for one process that does both.
type stepper struct {
	sink  event.Sink
	step  event.Step
	began time.Time
}

func (s *stepper) start(step event.Step) {
	s.step, s.began = step, time.Now()
	s.sink.Emit(event.Event{Kind: event.StepStarted, Step: step, Time: s.began})
}

// building is called when the log says that the evaluation is over.
func (s *stepper) building() {
	if s.step == event.Evaluate {
		s.end(nil)
		s.start(event.Build)
	}
}

func (s *stepper) end(err error) {
	e := event.Event{Kind: event.StepDone, Step: s.step, Time: time.Now(), Millis: time.Since(s.began).Milliseconds()}
	if err != nil {
		e.Kind, e.Message = event.StepFailed, err.Error()
	}
	s.sink.Emit(e)
}
