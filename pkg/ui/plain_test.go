package ui

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/pkg/event"
)

var update = flag.Bool("update", false, "write the golden files anew")

func stories(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(filepath.Base(f), ".jsonl")
	}
	return files
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test ./pkg/ui -update writes it anew); got:\n%s", path, got)
	}
}

// told plays a story into a Renderer whose clock stands at each event's time.
func told(t *testing.T, name string, o Options) string {
	t.Helper()
	s := readStory(t, name)
	clock := &fakeClock{s[0].Time}
	o.now = clock.now
	o.Nodes = readNodes(name)
	var out bytes.Buffer
	r := New(&out, o)
	for _, e := range s {
		clock.at = e.Time
		r.Emit(e)
	}
	r.Close()
	return out.String()
}

// TestPlain compares plain output with golden files: what programs and people
// search for in logs stays as it is.
func TestPlain(t *testing.T) {
	for _, name := range stories(t) {
		t.Run(name, func(t *testing.T) {
			got := told(t, name, Options{})
			golden(t, name+".plain", got)
			if strings.ContainsAny(got, "\x1b\r\t\a\b") {
				t.Error("control characters in plain output")
			}
			golden(t, name+".quiet", told(t, name, Options{Mode: Quiet}))
		})
	}
}

// TestPlainVerbose: every log line and package is there.
func TestPlainVerbose(t *testing.T) {
	got := told(t, "one-ok", Options{Verbose: true})
	for _, e := range readStory(t, "one-ok") {
		if e.Kind == event.Log && !strings.Contains(got, "web: "+string(e.Step)+" | "+e.Message+"\n") {
			t.Errorf("the log line %q is missing", e.Message)
		}
	}
	for _, p := range []string{"etc rebuilt", "unit-nginx.service rebuilt"} {
		if !strings.Contains(got, "web: closure: "+p) {
			t.Errorf("%q is missing", p)
		}
	}
}

// TestJSON: the events come out as they went in.
func TestJSON(t *testing.T) {
	for _, name := range stories(t) {
		var out bytes.Buffer
		r := New(&out, Options{Mode: JSON})
		enc := &bytes.Buffer{}
		readStory(t, name).play(event.Tee(r, event.NewEncoder(enc)), 0)
		r.Close()
		if out.String() != enc.String() {
			t.Errorf("%s: not the events as they were", name)
		}
	}
}

// TestAuto chooses by what w is and what the environment says.
func TestAuto(t *testing.T) {
	if m := New(&bytes.Buffer{}, Options{Env: liveEnv}).Mode(); m != Plain {
		t.Errorf("a buffer gets %v", m)
	}
	for _, c := range []struct {
		cols, rows int
		env        string
		want       Mode
	}{
		{80, 24, "X=", Live}, {80, 24, "TERM=dumb", Plain}, {80, 24, "CI=true", Plain},
		{19, 24, "X=", Plain}, {80, 4, "X=", Plain}, {80, 24, "NO_COLOR=1", Live},
	} {
		onTerminal(t, c.cols, c.rows, func(w *os.File) {
			r := New(w, Options{Env: append(liveEnv[:2:2], c.env)})
			if r.Mode() != c.want {
				t.Errorf("%dx%d %s: mode %v, want %v", c.cols, c.rows, c.env, r.Mode(), c.want)
			}
			r.Close()
		})
	}
}

// TestSeenTwice: who follows an event log anew gets events twice, and says them once.
func TestSeenTwice(t *testing.T) {
	p := &plain{style: Style{UTF8: true}}
	e := event.Event{Seq: 3, Deployment: "d", Node: "web", Kind: event.Warning, Message: "disk is full"}
	now := readStory(t, "one-ok")[0].Time
	if got := p.apply(e, now); len(got) != 1 {
		t.Fatalf("first: %q", got)
	}
	if got := p.apply(e, now); len(got) != 0 {
		t.Errorf("again: %q", got)
	}
}

// TestStopped: Close in the middle says which steps did not end.
func TestStopped(t *testing.T) {
	s := readStory(t, "one-ok")
	var out bytes.Buffer
	clock := &fakeClock{s[0].Time}
	r := New(&out, Options{now: clock.now})
	for _, e := range s {
		clock.at = e.Time
		r.Emit(e)
		if e.Kind == event.StepStarted && e.Step == event.Build {
			break
		}
	}
	r.Close()
	r.Emit(s[len(s)-1]) // dropped
	if !strings.HasSuffix(out.String(), "web: build ... stopped (0ms)\n") {
		t.Errorf("got:\n%s", out.String())
	}
}

// Each hint is a command to type, so each has a line of its own.
func TestHintsAreLinesOfTheirOwn(t *testing.T) {
	e := event.Event{Kind: event.Finished, Node: "web", Outcome: event.Failed, Message: "conflict", Hint: "git merge web/main\ngit push web"}
	var plain bytes.Buffer
	r := New(&plain, Options{Mode: Plain})
	r.Emit(e)
	r.Close()
	if want := "web: hint: git merge web/main\nweb: hint: git push web\n"; !strings.HasSuffix(plain.String(), want) {
		t.Errorf("plain output %q does not end with %q", plain.String(), want)
	}
	l := &live{style: Style{Width: 80, Rows: 24}}
	if got, want := strings.Join(l.apply(e, e.Time), "\n"), "  > git merge web/main\n  > git push web"; !strings.HasSuffix(got, want) {
		t.Errorf("live output %q does not end with %q", got, want)
	}
}

// No outcome is said twice, and each is there to be searched for.
func TestOutcomesAreSaidOnce(t *testing.T) {
	for _, o := range []event.Outcome{event.Succeeded, event.UpToDate, event.Built, event.DryRun, event.Refused, event.Failed, event.RolledBack, event.RollbackFailed, event.Superseded, event.Interrupted, event.Unknown, event.Locked} {
		var out bytes.Buffer
		r := New(&out, Options{Mode: Plain})
		r.Emit(event.Event{Kind: event.Finished, Node: "web", Outcome: o})
		r.Close()
		if said := out.String(); !strings.HasPrefix(said, "web: "+string(o)+": ") || strings.Count(said, string(o)) != 1 {
			t.Errorf("%s: %q", o, said)
		}
	}
}
