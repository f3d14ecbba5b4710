package ui

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/pkg/event"
)

// story is a recorded event stream: one event line each, in the order in
// which they came, with the times at which they came.
type story []event.Event

// readStory reads testdata/NAME.jsonl.
func readStory(t testing.TB, name string) story {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var s story
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		e, err := event.Parse(lines.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		s = append(s, e)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return s
}

// play emits the story at the given speed; 0 is at once.
func (s story) play(sink event.Sink, speed float64) {
	begin := time.Now()
	for _, e := range s {
		if speed > 0 {
			at := time.Duration(float64(e.Time.Sub(s[0].Time)) / speed)
			time.Sleep(at - time.Since(begin))
		}
		sink.Emit(e)
	}
}

// fakeClock is a clock that stands where the story is.
type fakeClock struct{ at time.Time }

func (c *fakeClock) now() time.Time { return c.at }

// TestReplay shows recorded stories on this terminal, to look at. "go test"
// would put a pipe between, so run the test binary itself, in this folder:
//
//	go test -c -o /tmp/ui.test . && UI_REPLAY=one-ok,five /tmp/ui.test -test.run TestReplay
//
// UI_MODE is a Mode's number, UI_SPEED a factor (0: at once), UI_VERBOSE=1.
func TestReplay(t *testing.T) {
	names := os.Getenv("UI_REPLAY")
	if names == "" {
		t.Skip("UI_REPLAY names no story")
	}
	mode, _ := strconv.Atoi(os.Getenv("UI_MODE"))
	speed, err := strconv.ParseFloat(os.Getenv("UI_SPEED"), 64)
	if err != nil {
		speed = 1
	}
	for _, name := range strings.Split(names, ",") {
		fmt.Fprintf(os.Stderr, "$ git push   # %s\n", name)
		r := New(os.Stderr, Options{Mode: Mode(mode), Verbose: os.Getenv("UI_VERBOSE") != "", Nodes: readNodes(name)})
		readStory(t, name).play(r, speed)
		r.Close()
	}
}

// readNodes returns the nodes that a story announces.
func readNodes(name string) []string {
	if strings.HasPrefix(name, "five") {
		return []string{"alice-laptop", "web", "gateway", "db", "mail"}
	}
	return nil
}
