package cli

import (
	"log/slog"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/pkg/statedir"
	"github.com/git-deploy/git-deploy/pkg/transport"
)

func serveCommand() *cli.Command {
	return &cli.Command{
		Name: "serve", Category: setup,
		Usage: "serve this host as a node over an ssh server of its own",
		Description: "An ssh server that does nothing but deployments: no shell, no passwords, no\n" +
			"forwarding, and it needs neither root nor sshd. Who may log in stands in files in\n" +
			"the format of sshd's authorized_keys.\n\n" +
			"    git deploy serve --listen :2222 --root ~/node --authorized-keys id.pub",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "listen", Value: "127.0.0.1:2222", Usage: "`ADDRESS` and port"},
			&cli.StringFlag{Name: "root", Usage: "`FOLDER` that takes the place of / for state, profile and system", EnvVars: []string{statedir.RootEnv}},
			&cli.StringFlag{Name: "host-key", Usage: "`FILE` with the host key; made if there is none (default: in the state folder)"},
			&cli.StringSliceFlag{Name: "authorized-keys", Usage: "`FILE` with the keys that may deploy; may be repeated"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return usagef(c, "%q is too much: serve takes options only", c.Args().First())
			}
			if len(c.StringSlice("authorized-keys")) == 0 {
				return usagef(c, "nobody could log in: name a file with --authorized-keys")
			}
			layout := statedir.Layout{}
			if root := c.String("root"); root != "" {
				abs, err := filepath.Abs(root)
				if err != nil {
					return err
				}
				layout.Root = abs
			}
			hostKey := c.String("host-key")
			if hostKey == "" {
				hostKey = filepath.Join(layout.Dir(), "ssh_host_ed25519_key")
			}
			server := transport.Server{
				HostKeyFile: hostKey, AuthorizedKeys: c.StringSlice("authorized-keys"), Layout: layout,
				Log: slog.New(slog.NewTextHandler(c.App.ErrWriter, nil)),
			}
			return server.ListenAndServe(c.Context, c.String("listen"))
		},
	}
}
