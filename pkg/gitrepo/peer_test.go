package gitrepo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSendPackTellsWhatBecameOfEachRef(t *testing.T) {
	r, dir := newRepo(t)
	bare := filepath.Join(t.TempDir(), "bare.git")
	git(t, "", "init", "-q", "--bare", bare)
	first := git(t, dir, "rev-parse", "HEAD")
	second := commit(t, dir, "f", "1")
	var lines []string
	send := func(s Send) string { // of the refs that were asked for
		t.Helper()
		s.Line = func(l string) { lines = append(lines, l) }
		statuses, err := r.SendPack(t.Context(), Peer{URL: bare}, s)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, st := range statuses {
			if slices.ContainsFunc(s.Refspecs, func(spec string) bool { return strings.HasSuffix(spec, ":"+st.Ref) }) {
				out = append(out, st.Ref+"="+st.Err)
			}
		}
		slices.Sort(out)
		return strings.Join(out, " ")
	}
	if got := send(Send{Refspecs: []string{second + ":refs/heads/main", first + ":refs/heads/old"}, Progress: true}); got != "refs/heads/main= refs/heads/old=" {
		t.Error(got)
	}
	if !slices.ContainsFunc(lines, func(l string) bool {
		what, done, expected, ok := ParseProgress(l)
		return ok && what == "Writing objects" && done == expected && expected > 0
	}) {
		t.Errorf("no progress in %q", lines)
	}
	if got := send(Send{Refspecs: []string{first + ":refs/heads/main", second + ":refs/heads/old"}}); got != "refs/heads/main=non-fast forward refs/heads/old=" {
		t.Error(got)
	}
	// git says nothing of refs that would have been taken.
	if got := send(Send{Refspecs: []string{first + ":refs/heads/main", second + ":refs/heads/new"}, Atomic: true}); got != "refs/heads/main=non-fast forward" {
		t.Error(got)
	}
	if got := send(Send{Refspecs: []string{second + ":refs/heads/dry"}, DryRun: true}); got != "refs/heads/dry=" {
		t.Error(got)
	}
	if got := git(t, bare, "for-each-ref", "--format=%(refname)"); got != "refs/heads/main\nrefs/heads/old" {
		t.Error(got)
	}
	if _, err := r.SendPack(t.Context(), Peer{URL: bare + "-none"}, Send{Refspecs: []string{"HEAD:refs/heads/x"}}); err == nil {
		t.Error("sent to nowhere")
	}
}

// An ignored file that the new commit has too stays as it is; git itself takes ignored files for worthless.
func TestFastForwardKeepsIgnoredFiles(t *testing.T) {
	r, dir := newRepo(t)
	git(t, dir, "checkout", "-q", "-b", "new")
	file := filepath.Join(dir, "secret")
	if err := os.WriteFile(file, []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	git(t, dir, "add", "-f", "secret")
	git(t, dir, "commit", "-q", "-m", "secret")
	new := git(t, dir, "rev-parse", "HEAD")
	git(t, dir, "checkout", "-q", "main")
	old := git(t, dir, "rev-parse", "HEAD")
	for name, text := range map[string]string{file: "precious", filepath.Join(dir, ".git/info/exclude"): "secret\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err := r.FastForward(t.Context(), "refs/heads/main", new)
	text, _ := os.ReadFile(file)
	if !errors.Is(err, ErrDirty) || string(text) != "precious" || git(t, dir, "rev-parse", "main") != old {
		t.Errorf("error %v, the file says %q", err, text)
	}
}

func TestFastForwardLosesNothing(t *testing.T) {
	r, dir := newRepo(t)
	old := git(t, dir, "rev-parse", "HEAD")
	new := commit(t, dir, "f", "1")
	git(t, dir, "branch", "side", old)
	if err := r.FastForward(t.Context(), "refs/heads/side", new); err != nil || git(t, dir, "rev-parse", "side") != new {
		t.Error(err)
	}
	if err := r.FastForward(t.Context(), "refs/heads/side", old); err == nil {
		t.Error("rewound a branch")
	}
	git(t, dir, "reset", "-q", "--hard", old)
	write(t, filepath.Join(dir, "network.nix"), "mine")
	if err := r.FastForward(t.Context(), "refs/heads/main", new); err == nil || git(t, dir, "rev-parse", "main") != old {
		t.Errorf("dirty: %v", err)
	}
	if got, err := r.Changed(t.Context()); err != nil || !slices.Equal(got, []string{"network.nix"}) {
		t.Errorf("Changed = %q, %v", got, err)
	}
}

// A line is read as progress only if it could be: done is not more than expected.
func FuzzParseProgress(f *testing.F) {
	f.Add("Writing objects:  50% (1/2), 300 bytes | 1 KiB/s")
	f.Add("Total 3 (delta 0), reused 0 (delta 0)")
	f.Add("x:(9223372036854775808/-1)")
	f.Fuzz(func(t *testing.T, line string) {
		what, done, expected, ok := ParseProgress(line)
		if ok && (done < 0 || expected < done || !strings.HasPrefix(line, what+":")) || !ok && (what != "" || done != 0 || expected != 0) {
			t.Errorf("%q: %q %d %d %v", line, what, done, expected, ok)
		}
		if ok && !strings.Contains(strings.ReplaceAll(line, "+", ""), strings.TrimLeft(fmt.Sprint(done), "0")) {
			t.Errorf("%q: %d", line, done)
		}
	})
}
