package transport

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/fail"
)

// Reason says why a node could not be reached.
type Reason string

const (
	NoSuchHost     Reason = "no such host"
	Refused        Reason = "connection refused"
	TimedOut       Reason = "timed out"
	NoRoute        Reason = "no route"
	Closed         Reason = "closed before login"
	AuthFailed     Reason = "login refused"
	HostKeyUnknown Reason = "unknown host key"
	HostKeyChanged Reason = "changed host key"
	Lost           Reason = "connection lost"
	NoSSH          Reason = "ssh does not start"
	OtherReason    Reason = "other"
)

// UnreachableError says that a node could not be reached, or no longer. It matches ErrUnreachable.
type UnreachableError struct {
	Addr   Address
	Reason Reason
	// Words are ssh's own last words.
	Words string
	// Pinned are the host keys that would have been accepted, as "ED25519 SHA256:…"; none: the user's files decided.
	Pinned []string
	// Alias is the name under which they are pinned.
	Alias string
}

func (e *UnreachableError) Error() string {
	where := e.Addr.HostPort()
	words := e.Words
	if words == "" {
		words = "ssh gave no reason"
	}
	switch {
	case e.Reason == Lost && e.Words == "":
		return fmt.Sprintf("the connection to %s was lost", where)
	case e.Reason == Lost:
		return fmt.Sprintf("the connection to %s was lost: %s", where, words)
	case (e.Reason == HostKeyChanged || e.Reason == HostKeyUnknown) && len(e.Pinned) > 0:
		return fmt.Sprintf("%s does not show the host key that the network pins for %q (%s): %s", where, e.Alias, strings.Join(e.Pinned, ", "), words)
	}
	return fmt.Sprintf("cannot reach %s: %s", where, words)
}

// Is makes the error match ErrUnreachable.
func (e *UnreachableError) Is(target error) bool { return target == ErrUnreachable }

// unreachable returns an error for what ssh wrote, with a hint; no reason: the text tells it.
func (t *openSSH) unreachable(reason Reason, text string) error {
	e := &UnreachableError{Addr: t.addr, Pinned: t.pinned, Alias: t.opts.HostKeyAlias}
	e.Reason, e.Words = classify(text)
	if reason != "" {
		e.Reason = reason
	}
	return fail.New(fail.Unreachable, e, hints(e)...)
}

func hints(e *UnreachableError) []string {
	ssh := "ssh " + e.Addr.login()
	if e.Addr.Port != 0 {
		ssh = fmt.Sprintf("ssh -p %d %s", e.Addr.Port, e.Addr.login())
	}
	switch e.Reason {
	case HostKeyChanged, HostKeyUnknown:
		if len(e.Pinned) > 0 {
			return []string{fmt.Sprintf("another machine may have this address; if %s really has a new key, forget the old one and add it again: ssh-keygen -R %s -f known_hosts && git deploy add %s %s", e.Alias, e.Alias, e.Alias, Destination(e.Addr))}
		}
		return []string{ssh + "   # shows the key, and asks whether to trust it"}
	case AuthFailed:
		return []string{ssh + "   # must log in without a password"}
	case NoSuchHost, Refused, TimedOut, NoRoute, Closed, NoSSH, OtherReason:
		return []string{ssh + " true"}
	}
	return nil
}

// signs are pieces of ssh's messages, the most telling first.
var signs = []struct {
	text   string
	reason Reason
}{
	{"REMOTE HOST IDENTIFICATION HAS CHANGED", HostKeyChanged},
	{"has changed and you have requested strict checking", HostKeyChanged},
	{"revoked host key", HostKeyChanged},
	{"host key is known for", HostKeyUnknown},
	{"Host key verification failed", HostKeyUnknown},
	{"no matching host key type", HostKeyUnknown},
	{"Permission denied (", AuthFailed},
	{"Too many authentication failures", AuthFailed},
	{"No supported authentication methods", AuthFailed},
	{"Could not resolve hostname", NoSuchHost},
	{"Name or service not known", NoSuchHost},
	{"Connection refused", Refused},
	{"timed out", TimedOut},
	{"not responding", TimedOut},
	{"No route to host", NoRoute},
	{"Network is unreachable", NoRoute},
	{"Host is down", NoRoute},
	{"Connection closed by", Closed},
	{"Connection reset by", Closed},
	{"closed by remote host", Closed},
	{"kex_exchange_identification", Closed},
	{"banner exchange", Closed},
}

// classify finds the reason in what ssh wrote, and the line that tells it.
func classify(text string) (Reason, string) {
	for _, s := range signs {
		line := lineWith(text, s.text)
		if line == "" {
			continue
		}
		if key := lineWith(text, "SHA256:"); s.reason == HostKeyChanged && key != "" {
			line = "the host key has changed, to " + strings.TrimSuffix(key, ".")
		}
		return s.reason, line
	}
	return OtherReason, lastWords(text)
}

func lineWith(text, part string) string {
	for sc := bufio.NewScanner(strings.NewReader(text)); sc.Scan(); {
		if strings.Contains(sc.Text(), part) {
			return clean(sc.Text())
		}
	}
	return ""
}

// withoutWarnings drops the lines of a log that say nothing of a failure.
func withoutWarnings(text string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "Warning: ") && !strings.HasPrefix(line, "debug") {
			kept.WriteString(line)
		}
	}
	return strings.TrimSpace(kept.String())
}

func lastWords(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return clean(lines[len(lines)-1])
}

// clean takes ssh's decoration away.
func clean(line string) string {
	return strings.Trim(strings.TrimSpace(line), "@ ")
}
