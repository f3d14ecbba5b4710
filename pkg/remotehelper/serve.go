// Package remotehelper speaks git's remote helper protocol
// (gitremote-helpers(7)): requests in, responses out. It knows nothing of
// nodes, ssh or repositories; a Handler does the work.
//
// Invariants: nothing but the protocol is written to git; a request is
// answered completely or the session ends with an error; input is read no
// further than the line that is being parsed, so that a tunnel gets every byte
// that follows.
package remotehelper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Support is the answer to an option.
type Support int

const (
	Unsupported Support = iota
	Supported
)

// ErrFallback is returned by Handler.Connect when there is no tunnel for a service: git then uses list and push.
var ErrFallback = errors.New("no tunnel for this service")

// Handler does what git asks for.
type Handler interface {
	// Capabilities are told to git, one each.
	Capabilities() []string
	// Option sets an option. An error is told to git, which goes on.
	Option(name, value string) (Support, error)
	// Connect prepares a tunnel to a service such as git-upload-pack. The tunnel it returns is run after git
	// was told; it reads and writes the service's bytes until both sides are done.
	Connect(ctx context.Context, service string) (tunnel func(r io.Reader, w io.Writer) error, err error)
	// List returns the remote's refs.
	List(ctx context.Context, forPush bool) (Refs, error)
	// Push updates refs and returns one result for each spec.
	Push(ctx context.Context, specs []PushSpec) ([]PushResult, error)
}

// Refs is the answer to list.
type Refs struct {
	ObjectFormat string // "sha256"; "" is not told
	Refs         []Ref
}

// Ref is one ref of the remote.
type Ref struct {
	Name   string
	Oid    string // "" when the value is not known
	Symref string // the ref that this one stands for
}

// PushSpec is one ref that git asks to update.
type PushSpec struct {
	Src   string // local ref or revision; "" deletes Dst
	Dst   string
	Force bool
}

func (s PushSpec) String() string {
	force := ""
	if s.Force {
		force = "+"
	}
	return force + s.Src + ":" + s.Dst
}

// ParsePushSpec reads what follows "push ".
func ParsePushSpec(s string) (PushSpec, error) {
	var p PushSpec
	rest, force := strings.CutPrefix(s, "+")
	// A source such as main@{2 days ago} or HEAD:dir may hold spaces and colons, a ref may not.
	i := strings.LastIndexByte(rest, ':')
	if i < 0 || i == len(rest)-1 {
		return p, fmt.Errorf("push %q: not SOURCE:REF", s)
	}
	p = PushSpec{Src: rest[:i], Dst: rest[i+1:], Force: force}
	if strings.ContainsAny(p.Dst, " \t") {
		return PushSpec{}, fmt.Errorf("push %q: not SOURCE:REF", s)
	}
	return p, nil
}

// PushResult tells what became of one PushSpec.
type PushResult struct {
	Ref      string
	Err      string // one line; "" is success
	UpToDate bool
	OldOid   string // what the remote's ref was, and is now, where that differs from what git knows
	NewOid   string
	Forced   bool
}

const maxLine = 1 << 20

