package activate

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// Action is what a deployment does with the system that it built. (build and
// dry-run end before an activation begins.)
type Action string

const (
	Switch   Action = "switch"   // make it live, and what boots
	Boot     Action = "boot"     // make it what boots, leave the running system alone
	Test     Action = "test"     // make it live, leave what boots alone
	Reboot   Action = "reboot"   // restart into it for a trial, and make it what boots when that goes well
	Rollback Action = "rollback" // as switch, to the system of an earlier deployment, on a person's request

	// RollbackBoot is what becomes of a rollback that is only possible by a
	// reboot, as a switch becomes boot. Nobody asks for it.
	RollbackBoot Action = "rollback-boot"
)

// Later reports whether a leaves the running system alone until the next boot.
func (a Action) Later() bool { return a == Boot || a == RollbackBoot }

// ByHand reports whether a is a person's way back: the deploy branch has no part in it.
func (a Action) ByHand() bool { return a == Rollback || a == RollbackBoot }

// Actions lists the actions that can be asked for.
var Actions = []Action{Switch, Boot, Test, Reboot, Rollback}

// Job is everything that the runner of one activation needs. It is written to
// deployments/<id>/job.json before the runner starts and never changes.
type Job struct {
	Version   int    `json:"version"`
	ID        string `json:"id"`
	Network   string `json:"network"`
	NetworkID string `json:"networkId"`
	Node      string `json:"node"`
	Branch    string `json:"branch"`
	Commit    string `json:"commit"`
	Subject   string `json:"subject,omitempty"` // first line of the commit
	// BranchBefore and CurrentBefore are where the deploy branch and
	// refs/deploy/current were, so that a failure can put the branch back.
	BranchBefore  string `json:"branchBefore,omitempty"`
	CurrentBefore string `json:"currentBefore,omitempty"`
	// Receiver is the process that is to move the branch to Commit; the
	// activation waits for it. "": the branch is there already.
	Receiver   string        `json:"receiver,omitempty"`
	Action     Action        `json:"action"`
	BundlePath string        `json:"bundlePath,omitempty"` // store path of deploy.json
	Bundle     bundle.Bundle `json:"bundle"`
	// Confirm says that the deployer will connect anew; without it health checks decide alone.
	Confirm bool `json:"confirm"`
	// Reactivate switches even when Bundle.System already runs; set when the
	// last deployment left it half activated.
	Reactivate bool `json:"reactivate,omitempty"`
	// ForceUnhealthy leaves out the checks that must hold before anything is touched.
	ForceUnhealthy bool `json:"forceUnhealthy,omitempty"`
	// RebootBack says whether the machine may restart into the system that boots
	// by default when putting back fails live; nil: as Bundle says.
	RebootBack *bool `json:"rebootBack,omitempty"`
	// PreviousHealth are the checks of the system that ran before, as far as
	// they are known: it must pass them again once it is put back.
	PreviousHealth []bundle.Check `json:"previousHealth,omitempty"`
	Wait           string         `json:"wait,omitempty"` // for the lock, as time.Duration writes it
	By             string         `json:"by,omitempty"`   // "Name <mail>"
	Key            string         `json:"key,omitempty"`  // SHA256:… of the ssh key
	From           string         `json:"from,omitempty"` // host
	Tool           string         `json:"tool,omitempty"` // version of the deployer's tool
	Started        time.Time      `json:"started"`
	// Steps are the steps done before the activation, for the log's trailers.
	Steps []StepTime `json:"steps,omitempty"`
}

// JobVersion is the version of job.json and state.json that this program reads and writes.
const JobVersion = 1

const (
	defaultActivate = 240 * time.Second
	defaultConfirm  = 30 * time.Second
	defaultReboot   = 300 * time.Second
)

// mayRebootBack is the word of the system that would be booted, where it is
// known: whether a boot gets there without a hand is a property of that one, and
// what the new one says goes with it.
func (j *Job) mayRebootBack() bool {
	if j.RebootBack != nil {
		return *j.RebootBack
	}
	return j.Bundle.RebootOnFailedRollback
}

func (j *Job) activateTimeout() time.Duration {
	if d := j.Bundle.Timeouts.ActivateDuration(); d > 0 {
		return d
	}
	return defaultActivate
}

func (j *Job) confirmTimeout() time.Duration {
	if d := j.Bundle.Timeouts.ConfirmDuration(); d > 0 {
		return d
	}
	return defaultConfirm
}

func (j *Job) rebootTimeout() time.Duration {
	if d := j.Bundle.Timeouts.RebootDuration(); d > 0 {
		return d
	}
	return defaultReboot
}

// StepTime is how long one step took.
type StepTime struct {
	Step   event.Step `json:"step"`
	Millis int64      `json:"millis"`
}

// Pending is the outcome of an activation that goes on after the reboot that
// it has asked for: Settle comes to the real one.
const Pending event.Outcome = ""

