package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// The shells ask git-deploy for the words that can stand at the cursor: it gets
// the words before, then "-" for an option or "" for anything else, and the
// shell keeps those that begin with what is typed.

// git's own bash completion asks a function _git_deploy for `git deploy`.
const bashCompletion = `_git_deploy_words() {
	local cur="${COMP_WORDS[COMP_CWORD]}" first="$1" kind=
	[[ $cur != -* ]] || kind=-
	COMPREPLY=($(compgen -W "$(git-deploy "${COMP_WORDS[@]:first:COMP_CWORD-first}" "$kind" --generate-bash-completion 2>/dev/null)" -- "$cur"))
}
_git_deploy() { _git_deploy_words 2; }
_git_deploy_alone() { _git_deploy_words 1; }
complete -o default -F _git_deploy_alone git-deploy
`

const zshCompletion = `#compdef git-deploy
_git-deploy() {
	local -a answers
	local kind=
	[[ ${words[CURRENT]} != -* ]] || kind=-
	answers=("${(@f)$(_CLI_ZSH_AUTOCOMPLETE_HACK=1 git-deploy "${(@)words[2,CURRENT-1]}" "$kind" --generate-bash-completion 2>/dev/null)}")
	_describe 'answer' answers
}
compdef _git-deploy git-deploy
zstyle ':completion:*:*:git:*' user-commands deploy:'deploy networks of NixOS machines'
`

const fishCompletion = `function __git_deploy_words
	set -l words (commandline -opc)
	test "$words[1]" = git; and set -e words[1]
	set -l kind ''
	string match -q -- '-*' (commandline -ct); and set kind -
	_CLI_ZSH_AUTOCOMPLETE_HACK=1 git-deploy $words[2..] "$kind" --generate-bash-completion 2>/dev/null | string replace : \t
end
complete -c git-deploy -f -a '(__git_deploy_words)'
complete -c git -n 'test (count (commandline -opc)) -eq 1' -f -a deploy -d 'deploy networks of NixOS machines'
complete -c git -n 'contains -- deploy (commandline -opc)[2]' -f -a '(__git_deploy_words)'
`

// completeNodes completes the words of a command that takes nodes: their names and tags, and its flags.
func completeNodes(command *cli.Command) cli.BashCompleteFunc {
	flags := cli.DefaultCompleteWithFlags(command)
	return func(c *cli.Context) {
		if n := len(os.Args); n > 2 && strings.HasPrefix(os.Args[n-2], "-") {
			flags(c)
			return
		}
		clone, err := openClone(c.Context)
		if err != nil {
			return // nothing to offer
		}
		var words []string
		for _, r := range clone.nodes() {
			words = append(words, r.Name)
			for _, tag := range r.Tags {
				words = append(words, "@"+tag)
			}
		}
		slices.Sort(words)
		for _, word := range slices.Compact(words) {
			fmt.Fprintln(c.App.Writer, word)
		}
	}
}

func completionCommand() *cli.Command {
	return &cli.Command{
		Name: "completion", Category: setup,
		Usage:     "print shell completion",
		ArgsUsage: "bash|zsh|fish",
		Description: "Prints completion for git deploy and git-deploy, to be read by the shell:\n\n" +
			"    eval \"$(git deploy completion bash)\"\n" +
			"    git deploy completion fish | source",
		BashComplete: func(c *cli.Context) { fmt.Fprintln(c.App.Writer, "bash\nzsh\nfish") },
		Action: func(c *cli.Context) error {
			switch shell := c.Args().First(); shell {
			case "bash":
				fmt.Fprint(c.App.Writer, bashCompletion)
			case "zsh":
				fmt.Fprint(c.App.Writer, zshCompletion)
			case "fish":
				fmt.Fprint(c.App.Writer, fishCompletion)
			default:
				return usagef(c, "which shell? bash, zsh or fish, not %q", shell)
			}
			return nil
		},
	}
}
