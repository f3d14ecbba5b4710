package nix

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/proc"
)

// EvalError is a network that does not evaluate.
type EvalError struct {
	Message string   // Nix's words
	Pos     string   // "nodes/web.nix:3:5", relative to the network's tree where it is in there; may be ""
	Excerpt string   // the line at Pos, with a mark below; may be ""
	Context []string // "while evaluating the option …", innermost first
	Trace   []string // every frame, when asked for
}

func (e *EvalError) Error() string {
	var b strings.Builder
	b.WriteString(e.Message)
	if e.Pos != "" {
		fmt.Fprintf(&b, "\n  at %s", e.Pos)
	}
	if e.Excerpt != "" {
		b.WriteString("\n" + e.Excerpt)
	}
	lines := e.Context
	if len(e.Trace) > 0 {
		lines = e.Trace
	}
	for _, line := range lines {
		b.WriteString("\n  " + line)
	}
	return b.String()
}

// BuildError is a derivation that does not build.
type BuildError struct {
	Drv   string   // its path
	Cause string   // Nix's words, e.g. "builder failed with exit code 3"
	Log   []string // the last lines of its output
}

func (e *BuildError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "build of %s failed: %s", nameOf(e.Drv), e.Cause)
	for _, line := range e.Log {
		b.WriteString("\n  " + line)
	}
	return b.String()
}

// sources says how positions are made readable.
type sources struct {
	dir   string // of the network
	trace bool
}

// failure turns a program's exit into the error that its log tells.
func (p *logParser) failure(program string, exit error, src sources) error {
	for _, m := range p.errors {
		if err := p.buildFailure(m); err != nil {
			return hinted(err, "nix-store --read-log "+err.Drv)
		}
	}
	if len(p.errors) > 0 {
		e := src.evalError(p.errors[len(p.errors)-1])
		if err := explainPin(e, src.dir); err != nil {
			return err
		}
		return explain(e)
	}
	if text := strings.TrimSpace(strings.Join(p.plain, "\n")); text != "" {
		return fmt.Errorf("%s: %s", program, strings.TrimPrefix(text, "error: "))
	}
	var ended *proc.Error
	if errors.As(exit, &ended) && ended.Signal() != 0 {
		return fmt.Errorf("%s was stopped by a signal: %v (out of memory?)", program, ended.Signal())
	}
	if code := proc.ExitCode(exit); code >= 0 {
		return fmt.Errorf("%s ended with exit code %d and said nothing", program, code)
	}
	return exit // it did not start
}

var (
	// builder for '/nix/store/….drv' failed with exit code 3   (Nix 2.8)
	// Cannot build '/nix/store/….drv'.\n Reason: builder failed with exit code 3.   (Nix 2.31)
	failedBuild  = regexp.MustCompile(`(?s)^(?:builder for '([^'\n]+\.drv)' (.*)|Cannot build '([^'\n]+\.drv)'\.?\s*(?:Reason: )?(.*))`)
	dependencies = regexp.MustCompile(`^\s*(Reason: )?\d+ (dependency|dependencies)`)
	hashMismatch = regexp.MustCompile(`(?s)^hash mismatch in fixed-output derivation '([^'\n]+\.drv)':?(.*)`)
	sandboxed    = regexp.MustCompile(`(?s)^(a '[^']*' with features \{.*\} is required to build) '([^'\n]+\.drv)'(.*)`)
)

// buildFailure recognises the message of a derivation that failed by itself;
// that others then could not be built is no news.
func (p *logParser) buildFailure(m message) *BuildError {
	text := messageText(m)
	var drv, cause string
	if f := failedBuild.FindStringSubmatch(text); f != nil {
		drv, cause = f[1]+f[3], f[2]+f[4]
		if dependencies.MatchString(cause) {
			return nil
		}
		// Newer versions go on with output paths and the log, which we have.
		cause, _, _ = strings.Cut(cause, "\n")
		cause = strings.TrimRight(strings.TrimSpace(cause), ".;,")
		if f[1] != "" {
			cause = "builder " + cause
		}
	} else if f := hashMismatch.FindStringSubmatch(text); f != nil {
		drv, cause = f[1], "hash mismatch: "+strings.Join(strings.Fields(f[2]), " ")
	} else if f := sandboxed.FindStringSubmatch(text); f != nil {
		drv, cause = f[2], f[1]+" it"+strings.Join(strings.Fields(f[3]), " ")
	} else {
		return nil
	}
	return &BuildError{Drv: drv, Cause: cause, Log: p.tails[drv]}
}

