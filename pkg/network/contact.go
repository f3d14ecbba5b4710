package network

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// Contact is what a clone remembers of a node that it could not reach, or
// whose host answers but is no node of the network.
type Contact struct {
	Since   time.Time `json:"since"`  // the first failure of this kind after the node was reached last
	Tried   time.Time `json:"tried"`  // the newest one
	Reason  string    `json:"reason"` // why
	Answers bool      `json:"-"`      // the host does
}

// contactRecord is a Contact as it is kept.
type contactRecord struct {
	Contact
	Answers bool `json:"answers,omitempty"`
}

func contactFile(gitDir, remote string) string {
	return filepath.Join(gitDir, "git-deploy", "unreachable", remote+".json")
}

// NoteContact remembers how a try to connect to the node of a remote ended. There is
// a file for each node that cannot be reached, and none for the others, so that
// processes that connect to several nodes at once do not disturb each other.
// That it cannot be written stops nothing.
func NoteContact(gitDir, remote string, err error, now time.Time) {
	file := contactFile(gitDir, remote)
	answers := errors.Is(err, statedir.ErrNotANode)
	switch {
	case err == nil:
		_ = os.Remove(file)
		return
	case !answers && fail.CodeOf(err) != fail.Unreachable:
		return // something else is wrong, or the user stopped
	}
	c := Contact{Since: now, Tried: now, Reason: err.Error(), Answers: answers}
	if before, ok := contactOf(file); ok && before.Answers == answers {
		c.Since = before.Since
	}
	data, err := json.Marshal(contactRecord{c, c.Answers})
	if err == nil && os.MkdirAll(filepath.Dir(file), 0o777) == nil {
		_ = statedir.WriteFile(file, data, 0o666)
	}
}

func contactOf(file string) (Contact, bool) {
	var c contactRecord
	data, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(data, &c) != nil {
		return Contact{}, false
	}
	c.Contact.Answers = c.Answers
	return c.Contact, true
}

// Lost returns what is remembered of the nodes that could not be asked, by remote.
func Lost(gitDir string) (map[string]Contact, error) {
	dir := filepath.Dir(contactFile(gitDir, "x"))
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	contacts := map[string]Contact{}
	for _, e := range entries {
		name, isContact := strings.CutSuffix(e.Name(), ".json")
		if c, ok := contactOf(filepath.Join(dir, e.Name())); ok && isContact {
			contacts[name] = c
		}
	}
	return contacts, nil
}
