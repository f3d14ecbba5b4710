package node

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/proc"
)

const (
	// recentRecords is more than can have been written since a dead deployment wrote its own.
	recentRecords = 50
	// allRecords is how far back a system is looked for.
	allRecords = 5000
)

// records reads the newest entries of the deployment log, newest first. Where
// there is no log there are none.
func (n *Node) records(ctx context.Context, limit int) ([]gitrepo.Record, error) {
	tip, err := n.Repo.Refs(ctx, RefLog)
	if err != nil || tip[RefLog] == "" {
		return nil, err
	}
	out, err := proc.Output(ctx, n.Repo.Cmd("log", "-z", "--first-parent", "--format=%B", "--max-count="+strconv.Itoa(limit), RefLog, "--"))
	if err != nil {
		return nil, fmt.Errorf("read the deployment log: %w", err)
	}
	var records []gitrepo.Record
	for message := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		rec, err := gitrepo.ParseRecord(message)
		if err != nil {
			return nil, err
		}
		records = append(records, rec)
	}
	return records, nil
}

// systemOf returns the system that commit became, as the newest entry tells.
func systemOf(records []gitrepo.Record, commit string) string {
	for _, r := range records {
		if r.Commit == commit && r.Outcome == event.Succeeded {
			return r.System
		}
	}
	return ""
}
