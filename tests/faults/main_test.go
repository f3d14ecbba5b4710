//go:build linux

// Package faults breaks deployments on purpose, on test hosts with real git,
// sshd, Nix and systemd: it kills processes, cuts links and power, fills disks
// and deploys systems that nobody can reach, at each event of a deployment,
// and then looks whether what the project promises still holds. README.md
// tells how it is made and how a case is run again.
package faults

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/tests/lab"
)

// workers is how many nodes are broken at the same time: more only wait for each other.
const workers = 2

// long says that all cases run, and not only the decisive ones.
var long = os.Getenv("FAULTS") == "all"

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "3") // the workers, and the machine
	lab.Main(m)
}

// kind is one kind of fault: a row of docs/faults.md.
type kind struct {
	name  string // of its tests
	fault string // what is done, for people
	cases []fcase
}

// fcase is one place to inject a fault.
type fcase struct {
	name  string
	short bool // decisive: part of `make test`
	run   func(tr *trial)
}

// hostKinds are tried on hosts with real systemd, machineKinds on a machine
// with a kernel and a disk of its own.
func hostKinds() []kind {
	var all []kind
	for _, more := range [][]kind{killKinds(), daemonKinds(), powerKinds(), linkKinds(), configKinds(), pusherKinds()} {
		all = append(all, more...)
	}
	return all
}

func TestFaults(t *testing.T) {
	testenv.Need(t, "git", "nix-build", "ssh", "curl", "nft", "flock")
	t.Parallel()
	p := &pool{t: t, free: make(chan *world, workers)}
	for range workers {
		p.free <- nil
	}
	each(t, hostKinds(), true, p.with)
}

func TestFaultsOfMachines(t *testing.T) {
	testenv.Need(t, "git", "nix-build", "ssh")
	t.Parallel()
	p := &pool{t: t, free: make(chan *world, 1), machine: true}
	p.free <- nil
	each(t, machineKinds(), false, p.with)
}

// each runs the cases, each as a test of its own.
func each(t *testing.T, kinds []kind, parallel bool, with func(*testing.T, func(*world))) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			if parallel {
				t.Parallel()
			}
			for _, c := range k.cases {
				if !c.short && !long {
					continue
				}
				t.Run(c.name, func(t *testing.T) {
					if parallel {
						t.Parallel()
					}
					with(t, func(w *world) { newTrial(t, w, k, c).all() })
				})
			}
		})
	}
}

// pool keeps worlds for the next trial: a new one takes longer than a trial.
type pool struct {
	t       *testing.T // outlives the trials
	free    chan *world
	machine bool
	made    int
	mu      sync.Mutex
}

// with runs f with a world. One that a trial failed in is not used again.
func (p *pool) with(t *testing.T, f func(*world)) {
	w := <-p.free
	ok := false
	defer func() {
		if !ok || t.Failed() {
			if w != nil {
				w.discard()
			}
			w = nil
		}
		p.free <- w
	}()
	if w == nil {
		p.mu.Lock()
		p.made++
		n := p.made
		p.mu.Unlock()
		var err error
		if w, err = newWorld(p.t, n, p.machine); err != nil {
			t.Fatal(err)
		}
	}
	f(w)
	ok = true
}

// programs builds the programs once and returns their folder. Programs that
// are built already can be named by GIT_DEPLOY_BIN.
var programs = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("GIT_DEPLOY_BIN"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.MkdirTemp("", "bin")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", dir+"/", "./cmd/...")
	cmd.Dir = "../.."
	cmd.Env = append(lab.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.New("go build: " + string(out))
	}
	return dir, nil
})
