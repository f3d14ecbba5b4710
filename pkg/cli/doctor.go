package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/proc"
	"github.com/git-deploy/git-deploy/pkg/push"
	"github.com/git-deploy/git-deploy/pkg/ui"
	"github.com/git-deploy/git-deploy/pkg/version"
)

// finding is one thing that doctor looked at.
type finding struct {
	Node    string `json:"node,omitempty"` // empty: this machine and clone
	What    string `json:"what"`
	Verdict string `json:"verdict"` // "ok", "warning" or "error"
	Text    string `json:"text"`
	Hint    string `json:"hint,omitempty"`
}

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name: "doctor", Category: setup,
		Usage:     "look for what is wrong, here and on the nodes",
		ArgsUsage: "[NODE|GLOB|@TAG…]",
		Description: "Checks the programs and the clone here, then connects to the nodes (all, or those\n" +
			"named) and checks what they are and run. It changes nothing; a node that is asked\n" +
			"restores hooks of git-deploy that are gone. The exit code is 1 when anything is\n" +
			"wrong.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "local", Usage: "do not connect to nodes"},
			jsonFlag("a list of findings"),
		},
		Action: func(c *cli.Context) error {
			findings := programs(c.Context)
			clone, err := openClone(c.Context)
			if err != nil {
				findings = append(findings, wrong("", "clone", err))
			} else {
				findings = append(findings, examine(c.Context, clone)...)
				if !c.Bool("local") {
					remotes, err := clone.selected(c.Args().Slice())
					if err != nil {
						findings = append(findings, wrong("", "nodes", err))
					}
					findings = append(findings, visit(c.Context, clone, remotes)...)
				}
			}
			return reportFindings(c, findings)
		},
	}
}

func good(node, what, format string, args ...any) finding {
	return finding{Node: node, What: what, Verdict: "ok", Text: fmt.Sprintf(format, args...)}
}

func wrong(node, what string, err error) finding {
	return finding{Node: node, What: what, Verdict: "error", Text: err.Error(), Hint: strings.Join(fail.HintsOf(err), "\n")}
}

func doubtful(node, what, text, hint string) finding {
	return finding{Node: node, What: what, Verdict: "warning", Text: text, Hint: hint}
}

// oldestGit is the oldest git with `merge-tree --write-tree`.
var oldestGit = [2]int{2, 38}

func programs(ctx context.Context) []finding {
	var findings []finding
	out, err := proc.Output(ctx, proc.Cmd{Argv: []string{"git", "--version"}})
	var major, minor int
	version := strings.TrimSpace(string(out))
	_, scanErr := fmt.Sscanf(version, "git version %d.%d", &major, &minor)
	switch {
	case err != nil:
		findings = append(findings, wrong("", "git", err))
	case scanErr != nil || major < oldestGit[0] || major == oldestGit[0] && minor < oldestGit[1]:
		findings = append(findings, wrong("", "git", fmt.Errorf("%s is too old: git-deploy needs %d.%d", version, oldestGit[0], oldestGit[1])))
	default:
		findings = append(findings, good("", "git", "%s", version))
	}
	for _, p := range []struct{ name, without string }{
		{"ssh", "nodes cannot be reached"},
		{"git-remote-node", "git push and git fetch do not know node:// addresses"},
		{"nix-instantiate", "git deploy add and remotes cannot read the network"},
	} {
		if path, err := proc.Find(p.name); err != nil {
			findings = append(findings, wrong("", p.name, fmt.Errorf("%w: %s", err, p.without)))
		} else {
			findings = append(findings, good("", p.name, "%s", path))
		}
	}
	return findings
}

