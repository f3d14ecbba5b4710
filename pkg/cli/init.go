package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/network"
)

func initCommand() *cli.Command {
	return &cli.Command{
		Name: "init", Category: setup,
		Usage:     "make a new network here",
		ArgsUsage: "NAME [DIRECTORY]",
		Description: "Makes a network called NAME in DIRECTORY (the current one unless given): a git\n" +
			"repository if there is none, network.nix (unless there is a flake.nix), and the\n" +
			"network's id. What it wrote is committed. Running it again changes nothing.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "nixpkgs", Value: "<nixpkgs>", Usage: "Nix `EXPRESSION` for the nodes' nixpkgs"},
		},
		Action: func(c *cli.Context) error {
			if n := c.NArg(); n < 1 || n > 2 {
				return usagef(c, "the name of the network is missing, or there are too many words")
			}
			dir := c.Args().Get(1)
			if dir == "" {
				dir = "."
			}
			return initNetwork(c, c.Args().First(), dir)
		},
	}
}

func initNetwork(c *cli.Context, name, dir string) error {
	ctx := c.Context
	if err := network.CheckName("network", name); err != nil {
		return err
	}
	repo, err := gitrepo.Open(ctx, dir)
	switch {
	case errors.Is(err, gitrepo.ErrNotARepository), errors.Is(err, fs.ErrNotExist):
		if repo, err = gitrepo.Init(ctx, dir, "main"); err != nil {
			return err
		}
	case err != nil:
		return err
	case repo.WorkTree == "":
		return usagef(c, "%s is a bare repository: a network is made in one with a work tree", dir)
	}
	files := map[string]string{network.IDFile: network.NewID() + "\n"}
	if _, err := os.Stat(filepath.Join(repo.WorkTree, network.FlakeFile)); errors.Is(err, fs.ErrNotExist) {
		files[network.File] = network.NetworkFile(name, c.String("nixpkgs"))
	}
	wrote, err := writeMissing(repo.WorkTree, files)
	if err != nil {
		return err
	}
	if len(wrote) == 0 {
		fmt.Fprintf(c.App.Writer, "%s is a network already; nothing changed.\n", repo.WorkTree)
		return nil
	}
	commit(ctx, c, repo, "Begin the network "+name, wrote...)
	fmt.Fprintf(c.App.Writer, "The network %s is in %s. Its first machine:\n\n    git deploy add NAME root@HOST\n    git push NAME\n", name, repo.WorkTree)
	return nil
}

// writeMissing writes the files that are not there and returns their names.
func writeMissing(top string, files map[string]string) ([]string, error) {
	var wrote []string
	for name, text := range files {
		path := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return wrote, err
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return wrote, err
		}
		_, err = f.WriteString(text)
		if err := errors.Join(err, f.Close()); err != nil {
			return wrote, fmt.Errorf("write %s: %w", path, err)
		}
		wrote = append(wrote, name)
	}
	return wrote, nil
}

// commit commits paths; where git cannot (no user.name, say), they stay
// staged, and the user hears why: the files are what matters.
func commit(ctx context.Context, c *cli.Context, repo *gitrepo.Repo, message string, paths ...string) {
	if _, err := repo.CommitPaths(ctx, message, paths...); err != nil {
		warn(c, fail.New(fail.Failed, err, "git commit"))
	}
}
