package cli

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// shells are what makes `git fetch --all-nodes` of git deploy fetch: git asks
// nobody about options of its own commands, so the shell must. Everything else
// goes to git as it came.
var shells = map[string]string{
	"bash": posixShell,
	"zsh":  posixShell,
	"fish": `function git --wraps git --description 'git, with git fetch --all-nodes'
	if test "$argv[1]" = fetch; and contains -- --all-nodes $argv
		command git deploy $argv
	else
		command git $argv
	end
end
`,
}

const posixShell = `function git {
	if [ "${1-}" = fetch ]; then
		local arg
		for arg in "$@"; do
			case $arg in
			--all-nodes) command git deploy "$@"; return ;;
			esac
		done
	fi
	command git "$@"
}
`

func shellInitCommand() *cli.Command {
	return &cli.Command{
		Name: "shell-init", Category: setup,
		Usage:     "print shell functions for git fetch --all-nodes",
		ArgsUsage: "bash|zsh|fish",
		Description: "Prints a function git for your shell that hands git fetch --all-nodes to\n" +
			"git deploy fetch, and everything else to git as it is. In ~/.bashrc or ~/.zshrc:\n\n" +
			"    eval \"$(git deploy shell-init bash)\"\n\n" +
			"and for fish, in ~/.config/fish/config.fish:\n\n" +
			"    git deploy shell-init fish | source",
		Action: func(c *cli.Context) error {
			text, ok := shells[c.Args().First()]
			if !ok || c.NArg() != 1 {
				return usagef(c, "which shell? There are bash, fish and zsh, and not %q", strings.Join(c.Args().Slice(), " "))
			}
			_, err := fmt.Fprint(c.App.Writer, text)
			return err
		},
	}
}
