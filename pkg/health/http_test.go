package health

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
)

// one runs one check once.
func one(t *testing.T, c bundle.Check) error {
	t.Helper()
	c.Name = "one"
	return Run(t.Context(), []bundle.Check{c}, event.Discard)
}

// want compares an error with a text that it must hold; "" passes.
func want(t *testing.T, what string, err error, text string) {
	t.Helper()
	if text == "" && err != nil || text != "" && (err == nil || !strings.Contains(err.Error(), text)) {
		t.Errorf("%s: %v, want %q", what, err, text)
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are meant to fail
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	own := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	ca := write(t, "ca.pem", "a comment\n"+own)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	plain := httptest.NewServer(http.RedirectHandler(s.URL, http.StatusFound))
	t.Cleanup(plain.Close)

	for _, c := range []struct {
		name  string
		check bundle.Check
		err   string
	}{
		{"unknown authority", bundle.Check{URL: s.URL}, "certificate signed by unknown authority (the check's option ca"},
		{"own ca", bundle.Check{URL: s.URL, CA: ca, Body: "HTTP/2"}, ""},
		{"insecure", bundle.Check{URL: s.URL, Insecure: true}, ""},
		{"insecure needs no ca", bundle.Check{URL: s.URL, Insecure: true, CA: "/nonexistent"}, ""},
		{"another name", bundle.Check{URL: "https://localhost:" + port, CA: ca}, "not localhost"},
		{"no ca there", bundle.Check{URL: s.URL, CA: ca + "x"}, "read ca: "},
		{"no certificate", bundle.Check{URL: s.URL, CA: write(t, "no.pem", "nothing")}, "no.pem holds no PEM certificate"},
		{"a device as ca", bundle.Check{URL: s.URL, CA: "/dev/zero"}, "/dev/zero is not a regular file"},
		{"also after a redirect", bundle.Check{URL: plain.URL}, "unknown authority"},
		{"redirect with ca", bundle.Check{URL: plain.URL, CA: ca}, ""},
		{"https to http", bundle.Check{URL: "https://" + plain.Listener.Addr().String()}, "server gave HTTP response to HTTPS client"},
	} {
		c.check.Type = "http"
		want(t, c.name, one(t, c.check), c.err)
	}
}

// endless writes text for as long as somebody reads.
func endless(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		line := bytes.Repeat([]byte(text), 100)
		for {
			if _, err := w.Write(line); err != nil {
				return
			}
		}
	}
}

// stalls sends a status and text, and then nothing until its client has gone.
func stalls(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, text)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

func TestBadServers(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/loop", http.RedirectHandler("/loop", http.StatusFound))
	mux.Handle("/endless", endless("abc "))
	mux.Handle("/stalls", stalls(200, "ready\n"))
	mux.Handle("/stalls-empty", stalls(200, ""))
	mux.Handle("/stalls-sick", stalls(503, "no database\n"))
	mux.HandleFunc("/terminal", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "\x1b[2J\x1b]0;owned\x07sick\u202e\nand tired", http.StatusInternalServerError)
	})
	mux.HandleFunc("/cut", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "half")
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	// Its queue accepts connections; nobody ever answers.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })

	for _, c := range []struct {
		name  string
		check bundle.Check
		err   string
	}{
		{"redirect loop", bundle.Check{URL: s.URL + "/loop"}, "redirected more than 10 times"},
		{"endless", bundle.Check{URL: s.URL + "/endless"}, ""},
		{"endless matches", bundle.Check{URL: s.URL + "/endless", Body: "c abc", Timeout: 30}, ""},
		{"endless does not match", bundle.Check{URL: s.URL + "/endless", Body: "xyz", Timeout: 30}, `does not match "xyz": abc abc`},
		{"stalls", bundle.Check{URL: s.URL + "/stalls"}, ""},
		{"stalls after the match", bundle.Check{URL: s.URL + "/stalls", Body: "^ready", Timeout: 1}, ""},
		{"stalls before the match", bundle.Check{URL: s.URL + "/stalls", Body: "steady", Timeout: 1}, "no answer within 1s"},
		{"stalls with a wrong status", bundle.Check{URL: s.URL + "/stalls-sick", Timeout: 30}, "status 503, not 200: no database"},
		{"a status wanted that stalls", bundle.Check{URL: s.URL + "/stalls-empty", Status: 204, Timeout: 1}, "status 200, not 204"},
		{"cut", bundle.Check{URL: s.URL + "/cut", Body: "whole"}, "EOF"},
		{"terminal", bundle.Check{URL: s.URL + "/terminal"}, "status 500, not 200: sick and tired"},
		{"never answers", bundle.Check{URL: "http://" + silent.Addr().String(), Timeout: 1}, "no answer within 1s"},
		{"tls never answers", bundle.Check{URL: "https://" + silent.Addr().String(), Timeout: 1}, "no answer within 1s"},
		{"no host", bundle.Check{URL: "http://", Timeout: 1}, "no Host"},
		{"not http", bundle.Check{URL: "file:///etc/passwd"}, "unsupported protocol scheme"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.check.Type = "http"
			err := one(t, c.check)
			want(t, c.name, err, c.err)
			if err != nil && (len(err.Error()) > 1000 || strings.ContainsAny(err.Error(), "\x1b\x07\u202e")) {
				t.Errorf("%d bytes: %q", len(err.Error()), err)
			}
		})
	}
}

