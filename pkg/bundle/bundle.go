// Package bundle is what nixlib hands to Go, as plain data with a version
// number: the manifest of a network and the bundle of one node. It only holds
// and checks data; package nix makes it. docs/reference/schema.json is
// generated from these types (make generate): fields without omitempty are
// required, the tag enum lists the values that a text may have.
package bundle

import (
	"encoding/json"
	"fmt"
	"sort"
	"time"
)

// Version is the version of both documents that this program reads.
const Version = 1

// NetworkID names a network.
type NetworkID struct {
	Name string `json:"name"`
	ID   string `json:"id"` // from the file network-id; never changes
}

// Manifest is what is known of a network without evaluating any node's configuration.
type Manifest struct {
	Version int                     `json:"version"`
	Network NetworkID               `json:"network"`
	Nodes   map[string]ManifestNode `json:"nodes"`
}

// ManifestNode is one node of the manifest.
type ManifestNode struct {
	Host     string   `json:"host"` // address to connect to
	User     string   `json:"user"`
	Port     int      `json:"port"` // 0: ssh's own default
	Tags     []string `json:"tags"`
	Branch   string   `json:"branch"`                        // the deploy branch
	Evaluate string   `json:"evaluate" enum:"node,deployer"` // "node" or "deployer"
	Build    string   `json:"build" enum:"node,deployer"`    // "node" or "deployer"
	Profile  Profile  `json:"profile"`
	Timeouts Timeouts `json:"timeouts"`
}

// Names returns the nodes' names in order.
func (m *Manifest) Names() []string {
	names := make([]string, 0, len(m.Nodes))
	for name := range m.Nodes {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Profile says what is activated and how. A network owns either the system of
// a machine or a profile beside it.
type Profile struct {
	Kind     string   `json:"kind" enum:"nixos,home-manager,nix-darwin,system-manager,custom"`
	Name     string   `json:"name"`     // of the profile; "system" is the machine's system
	Path     string   `json:"path"`     // link that Nix keeps its generations under; "" follows from name and user
	User     string   `json:"user"`     // as whom it is activated
	Activate []string `json:"activate"` // program in the package (or an absolute path) and its arguments; none for a system, which brings its own
	Order    int      `json:"order"`    // of several that are deployed together, lower first
}

// SystemName is the name of the profile that is a machine's system.
const SystemName = "system"

// System reports whether the profile is the machine's system.
func (p Profile) System() bool { return p.Name == SystemName || p.Name == "" }

// Timeouts are in seconds.
type Timeouts struct {
	Activate int `json:"activate"` // for switch-to-configuration
	Confirm  int `json:"confirm"`  // for the deployer to connect anew
	Reboot   int `json:"reboot"`   // for the node to be back after a reboot that was asked for
}

// ActivateDuration returns the time limit of one run of switch-to-configuration.
func (t Timeouts) ActivateDuration() time.Duration { return time.Duration(t.Activate) * time.Second }

// ConfirmDuration returns the time limit for the confirmation.
func (t Timeouts) ConfirmDuration() time.Duration { return time.Duration(t.Confirm) * time.Second }

// RebootDuration returns the time limit for a reboot.
func (t Timeouts) RebootDuration() time.Duration { return time.Duration(t.Reboot) * time.Second }

// Generations says which generations of the system profile are kept: those that
// one of the limits keeps, and always those that run, boot or were confirmed last.
type Generations struct {
	Keep int `json:"keep"` // the newest so many; 0: no limit by count
	Days int `json:"days"` // those that were made within so many days; 0: no limit by age
}

// Bundle is deploy.json: what evaluating and building one node yields.
type Bundle struct {
	Version  int       `json:"version"`
	Network  NetworkID `json:"network"`
	Node     string    `json:"node"`
	System   string    `json:"system"` // store path of the NixOS system
	Profile  Profile   `json:"profile"`
	Timeouts Timeouts  `json:"timeouts"`
	Health   []Check   `json:"health"` // must hold after a switch
	// PreSwitch must hold before anything is touched: a sick machine is not deployed to.
	PreSwitch []Check `json:"preSwitch"`
	// RebootOnFailedRollback lets a node reboot into this system when a later one failed and this one cannot be put back live.
	RebootOnFailedRollback bool        `json:"rebootOnFailedRollback"`
	Generations            Generations `json:"generations"`
	Warnings               []string    `json:"warnings"` // of the node's configuration, for the user
}

// Check is one health check. Type says which of the other fields count.
type Check struct {
	Name     string   `json:"name"`
	Type     string   `json:"type" enum:"http,tcp,command,file,units"` // "http", "tcp", "command", "file", "units"
	From     string   `json:"from,omitempty" enum:"node,deployer"`     // where it runs: "node" (also "") or "deployer"
	URL      string   `json:"url,omitempty"`                           // http
	Status   int      `json:"status,omitempty"`                        // http: 0 means 200
	Body     string   `json:"body,omitempty"`                          // http, file: regular expression that the content must match
	CA       string   `json:"ca,omitempty"`                            // http: file of PEM certificates to trust instead of the system's
	Insecure bool     `json:"insecure,omitempty"`                      // http: do not verify the server's certificate
	Host     string   `json:"host,omitempty"`                          // tcp
	Port     int      `json:"port,omitempty"`                          // tcp
	Command  []string `json:"command,omitempty"`                       // command: must exit with 0
	Path     string   `json:"path,omitempty"`                          // file
	Absent   bool     `json:"absent,omitempty"`                        // file: must not exist
	MaxAge   int      `json:"maxAge,omitempty"`                        // file: seconds since its last change; 0: any
	Units    []string `json:"units,omitempty"`                         // units: must be active and stay so
	Timeout  int      `json:"timeout"`                                 // seconds for one try
	Interval int      `json:"interval"`                                // seconds between tries
	Retries  int      `json:"retries"`                                 // further tries after the first
	Delay    int      `json:"initialDelay"`                            // seconds before the first try
}

// ChecksFrom splits checks into those that run on the node and those that run
// on the machine that deploys.
func ChecksFrom(checks []Check) (node, deployer []Check) {
	for _, c := range checks {
		if c.From == "deployer" {
			deployer = append(deployer, c)
		} else {
			node = append(node, c)
		}
	}
	return node, deployer
}

// ParseManifest reads a manifest and checks its version.
func ParseManifest(data []byte) (*Manifest, error) {
	var m Manifest
	if err := parse("manifest", data, &m, &m.Version); err != nil {
		return nil, err
	}
	return &m, nil
}

// Parse reads a bundle and checks its version.
func Parse(data []byte) (*Bundle, error) {
	var b Bundle
	if err := parse("deploy.json", data, &b, &b.Version); err != nil {
		return nil, err
	}
	if b.System == "" || b.Node == "" {
		return nil, fmt.Errorf("deploy.json: system or node is missing")
	}
	if !b.Profile.System() && len(b.Profile.Activate) == 0 {
		return nil, fmt.Errorf("deploy.json: the profile %q names no program that makes it live", b.Profile.Name)
	}
	return &b, nil
}

func parse(what string, data []byte, into any, version *int) error {
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if *version != Version {
		return fmt.Errorf("%s has version %d, this git-deploy reads version %d: use the nixlib that comes with this git-deploy (or update git-deploy)", what, *version, Version)
	}
	return nil
}
