package remotehelper

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the transcripts anew")

// fake answers by the names it is asked for.
type fake struct {
	pushed  [][]PushSpec
	options []string
}

func (f *fake) Capabilities() []string {
	return []string{"connect", "push", "option", "check-connectivity"}
}

func (f *fake) Option(name, value string) (Support, error) {
	f.options = append(f.options, name+"="+value)
	if name == "atomic" && value != "true" {
		return 0, fmt.Errorf("atomic is %q", value)
	}
	switch name {
	case "verbosity", "progress", "dry-run", "atomic":
		return Supported, nil
	case "push-option":
		if strings.HasPrefix(value, "bad") {
			return 0, fmt.Errorf("unknown push option\n%q", value)
		}
		return Supported, nil
	}
	return Unsupported, nil
}

func (f *fake) Connect(_ context.Context, service string) (func(io.Reader, io.Writer) error, error) {
	switch service {
	case "git-receive-pack":
		return nil, ErrFallback
	case "git-upload-pack":
		return func(r io.Reader, w io.Writer) error {
			_, err := io.Copy(w, r)
			return err
		}, nil
	}
	return nil, errors.New("no such service")
}

func (f *fake) List(_ context.Context, forPush bool) (Refs, error) {
	if !forPush {
		return Refs{}, errors.New("the node cannot be reached")
	}
	return Refs{Refs: []Ref{
		{Name: "refs/heads/main"},
		{Name: "refs/heads/other", Oid: strings.Repeat("a", 40)},
		{Name: "HEAD", Symref: "refs/heads/main"},
	}}, nil
}

func (f *fake) Push(_ context.Context, specs []PushSpec) ([]PushResult, error) {
	f.pushed = append(f.pushed, specs)
	var results []PushResult
	for _, s := range specs {
		r := PushResult{Ref: s.Dst, Forced: s.Force}
		switch filepath.Base(s.Dst) {
		case "merged":
			r.OldOid, r.NewOid = strings.Repeat("a", 40), strings.Repeat("b", 40)
		case "same":
			r.UpToDate = true
		case "conflict":
			r.Err = "merge conflict in \"a b\"\nand c"
		case "dies":
			return nil, errors.New("connection lost")
		}
		results = append(results, r)
	}
	return results, nil
}

// A transcript has lines "> " from git and "< " from the helper, and ends with "! error" where Serve fails.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var comments string
			tr := &transcript{}
			for line := range strings.Lines(string(data)) {
				if rest, ok := strings.CutPrefix(line, "> "); ok {
					tr.input = append(tr.input, rest)
				} else if line == ">\n" {
					tr.input = append(tr.input, "\n")
				} else if strings.HasPrefix(line, "#") {
					comments += line
				}
			}
			err = Serve(t.Context(), tr, tr, &fake{})
			tr.flush()
			if err != nil {
				fmt.Fprintf(&tr.log, "! %v\n", err)
			}
			got := comments + tr.log.String()
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(data) {
				t.Errorf("got\n%s\nwant\n%s", got, data)
			}
		})
	}
}

// transcript hands out its input line by line and logs both directions as they happen.
type transcript struct {
	input []string
	cur   string
	out   bytes.Buffer
	log   bytes.Buffer
}

func (tr *transcript) Read(p []byte) (int, error) {
	if tr.cur == "" {
		tr.flush()
		if len(tr.input) == 0 {
			return 0, io.EOF
		}
		tr.cur, tr.input = tr.input[0], tr.input[1:]
		tr.log.WriteString(strings.TrimRight("> "+strings.TrimSuffix(tr.cur, "\n"), " ") + "\n")
	}
	n := copy(p, tr.cur)
	tr.cur = tr.cur[n:]
	return n, nil
}

func (tr *transcript) Write(p []byte) (int, error) { return tr.out.Write(p) }

