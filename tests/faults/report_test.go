//go:build linux

package faults

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// missed is the note of a trial in which there was nothing to break: what was
// to be broken had ended before. It does not count.
const missed = "missed"

var update = flag.Bool("update", false, "write docs/faults.md from the results of the last run of all cases")

const (
	resultsEnv = "FAULTS_RESULTS" // the folder in which each trial leaves its result
	reportFile = "../../docs/faults.md"
)

// result is how one case ended.
type result struct {
	Point, Note string
}

// report leaves the trial's result for docs/faults.md.
func (tr *trial) report() {
	dir := os.Getenv(resultsEnv)
	if dir == "" || tr.t.Failed() {
		return
	}
	dir = filepath.Join(dir, tr.k.name)
	data, err := json.Marshal(result{tr.c.name, tr.note})
	tr.must(err)
	tr.must(os.MkdirAll(dir, 0o755))
	tr.must(os.WriteFile(filepath.Join(dir, tr.c.name+".json"), data, 0o644))
}

// TestReport checks that docs/faults.md has a row for each kind of fault, and
// no other; with -update it writes it, from the results of a whole run.
func TestReport(t *testing.T) {
	kinds := append(hostKinds(), machineKinds()...)
	names := map[string]bool{}
	for _, k := range kinds {
		if names[k.name] {
			t.Errorf("two kinds of fault are called %s", k.name)
		}
		names[k.name] = true
	}
	if *update {
		text, err := makeReport(os.Getenv(resultsEnv), kinds)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(reportFile, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	data, err := os.ReadFile(reportFile)
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for line := range strings.Lines(string(data)) {
		if name, ok := strings.CutPrefix(line, "| `"); ok {
			name, _, _ = strings.Cut(name, "`")
			rows = append(rows, name)
		}
	}
	var want []string
	for _, k := range kinds {
		want = append(want, k.name)
	}
	if !slices.Equal(rows, want) {
		t.Errorf("docs/faults.md is stale (make faults writes it anew): it lists\n%v, the suite has\n%v", rows, want)
	}
}

// makeReport makes the text of docs/faults.md.
func makeReport(dir string, kinds []kind) (string, error) {
	var b strings.Builder
	b.WriteString(reportHead)
	total, lost, left := 0, 0, 0
	for _, k := range kinds {
		counts, points := map[string]int{}, []string{}
		for _, c := range k.cases {
			data, err := os.ReadFile(filepath.Join(dir, k.name, c.name+".json"))
			if errors.Is(err, fs.ErrNotExist) {
				left++
				continue
			}
			if err != nil {
				return "", err
			}
			var r result
			if err := json.Unmarshal(data, &r); err != nil {
				return "", err
			}
			if r.Note == missed {
				lost++
				continue
			}
			counts[r.Note]++
			points = append(points, c.name)
			total++
		}
		if len(points) == 0 {
			points = []string{"not run for this page"}
		}
		var outcomes []string
		for _, note := range slices.Sorted(maps.Keys(counts)) {
			outcomes = append(outcomes, fmt.Sprintf("%s: %d", note, counts[note]))
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %d | %s |\n", k.name, k.fault, where(points), sum(counts), strings.Join(outcomes, ", "))
	}
	fmt.Fprintf(&b, reportTail, total, lost, left)
	return b.String(), nil
}

func sum(counts map[string]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}

// where names the points, those of one step together.
func where(points []string) string {
	var steps []string
	whats := map[string][]string{}
	seeded := 0
	for _, p := range points {
		step, what, _ := strings.Cut(p, ".")
		if strings.HasPrefix(p, "seed-") {
			seeded++
			continue
		}
		if whats[step] == nil {
			steps = append(steps, step)
		}
		if what != "" {
			whats[step] = append(whats[step], what)
		} else {
			whats[step] = []string{}
		}
	}
	for i, step := range steps {
		steps[i] = strings.ReplaceAll(step, "-", " ")
		if len(whats[step]) > 0 {
			steps[i] += " " + strings.Join(whats[step], "/")
		}
	}
	switch {
	case seeded == 1:
		steps = append(steps, "a moment at random")
	case seeded > 1:
		steps = append(steps, fmt.Sprintf("%d moments at random", seeded))
	}
	return strings.Join(steps, ", ")
}

const reportHead = `# What was broken, and what became of it

` + "`make faults`" + ` writes this page: the fault-injection suite of
[tests/faults](../tests/faults/README.md) breaks deployments with real git, sshd,
Nix and systemd, on test hosts and on a machine with a kernel and a disk of its
own, and after each fault looks whether these hold:

- the node runs a system that was confirmed, the same one boots, and its branch,
  ` + "`refs/deploy/current`" + ` and ` + "`refs/deploy/boot`" + ` are at that system's commit;
- every deployment has exactly one outcome, and every one that was activated
  exactly one entry in the deployment log, with the same outcome;
- nobody holds the lock, no process of a deployment is left, no unit has failed;
- a push that was not itself killed ended in time, with the exit code that tells
  the outcome;
- the next push works, without a hand on the node.

A case after which one of these does not hold fails, and leaves no result here. The outcomes are those of the deployment that was broken:
` + "`succeeded`" + ` is the new system, confirmed; after all others the old one runs.

| kind | fault | injected at | times | outcome |
| --- | --- | --- | --- | --- |
`

const reportTail = `
%d faults were injected. In %d more cases there was nothing left to break when
the point was reached, and they do not count. %d cases of the suite are not in
this page: they were not run for it, or failed.
`