// messageText is the message without frames, positions and the word "error:".
func messageText(m message) string {
	text := clean(m.RawMsg)
	if strings.TrimSpace(text) == "" {
		text = strings.TrimPrefix(m.Msg, "error:")
	}
	return strings.TrimSpace(text)
}

const maxContext = 3

func (s sources) evalError(m message) *EvalError {
	e := &EvalError{Message: s.readable(messageText(m))}
	at := frame{File: m.File, Line: m.Line, Column: m.Column}
	if _, inside := s.relative(at.File); !inside {
		// The innermost place that the user wrote says more than one in a library.
		for _, f := range m.Trace {
			if _, inside := s.relative(f.File); inside {
				at = f
				break
			}
		}
	}
	e.Pos, e.Excerpt = s.position(at), s.excerpt(at)
	for _, f := range m.Trace {
		text := s.readable(strings.TrimSpace(clean(f.RawMsg)))
		if isContext(text) && !strings.Contains(text, "`/") && len(e.Context) < maxContext {
			e.Context = append(e.Context, strings.TrimSuffix(text, ":"))
		}
		if s.trace {
			if pos := s.position(f); pos != "" {
				text += " (" + pos + ")"
			}
			e.Trace = append(e.Trace, text)
		}
	}
	return e
}

// isContext tells what the module system and nixlib say for people from what the evaluator says of itself.
func isContext(text string) bool {
	return strings.HasPrefix(text, "while evaluating the option ") ||
		strings.HasPrefix(text, "while evaluating definitions from ") ||
		strings.HasPrefix(text, "while evaluating the module argument ") ||
		strings.HasPrefix(text, "while evaluating node ") ||
		strings.HasPrefix(text, "while evaluating the node ")
}

// relative gives the path of file within the network's tree. A flake is
// evaluated from a copy in the store.
func (s sources) relative(file string) (string, bool) {
	if s.dir == "" || file == "" {
		return "", false
	}
	if rel, ok := strings.CutPrefix(file, s.dir+"/"); ok {
		return rel, true
	}
	if top := flakeCopy.FindString(file); top != "" && s.copied(top) {
		return file[len(top):], true
	}
	return "", false
}

// flakeCopy is where Nix puts the tree of a flake before it evaluates it.
var flakeCopy = regexp.MustCompile(`/[\w./-]*/[0-9a-z]{32}-source/`)

// copied reports whether top is the copy of the network's tree, and not that of an input.
func (s sources) copied(top string) bool {
	if !strings.HasPrefix(top, StoreDir()+"/") {
		return false
	}
	here, err := os.ReadFile(filepath.Join(s.dir, string(FlakeEntry)))
	there, err2 := os.ReadFile(filepath.Join(top, string(FlakeEntry)))
	return err == nil && err2 == nil && bytes.Equal(here, there)
}

// readable drops the network's own folder, a temporary one or its copy in the
// store, from paths in a text.
func (s sources) readable(text string) string {
	if s.dir == "" {
		return text
	}
	text = strings.ReplaceAll(text, s.dir+"/", "")
	return flakeCopy.ReplaceAllStringFunc(text, func(top string) string {
		if s.copied(top) {
			return ""
		}
		return top
	})
}

func (s sources) position(f frame) string {
	if f.File == "" || f.Line == 0 {
		return ""
	}
	file := f.File
	if rel, ok := s.relative(file); ok {
		file = rel
	}
	return fmt.Sprintf("%s:%d:%d", file, f.Line, f.Column)
}

// excerpt quotes the line at f when the user wrote it.
func (s sources) excerpt(f frame) string {
	rel, ok := s.relative(f.File)
	if !ok || f.Line < 1 {
		return ""
	}
	data, err := os.ReadFile(filepath.Join(s.dir, rel))
	if err != nil {
		return ""
	}
	lines := strings.Split(string(data), "\n")
	if f.Line > len(lines) || len(lines[f.Line-1]) > 200 {
		return ""
	}
	line := clean(lines[f.Line-1])
	number := fmt.Sprint(f.Line)
	text := fmt.Sprintf("    %s | %s", number, line)
	if f.Column >= 1 && f.Column <= len(line)+1 {
		// Tabs before the mark stay tabs, so that it lands below its character.
		mark := strings.Map(func(r rune) rune {
			if r == '\t' {
				return r
			}
			return ' '
		}, line[:f.Column-1])
		text += fmt.Sprintf("\n    %s | %s^", strings.Repeat(" ", len(number)), mark)
	}
	return text
}

func hinted(err error, hints ...string) error { return fail.New(fail.Failed, err, hints...) }
