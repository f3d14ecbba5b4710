package health

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
)

type recorder struct {
	mu     sync.Mutex
	events []event.Event
}

func (r *recorder) Emit(e event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

func server(t *testing.T) (*httptest.Server, *atomic.Int64) {
	var asked atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "all is well\n") })
	mux.HandleFunc("/down", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no database", http.StatusServiceUnavailable)
	})
	mux.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, "<HTML>\n<HEAD><TITLE>404</TITLE></HEAD>\n<BODY><H1>Not found</H1>\nNothing here</BODY></HTML>\n")
	})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/ok", http.StatusFound) })
	mux.HandleFunc("/third", func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) < 3 {
			http.Error(w, "warming up", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("/silent", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s, &asked
}

func TestProbes(t *testing.T) {
	// A proxy from the environment must not be asked.
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	s, _ := server(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closedPort := closed.Addr().(*net.TCPAddr).Port
	_ = closed.Close()
	openPort := s.Listener.Addr().(*net.TCPAddr).Port

	for _, c := range []struct {
		name  string
		check bundle.Check
		err   string // "" passes
	}{
		{"http", bundle.Check{Type: "http", URL: s.URL + "/ok"}, ""},
		{"http body", bundle.Check{Type: "http", URL: s.URL + "/ok", Body: "is (well|fine)"}, ""},
		{"http other body", bundle.Check{Type: "http", URL: s.URL + "/ok", Body: "^sick"}, `does not match "^sick": all is well`},
		{"http status", bundle.Check{Type: "http", URL: s.URL + "/down"}, "answered with status 503, not 200: no database"},
		{"http status of a page", bundle.Check{Type: "http", URL: s.URL + "/page"}, "answered with status 404, not 200: Not found Nothing here"},
		{"http wanted status", bundle.Check{Type: "http", URL: s.URL + "/down", Status: 503}, ""},
		{"http follows", bundle.Check{Type: "http", URL: s.URL + "/moved"}, ""},
		{"http wanted redirect", bundle.Check{Type: "http", URL: s.URL + "/moved", Status: 302}, ""},
		{"http silent", bundle.Check{Type: "http", URL: s.URL + "/silent", Timeout: 1}, "no answer within 1s"},
		{"http no url", bundle.Check{Type: "http"}, "no url"},
		{"http bad expression", bundle.Check{Type: "http", URL: s.URL, Body: "("}, "missing closing"},
		{"tcp", bundle.Check{Type: "tcp", Host: "127.0.0.1", Port: openPort}, ""},
		{"tcp closed", bundle.Check{Type: "tcp", Host: "127.0.0.1", Port: closedPort}, "connection refused"},
		{"tcp no port", bundle.Check{Type: "tcp"}, "port 0"},
		{"command", bundle.Check{Type: "command", Command: []string{"true"}}, ""},
		{"command fails", bundle.Check{Type: "command", Command: []string{"sh", "-c", "echo out; echo err >&2; exit 3"}}, "sh: exit code 3\n  out\n  err"},
		{"command hangs", bundle.Check{Type: "command", Command: []string{"sleep", "60"}, Timeout: 1}, "no answer within 1s"},
		{"command missing", bundle.Check{Type: "command", Command: []string{"no-such-program"}}, `"no-such-program" is not installed`},
		{"no command", bundle.Check{Type: "command"}, "no command"},
		{"command that is deaf", bundle.Check{Type: "command", Command: []string{"sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"}, Timeout: 1}, "no answer within 1s\n  deaf"},
		{"command in colour", bundle.Check{Type: "command", Command: []string{"sh", "-c", `printf '\033[31mred\033[0m\033]0;title\007\n'; exit 1`}}, "sh: exit code 1\n  red"},
		{"unknown", bundle.Check{Type: "icmp"}, `unknown type "icmp"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.check.Name = c.name
			err := Run(t.Context(), []bundle.Check{c.check}, event.Discard)
			if c.err == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), fmt.Sprintf("health check %q", c.name)) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}

// TestLeftChild: a process that a command leaves behind keeps neither its
// success nor its timeout waiting by holding its output open.
func TestLeftChild(t *testing.T) {
	for _, end := range []string{"exit 0", "exec sleep 7654"} {
		file := filepath.Join(t.TempDir(), "pid")
		err := Run(t.Context(), []bundle.Check{{
			Name: "leaves", Type: "command", Timeout: 2,
			Command: []string{"sh", "-c", "setsid sleep 7654 & echo $! > $0; echo ready; " + end, file},
		}}, event.Discard)
		if end == "exit 0" && err != nil || end != "exit 0" && (err == nil || !strings.Contains(err.Error(), "no answer within 2s\n  ready")) {
			t.Errorf("%s: %v", end, err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Errorf("%s: the child was waited for: %v", end, err)
		}
	}
}

func TestOutputIsBounded(t *testing.T) {
	err := Run(t.Context(), []bundle.Check{{Name: "loud", Type: "command", Command: []string{"sh", "-c", "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; exit 1"}}}, event.Discard)
	if err == nil || !strings.Contains(err.Error(), "line 1999") || len(err.Error()) > 3*maxOutput {
		t.Errorf("%d bytes: %.100v", len(fmt.Sprint(err)), err)
	}
}

func TestRetriesAndProgress(t *testing.T) {
	s, asked := server(t)
	var r recorder
	err := Run(t.Context(), []bundle.Check{
		{Name: "third", Type: "http", URL: s.URL + "/third", Retries: 5},
		{Name: "ok", Type: "http", URL: s.URL + "/ok"},
	}, &r)
	if err != nil || asked.Load() != 3 {
		t.Errorf("%v after %d tries", err, asked.Load())
	}
	var passed, complaints []string
	for _, e := range r.events {
		switch e.Kind {
		case event.Progress:
			passed = append(passed, e.Message)
			if e.Done != int64(len(passed)) || e.Expected != 2 || e.Unit != "checks" || e.Step != event.Health {
				t.Errorf("progress %+v", e)
			}
		case event.Log:
			complaints = append(complaints, e.Message)
		}
	}
	slices.Sort(passed)
	if !slices.Equal(passed, []string{"ok", "third"}) {
		t.Errorf("passed %q", passed)
	}
	// The same complaint is made once.
	if len(complaints) != 1 || !strings.Contains(complaints[0], "warming up") {
		t.Errorf("complaints %q", complaints)
	}
	err = Run(t.Context(), []bundle.Check{{Name: "down", Type: "http", URL: s.URL + "/down", Retries: 2}}, event.Discard)
	if err == nil || !strings.Contains(err.Error(), "failed 3 times") {
		t.Error(err)
	}
}

// TestOneFailureEndsTheOthers: the answer is known, and the old system is waited for.
func TestOneFailureEndsTheOthers(t *testing.T) {
	began := time.Now()
	err := Run(t.Context(), []bundle.Check{
		{Name: "slow", Type: "command", Command: []string{"sleep", "60"}, Timeout: 60},
		{Name: "later", Type: "command", Command: []string{"true"}, Delay: 60},
		{Name: "bad", Type: "command", Command: []string{"false"}},
	}, event.Discard)
	if err == nil || !strings.Contains(err.Error(), `"bad"`) || strings.Contains(err.Error(), "slow") || strings.Contains(err.Error(), "later") {
		t.Errorf("error %v", err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("took %s", took)
	}
}

// TestTry: each check is tried once, and all have their say.
func TestTry(t *testing.T) {
	s, asked := server(t)
	checks := []bundle.Check{
		{Name: "third", Type: "http", URL: s.URL + "/third", Retries: 5, Delay: 60},
		{Name: "ok", Type: "http", URL: s.URL + "/ok"},
		{Name: "odd", Type: "icmp"},
		{Name: "silent", Type: "http", URL: s.URL + "/silent", Timeout: 1},
	}
	got := Try(t.Context(), checks)
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
	for i, want := range []string{"warming up", "", "unknown type", "no answer within 1s"} {
		if want == "" && got[i] != nil || want != "" && (got[i] == nil || !strings.Contains(got[i].Error(), want)) {
			t.Errorf("%s: %v", checks[i].Name, got[i])
		}
	}
	if got := Try(t.Context(), nil); len(got) != 0 {
		t.Error(got)
	}
}

func TestBound(t *testing.T) {
	for _, c := range []struct {
		checks []bundle.Check
		want   time.Duration
	}{
		{nil, 0},
		{[]bundle.Check{{Type: "tcp"}}, defaultTimeout},
		{[]bundle.Check{{Type: "tcp", Timeout: 5, Interval: 1, Retries: 10, Delay: 3}}, 68 * time.Second},
		// All at once: the longest counts.
		{[]bundle.Check{{Type: "http", Timeout: 5}, {Type: "tcp", Timeout: 7}}, 7 * time.Second},
		{[]bundle.Check{{Type: "command", Timeout: 5}}, 7 * time.Second},
		{[]bundle.Check{{Type: "tcp", Timeout: 5, Interval: -1, Retries: -1, Delay: -1}}, 5 * time.Second},
		{[]bundle.Check{{Type: "tcp", Timeout: math.MaxInt32, Retries: math.MaxInt32}}, math.MaxInt64 / time.Second * time.Second},
	} {
		if got := Bound(c.checks); got != c.want {
			t.Errorf("%+v: %s, want %s", c.checks, got, c.want)
		}
	}
}

// TestOutside: what a node sends makes the deployer run and read nothing.
func TestOutside(t *testing.T) {
	if err := Outside([]bundle.Check{{Type: "http"}, {Type: "tcp"}}); err != nil {
		t.Error(err)
	}
	for _, kind := range []string{"command", "file", "units", ""} {
		if err := Outside([]bundle.Check{{Type: "tcp"}, {Name: "x", Type: kind, From: "deployer"}}); err == nil || !strings.Contains(err.Error(), `"x"`) {
			t.Errorf("%q: %v", kind, err)
		}
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := Run(ctx, []bundle.Check{{Name: "slow", Type: "command", Command: []string{"sleep", "60"}}}, event.Discard)
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := Run(t.Context(), nil, event.Discard); err != nil {
		t.Error("no checks:", err)
	}
}

func TestParseUnits(t *testing.T) {
	now := time.Now()
	text := `Id=web.service
Result=exit-code
NRestarts=7
LoadState=loaded
ActiveState=activating
SubState=auto-restart
InactiveExitTimestampMonotonic=90000000
ActiveEnterTimestampMonotonic=0

Result=success
NRestarts=0
Id=none.service
LoadState=not-found
ActiveState=inactive
SubState=dead

Id=up.service
NRestarts=2
LoadState=loaded
ActiveState=active
SubState=running
Result=success
ActiveEnterTimestampMonotonic=97000000
`
	got := parseUnits(text, 100*time.Second, now)
	want := []unit{
		{name: "web.service", state: "activating", sub: "auto-restart", result: "exit-code", restarts: 7, lastRun: now.Add(-10 * time.Second)},
		{name: "none.service", state: "inactive", sub: "dead", result: "not-found"},
		{name: "up.service", state: "active", sub: "running", result: "success", restarts: 2, up: 3 * time.Second},
	}
	if len(got) != 3 {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		if i == 0 {
			got[i].up = 0 // it never was
		}
		if got[i] != want[i] {
			t.Errorf("%+v\nwant %+v", got[i], want[i])
		}
	}
	for i, w := range []string{"web.service is activating (auto-restart, exit-code, restarted 7 times)", "none.service is inactive (dead, not-found)"} {
		if got[i].String() != w {
			t.Errorf("%q, want %q", got[i].String(), w)
		}
	}
}

func TestRestless(t *testing.T) {
	for _, c := range []struct {
		unit unit
		want bool
	}{
		{unit{state: "active", up: time.Hour, restarts: 500}, false},
		{unit{state: "active", up: time.Second, restarts: 1}, true},
		{unit{state: "active", up: time.Second}, false}, // just started
		{unit{state: "activating", sub: "auto-restart"}, true},
		{unit{state: "activating", sub: "auto-restart-queued"}, true},
		{unit{state: "activating", sub: "start", restarts: 1}, true},
		{unit{state: "activating", sub: "start"}, false},
		{unit{state: "inactive", sub: "dead", restarts: 4}, false},
		{unit{state: "deactivating", sub: "stop", restarts: 4}, false},
	} {
		if got := c.unit.restless(); got != c.want {
			t.Errorf("%+v: %t", c.unit, got)
		}
	}
}

// TestUnitsFailed gives the text of a failure, with programs that stand for systemd's.
func TestUnitsFailed(t *testing.T) {
	dir := t.TempDir()
	for name, script := range map[string]string{
		"systemctl":  "#!/bin/sh\ncase $1 in list-units) echo 'old.service loaded failed failed x'; echo 'new.service loaded failed failed y';; esac\n",
		"journalctl": "#!/bin/sh\nfor a; do case $a in --unit=new.service) printf '%s\\n' '{\"MESSAGE\":\"exiting\\nnow\"}' '{\"MESSAGE\":[27,91,51,49,109,98,105,110,100]}' '{\"MESSAGE\":null}' 'odd';; esac; done\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	err := UnitsFailed(t.Context(), []string{"old.service"}, time.Now())
	if want := "failed since the switch: new.service\n  new.service: bind\n  new.service: exiting\n  new.service: now"; err == nil || err.Error() != want {
		t.Errorf("error is\n%v\nwant\n%s", err, want)
	}
	if err := UnitsFailed(t.Context(), []string{"old.service", "new.service"}, time.Now()); err != nil {
		t.Error(err)
	}
}
