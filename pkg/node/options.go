package node

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/activate"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// Actions that end before an activation; the others are activate's.
const actionBuild = "build"

// DefaultWait is how long a deployment waits for another one to end.
const DefaultWait = 10 * time.Minute

// Options are the push options (git push -o key=value) of one deployment.
type Options struct {
	Action     string // switch, boot, test, build; reboot, which the option of that name makes of it
	DryRun     bool
	Deployment string // id, "" when the node shall choose it
	Follow     bool   // the hook shows what happens
	Confirm    bool   // the deployer will connect anew
	Unpin      bool   // deploy although a rollback pinned the node
	Reboot     bool   // restart into it for a trial
	Force      bool   // deploy although the machine is not healthy
	Node       string // which node the pusher means; "" does not say
	Network    string // which network (id) the pusher means
	By, From   string
	Bundle     string // store path of a deploy.json built by the deployer
	Drv        string // derivation of one, evaluated by the deployer
	Build      string // node or deployer; "" does not say
	Evaluate   string
	Wait       time.Duration
}

var (
	// userOptions are for people, the others are sent by git-remote-node.
	userOptions   = []string{"action=switch|boot|test|build", "dry-run=true", "reboot=true", "force-unhealthy=true", "wait=DURATION", "unpin=true", "build=node|deployer", "evaluate=node|deployer"}
	pushActions   = []string{"switch", "boot", "test", actionBuild}
	nodeOrPushers = []string{"node", "deployer"}
)

// ParseOptions reads push options. An option for yes or no may stand without
// a value. An unknown one is refused: what it was to prevent might happen.
func ParseOptions(options []string) (Options, error) {
	o := Options{Action: "switch", Follow: true, Wait: DefaultWait}
	for _, option := range options {
		key, value, hasValue := strings.Cut(option, "=")
		if err := o.set(key, value, hasValue); err != nil {
			return Options{}, err
		}
	}
	if o.Bundle != "" && o.Drv != "" {
		return Options{}, fail.Errorf(fail.Usage, "push options bundle and drv exclude each other")
	}
	if o.Reboot {
		if o.Action != "switch" && o.Action != "boot" {
			return Options{}, fail.Errorf(fail.Usage, "push options reboot and action=%s exclude each other", o.Action)
		}
		o.Action = string(activate.Reboot)
	}
	return o, nil
}

func (o *Options) set(key, value string, hasValue bool) error {
	oneOf := func(into *string, choices []string) error {
		if !slices.Contains(choices, value) {
			return fail.Errorf(fail.Usage, "push option %s=%.40s: choose one of %s", key, printable(value), strings.Join(choices, ", "))
		}
		*into = value
		return nil
	}
	yes := func(into *bool) (err error) {
		if !hasValue {
			value = "true"
		}
		if *into, err = strconv.ParseBool(value); err != nil {
			return fail.Errorf(fail.Usage, "push option %s=%.40s: choose true or false", key, printable(value))
		}
		return nil
	}
	checked := func(into *string, err error) error {
		if err != nil {
			return fail.New(fail.Usage, fmt.Errorf("push option %s: %w", key, err))
		}
		*into = value
		return nil
	}
	switch key {
	case "action":
		return oneOf(&o.Action, pushActions)
	case "dry-run":
		return yes(&o.DryRun)
	case "follow":
		return yes(&o.Follow)
	case "confirm":
		return yes(&o.Confirm)
	case "unpin":
		return yes(&o.Unpin)
	case "reboot":
		return yes(&o.Reboot)
	case "force-unhealthy":
		return yes(&o.Force)
	case "build":
		return oneOf(&o.Build, nodeOrPushers)
	case "evaluate":
		return oneOf(&o.Evaluate, nodeOrPushers)
	case "wait":
		wait, err := time.ParseDuration(value)
		if err != nil || wait < 0 {
			return fail.Errorf(fail.Usage, "push option wait=%.40s: give a duration, e.g. 90s or 10m; 0 does not wait", printable(value))
		}
		o.Wait = wait
		return nil
	case "deployment":
		if !statedir.ValidID(value) {
			return checked(&o.Deployment, fmt.Errorf("%.60q is not a deployment id", value))
		}
		o.Deployment = value
		return nil
	case "node":
		return checked(&o.Node, network.CheckName("node", value))
	case "network":
		_, err := network.ParseID([]byte(value))
		return checked(&o.Network, err)
	case "by", "from":
		if len(value) > 200 {
			return checked(nil, errors.New("longer than 200 bytes"))
		}
		into := &o.By
		if key == "from" {
			into = &o.From
		}
		*into = gitrepo.Clean(value)
		return nil
	case "bundle":
		return checked(&o.Bundle, storePath(value, ""))
	case "drv":
		return checked(&o.Drv, storePath(value, ".drv"))
	}
	return fail.New(fail.Usage, fmt.Errorf("push option %.60q is unknown; there are: %s", key, strings.Join(userOptions, ", ")))
}

// storePath keeps what is not a plain path out of command lines. Whether the
// path is in the store, Nix tells.
func storePath(path, suffix string) error {
	base := path[strings.LastIndexByte(path, '/')+1:]
	if !strings.HasPrefix(path, "/") || len(base) < 34 || base[32] != '-' || !strings.HasSuffix(base, suffix) ||
		strings.Contains(path, "..") || printable(path) != path {
		return fmt.Errorf("%.100q is not a store path", path)
	}
	return nil
}

// printable is s with everything that could confuse a terminal replaced.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c <= ' ' || c > '~' {
			return '?'
		}
		return c
	}, s)
}
