package nix

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/proc"
)

// collect parses a whole log and returns what it reports.
func collect(t testing.TB, log []byte) (*logParser, []event.Event) {
	t.Helper()
	var events []event.Event
	sink := event.SinkFunc(func(e event.Event) { events = append(events, e) })
	steps := &stepper{sink: sink}
	steps.start(event.Evaluate)
	p := newLogParser(sink, event.Evaluate, steps)
	w := &lineWriter{line: p.Line}
	for chunk := range slices.Chunk(log, 7) {
		_, _ = w.Write(chunk)
	}
	w.flush()
	return p, events
}

func messages(events []event.Event, kind event.Kind) []string {
	var lines []string
	for _, e := range events {
		if e.Kind == kind {
			lines = append(lines, e.Message)
		}
	}
	return lines
}

// The logs in testdata are of `nix-build --log-format internal-json --show-trace`.
func TestLogOfBuild(t *testing.T) {
	logs, err := filepath.Glob("testdata/build-*.log")
	if err != nil || len(logs) == 0 {
		t.Fatal("no logs", err)
	}
	for _, path := range logs {
		t.Run(filepath.Base(path), func(t *testing.T) {
			log, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, events := collect(t, log)
			steps := ""
			for _, e := range events {
				if e.Kind == event.StepStarted || e.Kind == event.StepDone {
					steps += string(e.Kind) + " " + string(e.Step) + "; "
				}
			}
			if want := "step-started evaluate; step-done evaluate; step-started build; "; steps != want {
				t.Errorf("steps %q, want %q", steps, want)
			}
			if got, want := messages(events, event.Log), []string{"trace: tracing", "building dep", "line1"}; !slices.Equal(got, want) {
				t.Errorf("log %q, want %q", got, want)
			}
			last := event.Event{}
			for _, e := range events {
				if e.Kind == event.Progress {
					last = e
				}
			}
			if last.Done != 2 || last.Expected != 2 || last.Unit != "paths" || last.Step != event.Build {
				t.Errorf("last progress is %+v", last)
			}
		})
	}
}

func TestLogOfFailedBuild(t *testing.T) {
	logs, err := filepath.Glob("testdata/failed-*.log")
	if err != nil || len(logs) == 0 {
		t.Fatal("no logs", err)
	}
	for _, path := range logs {
		t.Run(filepath.Base(path), func(t *testing.T) {
			log, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			p, _ := collect(t, log)
			failure := p.failure("nix-build", errors.New("exit"), sources{})
			if want := "build of bad-2 failed: builder failed with exit code 3\n  one\n  two"; failure.Error() != want {
				t.Errorf("error is\n%s\nwant\n%s", failure, want)
			}
			var e *BuildError
			if !errors.As(failure, &e) || !strings.HasSuffix(e.Drv, "-bad-2.drv") {
				t.Errorf("%#v does not name the derivation", failure)
			}
		})
	}
}

func TestCleanForeignText(t *testing.T) {
	for in, want := range map[string]string{
		"\x1b[31;1merror:\x1b[0m x":   "error: x",
		"\x1b]0;title\x07text":        "text",
		"10%\r20%\r100%":              "100%",
		"done\r":                      "done",
		"a\tb":                        "a\tb",
		"bell\x07 and \x00 nul":       "bell and  nul",
		"caf\xe9":                     "caf\uFFFD",
		"c1 \u009b31m escape":         "c1 31m escape",
		"multi\nline":                 "multi\nline",
		"\x1b(B\x1b[?25lhidden\x1b[K": "hidden",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzLog(f *testing.F) {
	logs, err := filepath.Glob("testdata/*.log")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range logs {
		log, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(log)
	}
	f.Add([]byte("@nix {\"action\":\"result\",\"type\":105,\"id\":1,\"fields\":[-1,\"x\"]}\n@nix {}\n@nix []\n\xff\x1b[31"))
	f.Fuzz(func(t *testing.T, log []byte) {
		p, events := collect(t, log)
		for _, e := range events {
			if e.Kind == "" || e.Step == "" {
				t.Fatalf("event without kind or step: %+v", e)
			}
			if !utf8.ValidString(e.Message) || strings.ContainsRune(e.Message, 0x1b) || len(e.Message) > maxLogLine+8 {
				t.Fatalf("message is not fit to print: %q", e.Message)
			}
			line, err := json.Marshal(e)
			if err != nil || bytes.IndexByte(line, '\n') >= 0 {
				t.Fatalf("not one JSON line: %v", err)
			}
			if e.Done < 0 || e.Expected < 0 {
				t.Fatalf("negative progress: %+v", e)
			}
		}
		err := p.failure("nix-build", errors.New("exit status 1"), sources{dir: "/network", trace: true})
		if err == nil || !utf8.ValidString(err.Error()) || strings.ContainsRune(err.Error(), 0x1b) {
			t.Fatalf("error is not fit to print: %v", err)
		}
	})
}

// Both texts are of `throw` in a function that the network calls.
func TestFrames(t *testing.T) {
	want := []frame{
		{RawMsg: "while evaluating the option `a.b':"},
		{RawMsg: "from call site", File: "/n/network.nix", Line: 3, Column: 10},
	}
	for version, msg := range map[string]string{
		"2.8":  "error: bad\n\n       at /lib/x.nix:9:9:\n\n            9| throw\n             | ^\n\n       … while evaluating the option `a.b':\n\n       … from call site\n\n       at /n/network.nix:3:10:\n\n            3| x\n",
		"2.34": "error:\n       … from call site\n         at /n/network.nix:3:10:\n            3| x\n\n       … while evaluating the option `a.b':\n\n       (stack trace truncated; use '--show-trace' to show the full, detailed trace)\n\n       error: bad\n       at /lib/x.nix:9:9:\n",
	} {
		if got := frames(msg); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v", version, got)
		}
	}
}

func TestFailureSaysSomething(t *testing.T) {
	p, _ := collect(t, []byte("error: cannot open the database\n"))
	if err := p.failure("nix-build", errors.New("exit"), sources{}); err.Error() != "nix-build: cannot open the database" {
		t.Error(err)
	}
	for script, want := range map[string]string{
		"exit 3":        "nix-build ended with exit code 3 and said nothing",
		"kill -KILL $$": "nix-build was stopped by a signal: killed (out of memory?)",
	} {
		p, _ := collect(t, nil)
		exit := proc.Run(t.Context(), proc.Cmd{Argv: []string{"sh", "-c", script}})
		if err := p.failure("nix-build", exit, sources{}); err.Error() != want {
			t.Errorf("%s: %v", script, err)
		}
	}
	p, _ = collect(t, nil)
	exit := proc.Run(t.Context(), proc.Cmd{Argv: []string{"no-such-nix-build"}})
	if err := p.failure("nix-build", exit, sources{}); !strings.Contains(err.Error(), "not installed") {
		t.Error(err)
	}
}
