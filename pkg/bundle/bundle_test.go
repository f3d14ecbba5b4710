package bundle

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	good := `{"version":1,"network":{"name":"home","id":"x"},"node":"web","system":"/nix/store/s","profile":{"kind":"nixos"},"timeouts":{"activate":240,"confirm":30},"health":[],"warnings":[]}`
	b, err := Parse([]byte(good))
	if err != nil || b.Node != "web" || b.Timeouts.ConfirmDuration().Seconds() != 30 {
		t.Errorf("%+v, %v", b, err)
	}
	for text, want := range map[string]string{
		strings.Replace(good, `"version":1`, `"version":2`, 1):                   "version 2",
		strings.Replace(good, `/nix/store/s`, ``, 1):                             "system",
		strings.Replace(good, `"web"`, `""`, 1):                                  "node",
		strings.Replace(good, `"kind":"nixos"`, `"kind":"custom","name":"x"`, 1): "program",
		"{":     "deploy.json",
		`[]`:    "deploy.json",
		`"x"`:   "deploy.json",
		`{}`:    "version 0",
		`hello`: "deploy.json",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v does not name %q", text, err, want)
		}
	}
}

func TestParseManifest(t *testing.T) {
	m, err := ParseManifest([]byte(`{"version":1,"network":{"name":"home","id":"x"},"nodes":{"b":{"host":"b"},"a":{"host":"a"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if names := strings.Join(m.Names(), " "); names != "a b" {
		t.Error(names)
	}
	if _, err := ParseManifest([]byte(`{"version":3}`)); err == nil || !strings.Contains(err.Error(), "version 3") {
		t.Error(err)
	}
}
