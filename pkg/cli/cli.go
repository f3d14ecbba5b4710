// Package cli turns command lines into calls: flags to options, one call, the
// answer to stdout. It alone imports urfave/cli. What a command does lies in
// the packages below; one file here is one command.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/transport"
	"github.com/git-deploy/git-deploy/pkg/ui"
	"github.com/git-deploy/git-deploy/pkg/version"
)

func init() {
	cli.VersionPrinter = func(c *cli.Context) {
		fmt.Fprintln(c.App.Writer, version.Line("git-deploy"))
	}
	cli.VersionFlag = &cli.BoolFlag{Name: "version", Usage: "print the version"}
}

// Main is the program git-deploy; it returns the exit code.
func Main(args []string, stdin io.Reader, stdout, stderr *os.File) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if len(args) > 1 && args[1] == transport.RelayCommand {
		return transport.Relay(args[2:])
	}
	app := newApp(stdin, stdout, stderr)
	return edge(stdout, stderr, wantsJSON(args), app.RunContext(ctx, intersperse(app, args)))
}

// wantsJSON looks for --json itself: a command line that cannot be read is answered in JSON too.
func wantsJSON(args []string) bool {
	if end := slices.Index(args, "--"); end >= 0 {
		args = args[:end]
	}
	return slices.Contains(args, "--json")
}

// edge prints err as people see it, and as the answer where that is JSON, and returns the exit code.
func edge(stdout, stderr io.Writer, asJSON bool, err error) int {
	var told interface {
		error
		Told()
		ExitCode() int // alone it would match a program that git-deploy has run, too
	}
	switch {
	case err == nil:
		return 0
	case errors.As(err, &told):
		return told.ExitCode()
	}
	ui.Error(stderr, "git-deploy", err)
	if asJSON {
		_ = json.NewEncoder(stdout).Encode(struct {
			Kind  string    `json:"kind"`
			Error string    `json:"error"`
			Hints []string  `json:"hints,omitempty"`
			Code  fail.Code `json:"code"`
		}{"error", err.Error(), fail.HintsOf(err), fail.CodeOf(err)}) // stderr has it as well
	}
	return int(fail.CodeOf(err))
}

// silent is the error of a command that has said all, e.g. of several nodes.
type silent fail.Code

func (s silent) Error() string { return fmt.Sprintf("exit code %d", int(s)) }
func (s silent) ExitCode() int { return int(s) }
func (silent) Told()           {}

const (
	everyday = "Deploying"
	setup    = "Setting up"
	answers  = "Looking"
	plumbing = "Plumbing (run by git, ssh and systemd)"
)

func newApp(stdin io.Reader, stdout, stderr *os.File) *cli.App {
	app := &cli.App{
		Name:     "git-deploy",
		HelpName: "git deploy",
		Usage:    "deploy networks of NixOS machines with git push",
		Version:  version.Revision,
		Description: "Every machine of the network is a git remote: `git push web` merges what web\n" +
			"changed itself, sends the network's repository, and web evaluates, builds,\n" +
			"switches, checks its health and goes back if anything is wrong.\n\n" +
			"A first network:\n\n" +
			"    git deploy init home\n" +
			"    git deploy add web root@web.lan\n" +
			"    git push web",
		Reader: stdin, Writer: stdout, ErrWriter: stderr,
		EnableBashCompletion: true,
		HideHelpCommand:      true,
		ExitErrHandler:       func(*cli.Context, error) {}, // edge does it
		OnUsageError:         usageError,
		Commands: []*cli.Command{
			pushCommand(), fetchCommand(), syncCommand(), rollbackCommand(), followCommand(), watchCommand(), initCommand(), importCommand(), cloneCommand(), addCommand(), adoptCommand(), removeCommand(), leaveCommand(), remotesCommand(), doctorCommand(), gcCommand(), serveCommand(), demoCommand(),
			roleCommand(), statusCommand(), healthCommand(), planCommand(), logCommand(), graphCommand(), diffCommand(),
			nodeCommand(), hookCommand(), completionCommand(), shellInitCommand(), manCommand(),
		},
		Action: func(c *cli.Context) error {
			switch name := c.Args().First(); {
			case name == "help" && c.NArg() > 1 && c.App.Command(c.Args().Get(1)) != nil:
				return cli.ShowCommandHelp(c, c.Args().Get(1))
			case name != "" && name != "help":
				return noCommand(name)
			}
			return cli.ShowAppHelp(c)
		},
	}
	prepare(app.Commands)
	return app
}

// prepare gives every command the house's error handling.
func prepare(commands []*cli.Command) {
	for _, c := range commands {
		c.OnUsageError = usageError
		c.HideHelpCommand = true
		if strings.Contains(c.ArgsUsage, "@TAG") || strings.HasPrefix(c.ArgsUsage, "NODE") {
			c.BashComplete = completeNodes(c)
		}
		prepare(c.Subcommands)
	}
}

// intersperse moves flags before positional arguments, as users of git expect
// that `git deploy push web --json` works; urfave/cli stops at the first
// positional argument. Nothing behind "--" is moved.
func intersperse(app *cli.App, args []string) []string {
	if len(args) < 3 || args[len(args)-1] == "--generate-bash-completion" {
		return args
	}
	command := app.Command(args[1])
	at := 2
	for command != nil && len(command.Subcommands) > 0 && at < len(args) {
		if strings.HasPrefix(args[at], "-") { // the group's own flags take no values
			at++
			continue
		}
		sub := command.Command(args[at])
		if sub == nil {
			break
		}
		command, at = sub, at+1
	}
	if command == nil || command.SkipFlagParsing || len(command.Subcommands) > 0 {
		return args
	}
	takesValue := map[string]bool{}
	for _, f := range command.Flags {
		doc, ok := f.(cli.DocGenerationFlag)
		for _, name := range f.Names() {
			takesValue[name] = ok && doc.TakesValue()
		}
	}
	var flags, positional []string
	rest := args[at:]
	for len(rest) > 0 {
		arg := rest[0]
		rest = rest[1:]
		switch {
		case arg == "--":
			positional = append(positional, rest...)
			rest = nil
		case len(arg) > 2 && arg[0] == '-' && takesValue[arg[1:2]] && arg[2] != '=': // -n1, as git takes it
			flags = append(flags, arg[:2], arg[2:])
		case len(arg) > 1 && arg[0] == '-':
			flags = append(flags, arg)
			if takesValue[strings.TrimLeft(arg, "-")] && len(rest) > 0 {
				flags, rest = append(flags, rest[0]), rest[1:]
			}
		default:
			positional = append(positional, arg)
		}
	}
	out := append(append([]string{}, args[:at]...), flags...)
	if len(positional) > 0 {
		out = append(append(out, "--"), positional...)
	}
	return out
}
