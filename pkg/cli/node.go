package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/pkg/activate"
	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/node"
	"github.com/git-deploy/git-deploy/pkg/statedir"
	"github.com/git-deploy/git-deploy/pkg/transport"
	"github.com/git-deploy/git-deploy/pkg/ui"
	"github.com/git-deploy/git-deploy/pkg/version"
)

// nodeCommand is what runs on a node: remote commands of deployers, and units.
func nodeCommand() *cli.Command {
	layout := statedir.FromEnv()
	network := func(c *cli.Context) (string, error) {
		if c.NArg() > 1 {
			return "", usagef(c, "%q is too much", c.Args().Get(1))
		}
		return c.Args().First(), nil
	}
	request := func(c *cli.Context, network string) node.Request {
		return node.Request{Network: network, Options: c.StringSlice("push-option"), Getenv: os.Getenv, Events: c.App.Writer, Version: version.Revision}
	}
	option := &cli.StringSliceFlag{Name: "push-option", Aliases: []string{"o"}, Usage: "push option `KEY=VALUE`"}
	return &cli.Command{
		Name: "node", Category: plumbing,
		Usage:       "what runs on a node",
		Description: "Deployers run these over ssh, the hooks and units of a node locally.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "marked", Usage: "begin with a marker, so that a noisy login shell can be told apart"},
		},
		Before: func(c *cli.Context) error {
			if c.Bool("marked") {
				_, err := io.WriteString(c.App.Writer, transport.Marker)
				return err
			}
			return nil
		},
		Action: func(c *cli.Context) error {
			return usagef(c, "which verb? There is none called %q", c.Args().First())
		},
		Subcommands: []*cli.Command{
			{
				Name: "machine", Usage: "say what machine this is",
				Action: func(c *cli.Context) error {
					m, err := node.Inspect(layout, version.Revision)
					if err != nil {
						return err
					}
					return printJSON(c, m)
				},
			},
			{
				Name: "init", Usage: "make this machine a node",
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "network", Usage: "the network's `NAME`"},
					&cli.StringFlag{Name: "id", Usage: "the network's `ID`"},
					&cli.StringFlag{Name: "node", Usage: "this node's `NAME`"},
					&cli.StringFlag{Name: "branch", Usage: "the deploy `BRANCH` (main)"},
					&cli.StringFlag{Name: "scope", Usage: "the `PROFILE` that the network owns (default: the system)"},
					&cli.BoolFlag{Name: "adopt", Usage: "also when this machine is another node, or its system another network's"},
				},
				Action: func(c *cli.Context) error {
					result, err := node.Init(c.Context, layout, node.InitOptions{
						Network: bundle.NetworkID{Name: c.String("network"), ID: c.String("id")},
						Node:    c.String("node"), Branch: c.String("branch"), Scope: c.String("scope"), Adopt: c.Bool("adopt"),
					})
					if err != nil {
						return err
					}
					return printJSON(c, result)
				},
			},
			{
				Name: "leave", Usage: "leave a network", ArgsUsage: "NETWORK",
				Flags: []cli.Flag{&cli.BoolFlag{Name: "purge", Usage: "remove the network's repository and state"}},
				Action: func(c *cli.Context) error {
					name, err := network(c)
					if err != nil {
						return err
					}
					result, err := node.Leave(c.Context, layout, name, c.Bool("purge"))
					if err != nil {
						return err
					}
					return printJSON(c, result)
				},
			},
			{
				Name: "hello", Usage: "say what node this is and what it has", ArgsUsage: "[NETWORK]",
				Action: func(c *cli.Context) error {
					name, err := network(c)
					if err != nil {
						return err
					}
					hello, err := node.Hello(c.Context, layout, name, version.Revision)
					if err != nil {
						return err
					}
					return printJSON(c, hello)
				},
			},
			{
				Name: "upload-pack", Usage: "git upload-pack on the network's repository", ArgsUsage: "[NETWORK]",
				Flags: []cli.Flag{&cli.StringFlag{Name: "protocol", Usage: "the client's GIT_PROTOCOL"}},
				Action: func(c *cli.Context) error {
					name, err := network(c)
					if err != nil {
						return err
					}
					return node.UploadPack(layout, name, c.String("protocol"))
				},
			},
			{
				Name: "receive-pack", Usage: "git receive-pack on the network's repository", ArgsUsage: "[NETWORK]",
				Action: func(c *cli.Context) error {
					name, err := network(c)
					if err != nil {
						return err
					}
					return node.ReceivePack(c.Context, layout, name)
				},
			},
			{
				Name: "follow", Usage: "print the events of a deployment as they happen", ArgsUsage: "ID",
				Flags: []cli.Flag{
					&cli.Int64Flag{Name: "from", Value: 1, Usage: "begin with event `SEQ`"},
					&cli.BoolFlag{Name: "existing", Usage: "do not wait for a deployment that is not there"},
				},
				Action: func(c *cli.Context) error {
					if c.Bool("existing") {
						if err := node.Existing(layout, c.Args().First()); err != nil {
							return err
						}
					}
					return node.FollowTo(c.Context, layout, c.Args().First(), c.Int64("from"), c.App.Writer)
				},
			},
			{
				Name: "confirm", Usage: "confirm a deployment: its deployer has connected anew", ArgsUsage: "ID",
				Flags: []cli.Flag{
					&cli.BoolFlag{Name: "reached", Usage: "not yet: the deployer's own checks still run"},
					&cli.BoolFlag{Name: "refuse", Usage: "no: standard input says why"},
				},
				Action: func(c *cli.Context) error {
					id, answer := c.Args().First(), activate.Confirms
					if c.Bool("reached") {
						answer = activate.HasReached
					}
					if !c.Bool("refuse") {
						return node.Confirm(layout, id, answer, "")
					}
					why, err := io.ReadAll(io.LimitReader(c.App.Reader, 64<<10))
					if err != nil {
						return err
					}
					return node.Confirm(layout, id, activate.Refuses, string(why))
				},
			},
			{
				Name: "gc", Usage: "remove what is old", ArgsUsage: "[NETWORK]",
				Flags: []cli.Flag{&cli.BoolFlag{Name: "store", Usage: "and collect the Nix store's garbage"}},
				Action: func(c *cli.Context) error {
					name, err := network(c)
					if err != nil {
						return err
					}
					collected, err := node.GC(c.Context, layout, name, c.Bool("store"))
					if err != nil {
						return err
					}
					return printJSON(c, collected)
				},
			},
			{
				Name: "health", Usage: "try the health checks of the running system", ArgsUsage: "[NETWORK]",
				Action: func(c *cli.Context) error {
					name, err := network(c)
					if err != nil {
						return err
					}
					report, err := node.Health(c.Context, layout, name)
					if err != nil {
						return err
					}
					return printJSON(c, report)
				},
			},
			{
				Name: "deploy", Usage: "deploy the branch's tip again", ArgsUsage: "NETWORK",
				Flags: []cli.Flag{option},
				Action: func(c *cli.Context) error {
					name, err := network(c)
					if err != nil {
						return err
					}
					return node.Deploy(c.Context, layout, request(c, name))
				},
			},
			{
				Name: "rollback", Usage: "go back to an earlier deployment", ArgsUsage: "NETWORK [GENERATION|COMMIT]",
				Flags: []cli.Flag{option},
				Action: func(c *cli.Context) error {
					if c.NArg() > 2 {
						return usagef(c, "%q is too much", c.Args().Get(2))
					}
					return node.Rollback(c.Context, layout, c.Args().Get(1), request(c, c.Args().Get(0)))
				},
			},
			{
				Name: "activate", Usage: "activate a deployment (run by its unit)", ArgsUsage: "ID",
				Action: func(c *cli.Context) error {
					err := node.Activate(c.Context, layout, c.Args().First())
					var ended *node.Ended
					if errors.As(err, &ended) {
						return nil // a failed deployment is no failed unit: the machine is well
					}
					return err
				},
			},
			{
				Name: "recover", Usage: "settle what was interrupted (run at boot)",
				Flags: []cli.Flag{&cli.BoolFlag{Name: "running", Usage: "not at boot: leave alone what may still be alive"}},
				Action: func(c *cli.Context) error {
					renderer := ui.New(c.App.ErrWriter, ui.Options{Mode: ui.Plain})
					defer renderer.Close()
					return node.Recover(c.Context, layout, !c.Bool("running"), renderer)
				},
			},
		},
	}
}

