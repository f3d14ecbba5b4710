//go:build linux

// Package property lets five nodes and three people do what people and machines
// do, in an order that chance takes from a seed, with real git, ssh and Nix: see
// README.md.
package property

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/tests/property/schedule"
)

var (
	firstSeed = flag.Uint64("seed", 1, "the first seed")
	count     = flag.Int("count", 2, "how many seeds")
	length    = flag.Int("length", 12, "how many steps each")
	only      = flag.String("steps", "", "only these steps of the seed, by number: 1,4,7")
	tries     = flag.Int("shrink", 0, "try so many shorter schedules when one fails")
)

// chances say how often what is done.
var chances = schedule.Chances{
	schedule.Commit: 5, schedule.Spoil: 1, schedule.New: 2, schedule.Drop: 2, schedule.Push: 6, schedule.Pushes: 2, schedule.Force: 1, schedule.Race: 2,
	schedule.Self: 3, schedule.Watch: 2, schedule.Fetch: 1, schedule.Sync: 2, schedule.Cut: 2, schedule.Power: 2, schedule.Kill: 3, schedule.Clock: 2,
}

// base holds all worlds. Its path is short: sockets lie below.
var base string

// guard is the environment variable that makes this program wait for its
// parent's end, however that comes, and then end and remove what it left.
const guard = "PROPERTY_GUARD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(guard); dir != "" {
		_, _ = io.Copy(io.Discard, os.Stdin)
		worlds, _ := filepath.Glob(filepath.Join(dir, "*"))
		for _, world := range worlds {
			_ = remove(world)
		}
		_ = os.RemoveAll(dir)
		os.Exit(0)
	}
	flag.Parse()
	if flag.Lookup("test.parallel").Value.String() == flag.Lookup("test.parallel").DefValue {
		_ = flag.Set("test.parallel", "3") // a push waits for the other side mostly
	}
	os.Exit(guarded(m))
}

func guarded(m *testing.M) int {
	var err error
	if base, err = os.MkdirTemp("", "p"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), guard+"="+base)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // what ends us, Ctrl-C say, is not for it
	alive, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = alive.Close(); _ = cmd.Wait() }()
	return m.Run()
}

// programs puts ours into base/bin.
func programs(t *testing.T) {
	bin := filepath.Join(base, "bin")
	if dir := os.Getenv("GIT_DEPLOY_BIN"); dir != "" {
		abs, err := filepath.Abs(dir)
		if err == nil {
			err = os.Symlink(abs, bin)
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	cmd := exec.Command("go", "build", "-trimpath", "-o", bin+"/", "./cmd/...")
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
}

// TestNothingIsLost checks after every step, and when at last all have met,
// that no commit is lost, that every tree holds what it must, that nodes run what
// their branches say and tell how each deployment ended.
func TestNothingIsLost(t *testing.T) {
	testenv.Need(t, "git", "ssh", "ssh-keygen", "nix-build", "busybox", "go")
	programs(t)
	if *only == "" {
		t.Run("rare", func(t *testing.T) {
			t.Parallel()
			for i := range rare {
				rare[i].At = i
			}
			if what, log := play(t, 0, rare); what != "" {
				t.Fatalf("%s\n\n%s\nwhat was run:\n%s", what, schedule.Print(rare), log)
			}
		})
	}
	for i := range *count {
		seed := *firstSeed + uint64(i)
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			steps := schedule.Pick(schedule.Draw(seed, *length, chances), *only)
			what, log := play(t, int(seed), steps)
			if what == "" {
				return
			}
			t.Logf("what was run:\n%s", log)
			steps = schedule.Shrink(steps, *tries, func(steps []schedule.Step) bool {
				shorter, _ := play(t, int(seed), steps)
				if shorter != "" {
					what = shorter
				}
				return shorter != ""
			})
			t.Fatalf("%s\n\n%s\nmake property SEED=%d COUNT=1 LENGTH=%d STEPS=%s", what, schedule.Print(steps), seed, *length, schedule.Numbers(steps))
		})
	}
}

// rare are steps that chance seldom has meet: a file that was added is removed by
// somebody else, a push that is rolled back, a merge that a node makes itself, and
// connections that break and come back.
var rare = []schedule.Step{
	{Kind: schedule.New, Person: 0},
	{Kind: schedule.Push, Person: 0, Node: 0},
	{Kind: schedule.Sync, Person: 1},
	{Kind: schedule.Drop, Person: 1},
	{Kind: schedule.Spoil, Person: 2, Node: 1, Fault: "health"},
	{Kind: schedule.Self, Node: 1},
	{Kind: schedule.Self, Node: 2},
	{Kind: schedule.Watch, Node: 1, Peer: 2},
	{Kind: schedule.Kill, Person: 1, Node: 0, Place: schedule.Place("own-n0", 1), Point: "health:link"},
	{Kind: schedule.Kill, Person: 1, Node: 2, Place: schedule.Place("own-n2", 1), Point: "build:link"},
}

// play plays a schedule in a new world, and returns what does not hold and what was run.
func play(t *testing.T, number int, steps []schedule.Step) (what, log string) {
	var w *world
	at := "at the beginning"
	defer func() {
		p := recover()
		if known, ok := p.(problem); ok {
			what = at + ": " + known.text
		} else if p != nil {
			what = fmt.Sprintf("%s: %v\n%s", at, p, debug.Stack())
		}
		if w != nil {
			log = w.log.String()
		}
		if err := remove(filepath.Join(base, fmt.Sprint("w", number))); err != nil && what == "" {
			what = err.Error()
		}
	}()
	w = newWorld(t, number)
	for _, s := range steps {
		at = "in step " + strings.TrimSpace(s.String())
		fmt.Fprintf(&w.log, "\n# %s\n", s)
		begun := time.Now()
		w.do(s)
		w.check()
		t.Logf("%s (%.1fs)", s, time.Since(begun).Seconds())
	}
	at = "at the end"
	fmt.Fprintf(&w.log, "\n# all meet\n")
	w.settle()
	return "", ""
}