func (tr *transcript) flush() {
	for line := range strings.Lines(tr.out.String()) {
		tr.log.WriteString(strings.TrimRight("< "+strings.TrimSuffix(line, "\n"), " ") + "\n")
	}
	tr.out.Reset()
}

func TestParsePushSpec(t *testing.T) {
	for in, want := range map[string]PushSpec{
		"refs/heads/main:refs/heads/main":  {Src: "refs/heads/main", Dst: "refs/heads/main"},
		"+HEAD~1:refs/heads/main":          {Src: "HEAD~1", Dst: "refs/heads/main", Force: true},
		":refs/tags/v1":                    {Dst: "refs/tags/v1"},
		"main@{2 days ago}:refs/heads/x":   {Src: "main@{2 days ago}", Dst: "refs/heads/x"},
		"HEAD:some dir/file:refs/blobs/xy": {Src: "HEAD:some dir/file", Dst: "refs/blobs/xy"},
	} {
		got, err := ParsePushSpec(in)
		if err != nil || got != want || got.String() != in {
			t.Errorf("ParsePushSpec(%q) = %+v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "main", "+", "a:", "a:b c"} {
		if got, err := ParsePushSpec(in); err == nil {
			t.Errorf("ParsePushSpec(%q) = %+v", in, got)
		}
	}
}

func TestUnquoteAsGitQuotes(t *testing.T) {
	for in, want := range map[string]string{
		`plain value`:        "plain value",
		`"a\tb\303\244\"\\"`: "a\tbä\"\\",
		`""`:                 "",
	} {
		if got, err := Unquote(in); got != want || err != nil {
			t.Errorf("Unquote(%s) = %q, %v", in, got, err)
		}
	}
	for _, in := range []string{`"`, `"a`, `"\`, `"\q"`, `"\400"`, `"\12"`, `"a"b`} {
		if got, err := Unquote(in); err == nil {
			t.Errorf("Unquote(%s) = %q", in, got)
		}
	}
}

func FuzzQuote(f *testing.F) {
	f.Add("a\x00\"\\\n\xff\x7f")
	f.Fuzz(func(t *testing.T, s string) {
		q := Quote(s)
		if strings.ContainsAny(q, "\n\x00") {
			t.Errorf("Quote(%q) = %q", s, q)
		}
		if back, err := Unquote(q); back != s || err != nil {
			t.Errorf("Unquote(%q) = %q, %v; want %q", q, back, err, s)
		}
	})
}

// Whatever git sends, every spec of an answered batch gets its own answer, in lines that git can read, and
// nothing behind a connect is touched.
func FuzzServe(f *testing.F) {
	f.Add("capabilities\noption verbosity 1\nlist for-push\npush a:refs/b\npush +c:refs/merged\n\n")
	f.Add("connect git-receive-pack\nconnect git-upload-pack\n0000\npush")
	f.Add("option push-option \"a\\nb\"\npush x:conflict\n\npush y:same\n\n")
	f.Fuzz(func(t *testing.T, in string) {
		h := &fake{}
		var out bytes.Buffer
		err := Serve(t.Context(), strings.NewReader(in), &out, h)
		if i := strings.Index(in, "connect git-upload-pack\n"); i == 0 && (err != nil || out.String() != "\n"+in[i+24:]) {
			t.Errorf("tunnel: %q, %v", out.String(), err)
		} else if i >= 0 {
			return
		}
		specs := 0
		for _, batch := range h.pushed {
			specs += len(batch)
		}
		answers := 0
		for line := range strings.Lines(out.String()) {
			verb, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			if (verb == "ok" || verb == "error") && rest != "" {
				ref, why, ok := strings.Cut(rest, " ")
				if _, err := Unquote(why); ref == "" || ok && why == "" || err != nil && verb == "error" && strings.HasPrefix(why, `"merge`) {
					t.Errorf("answer %q", line)
				}
				answers++
			}
		}
		if err == nil && answers < specs {
			t.Errorf("%d answers to %d specs in %q", answers, specs, out.String())
		}
	})
}
