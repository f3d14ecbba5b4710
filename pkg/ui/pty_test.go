package ui

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/git-deploy/git-deploy/pkg/event"
)

var liveEnv = []string{"TERM=xterm-256color", "LC_ALL=C.UTF-8"}

// onTerminal runs f with a terminal and returns the terminal as it was after
// all was read.
func onTerminal(t *testing.T, cols, rows int, f func(w *os.File)) *vt {
	t.Helper()
	ptm, pts, err := pty.Open()
	if err != nil {
		t.Skipf("no pseudo-terminal here: %v", err)
	}
	defer ptm.Close()
	if err := pty.Setsize(pts, &pty.Winsize{Rows: uint16(rows), Cols: uint16(cols)}); err != nil {
		t.Fatal(err)
	}
	screen := newVT(cols, rows)
	read := make(chan error)
	go func() {
		_, err := io.Copy(screen, ptm)
		read <- err
	}()
	f(pts)
	pts.Close()
	// Linux reports EIO when the other side is closed.
	if err := <-read; err != nil && !strings.Contains(err.Error(), "input/output error") {
		t.Fatal(err)
	}
	return screen
}

// TestTerminal plays recorded stories on a real terminal at several sizes. The
// final screen holds the lines that the model gave, in order, and nothing of
// the block; no line that had scrolled up was ever missing or changed.
func TestTerminal(t *testing.T) {
	for _, size := range [][2]int{{100, 30}, {60, 20}, {200, 50}, {24, 8}} {
		for _, name := range []string{"one-ok", "one-nothing", "one-failed", "one-rolled-back", "five", "foreign"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := readStory(t, name)
				screen := onTerminal(t, size[0], size[1], func(w *os.File) {
					r := New(w, Options{Env: liveEnv, Nodes: readNodes(name)})
					if r.Mode() != Live {
						t.Errorf("mode %v on a terminal, not Live", r.Mode())
					}
					s.play(r, 8)
					r.Close()
				})
				for _, e := range screen.errs {
					t.Errorf("the terminal got a %s", e)
				}
				if screen.hidden {
					t.Error("the cursor is still hidden")
				}
				final := screen.all()
				if strings.ContainsAny(final, strings.Join(unicodeSymbols.spinner, "")) {
					t.Errorf("something of the block is left:\n%s", final)
				}
				if name == "one-nothing" && strings.Join(strings.Fields(final), " ") != "✓ web already runs a1b2c3d4 (40ms)" {
					t.Errorf("a push that changes nothing shows:\n%s", final)
				}
				steady(t, screen.updates, final)
			})
		}
	}
}

// steady checks that finished lines stay once they are there: what is above
// the block at any time is how the final screen begins.
func steady(t *testing.T, updates []string, final string) {
	t.Helper()
	shown := ""
	for _, u := range updates {
		above := u
		if i := strings.IndexAny(u, strings.Join(unicodeSymbols.spinner, "")); i >= 0 {
			above = u[:max(0, strings.LastIndex(u[:i], "\n"))]
		}
		if !strings.HasPrefix(final, above) {
			t.Fatalf("what was above the block:\n%s\n\nis not how the screen ends:\n%s", above, final)
		}
		if len(above) < len(shown) {
			t.Fatalf("lines went missing:\n%s\n\nwas followed by:\n%s", shown, above)
		}
		shown = above
	}
}

// TestTerminalGoesAway closes the terminal in the middle of a story.
func TestTerminalGoesAway(t *testing.T) {
	ptm, pts, err := pty.Open()
	if err != nil {
		t.Skipf("no pseudo-terminal here: %v", err)
	}
	defer pts.Close()
	_ = pty.Setsize(pts, &pty.Winsize{Rows: 30, Cols: 100})
	r := New(pts, Options{Env: liveEnv})
	s := readStory(t, "one-ok")
	s[:len(s)/2].play(r, 8)
	ptm.Close()
	s[len(s)/2:].play(r, 8)
	done := make(chan struct{})
	go func() { r.Close(); close(done) }()
	select {
	case <-done:
	case <-time.After(stallLimit):
		t.Fatal("Close waits for a terminal that is gone")
	}
	if !r.out.gone() {
		t.Error("the renderer did not notice")
	}
}

// TestTerminalStopped has a terminal that takes nothing (Ctrl-S): neither Emit
// nor, in the end, Close waits for it.
func TestTerminalStopped(t *testing.T) {
	ptm, pts, err := pty.Open()
	if err != nil {
		t.Skipf("no pseudo-terminal here: %v", err)
	}
	defer ptm.Close()
	_ = pty.Setsize(pts, &pty.Winsize{Rows: 30, Cols: 100})
	r := New(pts, Options{Env: liveEnv, Verbose: true})
	r.out.stall = 100 * time.Millisecond
	began := time.Now()
	s := readStory(t, "one-failed")
	s.play(r, 10)
	for range 20000 {
		r.Emit(event.Event{Node: "web", Kind: event.Log, Step: event.Build, Message: strings.Repeat("x", 90)})
	}
	r.mu.Lock()
	waiting := len(r.pending)
	r.mu.Unlock()
	if waiting > pendingLimit+100 {
		t.Errorf("%d lines wait", waiting)
	}
	r.Close()
	if took := time.Since(began); took > stallLimit {
		t.Errorf("it took %v", took)
	}
}

// TestReaderGoesAway closes a pipe's reading end: the work goes on.
func TestReaderGoesAway(t *testing.T) {
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	pr.Close()
	r := New(pw, Options{})
	readStory(t, "one-ok").play(r, 0)
	if err := r.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		t.Fatal(err)
	}
}

// TestSlowReader has a reader that takes nothing: Emit does not wait for it,
// memory stays bounded, and what matters is still there in the end.
func TestSlowReader(t *testing.T) {
	pr, pw := io.Pipe()
	r := New(pw, Options{Verbose: true})
	s := readStory(t, "one-ok")
	began := time.Now()
	for range 20000 {
		e := s[len(s)-2]
		e.Kind, e.Step, e.Message = "log", "build", strings.Repeat("x", 200)
		r.Emit(e)
	}
	r.Emit(s[len(s)-1])
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("20000 events took %v", took)
	}
	r.out.mu.Lock()
	waiting := len(r.out.buf)
	r.out.mu.Unlock()
	if waiting > backlogLimit+4096 {
		t.Errorf("%d bytes wait", waiting)
	}
	var got strings.Builder
	read := make(chan struct{})
	go func() { _, _ = io.Copy(&got, pr); close(read) }()
	r.Close()
	pw.Close()
	<-read
	for _, want := range []string{"succeeded: now runs a1b2c3d4", "log lines left out"} {
		if !strings.Contains(got.String(), want) {
			t.Errorf("%q is missing", want)
		}
	}
}
