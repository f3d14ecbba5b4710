// Command git-deploy is the subcommand `git deploy`.
package main

import (
	"os"

	"github.com/git-deploy/git-deploy/pkg/cli"
)

func main() { os.Exit(cli.Main(os.Args, os.Stdin, os.Stdout, os.Stderr)) }
