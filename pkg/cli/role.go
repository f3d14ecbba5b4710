package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/pkg/node"
	"github.com/git-deploy/git-deploy/pkg/statedir"
	"github.com/git-deploy/git-deploy/pkg/ui"
)

// role is what this machine is: it can deploy from here, it is deployed to, both or neither.
type role struct {
	Clone   string     `json:"clone,omitempty"`   // the work tree or bare repository of a network that the command is run in
	Network string     `json:"network,omitempty"` // its id
	Self    string     `json:"self,omitempty"`    // the node of it that this machine is
	Nodes   []roleNode `json:"nodes"`             // what the machine is, also of other networks
	Hidden  bool       `json:"hidden,omitempty"`  // it is a node, and only root may see of what
}

type roleNode struct {
	Network string `json:"network"`
	ID      string `json:"id"`
	Node    string `json:"node"`
	Owns    string `json:"owns"` // "system", or the profile
}

func roleCommand() *cli.Command {
	return &cli.Command{
		Name: "role", Category: answers,
		Usage: "show what this machine is: deployment node, network node, or both",
		Description: "A deployment node has the tool and a clone of the network (this is asked of the\n" +
			"current folder); a network node is deployed to. docs/roles.md shows how one becomes\n" +
			"the other.",
		Flags: []cli.Flag{jsonFlag("the roles")},
		Action: func(c *cli.Context) error {
			r, err := roleHere(c)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c, r)
			}
			r.print(c.App.Writer)
			return nil
		},
	}
}

func roleHere(c *cli.Context) (*role, error) {
	r := &role{Nodes: []roleNode{}}
	if clone, err := openClone(c.Context); err == nil {
		if id, err := networkID(clone.WorkTree); err == nil {
			r.Clone, r.Network = clone.WorkTree, id
		}
	}
	files, err := node.Members(statedir.FromEnv())
	switch {
	case errors.Is(err, os.ErrPermission):
		r.Hidden = true
	case err != nil:
		return nil, err
	}
	for _, f := range files {
		owns := f.Scope
		if owns == "" {
			owns = "system"
		}
		r.Nodes = append(r.Nodes, roleNode{f.Network.Name, f.Network.ID, f.Node, owns})
		if f.Network.ID == r.Network {
			r.Self = f.Node
		}
	}
	return r, nil
}

func (r *role) print(w io.Writer) {
	fact := func(format string, args ...any) {
		fmt.Fprint(w, ui.AnswerStyle(w).Paragraph("    ", "    ", fmt.Sprintf(format, args...)))
	}
	isNode := len(r.Nodes) > 0 || r.Hidden
	switch {
	case r.Clone != "" && isNode:
		fmt.Fprintln(w, "This machine is both: a deployment node and a network node.")
	case r.Clone != "":
		fmt.Fprintln(w, "This machine is a deployment node.")
	case isNode:
		fmt.Fprintln(w, "This machine is a network node.")
	default:
		fmt.Fprintln(w, "This machine is neither a deployment node (here) nor a network node.")
	}
	if r.Clone != "" {
		fact("%s is a clone of the network with the id %s", r.Clone, r.Network)
	}
	for _, n := range r.Nodes {
		fact("node %s of network %s, which owns its %s", n.Node, n.Network, n.Owns)
	}
	if r.Hidden {
		fact("of which networks, only root may see: sudo git deploy role")
	}
}
