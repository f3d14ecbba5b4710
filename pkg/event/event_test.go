package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What Encoder writes, Parse reads, one event a line, also from many writers.
func TestEncodeParse(t *testing.T) {
	want := Event{
		Seq: 3, Time: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Deployment: "d", Node: "web", Kind: Closure, Step: Build,
		Message: "two\nlines \x1b[31m", Done: 1, Expected: 2, Unit: "paths", Fields: map[string]string{"commit": "c"},
		Diff: &ClosureDiff{To: "/nix/store/x", Added: []PackageChange{{Name: "n", To: []string{""}, Delta: -1}}, Size: 5, FromSize: 7},
	}
	var out bytes.Buffer
	enc := NewEncoder(&out)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() { enc.Emit(want) })
	}
	group.Wait()
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 20 {
		t.Fatalf("%d lines", len(lines))
	}
	for _, line := range lines {
		got, err := Parse([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	if d := want.Diff; d.Delta() != -2 || d.Empty() {
		t.Errorf("delta %d, empty %v", d.Delta(), d.Empty())
	}
}

type brokenPipe struct{ n int }

func (w *brokenPipe) Write([]byte) (int, error) {
	w.n++
	return 0, errors.New("broken pipe")
}

func TestEncoderStopsAtTheFirstError(t *testing.T) {
	w := &brokenPipe{}
	enc := NewEncoder(w)
	enc.Emit(Event{Kind: Log})
	enc.Emit(Event{Kind: Log})
	if enc.Err() == nil || w.n != 1 {
		t.Errorf("%d writes, error %v", w.n, enc.Err())
	}
}

func TestRunStep(t *testing.T) {
	var got []Event
	sink := Stamp(SinkFunc(func(e Event) { got = append(got, e) }), "web", "id")
	if err := RunStep(sink, Build, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	why := errors.New("why")
	if err := RunStep(sink, Health, func() error { return why }); err != why {
		t.Fatal(err)
	}
	var kinds []Kind
	for _, e := range got {
		kinds = append(kinds, e.Kind)
		if e.Node != "web" || e.Deployment != "id" || e.Time.IsZero() {
			t.Errorf("not stamped: %+v", e)
		}
	}
	if diff := cmp.Diff([]Kind{StepStarted, StepDone, StepStarted, StepFailed}, kinds); diff != "" {
		t.Error(diff)
	}
	if got[3].Message != "why" {
		t.Errorf("message %q", got[3].Message)
	}
}

// An event log is foreign bytes: it comes from another machine, or was cut by
// a power failure. What Parse takes is an event that survives being written.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"kind":"log","time":"2026-01-02T03:04:05Z","message":"x"}`, `{"seq":1,"kind":"finished","outcome":"succeeded","fields":{"code":"0"}}`,
		`{}`, `{"kind":"log"`, `null`, `[]`, `{"kind":"closure","diff":{"to":"x","added":[{"name":"a"}]}}`, "\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := Parse(line)
		if err != nil {
			return
		}
		if e.Kind == "" {
			t.Fatal("an event without a kind")
		}
		again, err := json.Marshal(e)
		if err != nil {
			t.Skip() // a time zone that RFC 3339 cannot write
		}
		if bytes.ContainsRune(again, '\n') {
			t.Fatalf("more than one line: %q", again)
		}
		e2, err := Parse(again)
		if err != nil {
			t.Fatalf("%q does not parse again: %v", again, err)
		}
		third, _ := json.Marshal(e2)
		if !bytes.Equal(again, third) {
			t.Fatalf("%q became %q", again, third)
		}
	})
}
