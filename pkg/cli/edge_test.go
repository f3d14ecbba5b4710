package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/node"
	"github.com/git-deploy/git-deploy/pkg/proc"
)

// TestEdge: only an error whose words have been shown ends without words.
func TestEdge(t *testing.T) {
	program := proc.Run(t.Context(), proc.Cmd{Argv: []string{"sh", "-c", "exit 9"}})
	for _, test := range []struct {
		err  error
		code int
		said string // "" is nothing at all
	}{
		{nil, 0, ""},
		{silent(fail.Partly), 3, ""},
		{fmt.Errorf("wrapped: %w", silent(fail.Failed)), 1, ""},
		{&node.Ended{Outcome: event.RolledBack}, 4, ""},
		{errors.New("no such thing"), 1, "no such thing"},
		{fail.New(fail.Usage, errors.New("wrong")), 2, "wrong"},
		{fmt.Errorf("ask git: %w", program), 1, "ask git: "},
	} {
		var stdout, stderr bytes.Buffer
		code := edge(&stdout, &stderr, false, test.err)
		if code != test.code || (test.said == "") != (stderr.Len() == 0) || !strings.Contains(stderr.String(), test.said) {
			t.Errorf("%v: exit code %d, said %q; want %d, %q", test.err, code, stderr.String(), test.code, test.said)
		}
		if stdout.Len() > 0 {
			t.Errorf("%v: answers %q", test.err, stdout.String())
		}
		edge(&stdout, &stderr, true, test.err)
		var answer struct {
			Kind, Error string
			Code        int
		}
		if test.said == "" && stdout.Len() == 0 {
			continue
		}
		if err := json.Unmarshal(stdout.Bytes(), &answer); err != nil || answer.Kind != "error" || answer.Code != test.code || !strings.Contains(answer.Error, test.said) {
			t.Errorf("%v: answers %q, %v", test.err, stdout.String(), err)
		}
	}
}

// A command line that cannot be read is answered in JSON too.
func TestWantsJSON(t *testing.T) {
	for line, want := range map[string]bool{"status --json": true, "status --json --frob": true, "status": false, "status -- --json": false} {
		if got := wantsJSON(strings.Fields("git-deploy " + line)); got != want {
			t.Errorf("%s: %v", line, got)
		}
	}
}
