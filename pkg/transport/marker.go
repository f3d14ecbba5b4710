package transport

import (
	"bytes"
	"fmt"
	"io"
	"slices"
)

// maxNoise is how much a login shell may print before the marker.
const maxNoise = 1 << 20

// markerFilter drops everything up to and with Marker and passes the rest on.
type markerFilter struct {
	w     io.Writer
	seen  bool
	noise []byte
}

func newMarkerFilter(w io.Writer) *markerFilter {
	if w == nil {
		w = io.Discard
	}
	return &markerFilter{w: w}
}

func (f *markerFilter) Write(p []byte) (int, error) {
	if f.seen {
		return f.w.Write(p)
	}
	from := max(0, len(f.noise)-len(Marker))
	f.noise = append(f.noise, p...)
	i := bytes.Index(f.noise[from:], []byte(Marker))
	if i < 0 {
		if len(f.noise) > maxNoise {
			return 0, fmt.Errorf("the login shell prints more than %d bytes before the command runs", maxNoise)
		}
		return len(p), nil
	}
	f.seen = true
	rest := f.noise[from+i+len(Marker):]
	f.noise = f.noise[:from+i]
	if len(rest) > 0 {
		if _, err := f.w.Write(rest); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// mark adds MarkedFlag to a command of the tool, whose argument vector begins with node, the words of Tool("node").
func mark(argv, node []string) ([]string, error) {
	if len(argv) < len(node) || !slices.Equal(argv[:len(node)], node) {
		return nil, fmt.Errorf("a marked command must begin with %q, not %q", node, argv)
	}
	return slices.Insert(slices.Clone(argv), len(node), MarkedFlag), nil
}
