package bundle

import (
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write generated files anew")

const schemaFile = "../../docs/reference/schema.json"

// TestSchema: the JSON Schema of both documents is generated from the types
// here; the tests of nixlib check with it what Nix makes.
func TestSchema(t *testing.T) {
	s := schemas{comments: comments(t), defs: map[string]any{}}
	manifest, bundle := s.of(reflect.TypeFor[Manifest]()), s.of(reflect.TypeFor[Bundle]())
	data, err := json.MarshalIndent(map[string]any{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"title":       "What nixlib hands to git-deploy",
		"description": "The manifest of a network (`#/$defs/Manifest`) and the bundle of a node, deploy.json (`#/$defs/Bundle`). Generated from pkg/bundle (make generate).",
		"anyOf":       []any{manifest, bundle},
		"$defs":       s.defs,
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got := string(data) + "\n"
	if *update {
		if err := os.WriteFile(schemaFile, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is stale (make generate):\n%s", schemaFile, diff)
	}
}

// schemas collects the schema of each struct in defs.
type schemas struct {
	comments map[string]string // "Type" or "Type.Field"
	defs     map[string]any
}

func (s schemas) of(t reflect.Type) map[string]any {
	switch t.Kind() {
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int: // counts, seconds and ports
		return map[string]any{"type": "integer", "minimum": 0}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Struct:
		if s.defs[t.Name()] == nil {
			s.defs[t.Name()] = true // for types that hold themselves
			s.defs[t.Name()] = s.structOf(t)
		}
		return map[string]any{"$ref": "#/$defs/" + t.Name()}
	}
	panic("no schema for " + t.String())
}

func (s schemas) structOf(t reflect.Type) map[string]any {
	required, properties := []string{}, map[string]any{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		p := s.of(f.Type)
		if values := f.Tag.Get("enum"); values != "" {
			p["enum"] = strings.Split(values, ",")
		}
		if name == "version" {
			p = map[string]any{"const": Version}
		}
		if c := s.comments[t.Name()+"."+f.Name]; c != "" {
			p["description"] = c
		}
		properties[name] = p
		if !strings.Contains(rest, "omitempty") && !strings.Contains(rest, "omitzero") {
			required = append(required, name)
		}
	}
	return map[string]any{
		"type":                 "object",
		"description":          s.comments[t.Name()],
		"properties":           properties,
		"required":             required,
		"additionalProperties": false,
	}
}

// comments are those of the types and fields of this package.
func comments(t *testing.T) map[string]string {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	text := func(groups ...*ast.CommentGroup) string {
		for _, g := range groups {
			if g != nil {
				return strings.Join(strings.Fields(g.Text()), " ")
			}
		}
		return ""
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			decl, ok := n.(*ast.GenDecl)
			if !ok {
				return true
			}
			for _, spec := range decl.Specs {
				ts, ok := spec.(*ast.TypeSpec)
				if !ok {
					continue
				}
				all[ts.Name.Name] = text(ts.Doc, decl.Doc)
				if st, ok := ts.Type.(*ast.StructType); ok {
					for _, f := range st.Fields.List {
						for _, name := range f.Names {
							all[ts.Name.Name+"."+name.Name] = text(f.Doc, f.Comment)
						}
					}
				}
			}
			return false
		})
	}
	return all
}
