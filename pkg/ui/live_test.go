package ui

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/git-deploy/git-deploy/pkg/event"
)

// film plays a story into the model and returns its finished lines, with the
// block as it was every so often between them.
func film(t *testing.T, name string, style Style, every time.Duration) string {
	t.Helper()
	l := &live{style: style}
	l.book.expect(readNodes(name))
	var out strings.Builder
	s := readStory(t, name)
	next := s[0].Time.Add(every)
	shot := func(at time.Time) {
		for _, line := range l.view(at) {
			if width(line) >= style.Width {
				t.Errorf("a block line has %d columns of %d: %q", width(line), style.Width, line)
			}
			fmt.Fprintf(&out, "%5.1fs> %s\n", at.Sub(s[0].Time).Seconds(), line)
		}
		l.frame++
	}
	put := func(lines []string) {
		for _, line := range lines {
			if width(line) >= style.Width {
				t.Errorf("a line has %d columns of %d: %q", width(line), style.Width, line)
			}
			fmt.Fprintf(&out, "        %s\n", line)
		}
	}
	for _, e := range s {
		for ; !e.Time.Before(next); next = next.Add(every) {
			shot(next)
		}
		put(l.apply(e, e.Time))
	}
	put(l.end(s[len(s)-1].Time))
	return out.String()
}

// TestLive compares what the model says with golden files, on a common screen
// with all that a terminal can do, on a small one with nothing.
func TestLive(t *testing.T) {
	for _, name := range stories(t) {
		t.Run(name, func(t *testing.T) {
			golden(t, name+".live", film(t, name, Style{UTF8: true, Width: 100, Rows: 30}, time.Second))
			golden(t, name+".small", film(t, name, Style{Width: 40, Rows: 12}, 2*time.Second))
		})
	}
}

// TestLiveSizes: no line is ever as wide as the screen, whatever the width,
// with and without colour, and without UTF-8 all is ASCII.
func TestLiveSizes(t *testing.T) {
	for _, name := range stories(t) {
		for w := 20; w < 130; w += 3 {
			for _, s := range []Style{{Color: true, UTF8: true}, {UTF8: true}, {}} {
				s.Width, s.Rows = w, 10
				out := film(t, name, s, 700*time.Millisecond)
				if !s.Color && strings.Contains(out, "\x1b") {
					t.Fatalf("%s: escape sequences without colour", name)
				}
				if !s.UTF8 && !plainASCII(strings.ReplaceAll(out, "\n", "")) {
					t.Fatalf("%s: not ASCII:\n%s", name, out)
				}
			}
		}
	}
}

// TestBlockHeight: the block leaves room above it on any screen.
func TestBlockHeight(t *testing.T) {
	now := time.Unix(0, 0)
	for rows := 5; rows < 40; rows++ {
		l := &live{style: Style{Width: 80, Rows: rows}}
		for i := range 50 {
			l.apply(event.Event{Node: fmt.Sprint("n", i), Kind: event.StepStarted, Step: event.Build}, now)
		}
		if got := len(l.view(now)); got > rows/2 || got == 0 {
			t.Errorf("%d rows: the block has %d", rows, got)
		}
	}
}

// TestProgram drives the Bubble Tea model by hand: a finished line leaves the
// block only after Bubble Tea has put it above.
func TestProgram(t *testing.T) {
	var mu sync.Mutex
	clock := &fakeClock{time.Unix(100, 0)}
	l := &live{style: Style{Width: 80, Rows: 24}}
	var pending []string
	p := &program{mu: &mu, model: l, pending: &pending, now: clock.now, out: newOutput(&strings.Builder{})}
	emit := func(k event.Kind, s event.Step) {
		pending = append(pending, l.apply(event.Event{Kind: k, Step: s, Message: "because"}, clock.at)...)
	}
	shows := func(want ...string) {
		t.Helper()
		got := p.View().Content
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%q is not in the block %q", w, got)
			}
		}
		if len(want) == 0 && got != "" {
			t.Errorf("the block is %q, want none", got)
		}
	}
	emit(event.StepStarted, event.Build)
	clock.at = clock.at.Add(3 * time.Second)
	p.Update(frameMsg{})
	shows("build", "3s")
	emit(event.StepDone, event.Build)
	emit(event.StepStarted, event.Switch)
	p.Update(frameMsg{})
	shows("build")
	if len(pending) != 0 || !p.printing {
		t.Errorf("printing %v, still pending %q", p.printing, pending)
	}
	p.Update(struct{}{}) // Bubble Tea: printed
	shows("switch")
	p.Update(tea.WindowSizeMsg{Width: 30, Height: 10})
	if l.style.Width != 30 || l.style.Rows != 10 {
		t.Errorf("the size is %dx%d", l.style.Width, l.style.Rows)
	}
	if _, cmd := p.Update(quitMsg{}); cmd == nil {
		t.Error("quit does not quit")
	}
	shows()
}

// TestPause: between Pause and resume nothing is drawn.
func TestPause(t *testing.T) {
	screen := onTerminal(t, 80, 24, func(w *os.File) {
		r := New(w, Options{Env: liveEnv})
		r.Emit(event.Event{Node: "web", Kind: event.StepStarted, Step: event.Build})
		waitFor(t, func() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.stop != nil })
		resume := r.Pause()
		if _, err := w.WriteString("Enter passphrase: \n"); err != nil {
			t.Fatal(err)
		}
		resume()
		waitFor(t, func() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.stop != nil })
		r.Emit(event.Event{Node: "web", Kind: event.StepDone, Step: event.Build, Millis: 1000})
		r.Close()
	})
	if got, want := screen.all(), "Enter passphrase:\n  ✓ build      1.0s"; got != want {
		t.Errorf("the screen shows:\n%s\nwant:\n%s", got, want)
	}
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
	}
}
