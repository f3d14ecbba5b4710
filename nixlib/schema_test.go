package nixlib_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/git-deploy/git-deploy/internal/testenv"
	"github.com/git-deploy/git-deploy/pkg/bundle"
)

// schema compiles one of the definitions of docs/reference/schema.json, which
// is generated from package bundle.
func schema(t *testing.T, def string) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile(abs(t, "../docs/reference/schema.json") + "#/$defs/" + def)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(s *jsonschema.Schema, text string) error {
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// decode reads a document as Go does, and refuses what Go would ignore.
func decode(t *testing.T, text string, into any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Error(err)
	}
}

// everything is a network that sets all that reaches the documents.
const everything = `{ nixlib, ... }: {
  network = { name = "all"; id = "1"; nixpkgs = nixlib + "/mini"; };
  nodes.web = {
    deploy = {
      host = "h"; user = "u"; port = 22; tags = [ "t" ]; branch = "b"; evaluate = "deployer"; build = "deployer";
      timeouts = { activate = 1; confirm = 2; reboot = 3; }; generations = { keep = 1; days = 2; }; rebootOnFailedRollback = true;
    };
    health = {
      http.a = { url = "https://a"; status = 204; body = "x"; ca = "/ca"; from = "deployer"; };
      http.b = { url = "https://a"; insecure = true; };
      tcp.c.port = 1;
      command.d.command = [ "x" ];
      file.e = { path = "/x"; body = "x"; maxAge = 3; };
      file.f = { path = "/x"; absent = true; };
      units.g.units = [ "x" ];
      preSwitch.tcp.a.port = 1;
    };
    configuration.warnings = [ "mind" ];
  };
}`

// TestSchema: what Nix makes of every example is what Go reads, by one schema.
func TestSchema(t *testing.T) {
	testenv.Nix(t)
	dirs, err := filepath.Glob("examples/*/network-id")
	if err != nil || len(dirs) < 3 {
		t.Fatal(dirs, err)
	}
	all := filepath.Join(t.TempDir(), "network-id")
	if err := os.WriteFile(filepath.Join(filepath.Dir(all), "network.nix"), []byte(everything), 0o644); err != nil {
		t.Fatal(err)
	}
	forManifest, forBundle := schema(t, "Manifest"), schema(t, "Bundle")
	for _, id := range append(dirs, all) {
		dir := abs(t, filepath.Dir(id))
		t.Run(filepath.Base(dir), func(t *testing.T) {
			text := eval(t, abs(t, "cli.nix"), "--argstr", "dir", dir, "-A", "manifest")
			if err := validate(forManifest, text); err != nil {
				t.Error(err)
			}
			var manifest bundle.Manifest
			decode(t, text, &manifest)
			if len(manifest.Nodes) == 0 {
				t.Error("no nodes")
			}
			for node := range manifest.Nodes {
				var text string
				if err := json.Unmarshal([]byte(eval(t, abs(t, "cli.nix"), "--argstr", "dir", dir, "-A", "nodes."+node+".bundle.text")), &text); err != nil {
					t.Fatal(err)
				}
				if err := validate(forBundle, text); err != nil {
					t.Errorf("%s: %v", node, err)
				}
				var b bundle.Bundle
				decode(t, text, &b)
				// And what Go writes of it is the same document.
				again, err := json.Marshal(b)
				if err != nil {
					t.Fatal(err)
				}
				if err := validate(forBundle, string(again)); err != nil {
					t.Errorf("%s, written by Go: %v", node, err)
				}
			}
		})
	}
}

// TestSchemaRefuses: a document with one thing wrong does not pass.
func TestSchemaRefuses(t *testing.T) {
	good, err := json.Marshal(bundle.Bundle{
		Version: bundle.Version, Node: "web", System: "/nix/store/s", Profile: bundle.Profile{Kind: "nixos", Activate: []string{}}, PreSwitch: []bundle.Check{}, Warnings: []string{},
		Health: []bundle.Check{{Name: "a", Type: "tcp", From: "node", Port: 1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := schema(t, "Bundle")
	if err := validate(s, string(good)); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{
		`"node":"web",`:  ``,
		`"version":1`:    `"version":2`,
		`"type":"tcp"`:   `"type":"icmp"`,
		`"from":"node"`:  `"from":"laptop"`,
		`"port":1`:       `"port":"1"`,
		`"retries":0`:    `"retries":-1`,
		`"warnings":[]`:  `"warnings":null`,
		`"warnings":[],`: `"warnings":[],"more":1,`,
		`"days":0`:       `"days":0,"weeks":1`,
	} {
		bad := bytes.Replace(good, []byte(from), []byte(to), 1)
		if bytes.Equal(bad, good) {
			if bad = bytes.Replace(good, []byte(strings.TrimSuffix(from, ",")), []byte(strings.TrimSuffix(to, ",")), 1); bytes.Equal(bad, good) {
				t.Errorf("%s is not in %s", from, good)
			}
		}
		if validate(s, string(bad)) == nil {
			t.Errorf("%s passes", bad)
		}
	}
}