// Serve answers requests until git ends the session.
func Serve(ctx context.Context, r io.Reader, w io.Writer, h Handler) error {
	s := session{in: r, out: w, h: h}
	for {
		line, err := s.line()
		if err == io.EOF || err == nil && line == "" {
			return nil
		}
		if err != nil {
			return err
		}
		done, err := s.request(ctx, line)
		if done || err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

type session struct {
	in  io.Reader
	out io.Writer
	h   Handler
}

// line reads to the next newline, byte by byte: what comes after a connect belongs to the tunnel.
func (s *session) line() (string, error) {
	var line []byte
	var b [1]byte
	for {
		n, err := s.in.Read(b[:])
		if n == 1 {
			if b[0] == '\n' {
				return string(line), nil
			}
			if line = append(line, b[0]); len(line) > maxLine {
				return "", errors.New("remote helper: git sent a line without end")
			}
			continue
		}
		if err == io.EOF && len(line) > 0 {
			return "", fmt.Errorf("remote helper: git stopped within the line %.60q", line)
		}
		if err != nil {
			return "", err
		}
	}
}

func (s *session) request(ctx context.Context, line string) (done bool, err error) {
	verb, rest, _ := strings.Cut(line, " ")
	switch verb {
	case "capabilities":
		return false, s.write(append(s.h.Capabilities(), "")...)
	case "option":
		return false, s.option(rest)
	case "list":
		if rest != "" && rest != "for-push" {
			return false, fmt.Errorf("remote helper: unknown request %.60q", line)
		}
		return false, s.list(ctx, rest == "for-push")
	case "connect":
		return s.connect(ctx, rest)
	case "push":
		return false, s.push(ctx, rest)
	}
	return false, fmt.Errorf("remote helper: unknown request %.60q", line)
}

func (s *session) write(lines ...string) error {
	var b bytes.Buffer
	for _, l := range lines {
		b.WriteString(l)
		b.WriteByte('\n')
	}
	_, err := s.out.Write(b.Bytes())
	return err
}

func (s *session) option(rest string) error {
	name, value, given := strings.Cut(rest, " ")
	value, err := Unquote(value)
	if !given {
		value = "true" // git says `option object-format`
	}
	if err == nil && name == "" {
		err = errors.New("an option without a name")
	}
	var support Support
	if err == nil {
		support, err = s.h.Option(name, value)
	}
	switch {
	case err != nil:
		return s.write("error " + oneLine(err.Error()))
	case support == Supported:
		return s.write("ok")
	}
	return s.write("unsupported")
}

func (s *session) list(ctx context.Context, forPush bool) error {
	refs, err := s.h.List(ctx, forPush)
	if err != nil {
		return err
	}
	var lines []string
	if refs.ObjectFormat != "" {
		lines = append(lines, ":object-format "+refs.ObjectFormat)
	}
	for _, r := range refs.Refs {
		value := r.Oid
		if r.Symref != "" {
			value = "@" + r.Symref
		} else if value == "" {
			value = "?"
		}
		if strings.ContainsAny(value+r.Name, " \n") || r.Name == "" {
			return fmt.Errorf("remote helper: not a ref: %q", value+" "+r.Name)
		}
		lines = append(lines, value+" "+r.Name)
	}
	return s.write(append(lines, "")...)
}

func (s *session) connect(ctx context.Context, service string) (bool, error) {
	tunnel, err := s.h.Connect(ctx, service)
	if errors.Is(err, ErrFallback) {
		return false, s.write("fallback")
	}
	if err != nil {
		return true, err
	}
	if err := s.write(""); err != nil {
		return true, err
	}
	return true, tunnel(s.in, s.out)
}

func (s *session) push(ctx context.Context, first string) error {
	var specs []PushSpec
	for rest := first; ; {
		spec, err := ParsePushSpec(rest)
		if err != nil {
			return fmt.Errorf("remote helper: %w", err)
		}
		specs = append(specs, spec)
		line, err := s.line()
		if err == io.EOF {
			return errors.New("remote helper: git stopped within a batch of pushes")
		}
		if err != nil {
			return err
		}
		if line == "" {
			break
		}
		var ok bool
		if rest, ok = strings.CutPrefix(line, "push "); !ok {
			return fmt.Errorf("remote helper: %.60q within a batch of pushes", line)
		}
	}
	results, err := s.h.Push(ctx, specs)
	if err != nil {
		return err
	}
	var lines []string
	for _, r := range results {
		lines = append(lines, r.lines()...)
	}
	return s.write(append(lines, "")...)
}

func (r PushResult) lines() []string {
	if r.Err != "" {
		return []string{"error " + r.Ref + " " + Quote(oneLine(r.Err))}
	}
	if r.UpToDate {
		return []string{"ok " + r.Ref + " up to date"}
	}
	lines := []string{"ok " + r.Ref}
	if r.OldOid != "" {
		lines = append(lines, "option old-oid "+r.OldOid)
	}
	if r.NewOid != "" {
		lines = append(lines, "option new-oid "+r.NewOid)
	}
	if r.Forced {
		lines = append(lines, "option forced-update")
	}
	return lines
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
