package nix

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	// The option `a.b' does not exist. Definition values:\n- In `FILE': VALUE   (nixpkgs since 2020)
	// The option `a.b' defined in `FILE' does not exist.                       (before)
	unknownOption = regexp.MustCompile("^The option `([^']+)'(?: defined in `([^']+)')? does not exist\\b")
	definedIn     = regexp.MustCompile("(?m)^\\s*- In `([^']+)'")
	ofNode        = regexp.MustCompile(`^nodes\.("[^"]*"|[^".]+)\.[^.]+$`)
)

// explainUnknownOption says who sets an option that does not exist, and where
// those that do are described. What the module system says below the values,
// which are in the file for everyone to see, stays.
func explainUnknownOption(e *EvalError) (hints []string) {
	f := unknownOption.FindStringSubmatch(e.Message)
	if f == nil {
		return nil
	}
	option, files := f[1], []string{}
	if f[2] != "" {
		files = append(files, f[2])
	}
	definitions, more, _ := strings.Cut(e.Message, "\n\n")
	for _, d := range definedIn.FindAllStringSubmatch(definitions, -1) {
		if d[1] != "<unknown-file>" {
			files = append(files, d[1])
		}
	}
	e.Message = fmt.Sprintf("the option `%s' does not exist", option)
	if len(files) > 0 {
		e.Message += ", and is set in " + strings.Join(files, ", ")
	}
	if more = strings.TrimSpace(more); more != "" {
		e.Message += "\n" + more
	}
	const ours = "git deploy man options | man -l -   # "
	if node := ofNode.FindStringSubmatch(option); node != nil {
		return []string{ours + "what a node may have; the settings of NixOS stand in nodes." + node[1] + ".configuration"}
	}
	if strings.HasPrefix(option, "nodes.") {
		return []string{ours + "the options of networks and nodes"}
	}
	return []string{"man configuration.nix   # the options of NixOS, which https://search.nixos.org/options has too", ours + "those of networks and nodes"}
}
