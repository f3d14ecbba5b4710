package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// git's own bash completion asks a function _git_deploy for `git deploy`.
const bashCompletion = `_git_deploy_words() {
	local cur="${COMP_WORDS[COMP_CWORD]}" first="$1"
	COMPREPLY=($(compgen -W "$(git-deploy "${COMP_WORDS[@]:first:COMP_CWORD-first}" --generate-bash-completion 2>/dev/null)" -- "$cur"))
}
_git_deploy() { _git_deploy_words 2; }
_git_deploy_alone() { _git_deploy_words 1; }
complete -o default -F _git_deploy_alone git-deploy
`

const zshCompletion = `#compdef git-deploy
_git-deploy() {
	local -a answers
	answers=("${(@f)$(_CLI_ZSH_AUTOCOMPLETE_HACK=1 git-deploy "${(@)words[2,CURRENT-1]}" --generate-bash-completion 2>/dev/null)}")
	_describe 'answer' answers
}
compdef _git-deploy git-deploy
zstyle ':completion:*:*:git:*' user-commands deploy:'deploy networks of NixOS machines'
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
		Action: func(c *cli.Context) error {
			switch shell := c.Args().First(); shell {
			case "bash":
				fmt.Fprint(c.App.Writer, bashCompletion)
			case "zsh":
				fmt.Fprint(c.App.Writer, zshCompletion)
			case "fish":
				text, err := c.App.ToFishCompletion()
				if err != nil {
					return err
				}
				fmt.Fprint(c.App.Writer, text)
			default:
				return usagef(c, "which shell? bash, zsh or fish, not %q", shell)
			}
			return nil
		},
	}
}
