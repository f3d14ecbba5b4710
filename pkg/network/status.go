package network

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
)

// Relation is how a node's deploy branch stands to the clone's HEAD.
type Relation string

const (
	InStep   Relation = "in-step"  // the same commit
	Behind   Relation = "behind"   // HEAD has commits that the node lacks
	Ahead    Relation = "ahead"    // the node has commits that HEAD lacks
	Diverged Relation = "diverged" // both
	Unknown  Relation = "unknown"  // never fetched
)

// Status is what a clone knows of one node, as last fetched or pushed.
type Status struct {
	Remote
	Network  string          `json:"network"`           // as the address names it, may be empty
	Tip      string          `json:"tip,omitempty"`     // of the deploy branch
	Current  string          `json:"current,omitempty"` // the commit that runs
	Boot     string          `json:"boot,omitempty"`    // the commit whose system boots
	System   string          `json:"system,omitempty"`  // store path of the system that runs, as the deployment log says
	Subject  string          `json:"subject,omitempty"` // first line of the commit that runs
	Relation Relation        `json:"relation"`
	Ahead    int             `json:"ahead"`  // commits the node has and HEAD lacks
	Behind   int             `json:"behind"` // commits HEAD has and the node lacks
	Pinned   bool            `json:"pinned"` // rolled back by hand: runs an older commit than its branch
	Waits    bool            `json:"waits"`  // for a reboot: another commit's system boots than runs
	Last     *gitrepo.Record `json:"last,omitempty"`
	// Unreachable is set while the node could not be reached.
	Unreachable *Contact `json:"unreachable,omitempty"`
	// NotANode is set while the host at its address answers, but is no node of the network.
	NotANode *Contact `json:"notANode,omitempty"`
}

// Failed reports whether the last deployment did not succeed.
func (s *Status) Failed() bool { return s.Last != nil && !s.Last.Outcome.OK() }

// Lags reports whether HEAD has something that the node lacks.
func (s *Status) Lags() bool { return s.Relation == Behind || s.Relation == Diverged }

// Statuses returns what repo knows of remotes, compared with head (a commit id; "" where there is none yet).
func Statuses(ctx context.Context, repo *gitrepo.Repo, remotes []Remote, head string) ([]Status, error) {
	const nodes = "refs/deploy/nodes/"
	var refs map[string]gitrepo.RefMessage
	var contacts map[string]Contact
	var history *gitrepo.History
	look := func() (err error) {
		refs, err = repo.RefMessages(ctx, "refs/remotes", nodes+"*/current", nodes+"*/boot", nodes+"*/log")
		return
	}
	var group errgroup.Group // each is a process of git, or a large file
	group.Go(look)
	var news map[string]string
	// Plain git fetch may have brought what nodes tell of each other.
	group.Go(func() (err error) { news, err = TakeOver(ctx, repo, remotes); return })
	group.Go(func() (err error) { contacts, err = Lost(repo.CommonDir); return })
	group.Go(func() (err error) { history, err = repo.History(ctx); return })
	err := group.Wait()
	if history != nil {
		defer history.Close()
	}
	if err == nil && len(news) > 0 {
		err = look()
	}
	if err != nil {
		return nil, err
	}
	statuses := make([]Status, len(remotes))
	for i, r := range remotes {
		current, log := refs[nodes+r.Name+"/current"], refs[nodes+r.Name+"/log"]
		s := Status{
			Remote: r, Relation: Unknown, Network: networkOf(r.URL),
			Tip:     refs["refs/remotes/"+r.Name+"/"+r.Branch].Oid,
			Current: current.Oid, Subject: gitrepo.CommitInfo{Message: current.Message}.Subject(),
			Boot: refs[nodes+r.Name+"/boot"].Oid,
		}
		if record, err := gitrepo.ParseRecord(log.Message); err == nil {
			s.Last = &record
			s.Pinned = record.Outcome == event.Succeeded &&
				(record.Action == "rollback" && s.Current != s.Tip || record.Action == "rollback-boot" && s.Boot != s.Tip)
		}
		if s.Current != "" {
			s.System = running(history, log.Oid, s.Last, s.Current)
			s.Waits = s.Boot != "" && s.Boot != s.Current
		}
		if c, ok := contacts[r.Name]; ok && c.Answers {
			s.NotANode = &c
		} else if ok {
			s.Unreachable = &c
		}
		if err := relate(history, &s, head); err != nil {
			return nil, err
		}
		statuses[i] = s
	}
	repo.IndexCommits(ctx, history)
	return statuses, nil
}

// networkOf is the network that the URL of a node names.
func networkOf(url string) string {
	_, path, _ := strings.Cut(strings.TrimPrefix(url, "node://"), "/")
	return strings.Trim(path, "/")
}

// recentRecords is how far back the deployment that made a node run its
// system is looked for: since then only others have failed.
const recentRecords = 200

// running returns the system that the last good deployment of commit made live. last is the newest entry of log.
func running(history *gitrepo.History, log string, last *gitrepo.Record, commit string) string {
	made := func(r *gitrepo.Record) bool { return r.Commit == commit && r.Outcome.OK() && r.System != "" }
	switch {
	case last == nil:
		return ""
	case made(last): // mostly: nothing needs to be read
		return last.System
	case last.Outcome == event.RolledBack && last.PreviousCommit == commit && last.PreviousSystem != "":
		return last.PreviousSystem
	}
	system, seen := "", 0
	_ = history.Log(log, func(c gitrepo.CommitInfo) bool {
		r, err := gitrepo.ParseRecord(c.Message)
		if err == nil && made(&r) {
			system = r.System
			return false
		}
		seen++
		return err == nil && seen < recentRecords
	})
	return system
}

func relate(history *gitrepo.History, s *Status, head string) error {
	switch {
	case s.Tip == "" || head == "":
		return nil
	case s.Tip == head:
		s.Relation = InStep
		return nil
	}
	var err error
	if s.Behind, s.Ahead, err = history.AheadBehind(head, s.Tip); err != nil {
		return fmt.Errorf("compare with %s: %w", s.Node, err)
	}
	switch {
	case s.Ahead > 0 && s.Behind > 0:
		s.Relation = Diverged
	case s.Ahead > 0:
		s.Relation = Ahead
	default:
		s.Relation = Behind
	}
	return nil
}

// Entry is one deployment of one node, as the clone knows it.
type Entry struct {
	Remote string `json:"remote"`
	gitrepo.Record
}

// Log returns the newest n deployments (all for n <= 0) of one node, newest first.
func Log(ctx context.Context, repo *gitrepo.Repo, r Remote, n int) ([]Entry, error) {
	oid, err := repo.RevParse(ctx, "refs/deploy/nodes/"+r.Name+"/log")
	if errors.Is(err, gitrepo.ErrNotFound) {
		return nil, fmt.Errorf("no deployment of %s is known here: nothing was fetched from it", r.Node)
	}
	if err != nil {
		return nil, err
	}
	history, err := repo.History(ctx)
	if err != nil {
		return nil, err
	}
	defer history.Close()
	records, err := history.Records(oid, n)
	if err != nil {
		return nil, fmt.Errorf("deployment log of %q: %w", r.Name, err)
	}
	entries := make([]Entry, len(records))
	for i, record := range records {
		entries[i] = Entry{r.Name, record}
	}
	return entries, nil
}
