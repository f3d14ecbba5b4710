package node

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

func TestParseOptions(t *testing.T) {
	id, path := statedir.NewID(), "/nix/store/"+strings.Repeat("a", 32)+"-x"
	got, err := ParseOptions([]string{"action=boot", "dry-run", "deployment=" + id, "follow=false", "confirm=true", "node=web", "network=" + networkID,
		"by=Ann\x1b <a@x>", "from=here", "bundle=" + path, "build=deployer", "evaluate=deployer", "wait=90s", "unpin"})
	want := Options{Action: "boot", DryRun: true, Deployment: id, Confirm: true, Node: "web", Network: networkID,
		By: "Ann <a@x>", From: "here", Bundle: path, Build: "deployer", Evaluate: "deployer", Wait: 90 * time.Second, Unpin: true}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := ParseOptions(nil); err != nil || !reflect.DeepEqual(got, Options{Action: "switch", Follow: true, Wait: DefaultWait}) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"", "=", "x", "action", "action=", "action=rollback", "dry-run=maybe", "deployment=x", "node=-x", "network=", "wait=-1s", "wait=soon",
		"bundle=x", "bundle=-x", "bundle=/nix/store/../" + strings.Repeat("a", 32) + "-x", "drv=" + path, "bundle=" + path + " y", "build=there", "by=" + strings.Repeat("x", 201)} {
		if _, err := ParseOptions([]string{bad}); fail.CodeOf(err) != fail.Usage {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := ParseOptions([]string{"bundle=" + path, "drv=" + path + ".drv"}); err == nil {
		t.Error("bundle and drv")
	}
}

func FuzzParseOptions(f *testing.F) {
	f.Add("action=boot")
	f.Add("bundle=/nix/store/" + strings.Repeat("a", 32) + "-x")
	f.Fuzz(func(t *testing.T, option string) {
		o, err := ParseOptions([]string{option})
		if err != nil {
			for _, c := range err.Error() {
				if c < ' ' || c == 0x7f {
					t.Errorf("%q: control characters in %q", option, err)
				}
			}
			return
		}
		for _, word := range []string{o.Bundle, o.Drv, o.Node, o.Deployment} {
			if strings.HasPrefix(word, "-") || strings.ContainsAny(word, "\n\x00 ") || strings.Contains(word, "..") {
				t.Errorf("%q gives the word %q", option, word)
			}
		}
		if strings.ContainsAny(o.By+o.From, "\n\r\x00\x1b") {
			t.Errorf("%q gives %q", option, o.By+o.From)
		}
	})
}

func FuzzParseUpdates(f *testing.F) {
	oid := strings.Repeat("a1", 20)
	f.Add([]byte(gitrepo.ZeroOid + " " + oid + " refs/heads/main\n" + oid + " " + gitrepo.ZeroOid + " refs/tags/v 1\n"))
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, in []byte) {
		updates, err := parseUpdates(bytes.NewReader(in))
		if err != nil {
			return
		}
		var out strings.Builder
		for _, u := range updates {
			if !gitrepo.Oid(u.old) || !gitrepo.Oid(u.new) || !strings.HasPrefix(u.ref, "refs/") {
				t.Errorf("%+v", u)
			}
			fmt.Fprintf(&out, "%s %s %s\n", u.old, u.new, u.ref)
		}
		// What was read is what was there.
		if got, want := strings.TrimSuffix(out.String(), "\n"), strings.TrimSuffix(strings.ReplaceAll(string(in), "\r\n", "\n"), "\n"); got != strings.TrimSuffix(want, "\r") {
			t.Errorf("%q, read as %q", in, got)
		}
	})
}

func TestPushOptions(t *testing.T) {
	env := map[string]string{"GIT_PUSH_OPTION_COUNT": "2", "GIT_PUSH_OPTION_0": "a=b", "GIT_PUSH_OPTION_1": ""}
	h := HookEnv{Getenv: func(k string) string { return env[k] }}
	if got, err := h.pushOptions(); err != nil || !reflect.DeepEqual(got, []string{"a=b", ""}) {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range []string{"x", "-1", "99999999"} {
		env["GIT_PUSH_OPTION_COUNT"] = bad
		if _, err := h.pushOptions(); err == nil {
			t.Errorf("count %s", bad)
		}
	}
}

func TestIdentify(t *testing.T) {
	testenv.Need(t, "ssh-keygen")
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatal(string(out))
	}
	listed, err := exec.Command("ssh-keygen", "-lf", key+".pub").Output()
	if err != nil {
		t.Fatal(err)
	}
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	auth := filepath.Join(dir, "auth")
	write(t, auth, "keyboard-interactive\npublickey "+string(public)+"\n")
	print := strings.Fields(string(listed))[1]
	env := map[string]string{"SSH_USER_AUTH": auth, "SSH_CONNECTION": "10.0.0.1 5 10.0.0.2 22", "USER": "root"}
	getenv := func(k string) string { return env[k] }
	if got, want := identify(Options{}, getenv), (identity{by: print, key: print, from: "10.0.0.1"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got, want := identify(Options{By: "Ann <a@x>", From: "laptop"}, getenv), (identity{by: "Ann <a@x>", key: print, from: "laptop"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	env = map[string]string{"SSH_USER_AUTH": filepath.Join(dir, "none"), "USER": "root", "SUDO_USER": "ann"}
	if got, want := identify(Options{}, getenv), (identity{by: "ann"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	for _, junk := range []string{"", "publickey", "publickey x", "publickey ssh-rsa !!!", "password\n"} {
		if got := fingerprint(junk); got != "" {
			t.Errorf("fingerprint(%q) = %q", junk, got)
		}
	}
}

func TestPinned(t *testing.T) {
	for _, c := range []struct {
		current, boot, branch string
		want                  bool
	}{{"a", "a", "a", false}, {"", "", "", false}, {"a", "b", "b", false}, {"b", "a", "b", false}, {"a", "a", "b", true}} {
		refs := map[string]string{RefCurrent: c.current, RefBoot: c.boot, RefBranch: c.branch}
		maps.DeleteFunc(refs, func(_, oid string) bool { return oid == "" })
		if got := pinned(refs); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
