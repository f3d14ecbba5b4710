package push

import (
	"context"
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
)

// fields of a node's Finished event (package node writes them)
const (
	fieldRecord = "record" // message of the log's new entry
	fieldNewer  = "newer"  // deployment that superseded this one, and has its commit
	refDeploy   = "refs/deploy/"
)

// remember moves the tracking refs of what the node tells of itself at the end
// of a deployment, so that status and log are right without a fetch. The log's
// entry is made here anew: the same content has the same id. Where it has not
// (this clone lacks an earlier entry), the log is fetched. That any of this
// does not work stops nothing. objects may be nil.
func (h *helper) remember(ctx context.Context, objects *gitrepo.Objects, final event.Event) {
	log := h.tracking(gitrepo.LogRef)
	record, err := gitrepo.ParseRecord(final.Fields[fieldRecord])
	if err != nil || log == "" || h.repo == nil {
		return
	}
	var updates []gitrepo.RefUpdate
	for ref, oid := range final.Fields {
		if strings.HasPrefix(ref, refDeploy) && ref != gitrepo.LogRef && oid != "" {
			if dst := h.tracking(ref); dst != "" {
				updates = append(updates, gitrepo.RefUpdate{Ref: dst, New: oid})
			}
		}
	}
	if entry := h.logEntry(ctx, objects, log, record, final.Fields[fieldRecord]); entry != "" && entry == final.Fields[gitrepo.LogRef] {
		updates = append(updates, gitrepo.RefUpdate{Ref: log, New: entry})
	} else {
		h.fetchLog(ctx, log)
	}
	if len(updates) > 0 {
		_ = h.repo.UpdateRefs(ctx, "git-deploy: what "+h.called()+" did", updates...)
	}
}

// fetchLimit bounds the fetch of a log at the end of a push: the connection may have died in the switch.
const fetchLimit = 10 * time.Second

func (h *helper) fetchLog(ctx context.Context, log string) {
	ctx, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	if peer, err := h.peer.git(); err == nil {
		_ = h.repo.Fetch(ctx, peer, "+"+gitrepo.LogRef+":"+log)
	}
}

// logEntry makes the commit that the node has made; "" when it cannot.
func (h *helper) logEntry(ctx context.Context, objects *gitrepo.Objects, log string, record gitrepo.Record, message string) string {
	if objects == nil {
		var err error
		if objects, err = h.repo.Objects(ctx); err != nil {
			return ""
		}
		defer objects.Close()
	}
	tree, _, _, err := objects.Info(record.Commit + "^{tree}")
	if err != nil {
		return ""
	}
	tip, _, _, _ := objects.Info(log) // "" before the first
	c, err := record.LogCommit(tree, tip)
	if err != nil {
		return ""
	}
	c.Message = message
	entry, err := h.repo.CommitTree(ctx, c)
	if err != nil {
		return ""
	}
	return entry
}
