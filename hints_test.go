package gitdeploy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A hint is a command to type; what is said of it stands behind a #, so that
// the line works as it is.
func TestHintsCanBeTyped(t *testing.T) {
	files, err := filepath.Glob("pkg/*/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	remark := regexp.MustCompile(`[^\s"]  +\(`)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && remark.MatchString(lit.Value) {
				t.Errorf("%s: %s: write the remark behind a #", set.Position(lit.Pos()), lit.Value)
			}
			return true
		})
	}
}
