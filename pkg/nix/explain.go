package nix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/event"
)

var (
	missingFile    = regexp.MustCompile(`(?:getting status of|path|opening file) '([^']+\.nix|[^']+)'.*(?:No such file|does not exist)`)
	missingChannel = regexp.MustCompile(`^file '(nixpkgs[^']*)' was not found in the Nix search path`)
	missingName    = regexp.MustCompile(`^attribute '([^']+)' missing`)
	missingAttr    = regexp.MustCompile(`^attribute '[^']*' in selection path '[^']*' not found|^attribute .* missing`)
	// anonymous function at FILE:1:1 called with …         (Nix 2.8)
	// function 'anonymous lambda' called with …, at FILE   (Nix 2.34)
	notOpen = regexp.MustCompile(`function (?:at )?(\S+).* called with unexpected argument`)
	// What the module system says of a value.
	wrongValue = regexp.MustCompile("^(?:A definition for option|The option|The option value) `([^']+)'.*(?:is not of type|is not a|has no value defined|is used but not defined)")
	// What the evaluator says of itself, and not somebody to a person.
	ownWords        = regexp.MustCompile(`^(infinite recursion|stack overflow|attribute |.*function .* called with|value is |expected |cannot |attempt to |undefined variable)`)
	missingArgument = regexp.MustCompile("^while evaluating the module argument `([^']+)' in \"([^\"]+?)(?::anon-[0-9]+)*\"")
	library         = regexp.MustCompile(`/lib/[\w/-]+\.nix:`)
)

// explain adds the command that most likely helps.
func explain(e *EvalError) error {
	if f := missingFile.FindStringSubmatch(e.Message); f != nil && !filepath.IsAbs(f[1]) {
		e.Message = "there is no file " + f[1]
		return hinted(e, "git add "+f[1]+" && git commit   # what is not committed is not deployed")
	}
	if missingChannel.MatchString(e.Message) {
		return hinted(e, "set network.nixpkgs to the nixpkgs that this network uses, e.g. a fetchTarball with a fixed revision")
	}
	if strings.Contains(e.Message, "requires lock file changes") {
		return hinted(e, "nix --extra-experimental-features 'nix-command flakes' flake lock && git add flake.lock && git commit -m Lock")
	}
	if f := notOpen.FindStringSubmatch(e.Message); f != nil {
		at := f[1]
		if strings.HasPrefix(at, "'") {
			at = e.Pos
		}
		if filepath.IsAbs(at) || at == "" {
			return e
		}
		return hinted(e, "let the arguments of the function at "+at+" end with ..., as in { lib, ... }: since modules are given more than they ask for")
	}
	return e
}

// explainMore says more of an evaluation's failure than its words do, by looking
// at the network again; node is "" where only the manifest was evaluated.
func (n *Nix) explainMore(ctx context.Context, dir, node string, err error) error {
	var e *EvalError
	if !errors.As(err, &e) {
		return err
	}
	quiet := &Nix{Sink: event.Discard}
	if o := findUnknownOption(e.Message); o != nil {
		c, cerr := quiet.choices(ctx, dir, node, o)
		if cerr != nil {
			c = nil
		}
		e.Message = o.message(c)
		return hinted(err, o.hints(c)...)
	}
	if f := wrongValue.FindStringSubmatch(e.Message); f != nil {
		o := unknownOption{path: optionName.FindAllString(f[1], -1)}
		return hinted(err, o.hints(nil)...)
	}
	if filepath.IsAbs(e.Pos) || e.Pos == "" {
		if err, found := quiet.explainPlace(ctx, dir, node, e); found {
			return err
		}
	}
	return quiet.explainMissingNode(ctx, dir, node, err)
}

// explainPlace finds where the user wrote what fails within a library: only a
// trace tells, which costs too much to be always there.
func (n *Nix) explainPlace(ctx context.Context, dir, node string, e *EvalError) (error, bool) {
	if lib, err := NixlibDir(); err == nil && strings.HasPrefix(e.Pos, lib+"/") || library.MatchString(e.Pos) {
		e.Pos = ""
	}
	if !ownWords.MatchString(e.Message) {
		return nil, false
	}
	program, attr, flags := "nix-instantiate", "manifest", []string{"--eval", "--strict", "--json"}
	if node != "" {
		attr, flags = `nodes."`+node+`".bundle`, nil
	}
	argv, err := n.eval(program, dir, attr)
	if err != nil {
		return nil, false
	}
	tracing := &Nix{Sink: event.Discard, ShowTrace: true}
	_, err = tracing.run(ctx, runOptions{argv: append(argv, flags...), dir: dir, step: event.Evaluate})
	var traced *EvalError
	if !errors.As(err, &traced) || traced.Message != e.Message {
		return nil, false
	}
	for _, line := range traced.Trace {
		if f := missingArgument.FindStringSubmatch(line); f != nil && e.Message == "attribute '"+f[1]+"' missing" {
			module := "the module " + f[2]
			if strings.HasPrefix(f[2], ":") { // it has no file
				module, e.Context = "a module", traced.Context
			}
			e.Message, e.Pos = fmt.Sprintf("%s asks for the argument `%s', and there is none of this name", module, f[1]), ""
			return hinted(e, "modules of a network are given config, lib, options, nodes, lookup, network, importNodes and nixlib; configurations of nodes config, lib, options, pkgs, name, nodes, lookup and network; in a flake both also inputs and self"), true
		}
	}
	e.Context = traced.Context
	if traced.Pos != "" && !filepath.IsAbs(traced.Pos) {
		e.Pos, e.Excerpt = traced.Pos, traced.Excerpt
	}
	return nil, false
}

// nodeNames are those of all nodes of the network in dir.
func (n *Nix) nodeNames(ctx context.Context, dir string) (names []string, err error) {
	lib, err := NixlibDir()
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	out, err := n.run(ctx, runOptions{dir: dir, argv: []string{
		"nix-instantiate", "--eval", "--strict", "--json",
		"-E", `{ lib, dir }: builtins.attrNames (import (lib + "/cli.nix") { inherit dir; }).nodes`,
		"--argstr", "lib", lib, "--argstr", "dir", dir,
	}})
	if err != nil {
		return nil, err
	}
	return names, json.Unmarshal(out, &names)
}

// explainMissingNode replaces Nix's words for a node that does not exist by the
// names of those that do: for the one that was asked for, and for one that a
// module or configuration refers to as `nodes.NAME`.
func (n *Nix) explainMissingNode(ctx context.Context, dir, node string, err error) error {
	var e *EvalError
	if !errors.As(err, &e) {
		return err
	}
	referred := missingName.FindStringSubmatch(e.Message)
	if referred != nil && !regexp.MustCompile(`\bnodes\s*\.\s*"?`+regexp.QuoteMeta(referred[1])).MatchString(e.Excerpt) {
		referred = nil
	}
	if referred == nil && (node == "" || !missingAttr.MatchString(e.Message)) {
		return err
	}
	names, nerr := n.nodeNames(ctx, dir)
	if nerr != nil {
		return err
	}
	all := strings.Join(names, ", ")
	if referred != nil {
		if !slices.Contains(names, referred[1]) {
			e.Message = fmt.Sprintf("there is no node %q (nodes: %s)", referred[1], all)
		}
		return err
	}
	if slices.Contains(names, node) {
		return err
	}
	if len(names) == 0 {
		return hinted(fmt.Errorf("this network has no node %q: it has none at all", node), "git deploy add "+node+" root@HOST")
	}
	return hinted(fmt.Errorf("this network has no node %q, only: %s", node, all), "git deploy status")
}
