package push

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/network"
)

// What nodes tell of others is fetched where these do not answer themselves.
func TestFetchLeavesOutWhatNodesSayThemselves(t *testing.T) {
	testenv.Need(t, "ssh")
	w, repo := site(t)
	tip := w.rev(repo, "main")
	for _, node := range []string{"db", "mail"} {
		w.git(repo, "update-ref", "refs/nodes/"+node+"/heads/main", tip)
	}
	w.remote("db")
	w.git(w.clone, "config", "--add", "remote.web.fetch", "+refs/nodes/*:refs/deploy/told/web/*")
	calls := filepath.Join(w.dir, "calls")
	t.Setenv("FAKE_LOG", calls)
	t.Setenv("GIT_SSH_COMMAND", "ssh -F none")
	clone, err := gitrepo.Open(t.Context(), w.clone)
	if err != nil {
		t.Fatal(err)
	}
	remotes := []network.Remote{{Name: "db", Node: "db"}, {Name: "web", Node: "web"}}
	for _, c := range []struct {
		what, url, told string
		code            fail.Code
		fetches         int
	}{
		{"both answer", "node://localhost", "mail", fail.OK, 2},
		{"db does not any more", "node://root@127.0.0.1:1", "db mail", fail.Unreachable, 2},
		{"nor now", "node://root@127.0.0.1:1", "db mail", fail.Unreachable, 1},
		{"db is back", "node://localhost", "db mail", fail.OK, 2},
		{"and answers", "node://localhost", "mail", fail.OK, 2},
	} {
		w.git(w.clone, "config", "remote.db.url", c.url)
		_ = os.Remove(calls)
		for ref := range strings.FieldsSeq(w.git(w.clone, "for-each-ref", "--format=%(refname)", "refs/deploy/told")) {
			w.git(w.clone, "update-ref", "-d", ref)
		}
		results, err := Fleet{Repo: clone}.Fetch(t.Context(), remotes, 0)
		if err != nil || results[0].Code != c.code || results[1].Code != fail.OK {
			t.Fatalf("%s: %v, %+v", c.what, err, results)
		}
		told := w.git(w.clone, "for-each-ref", "--format=%(refname:lstrip=4)", "refs/deploy/told")
		if want := strings.ReplaceAll(c.told+" ", " ", "/heads/main\n"); told+"\n" != want {
			t.Errorf("%s: told is %q, want %q", c.what, told, want)
		}
		said, _ := os.ReadFile(calls)
		if n := strings.Count(string(said), "upload-pack"); n != c.fetches {
			t.Errorf("%s: %d fetches, want %d", c.what, n, c.fetches)
		}
	}
}
