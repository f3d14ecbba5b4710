package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/proc"
	"github.com/git-deploy/git-deploy/pkg/remotehelper"
)

// Peer is another repository, as git is told to reach it.
type Peer struct {
	URL         string
	UploadPack  string // command for --upload-pack; "" is git's own
	ReceivePack string
	Env         []string
	Config      []string // key=value for git -c
}

func (r *Repo) peerCmd(p Peer, args ...string) proc.Cmd {
	var all []string
	for _, c := range p.Config {
		all = append(all, "-c", c)
	}
	c := r.Cmd(append(all, args...)...)
	c.Env = append(c.Env, p.Env...)
	return c
}

// Fetch brings the objects of refspecs here. FETCH_HEAD and tags stay as they are.
func (r *Repo) Fetch(ctx context.Context, p Peer, refspecs ...string) error {
	args := []string{"fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"}
	if p.UploadPack != "" {
		args = append(args, "--upload-pack="+p.UploadPack)
	}
	args = append(append(args, "--", p.URL), refspecs...)
	if err := proc.Run(ctx, r.peerCmd(p, args...)); err != nil {
		return fmt.Errorf("fetch %s: %w", strings.Join(refspecs, ", "), err)
	}
	return nil
}

// Send describes one run of git send-pack.
type Send struct {
	Refspecs []string // as for git push; a leading "+" forces
	Options  []string // push options
	Leases   []string // "ref:oid", what a ref must be there
	Atomic   bool
	DryRun   bool
	Progress bool
	// Line gets what git writes to stderr, line by line: its progress, and with "remote: " what hooks print.
	Line func(string)
}

// RefStatus is what became of one ref.
type RefStatus struct {
	Ref      string
	Err      string // "" is success; else git's reason, e.g. "non-fast forward", "pre-receive hook declined"
	UpToDate bool   // it was there already, and nothing was sent for it
}

// SendPack sends objects and moves refs in p. It returns a status for every
// ref that the other side spoke about; the error says that it did not come that far.
func (r *Repo) SendPack(ctx context.Context, p Peer, s Send) ([]RefStatus, error) {
	args := []string{"send-pack", "--thin", "--helper-status"}
	if p.ReceivePack != "" {
		args = append(args, "--receive-pack="+p.ReceivePack)
	}
	if s.Progress {
		args = append(args, "--progress")
	}
	if s.Atomic {
		args = append(args, "--atomic")
	}
	if s.DryRun {
		args = append(args, "--dry-run")
	}
	for _, o := range s.Options {
		args = append(args, "--push-option="+o)
	}
	for _, l := range s.Leases {
		args = append(args, "--force-with-lease="+l)
	}
	var out bytes.Buffer
	lines := &lineWriter{line: s.Line}
	c := r.peerCmd(p, append(append(args, "--", p.URL), s.Refspecs...)...)
	c.Stdout, c.Stderr = &out, lines
	err := proc.Run(ctx, c)
	lines.flush()
	statuses := parseStatuses(out.String())
	if len(statuses) > 0 {
		return statuses, nil // the exit code says no more than they do
	}
	if err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	return nil, nil
}

// parseStatuses reads what send-pack --helper-status prints, which is what a remote helper prints to git.
func parseStatuses(out string) []RefStatus {
	var statuses []RefStatus
	for line := range strings.Lines(out) {
		verb, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		ref, why, _ := strings.Cut(rest, " ")
		switch verb {
		case "ok":
			statuses = append(statuses, RefStatus{Ref: ref, UpToDate: why == "up to date"})
		case "error":
			if text, err := remotehelper.Unquote(why); err == nil {
				why = text
			}
			if why == "" {
				why = "refused"
			}
			statuses = append(statuses, RefStatus{Ref: ref, Err: why})
		}
	}
	return statuses
}

// lineWriter cuts git's stderr into lines; progress ends its lines with a carriage return.
type lineWriter struct {
	line func(string)
	buf  []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.buf = append(w.buf, p...)
	for {
		i := bytes.IndexAny(w.buf, "\r\n")
		if i < 0 {
			return len(p), nil
		}
		w.emit(string(w.buf[:i]))
		w.buf = w.buf[i+1:]
	}
}

func (w *lineWriter) flush() {
	w.emit(string(w.buf))
	w.buf = nil
}

func (w *lineWriter) emit(s string) {
	// Remote lines end with an escape sequence that clears the rest of the terminal's line.
	s = strings.TrimRight(strings.TrimSuffix(s, "\x1b[K"), " ")
	if s != "" && w.line != nil {
		w.line(s)
	}
}

// ParseProgress reads a line such as "Writing objects:  50% (1/2), 300 bytes"; ok is false for other lines.
func ParseProgress(line string) (what string, done, expected int64, ok bool) {
	what, rest, ok := strings.Cut(line, ":")
	_, rest, ok2 := strings.Cut(rest, "(")
	count, _, ok3 := strings.Cut(rest, ")")
	a, b, ok4 := strings.Cut(count, "/")
	done, err1 := strconv.ParseInt(a, 10, 64)
	expected, err2 := strconv.ParseInt(b, 10, 64)
	if !ok || !ok2 || !ok3 || !ok4 || errors.Join(err1, err2) != nil || done < 0 || expected < done {
		return "", 0, 0, false
	}
	return what, done, expected, true
}
