package push

import (
	"strings"
	"testing"
)

func TestMergeMessage(t *testing.T) {
	if got := mergeMessage("web", nil, false); got != "Merge what web changed itself\n" {
		t.Errorf("%q", got)
	}
	if got := mergeMessage("web", []string{"a", "b\tc"}, false); got != "Merge what web changed itself\n\n* a\n* b c\n" {
		t.Errorf("%q", got)
	}
	got := mergeMessage("web", strings.Split(strings.Repeat("x ", 30), " "), true)
	if !strings.HasPrefix(got, "Merge web, keeping nothing of what it changed itself\n\n* x\n") || !strings.HasSuffix(got, "* x\nand 11 more\n") {
		t.Errorf("%q", got)
	}
}

func TestParsePushOptions(t *testing.T) {
	o, err := parsePushOptions([]string{"dry-run", "action=boot", "action=test", "wait=0s", "build=deployer", "evaluate=node", "unpin=1"})
	if want := (pushOptions{action: "test", dryRun: true, unpin: true, build: "deployer", evaluate: "node", wait: "0s"}); o != want || err != nil {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err := parsePushOptions(nil); o.action != "switch" || err != nil {
		t.Errorf("%+v, %v", o, err)
	}
	for _, bad := range []string{"", "action", "wait=-1s", "build=here", "by=x", "DRY-RUN=true"} {
		if o, err := parsePushOptions([]string{bad}); err == nil {
			t.Errorf("%q gave %+v", bad, o)
		}
	}
}

func TestEnumerate(t *testing.T) {
	for want, names := range map[string][]string{"a": {"a"}, "a, b, c": {"a", "b", "c"}, "a, b, c and 2 more": {"a", "b", "c", "d", "e"}} {
		if got := enumerate(names); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestSettled(t *testing.T) {
	hello := func(refs ...string) *HelloReply {
		h := &HelloReply{Branch: "main", Refs: map[string]string{}}
		for i, name := range []string{"refs/heads/main", refCurrent, refBoot} {
			if i < len(refs) && refs[i] != "" {
				h.Refs[name] = refs[i]
			}
		}
		return h
	}
	for _, c := range []struct {
		hello  *HelloReply
		action string
		want   bool
	}{
		{hello("a", "a", "a"), "switch", true},
		{hello("a", "a"), "switch", true},
		{hello("a", "b", "a"), "switch", false}, // booted only
		{hello("a", "a", "b"), "switch", false}, // tested only
		{hello("a"), "switch", false},
		{hello("a", "b", "a"), "boot", true},
		{hello("a", "a", "b"), "test", true},
		{hello("a", "a", "a"), "build", false},
	} {
		if got := c.hello.settled(c.action); got != c.want {
			t.Errorf("settled(%s) of %v = %v", c.action, c.hello.Refs, got)
		}
	}
	h := hello("a", "a", "a")
	h.Running, h.Profile = "/nix/store/x", "/nix/store/y"
	if h.settled("switch") {
		t.Error("another system runs")
	}
	h.Profile, h.Wanted = h.Running, "/nix/store/z"
	if h.settled("switch") {
		t.Error("another tool has switched, and set the profile")
	}
}
