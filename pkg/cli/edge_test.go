package cli

import (
	"bytes"
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
		var stderr bytes.Buffer
		code := edge(&stderr, test.err)
		if code != test.code || (test.said == "") != (stderr.Len() == 0) || !strings.Contains(stderr.String(), test.said) {
			t.Errorf("%v: exit code %d, said %q; want %d, %q", test.err, code, stderr.String(), test.code, test.said)
		}
	}
}
