package nix

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/xrash/smetrics"
)

var (
	// The option `a.b' does not exist. Definition values:\n- In `FILE': VALUE   (nixpkgs since 2020)
	// The option `a.b' defined in `FILE' does not exist.                       (before)
	doesNotExist = regexp.MustCompile("^The option `([^']+)'(?: defined in `([^']+)')? does not exist\\b")
	definedIn    = regexp.MustCompile("(?m)^\\s*- In `([^']+)'")
	optionName   = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|[^".]+`)
)

// unknownOption is what the module system says of an option that does not exist.
type unknownOption struct {
	path  []string // its names, as the module system quotes them
	files []string // that set it
	more  string   // what is said below the values, which are in the file for everyone to see
}

func findUnknownOption(message string) *unknownOption {
	f := doesNotExist.FindStringSubmatch(message)
	if f == nil {
		return nil
	}
	o := &unknownOption{path: optionName.FindAllString(f[1], -1)}
	if f[2] != "" {
		o.files = append(o.files, f[2])
	}
	definitions, more, _ := strings.Cut(message, "\n\n")
	for _, d := range definedIn.FindAllStringSubmatch(definitions, -1) {
		if d[1] != "<unknown-file>" && !slices.Contains(o.files, d[1]) {
			o.files = append(o.files, d[1])
		}
	}
	o.more = strings.TrimSpace(more)
	return o
}

// choices are what there is instead of an option, as nixlib/lib/choices.nix tells it.
type choices struct {
	OfNetwork bool     // it would be an option of the network, and not of a configuration
	Names     []string // of the options and groups of options where it would be
}

func (n *Nix) choices(ctx context.Context, dir, node string, o *unknownOption) (*choices, error) {
	lib, err := NixlibDir()
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	var path []string
	for _, name := range o.path {
		if strings.HasPrefix(name, `"`) {
			if err := json.Unmarshal([]byte(name), &name); err != nil {
				return nil, err
			}
		}
		path = append(path, name)
	}
	option, err := json.Marshal(path)
	if err != nil {
		return nil, err
	}
	out, err := n.run(ctx, runOptions{dir: dir, argv: []string{
		"nix-instantiate", "--eval", "--strict", "--json", filepath.Join(lib, "lib/choices.nix"),
		"--argstr", "dir", dir, "--argstr", "node", node, "--argstr", "json", string(option),
	}})
	if err != nil {
		return nil, err
	}
	c := &choices{}
	return c, json.Unmarshal(out, c)
}

const (
	mostNames  = 20 // that are all shown
	mostNear   = 3  // of more
	mostTypos  = 3  // between a name and one that is near
	didYouMean = "Did you mean "
)

// message says what does not exist, who sets it and, where c is known, what there is.
func (o *unknownOption) message(c *choices) string {
	var b strings.Builder
	fmt.Fprintf(&b, "the option `%s' does not exist", strings.Join(o.path, "."))
	if len(o.files) > 0 {
		b.WriteString(", and is set in " + strings.Join(o.files, ", "))
	}
	if o.more != "" {
		b.WriteString("\n" + o.more)
	}
	if c == nil || len(c.Names) == 0 {
		return b.String()
	}
	parent := strings.Join(o.path[:len(o.path)-1], ".")
	switch near := o.near(c.Names); {
	case len(c.Names) <= mostNames && parent == "":
		fmt.Fprintf(&b, "\nThere are: %s", strings.Join(c.Names, ", "))
	case len(c.Names) <= mostNames:
		fmt.Fprintf(&b, "\nIn %s there are: %s", parent, strings.Join(c.Names, ", "))
	case len(near) > 0 && !strings.Contains(o.more, didYouMean):
		for i, name := range near {
			near[i] = "`" + strings.TrimPrefix(parent+"."+name, ".") + "'"
		}
		fmt.Fprintf(&b, "\n%s%s?", didYouMean, strings.Join(near, " or "))
	}
	return b.String()
}

// near are the names that are most like the option's, the likest first.
func (o *unknownOption) near(names []string) []string {
	last := o.path[len(o.path)-1]
	typos := func(name string) int { return smetrics.WagnerFischer(last, name, 1, 1, 1) }
	near := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return typos(name) > min(mostTypos, len(last)/2) })
	slices.SortStableFunc(near, func(a, b string) int { return typos(a) - typos(b) })
	return near[:min(len(near), mostNear)]
}

// ofNode are the options of a node that are mistaken for those of its configuration.
var ofNode = []string{"deploy", "health"}

// hints are where the options are described, and where this one belongs if that is clear.
func (o *unknownOption) hints(c *choices) []string {
	const (
		ours   = "git deploy man options | man -l -   # "
		theirs = "man configuration.nix   # the options of NixOS, which https://search.nixos.org/options has too"
	)
	inNodes := o.path[0] == "nodes"
	switch {
	case inNodes && len(o.path) == 3:
		return []string{ours + "what a node may have; the settings of NixOS stand in nodes." + o.path[1] + ".configuration"}
	case inNodes:
		return []string{ours + "the options of networks and nodes"}
	case c == nil:
		return []string{theirs, ours + "those of networks and nodes"}
	case c.OfNetwork && len(o.path) == 1:
		return []string{ours + "the options of networks; the settings of NixOS stand in nodes.<name>.configuration, or for all nodes in defaults.configuration"}
	case c.OfNetwork:
		return []string{ours + "the options of networks and nodes"}
	case slices.Contains(ofNode, o.path[0]):
		return []string{"write nodes.<name>." + o.path[0] + " beside the configuration, or git-deploy." + o.path[0] + " in it", ours + "the options of nodes and their configurations"}
	}
	return []string{theirs}
}
