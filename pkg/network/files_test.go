package network

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheckName(t *testing.T) {
	for _, ok := range []string{"web", "db.eu-1", "a", "x_y", "1st"} {
		if err := CheckName("node", ok); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "-x", "a/b", "..", "a..b", ".x", "x.", "a b", "x.lock", "ä", "a\n", "x-"} {
		if CheckName("node", bad) == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestID(t *testing.T) {
	id := NewID()
	if got, err := ParseID([]byte(id + "\n")); err != nil || got != id {
		t.Errorf("ParseID(%q) = %q, %v", id, got, err)
	}
	for _, bad := range []string{"", "short", "two words here", "line1line1\nline2line2"} {
		if _, err := ParseID([]byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestPinHostKeys(t *testing.T) {
	old := "web ssh-rsa OLD\n# a comment\nweb2 ssh-ed25519 OTHER"
	got, err := PinHostKeys(old, "web", []string{"ssh-ed25519 NEW root@web"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("# a comment\nweb2 ssh-ed25519 OTHER\nweb ssh-ed25519 NEW\n", got); diff != "" {
		t.Error(diff)
	}
	again, _ := PinHostKeys(got, "web", []string{"ssh-ed25519 NEW"})
	if again != got {
		t.Errorf("not the same a second time: %q", again)
	}
	if diff := cmp.Diff([]string{"web ssh-ed25519 NEW"}, HostKeys(got, "web")); diff != "" {
		t.Error(diff)
	}
	if _, err := PinHostKeys("", "web", []string{"x y\nevil z w"}); err == nil {
		t.Error("a key with a newline was accepted")
	}
}

func TestNodeFile(t *testing.T) {
	got := NodeFile(NodeSettings{Name: "web", Host: `a"${b}`, User: "me", Port: 22, Tags: []string{"x"}, Imports: []string{"./configuration.nix"}})
	want := `# The node web.
{
  deploy.host = "a\"\${b}";
  deploy.user = "me";
  deploy.port = 22;
  deploy.tags = [ "x" ];

  # What this machine runs: an ordinary NixOS configuration.
  configuration =
    { ... }:
    {
      imports = [
        ./configuration.nix
      ];
    };
}
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
