package ui

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// BenchmarkNothing is what a push that changes nothing pays.
func BenchmarkNothing(b *testing.B) {
	s := readStory(b, "one-nothing")
	for _, m := range []struct {
		name string
		mode Mode
	}{{"plain", Plain}, {"json", JSON}} {
		b.Run(m.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := New(io.Discard, Options{Mode: m.mode})
				s.play(r, 0)
				r.Close()
			}
		})
	}
}

// BenchmarkNothingLive is the same on a terminal.
func BenchmarkNothingLive(b *testing.B) {
	ptm, pts, err := pty.Open()
	if err != nil {
		b.Skipf("no pseudo-terminal here: %v", err)
	}
	defer ptm.Close()
	defer pts.Close()
	_ = pty.Setsize(pts, &pty.Winsize{Rows: 30, Cols: 100})
	go func() { _, _ = io.Copy(io.Discard, ptm) }()
	s := readStory(b, "one-nothing")
	b.ReportAllocs()
	for b.Loop() {
		r := New(pts, Options{Env: liveEnv})
		s.play(r, 0)
		r.Close()
	}
}

// TestWorstText: no text of a log line's size takes long.
func TestWorstText(t *testing.T) {
	s := Style{UTF8: true, Width: 80}
	for _, unit := range []string{"\t", "\x1b", "\x1b]", "\u009d", "\u0336", "日", "\r", " ", "-", "a\t", "\x1b[", "\xff", "👩\u200d"} {
		began := time.Now()
		text := s.clean(strings.Repeat(unit, 1<<20))
		s.fit(text)
		s.wrap(text, 79)
		s.chop(text, 79)
		if took := time.Since(began); took > time.Second {
			t.Errorf("%q takes %v", unit, took)
		}
	}
}