func TestFile(t *testing.T) {
	ready := write(t, "ready", "state: ready\n")
	old := write(t, "old", "")
	if err := os.Chtimes(old, time.Time{}, time.Now().Add(-2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	dangling, fifo := filepath.Join(dir, "dangling"), filepath.Join(dir, "fifo")
	if err := os.Symlink("nothing", dangling); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		check bundle.Check
		err   string
	}{
		{"is there", bundle.Check{Path: ready}, ""},
		{"a folder is there", bundle.Check{Path: dir}, ""},
		{"is not there", bundle.Check{Path: ready + "x"}, "x does not exist"},
		{"below a file", bundle.Check{Path: ready + "/x"}, "not a directory"},
		{"dangling", bundle.Check{Path: dangling}, "does not exist"},
		{"absent", bundle.Check{Path: ready + "x", Absent: true}, ""},
		{"absent below a file", bundle.Check{Path: ready + "/x", Absent: true}, ""},
		{"not absent", bundle.Check{Path: ready, Absent: true}, "ready exists"},
		{"a dangling link is not absent", bundle.Check{Path: dangling, Absent: true}, "dangling exists"},
		{"matches", bundle.Check{Path: ready, Body: "(?m)^state: ready$"}, ""},
		{"does not match", bundle.Check{Path: ready, Body: "steady"}, `does not match "steady": state: ready`},
		{"folder has no content", bundle.Check{Path: dir, Body: "x"}, "not a regular file"},
		{"pipe has no content", bundle.Check{Path: fifo, Body: "x"}, "not a regular file"},
		{"new enough", bundle.Check{Path: old, MaxAge: 3 * 3600}, ""},
		{"too old", bundle.Check{Path: old, MaxAge: 3600}, "old was last changed 2h0m"},
		{"kernel's file", bundle.Check{Path: "/proc/self/status", Body: "(?m)^Pid:"}, ""},
		{"relative", bundle.Check{Path: "etc/passwd"}, `"etc/passwd" is not absolute`},
		{"bad expression", bundle.Check{Path: ready, Body: "("}, "missing closing"},
	} {
		c.check.Type = "file"
		want(t, c.name, one(t, c.check), c.err)
	}
	// It comes to be there while it is looked for.
	late := filepath.Join(dir, "late")
	timer := time.AfterFunc(50*time.Millisecond, func() { _ = os.WriteFile(late, nil, 0o600) })
	defer timer.Stop()
	want(t, "late", one(t, bundle.Check{Type: "file", Path: late, Retries: 30, Interval: 1}), "")
}