// Result is how an activation ended.
type Result struct {
	Outcome event.Outcome `json:"outcome"`
	// Action is what was done: a switch that is only possible by a reboot is
	// Boot, a rollback RollbackBoot.
	Action Action `json:"action,omitempty"`
	Reason string `json:"reason,omitempty"` // why it is not a success, or what is remarkable about it
	// System is what was to be activated, Previous what ran before ("": nothing).
	System   string `json:"system"`
	Previous string `json:"previous,omitempty"`
	// Running and BootDefault are what runs and what boots next, afterwards, as found on the machine.
	Running     string     `json:"running,omitempty"`
	BootDefault string     `json:"bootDefault,omitempty"`
	Steps       []StepTime `json:"steps,omitempty"`
}

// Phase is a state of the machine. It is saved before the side effect that it names begins.
type Phase string

const (
	Begun       Phase = "begun"        // nothing touched yet; checks that must hold before
	Switching   Phase = "switching"    // switch-to-configuration test of the new system
	Arming      Phase = "arming"       // telling the boot loader what the trial boots
	Rebooting   Phase = "rebooting"    // restarting into the new system
	Booting     Phase = "booting"      // the new system was booted: until all of it is up
	Checking    Phase = "checking"     // health checks
	Confirming  Phase = "confirming"   // waiting for the deployer to connect anew
	Committing  Phase = "committing"   // profile and boot loader: from here on the new system is the good one
	RollingBack Phase = "rolling-back" // putting back what was touched
	GoingBack   Phase = "going-back"   // restarting into the previous system
	Returned    Phase = "returned"     // that was booted: until all of it is up and well
	Finished    Phase = "finished"     // Result holds the outcome
)

// State is what must be known to finish or undo an activation after a crash:
// deployments/<id>/state.json.
type State struct {
	Version int    `json:"version"`
	Phase   Phase  `json:"phase"`
	System  string `json:"system"`
	// Previous ran, PreviousBoot was the boot default, when the activation began ("": none).
	Previous     string   `json:"previous,omitempty"`
	PreviousBoot string   `json:"previousBoot,omitempty"`
	BootID       string   `json:"bootId"` // of the boot in which the phase began
	FailedUnits  []string `json:"failedUnits,omitempty"`
	// Live and Boot say what may have been touched: the running system, the boot default.
	Live bool `json:"live,omitempty"`
	Boot bool `json:"boot,omitempty"`
	// Trial says that a boot may have been or will be of System, which only
	// another boot undoes; Once, that it is the next boot only: what boots by
	// default stays what it is.
	Trial bool `json:"trial,omitempty"`
	Once  bool `json:"once,omitempty"`
	// Turned says that a switch became the action boot, a rollback RollbackBoot.
	Turned      bool       `json:"turned,omitempty"`
	Interrupted bool       `json:"interrupted,omitempty"` // by a crash, before the phase RollingBack
	Reason      string     `json:"reason,omitempty"`      // why it is rolled back
	Asked       time.Time  `json:"asked,omitzero"`        // when the last reboot was asked for
	Steps       []StepTime `json:"steps,omitempty"`
	Result      *Result    `json:"result,omitempty"`
	Updated     time.Time  `json:"updated"`
}

// AwaitsReboot reports whether the machine, in the boot named bootID, is about
// to restart for this activation: nobody works on it then, and nobody need.
func (s State) AwaitsReboot(job Job, bootID string, now time.Time) bool {
	age := now.Sub(s.Asked)
	return (s.Phase == Rebooting || s.Phase == GoingBack) && s.BootID == bootID && age >= 0 && age < job.rebootTimeout()
}

// JobFile and StateFile are files of one deployment; ReachedFile, ConfirmedFile
// and RefusedFile are what its deployer says (see Confirm).
func JobFile(l statedir.Layout, id string) string { return filepath.Join(l.Deployment(id), "job.json") }
func StateFile(l statedir.Layout, id string) string {
	return filepath.Join(l.Deployment(id), "state.json")
}
func ReachedFile(l statedir.Layout, id string) string {
	return filepath.Join(l.Deployment(id), "reached")
}
func ConfirmedFile(l statedir.Layout, id string) string {
	return filepath.Join(l.Deployment(id), "confirmed")
}
func RefusedFile(l statedir.Layout, id string) string {
	return filepath.Join(l.Deployment(id), "refused")
}

// ReadJob reads deployments/<id>/job.json.
func ReadJob(l statedir.Layout, id string) (Job, error) {
	var j Job
	err := readVersioned("job", JobFile(l, id), &j, &j.Version)
	return j, err
}

// WriteJob writes deployments/<id>/job.json atomically; the folder exists.
func WriteJob(l statedir.Layout, j Job) error {
	j.Version = JobVersion
	return statedir.WriteJSON(JobFile(l, j.ID), j, 0o600)
}

// ReadState reads deployments/<id>/state.json; errors.Is(err, fs.ErrNotExist) when no activation began.
func ReadState(l statedir.Layout, id string) (State, error) {
	var s State
	err := readVersioned("state", StateFile(l, id), &s, &s.Version)
	return s, err
}

// readVersioned refuses files of another version: guessing at what a newer
// tool was in the middle of is worse than saying so.
func readVersioned(what, path string, into any, version *int) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the deployment's %s: %w", what, err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("read the deployment's %s %s: %w", what, path, err)
	}
	if *version != JobVersion {
		return fmt.Errorf("read the deployment's %s %s: it has version %d, this git-deploy knows version %d", what, path, *version, JobVersion)
	}
	return nil
}
