package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/nix"
)

// importFiles is where each tool's definition usually is.
var importFiles = map[string][]string{
	"colmena": {"hive.nix", network.FlakeFile}, "deploy-rs": {network.FlakeFile}, "morph": {"morph.nix"}, "nixus": {"deploy.nix"},
}

func importCommand() *cli.Command {
	return &cli.Command{
		Name: "import", Category: setup,
		Usage:     "make a network of another tool's definition",
		ArgsUsage: "colmena|deploy-rs|morph|nixus [FILE]",
		Description: "Evaluates FILE (hive.nix, flake.nix, morph.nix, deploy.nix), a hive or deployment at\n" +
			"the top of a git repository, and writes the network that does the same: network.nix,\n" +
			"or git-deploy.nix beside a flake, and nodes/. Your modules stay in their files, which\n" +
			"the network imports. What cannot be carried over is listed. What it wrote is committed;\n" +
			"no machine is touched: git deploy add NAME [USER@]HOST makes each a node.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "nixpkgs", Value: "<nixpkgs>", Usage: "Nix `EXPRESSION` for the nixpkgs of a definition that names none"},
			&cli.BoolFlag{Name: "json", Usage: "answer in JSON"},
		},
		BashComplete: func(c *cli.Context) {
			fmt.Fprintln(c.App.Writer, strings.Join(nix.ImportTools, "\n"))
		},
		Action: func(c *cli.Context) error {
			tool, file := c.Args().Get(0), c.Args().Get(1)
			if c.NArg() < 1 || c.NArg() > 2 || !slices.Contains(nix.ImportTools, tool) {
				return usagef(c, "say what to import: %s", strings.Join(nix.ImportTools, ", "))
			}
			if file == "" {
				file = importFile(tool)
			}
			return importNetwork(c, tool, file)
		},
	}
}

// importFile is the first of the files of a tool that is there, or would be.
func importFile(tool string) string {
	for _, file := range importFiles[tool] {
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	return importFiles[tool][0]
}

func importNetwork(c *cli.Context, tool, file string) error {
	ctx := c.Context
	if _, err := os.Stat(file); err != nil {
		return fail.New(fail.Usage, fmt.Errorf("read the definition of %s: %w", tool, err), "git deploy import "+tool+" FILE")
	}
	repo, err := gitrepo.Open(ctx, filepath.Dir(file))
	if errors.Is(err, gitrepo.ErrNotARepository) {
		return fail.New(fail.Usage, fmt.Errorf("%s is in no git repository", file), "git init && git add -A && git commit -m 'Before git-deploy'")
	}
	if err != nil {
		return err
	}
	top, err := filepath.EvalSymlinks(repo.WorkTree)
	if err != nil {
		return err
	}
	path, err := filepath.Abs(file)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return err
	}
	if filepath.Dir(path) != top {
		return usagef(c, "%s is not at the top of the repository %s", file, repo.WorkTree)
	}
	imported, err := nix.New(event.Discard).ImportFrom(ctx, tool, top, filepath.Base(path), c.String("nixpkgs"))
	if err != nil {
		return fmt.Errorf("read the definition of %s in %s: %w", tool, file, err)
	}
	for _, name := range slices.Sorted(maps.Keys(imported.Files)) {
		if !filepath.IsLocal(name) {
			return fmt.Errorf("%s would be written outside of the repository: rename that node", name)
		}
		if _, err := os.Lstat(filepath.Join(top, name)); !errors.Is(err, fs.ErrNotExist) {
			return fail.New(fail.Usage, fmt.Errorf("%s is there already, and nothing was written", name),
				fmt.Sprintf("git mv %s old-%s    # and import again", name, filepath.Base(name)))
		}
	}
	imported.Files[network.IDFile] = network.NewID() + "\n" // unless there is one
	wrote, err := writeMissing(top, imported.Files)
	if err != nil {
		return err
	}
	slices.Sort(wrote)
	commit(ctx, c, repo, "Import the network from "+tool, wrote...)
	if c.Bool("json") {
		return printJSON(c, map[string]any{"network": imported.Name, "wrote": wrote, "lost": imported.Lost, "hints": imported.Hints})
	}
	fmt.Fprintf(c.App.Writer, "Wrote %s.\n", strings.Join(wrote, ", "))
	if len(imported.Lost) > 0 {
		fmt.Fprintf(c.App.Writer, "\nNot carried over:\n\n  %s\n", strings.Join(imported.Lost, "\n  "))
	}
	for _, hint := range append(imported.Hints, "git deploy add NAME [USER@]HOST    # for each node, and then git push NAME") {
		fmt.Fprintf(c.App.Writer, "\n  %s\n", hint)
	}
	return nil
}
