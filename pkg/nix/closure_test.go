package nix

import (
	"bytes"
	"io"
	"reflect"
	"testing"
)

// served is what a store with /s/a and /s/b (which needs /s/a) answers.
func served(version uint64) []byte {
	b := number(number(nil, serveAnswer), version)
	b = texts(b, []string{"/s/a", "/s/b"})
	text := func(s string) { b = append(b, texts(nil, []string{s})[8:]...) }
	for path, refs := range map[string][]string{"/s/a": nil, "/s/b": {"/s/a", "/s/b"}} {
		text(path)
		text("/s/x.drv")
		b = texts(b, refs)
		b = number(number(b, 0), uint64(100+len(refs)))
		if version >= 2<<8|4 {
			text("sha256:0")
			text("")
			b = texts(b, []string{"sig"})
		}
	}
	text("")
	return b
}

func TestConverse(t *testing.T) {
	want := map[string]pathInfo{"/s/a": {size: 100}, "/s/b": {size: 102, references: []string{"/s/a", "/s/b"}}}
	for _, version := range []uint64{2<<8 | 2, 2<<8 | 5} {
		var asked bytes.Buffer
		got, err := converse(bytes.NewReader(served(version)), &asked, []string{"/s/b"})
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("version %#x: %+v, %v", version, got, err)
		}
		if asked.Len()%8 != 0 {
			t.Errorf("asked %d bytes", asked.Len())
		}
		if c := closureOf("/s/b", got); !reflect.DeepEqual(c, []string{"/s/b", "/s/a"}) {
			t.Errorf("closure %q", c)
		}
	}
	if _, err := converse(bytes.NewReader(number(number(nil, serveAnswer), 3<<8)), io.Discard, nil); err == nil {
		t.Error("another major version was taken")
	}
	whole := served(2<<8 | 5)
	for n := range len(whole) {
		if _, err := converse(bytes.NewReader(whole[:n]), io.Discard, []string{"/s/b"}); err == nil {
			t.Errorf("%d bytes of %d were enough", n, len(whole))
		}
	}
}

func FuzzConverse(f *testing.F) {
	f.Add(served(2<<8 | 5))
	f.Add(served(2<<8 | 2))
	f.Fuzz(func(t *testing.T, data []byte) {
		infos, err := converse(bytes.NewReader(data), io.Discard, []string{"/s/b"})
		if err != nil {
			return
		}
		for path := range infos {
			if c := closureOf(path, infos); len(c) > len(data) {
				t.Errorf("closure of %d paths in %d bytes", len(c), len(data))
			}
		}
	})
}
