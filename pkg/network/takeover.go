package network

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// manyTold is how many told refs may lie in files of their own: git opens each of them to list them.
const manyTold = 1000

// TakeOver makes what nodes told of others this clone's own knowledge where it is
// newer, and returns for each remote about which there was something new who told it.
//
// A hundred nodes tell of a hundred others, and mostly nothing that is not known.
// That this is so for one node depends on its refs, told and own, alone: it is
// remembered under a hash of them, and for all nodes under one of the state of all
// told refs, which need not be listed then.
func TakeOver(ctx context.Context, repo *gitrepo.Repo, remotes []Remote) (map[string]string, error) {
	var prefixes []string
	for _, r := range remotes {
		prefixes = append(prefixes, r.LocalRefs()...)
	}
	state := repo.RefsState(toldPrefix, manyTold) // before they are read
	local, err := repo.Refs(ctx, prefixes...)
	if err != nil {
		return nil, err
	}
	remember := !repo.IsShallow() // what is cut off may continue later
	known := map[string]string{}
	if remember {
		known = readSettled(repo)
	}
	all := settledAll(state, remotes, local)
	if state != "" && known[""] == all {
		return nil, nil
	}
	list, err := repo.RefList(ctx, toldPrefix)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	repo.PackRefs(ctx, toldPrefix, manyTold)
	told := byNode(list)
	now := maps.Clone(known)
	by, settled := map[string]string{}, true
	var history *gitrepo.History
	for _, r := range remotes {
		if len(told[r.Node]) == 0 {
			continue
		}
		key := settledKey(r, told[r.Node], local)
		if known[r.Name] == key {
			continue
		}
		if history == nil {
			if history, err = repo.History(ctx); err != nil {
				return by, err
			}
			defer history.Close()
		}
		moved := false
		for teller, refs := range tellers(told[r.Node], r) {
			updates, err := news(history, r, refs, local)
			if err != nil {
				return by, fmt.Errorf("what %s told of %s: %w", teller, r.Node, err)
			}
			if len(updates) == 0 {
				continue
			}
			moved = true
			err = repo.UpdateRefs(ctx, "git-deploy: told by "+teller, updates...)
			if errors.Is(err, gitrepo.ErrMoved) {
				continue // a fetch or push was faster, and knows better
			}
			if err != nil {
				return by, err
			}
			for _, u := range updates {
				local[u.Ref] = u.New
			}
			by[r.Name] = teller
		}
		if moved {
			settled = false
		} else {
			now[r.Name] = key
		}
	}
	if history != nil {
		repo.IndexCommits(ctx, history)
	}
	if settled && state != "" {
		now[""] = all
	}
	if remember && !repo.IsShallow() && !maps.Equal(known, now) {
		writeSettled(repo, now)
	}
	return by, nil
}

// toldRef is one ref that a node told of another.
type toldRef struct{ teller, ref, oid string }

// byNode sorts told refs by the node that they are about; the order within stays, which is by teller.
func byNode(list []gitrepo.Ref) map[string][]toldRef {
	told := map[string][]toldRef{}
	for _, ref := range list {
		teller, rest, _ := strings.Cut(strings.TrimPrefix(ref.Name, toldPrefix), "/")
		node, rest, _ := strings.Cut(rest, "/")
		told[node] = append(told[node], toldRef{teller, "refs/" + rest, ref.Oid})
	}
	return told
}

// tellers yields who told something of r, other than itself, with the refs as r has them, in the order of their names.
func tellers(told []toldRef, r Remote) func(yield func(string, map[string]string) bool) {
	return func(yield func(string, map[string]string) bool) {
		for len(told) > 0 {
			teller, refs := told[0].teller, map[string]string{}
			for len(told) > 0 && told[0].teller == teller {
				refs[told[0].ref] = told[0].oid
				told = told[1:]
			}
			if teller != r.Name && !yield(teller, refs) {
				return
			}
		}
	}
}

// news are the updates that what was told makes to what is known of r.
func news(history *gitrepo.History, r Remote, told, local map[string]string) ([]gitrepo.RefUpdate, error) {
	newer := func(ref string) (bool, error) {
		theirs, ours := told[ref], local[r.tracked(ref)]
		if theirs == "" || theirs == ours {
			return false, nil
		}
		if ours == "" {
			return true, nil
		}
		return history.IsAncestor(ours, theirs)
	}
	var updates []gitrepo.RefUpdate
	update := func(ref string) {
		theirs, ours := told[ref], local[r.tracked(ref)]
		if theirs == ours {
			return
		}
		if ours == "" {
			ours = gitrepo.ZeroOid
		}
		updates = append(updates, gitrepo.RefUpdate{Ref: r.tracked(ref), New: theirs, Old: ours})
	}
	branch := "refs/heads/" + r.Branch
	if ok, err := newer(branch); err != nil {
		return nil, err
	} else if ok {
		update(branch)
	}
	ok, err := newer(gitrepo.LogRef)
	if err != nil || !ok {
		return updates, err
	}
	update(gitrepo.LogRef)
	for _, ref := range stateRefs {
		update(ref)
	}
	return updates, nil
}

// settledRules is part of every hash: another number for other rules of what is newer.
const settledRules = "1"

// settledKey is a hash of all on which it depends whether something is taken over for r:
// the refs name commits, and how these follow each other never changes.
func settledKey(r Remote, told []toldRef, local map[string]string) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s %q %q %q\n", settledRules, r.Name, r.Node, r.Branch)
	for _, ref := range append([]string{"refs/heads/" + r.Branch, gitrepo.LogRef}, stateRefs...) {
		fmt.Fprintf(sum, "%s\n", local[r.tracked(ref)])
	}
	var line []byte
	for _, t := range told {
		line = append(append(append(append(append(append(line[:0], t.teller...), ' '), t.ref...), ' '), t.oid...), '\n')
		sum.Write(line)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// settledAll is a hash of all on which it depends whether something is taken over
// at all, where the told refs are known by the state that they are in.
func settledAll(state string, remotes []Remote, local map[string]string) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n", state)
	for _, r := range remotes {
		fmt.Fprintf(sum, "%s\n", settledKey(r, nil, local))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func settledFile(repo *gitrepo.Repo) string {
	return filepath.Join(repo.CommonDir, "git-deploy", "settled.json")
}

// readSettled returns, by remote ("": for all of them), the hash of a state in which
// there was nothing to take over for it. It is only ever compared: a file that is absent,
// broken or of another time costs a look at the refs and no more.
func readSettled(repo *gitrepo.Repo) map[string]string {
	settled := map[string]string{}
	if statedir.ReadJSON(settledFile(repo), &settled) != nil || settled == nil {
		return map[string]string{}
	}
	return settled
}

// writeSettled replaces the file as a whole: of two processes at once one wins, and what it wrote is true.
// That it does not work stops nothing.
func writeSettled(repo *gitrepo.Repo, settled map[string]string) {
	file := settledFile(repo)
	if os.MkdirAll(filepath.Dir(file), 0o777) == nil {
		_ = statedir.WriteJSON(file, settled, 0o666)
	}
}
