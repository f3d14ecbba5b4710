package push

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// followed is what a clone remembers of a deployment that it began, until it
// has seen its end: `git deploy follow` goes on from there when this process
// could not. One file for each node; it is written at every event, so that not
// much is shown twice after a kill, and need not survive a power cut.
type followed struct {
	file       string
	Deployment string `json:"deployment"`
	Seq        int64  `json:"seq"` // of the last event that was shown
	Confirm    bool   `json:"confirm"`
}

// followedFile is where the deployment of the node called name is remembered; "" outside a repository.
func (h *helper) followedFile() string {
	name := strings.NewReplacer("/", "-", ":", "-").Replace(h.nameOrURL())
	if h.repo == nil || statedir.ValidID(name) || strings.HasPrefix(name, ".") {
		return ""
	}
	return filepath.Join(h.repo.GitDir, "git-deploy", "followed", name+".json")
}

// recall returns what is remembered, nil for nothing.
func (h *helper) recall() *followed {
	data, err := os.ReadFile(h.followedFile())
	if err != nil {
		return nil
	}
	f := followed{file: h.followedFile()}
	if json.Unmarshal(data, &f) != nil || !statedir.ValidID(f.Deployment) || f.Seq < 0 {
		return nil
	}
	return &f
}

// note remembers; that it does not work takes nothing but comfort.
func (f *followed) note(seq int64) {
	if f == nil || f.file == "" || seq < f.Seq {
		return
	}
	f.Seq = seq
	data, err := json.Marshal(f)
	if err != nil {
		return
	}
	tmp := fmt.Sprintf("%s.%d", f.file, os.Getpid())
	if os.MkdirAll(filepath.Dir(f.file), 0o755) != nil || os.WriteFile(tmp, data, 0o644) != nil || os.Rename(tmp, f.file) != nil {
		_ = os.Remove(tmp)
	}
}

// forget ends the memory of a deployment whose end was seen, but not of a newer one.
func (h *helper) forget(id string) {
	if f := h.recall(); f != nil && f.Deployment == id {
		_ = os.Remove(f.file)
	}
}

// begun watches a deployment that begins here.
func (h *helper) begun(id string, sink event.Sink) *watch {
	w := h.watch(id, sink)
	w.mine = &followed{file: h.followedFile(), Deployment: id, Confirm: w.confirm}
	return w
}

// ended forgets a deployment that has come to its end, or never began.
func (h *helper) ended(w *watch, final event.Event, err error) {
	nothing := err != nil && w.seq == w.start && fail.CodeOf(err) == fail.Failed
	if err == nil && final.Kind == event.Finished || nothing {
		h.forget(w.id)
	}
}