// hookCommand is what git's hooks run.
func hookCommand() *cli.Command {
	run := func(name, usage string, action func(c *cli.Context) error) *cli.Command {
		return &cli.Command{Name: name, Usage: usage, SkipFlagParsing: true, Action: action}
	}
	env := func(c *cli.Context) node.HookEnv {
		return node.NewHookEnv(c.App.Reader, c.App.ErrWriter, version.Revision)
	}
	refresh := func(c *cli.Context) error {
		if err := refreshRemotes(c.Context, c); err != nil {
			// The merge or checkout itself has succeeded.
			warn(c, fmt.Errorf("the remotes are as before: %w", err))
		}
		return nil
	}
	self := func(c *cli.Context) error {
		if err := deploySelf(c); err != nil {
			// git push has said why; the commit itself stands.
			warn(c, fmt.Errorf("this machine was not deployed: %w", err))
		}
		return nil
	}
	return &cli.Command{
		Name: "hook", Category: plumbing,
		Usage: "what git's hooks run",
		Description: "pre-receive and post-receive on nodes; post-merge, post-checkout, post-commit and\n" +
			"post-rewrite in clones.",
		Action: func(c *cli.Context) error {
			return fail.New(fail.Usage, fmt.Errorf("there is no hook %q", c.Args().First()), "git deploy hook -h")
		},
		Subcommands: []*cli.Command{
			run("pre-receive", "refuse, evaluate and build what is pushed", func(c *cli.Context) error {
				return node.PreReceive(c.Context, env(c))
			}),
			run("post-receive", "start the activation", func(c *cli.Context) error {
				return node.PostReceive(c.Context, env(c))
			}),
			run("post-merge", "keep the remotes in step with the network, and deploy this machine where that is asked for", func(c *cli.Context) error {
				if err := refresh(c); err != nil {
					return err
				}
				return self(c)
			}),
			run("post-commit", "deploy this machine where that is asked for", self),
			run("post-rewrite", "deploy this machine where that is asked for", func(c *cli.Context) error {
				if c.Args().First() != "rebase" {
					return nil // an amended commit has had its post-commit
				}
				return self(c)
			}),
			run("post-checkout", "keep the remotes in step with the network", refresh),
		},
	}
}