// examine looks at the clone.
func examine(ctx context.Context, clone *clone) []finding {
	var findings []finding
	if clone.WorkTree == "" {
		return append(findings, doubtful("", "clone", clone.GitDir+" is bare: nodes cannot be added here", ""))
	}
	if id, err := networkID(clone.WorkTree); err != nil {
		findings = append(findings, wrong("", "network", err))
	} else {
		findings = append(findings, good("", "network", "id %s", id))
	}
	if clone.config.Get("user.name") == "" || clone.config.Get("user.email") == "" {
		findings = append(findings, doubtful("", "identity", "git does not know who you are, so that merges cannot be committed", "git config --global user.name NAME\ngit config --global user.email MAIL"))
	}
	if clone.IsShallow() {
		findings = append(findings, doubtful("", "history", "the clone is shallow: what a node changed itself may not be mergeable", clone.config.Unshallow(network.Group)))
	}
	manifest, err := clone.manifest(ctx)
	if err != nil {
		return append(findings, wrong("", "manifest", err))
	}
	findings = append(findings, good("", "manifest", "%s", count(len(manifest.Nodes), "node")))
	wanted, err := network.Remotes(manifest)
	if err != nil {
		return append(findings, wrong("", "manifest", err))
	}
	knownHosts, err := os.ReadFile(filepath.Join(clone.WorkTree, network.KnownHostsFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		findings = append(findings, wrong("", "host keys", err))
	}
	for _, r := range wanted {
		if clone.config.Get("remote."+r.Name+".url") != r.URL {
			findings = append(findings, doubtful(r.Node, "remote", "git has no remote for it, or one with another address", "git deploy remotes"))
		}
		if len(network.HostKeys(string(knownHosts), r.Node)) == 0 {
			findings = append(findings, doubtful(r.Node, "host key", "its host key is not pinned in "+network.KnownHostsFile, "git deploy add "+r.Node+" ADDRESS"))
		}
	}
	return findings
}

// visit asks the nodes, all at once.
func visit(ctx context.Context, clone *clone, remotes []network.Remote) []finding {
	found := make([][]finding, len(remotes))
	var group errgroup.Group
	group.SetLimit(defaultJobs)
	for i, r := range remotes {
		group.Go(func() error {
			found[i] = visitOne(ctx, clone, r)
			return nil
		})
	}
	_ = group.Wait() // none fails: what is wrong is a finding
	var all []finding
	for _, f := range found {
		all = append(all, f...)
	}
	return all
}

func visitOne(ctx context.Context, clone *clone, r network.Remote) []finding {
	start := time.Now()
	h, err := push.Hello(ctx, clone.Repo, r)
	if err != nil {
		return []finding{wrong(r.Node, "reach", err)}
	}
	findings := []finding{good(r.Node, "reach", "answers after %s", ui.FormatDuration(time.Since(start)))}
	if h.Node != r.Node {
		findings = append(findings, wrong(r.Node, "identity", fmt.Errorf("the machine at %s is the node %q", r.URL, h.Node)))
	}
	if clone.WorkTree != "" {
		if id, err := networkID(clone.WorkTree); err == nil && id != h.Network.ID {
			findings = append(findings, wrong(r.Node, "network", fmt.Errorf("it is in the network %s (%s), not in this one", h.Network.Name, h.Network.ID)))
		}
	}
	if h.Tool != version.Revision {
		findings = append(findings, doubtful(r.Node, "tool", fmt.Sprintf("it has git-deploy %s, here is %s", h.Tool, version.Revision), "git deploy add "+r.Node+" ADDRESS    # brings the tool there up to date"))
	}
	switch s := h.Hooks; {
	case s == nil: // an older tool, of which was told
	case s.Problem != "":
		findings = append(findings, wrong(r.Node, "hooks", fail.New(fail.Failed, errors.New(s.Problem), s.Hint)))
	case len(s.Restored) > 0:
		findings = append(findings, doubtful(r.Node, "hooks", push.RestoredHooks(s.Restored), ""))
	default:
		findings = append(findings, good(r.Node, "hooks", "a push is deployed"))
	}
	switch {
	case h.Holder != nil:
		findings = append(findings, doubtful(r.Node, "lock", "busy: "+h.Holder.String(), "git deploy follow "+r.Node))
	case h.Running == "":
		findings = append(findings, doubtful(r.Node, "system", "it runs no system of this network yet", "git push "+r.Name))
	case h.Wanted != "" && h.Running != h.Wanted:
		findings = append(findings, wrong(r.Node, "system", fail.New(fail.Failed, fmt.Errorf("it runs %s, which is not what this network deployed: another tool or network has switched it", h.Running), "git push "+r.Name)))
	case h.Running != h.Profile:
		findings = append(findings, doubtful(r.Node, "system", "it would boot another system than the one that runs", "git push "+r.Name))
	default:
		findings = append(findings, good(r.Node, "system", "%s", h.Running))
	}
	return findings
}

func reportFindings(c *cli.Context, findings []finding) error {
	failed := false
	for _, f := range findings {
		failed = failed || f.Verdict == "error"
	}
	if c.Bool("json") {
		if err := printJSON(c, findings); err != nil {
			return err
		}
	} else {
		tones := map[string]ui.Tone{"ok": ui.Good, "warning": ui.Warn, "error": ui.Bad}
		style := ui.AnswerStyle(c.App.Writer)
		table := ui.Table{Columns: []ui.Column{{}, {}, {}, {Min: 24, Wrap: true}}}
		for _, f := range findings {
			where := f.Node
			if where == "" {
				where = "here"
			}
			table.Add(ui.Cell{Text: f.Verdict, Tone: tones[f.Verdict]}, ui.Cell{Text: where, Tone: ui.Strong}, ui.Cell{Text: f.What}, ui.Cell{Text: f.Text})
			if f.Hint != "" {
				table.Below(style.Hint(f.Hint))
			}
		}
		if err := table.Print(c.App.Writer); err != nil {
			return err
		}
	}
	if failed {
		return silent(fail.Failed)
	}
	return nil
}
