package cli

import (
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/pkg/fail"
)

// run runs git-deploy in the current folder and returns its exit code and what it wrote.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	out, errs := file(t), file(t)
	code = Main(append([]string{"git-deploy"}, args...), strings.NewReader(""), out, errs)
	return code, content(t, out), content(t, errs)
}

// What is wrong with a command line is said in the words in which it is typed.
func TestUsageErrorsAreInTheWordsOfTheCommandLine(t *testing.T) {
	for _, test := range []struct {
		args string
		says string
	}{
		{"status --foo", "error: there is no option --foo\ngit-deploy: hint: git deploy status -h"},
		{"push -x web", "error: there is no option -x\n"},
		{"graph --svg", "error: --svg needs a value: --svg FILE\n"},
		{"log -n", "error: -n needs a value: -n N\n"},
		{"log -n many", `error: "many" is no value for -n` + "\n"},
		{"status --json=perhaps", `error: --json takes no value such as "perhaps"` + "\n"},
		{"push --jobs 0 web", "error: --jobs is how many at once, 1 or more, and not 0\n"},
		{"push --jobs -1 web", "error: --jobs is how many at once, 1 or more, and not -1\n"},
		{"push -j0 --affected", "error: --jobs is how many at once, 1 or more, and not 0\n"},
		{"nosuch", `error: there is no command "nosuch"` + "\n"},
	} {
		code, stdout, stderr := run(t, strings.Fields(test.args)...)
		if fail.Code(code) != fail.Usage || stdout != "" || !strings.Contains(stderr, test.says) {
			t.Errorf("%s: exit code %d, %q, %q; want %d and %q", test.args, code, stdout, stderr, fail.Usage, test.says)
		}
	}
}
