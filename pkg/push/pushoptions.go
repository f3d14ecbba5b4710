package push

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/fail"
)

// pushOptions are what the user gave with git push -o.
type pushOptions struct {
	action   string // switch, boot, test, build
	dryRun   bool
	unpin    bool
	reboot   bool   // restart into it for a trial
	force    bool   // deploy although the machine is not healthy
	build    string // node, deployer; "" is not said
	evaluate string
	wait     string // as given
}

var userOptions = []string{"action=switch|boot|test|build", "build=node|deployer", "dry-run=true", "evaluate=node|deployer", "force-unhealthy=true", "reboot=true", "unpin=true", "wait=DURATION"}

// sentOptions are for this program to send.
var sentOptions = []string{"bundle", "by", "confirm", "deployment", "drv", "follow", "from", "network", "node"}

// parsePushOptions reads push options; later ones win. One without a value means true, or yes.
func parsePushOptions(options []string) (pushOptions, error) {
	o := pushOptions{action: "switch"}
	for _, option := range options {
		key, value, given := strings.Cut(option, "=")
		if !given {
			value = "true"
		}
		if err := o.set(key, value); err != nil {
			return pushOptions{}, fail.New(fail.Usage, fmt.Errorf("push option %.80q: %w", option, err))
		}
	}
	if o.reboot && o.action != "switch" && o.action != "boot" {
		return pushOptions{}, fail.Errorf(fail.Usage, "push options reboot and action=%s exclude each other", o.action)
	}
	return o, nil
}

func (o *pushOptions) set(key, value string) error {
	choose := func(into *string, choices ...string) error {
		if !slices.Contains(choices, value) {
			return fmt.Errorf("%s is one of %s", key, strings.Join(choices, ", "))
		}
		*into = value
		return nil
	}
	yes := func(into *bool) error {
		v, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("%s is true or false", key)
		}
		*into = v
		return nil
	}
	switch key {
	case "action":
		return choose(&o.action, "switch", "boot", "test", "build")
	case "build":
		return choose(&o.build, "node", "deployer")
	case "evaluate":
		return choose(&o.evaluate, "node", "deployer")
	case "dry-run":
		return yes(&o.dryRun)
	case "unpin":
		return yes(&o.unpin)
	case "reboot":
		return yes(&o.reboot)
	case "force-unhealthy":
		return yes(&o.force)
	case "wait":
		if d, err := time.ParseDuration(value); err != nil || d < 0 {
			return fmt.Errorf("wait is a duration such as 90s or 10m; 0s does not wait")
		}
		o.wait = value
		return nil
	}
	if slices.Contains(sentOptions, key) {
		return fmt.Errorf("%s is set by git-deploy itself", key)
	}
	return fmt.Errorf("there is no option %.40q; there are %s", key, strings.Join(userOptions, ", "))
}
