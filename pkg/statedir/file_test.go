package statedir

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestWriteJSON(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.json")
	var got map[string]int
	if err := ReadJSON(path, &got); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	for i := range 3 {
		if err := WriteJSON(path, map[string]int{"n": i}, 0o640); err != nil {
			t.Fatal(err)
		}
		if err := ReadJSON(path, &got); err != nil || got["n"] != i {
			t.Errorf("%v, %v", got, err)
		}
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o640 {
		t.Errorf("mode: %v, %v", st.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if err := WriteJSON(filepath.Join(dir, "none", "a"), 1, 0o600); err == nil {
		t.Error("a folder that is absent: no error")
	}
}
