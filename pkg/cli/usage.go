package cli

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/pkg/fail"
)

// Errors in how a command was called.

func usageError(c *cli.Context, err error, _ bool) error {
	name := strings.TrimSpace("git deploy " + strings.TrimPrefix(c.Command.FullName(), "git-deploy"))
	return fail.New(fail.Usage, errors.New(flagWords(c.Command.Flags, err.Error())), name+" -h")
}

// flagErrors are what package flag says, and how people write options.
var flagErrors = []struct {
	said  *regexp.Regexp
	words func(flags []cli.Flag, groups []string) string
}{
	{regexp.MustCompile(`^flag provided but not defined: -(.*)$`), func(_ []cli.Flag, g []string) string {
		return "there is no option " + option(g[1])
	}},
	{regexp.MustCompile(`^flag needs an argument: -(.*)$`), func(flags []cli.Flag, g []string) string {
		return fmt.Sprintf("%s needs a value: %s %s", option(g[1]), option(g[1]), placeholder(flags, g[1]))
	}},
	{regexp.MustCompile(`^invalid value (".*") for flag -([^:]*): .*$`), func(_ []cli.Flag, g []string) string {
		return fmt.Sprintf("%s is no value for %s", g[1], option(g[2]))
	}},
	{regexp.MustCompile(`^invalid boolean value (".*") for -([^:]*): .*$`), func(_ []cli.Flag, g []string) string {
		return fmt.Sprintf("%s takes no value such as %s", option(g[2]), g[1])
	}},
}

func flagWords(flags []cli.Flag, said string) string {
	for _, e := range flagErrors {
		if groups := e.said.FindStringSubmatch(said); groups != nil {
			return e.words(flags, groups)
		}
	}
	return said
}

// option is a flag as it is typed.
func option(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// placeholder is what the help calls the value of a flag.
func placeholder(flags []cli.Flag, name string) string {
	for _, f := range flags {
		doc, ok := f.(cli.DocGenerationFlag)
		if !ok || !slices.Contains(f.Names(), name) {
			continue
		}
		if parts := strings.Split(doc.GetUsage(), "`"); len(parts) == 3 {
			return parts[1]
		}
	}
	return "VALUE"
}

func noCommand(name string) error {
	return fail.New(fail.Usage, fmt.Errorf("there is no command %q", name), "git deploy -h    # lists them")
}

// usagef is an error in how a command was called.
func usagef(c *cli.Context, format string, args ...any) error {
	return fail.New(fail.Usage, fmt.Errorf(format, args...), "git deploy "+c.Command.Name+" -h")
}

// jobs returns how many things --jobs allows at once; unset without it.
func jobs(c *cli.Context, unset int) (int, error) {
	if !c.IsSet("jobs") {
		return unset, nil
	}
	if n := c.Int("jobs"); n >= 1 {
		return n, nil
	}
	return 0, usagef(c, "--jobs is how many at once, 1 or more, and not %d", c.Int("jobs"))
}
