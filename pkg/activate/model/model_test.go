// Package model holds the models of a node and its deployments; README.md
// tells how to read them.
package model

import (
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/git-deploy/git-deploy/internal/testenv"
)

var (
	update = flag.Bool("update", false, "write transitions.txt anew")
	long   = flag.Bool("long", false, "search the large spaces too: a quarter of an hour and 1 GiB")
)

const table = "transitions.txt"

// verify searches the whole state space of the model in a file, with some
// definitions, and returns what spin says of it: whether all that must hold
// holds, and the transitions that it came across.
func verify(t *testing.T, file string, cycles bool, defines ...string) (holds bool, said string, seen map[string]bool) {
	t.Helper()
	testenv.Need(t, "spin", "cc")
	dir := t.TempDir()
	run := func(name string, args ...string) string {
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		return string(out)
	}
	model, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	run("spin", append(append([]string{"-a"}, defines...), model)...)
	kind, options := "-DSAFETY", []string{"-m100000", "-w22"}
	if cycles {
		kind, options = "-DNP", append(options, "-l") // cycles without progress, and nothing is progress
	}
	// Without optimisation: compiling would take longer than searching.
	cc := []string{"-w", "-DCOLLAPSE", "-DVECTORSZ=1024", "-DMEMLIM=16000", kind, "-o", "pan", "pan.c"}
	if slices.Contains(defines, last) {
		cc = append(cc, "-DREVERSE")
	}
	run("cc", cc...)
	said = run("./pan", options...)
	seen = map[string]bool{}
	for line := range strings.Lines(said) {
		if kind, _, _ := strings.Cut(line, " "); kind == "go" || kind == "do" || kind == "record" {
			seen[strings.TrimSpace(line)] = true
		}
	}
	errors := regexp.MustCompile(`errors: (\d+)`).FindStringSubmatch(said)
	switch {
	case errors == nil || strings.Contains(said, "max search depth too small"):
		t.Fatalf("the search did not come to its end:\n%s", said)
	case errors[1] == "0" && strings.Contains(said, "Search not completed"):
		t.Fatalf("the search was not exhaustive:\n%s", said)
	}
	return errors[1] == "0", strings.Join(numbers.FindAllString(said, -1), ", "), seen
}

// numbers are what the search says of itself.
var numbers = regexp.MustCompile(`pan:1: .*|depth reached \d+|\d+ states, stored|[\d.]+\ttotal actual memory usage|elapsed time .*`)

// last has processes take their steps in the other order, which does not matter
// but to a search that ends with the first mistake.
const last = "-DLASTFIRST"

// shut is for one shutdown of the machine.
const shut = "-DSHUTS=1"

// faults limits what may go wrong.
func faults(n, kills, cuts, errors string, more ...string) []string {
	return append([]string{"-DN=" + n, "-DKILLS=" + kills, "-DCUTS=" + cuts, "-DERRORS=" + errors}, more...)
}

// TestHolds searches everything that one fault can lead to for one deployment,
// whose transitions are those of the table, and what two deployments can do to
// each other.
func TestHolds(t *testing.T) {
	if testing.Short() {
		t.Skip("a minute of searching")
	}
	seen := map[string]bool{}
	search := func(defines []string) {
		holds, said, found := verify(t, "deployment.pml", false, defines...)
		t.Log(defines, said)
		if !holds {
			t.Fatalf("%v: %s", defines, said)
		}
		maps.Copy(seen, found)
	}
	for _, defines := range [][]string{
		faults("1", "1", "0", "0"), faults("1", "0", "1", "0"), faults("1", "0", "0", "1"), faults("1", "0", "0", "0", shut), faults("2", "0", "0", "0"),
	} {
		search(defines)
	}
	data, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(slices.Sorted(maps.Keys(seen)), "\n") + "\n"
	switch {
	case *update:
		if err := os.WriteFile(table, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	case text != string(data):
		t.Errorf("%s is not what the model does: go test ./pkg/activate/model -run Holds -update, and see what the tests of the code say then", table)
	}
	if !*long {
		return
	}
	for _, defines := range [][]string{
		faults("1", "1", "1", "0"), faults("1", "1", "0", "1"), faults("1", "0", "1", "1"), faults("1", "0", "0", "3"),
		faults("1", "1", "0", "0", shut), faults("1", "0", "1", "0", shut), faults("1", "0", "0", "1", shut),
		faults("2", "1", "0", "0", "-DFEW"), faults("2", "0", "1", "0", "-DFEW"), faults("2", "0", "0", "1", "-DFEW"),
		faults("2", "0", "0", "0", "-DFEW", shut),
	} {
		search(defines)
	}
}

// TestAround searches what happens around an activation: pushes that supersede
// each other, and networks that own different parts of the machine.
func TestAround(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds of searching")
	}
	searches := [][]string{{"supersede.pml"}, {"parts.pml"}}
	if *long {
		searches = [][]string{{"supersede.pml", "-DKILLS=1", "-DERRORS=1"}, {"parts.pml", "-DPARTS=3"}}
	}
	for _, s := range searches {
		holds, said, _ := verify(t, s[0], false, s[1:]...)
		t.Log(s, said)
		if !holds {
			t.Errorf("%v: %s", s, said)
		}
	}
}

// TestEnds searches for ways to go on for ever. There being none, every
// deployment comes to the end that TestHolds checks, without a word about
// fairness.
func TestEnds(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds of searching")
	}
	for _, defines := range [][]string{faults("2", "0", "0", "0", "-DFEW"), faults("1", "0", "1", "0", "-DFEW")} {
		if holds, said, _ := verify(t, "deployment.pml", true, defines...); !holds {
			t.Errorf("%v: %s", defines, said)
		}
	}
}

// TestMutations proves that the model can fail: each mutation is a mistake
// that the code could make (some of them it has made), and spin finds it.
func TestMutations(t *testing.T) {
	files, err := filepath.Glob("*.pml")
	if err != nil {
		t.Fatal(err)
	}
	defined := map[string]string{} // the model that has it
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(source), "\ninit {") {
			file = "deployment.pml" // a part of that
		}
		for _, m := range regexp.MustCompile(`MUTATION_\w+`).FindAllString(string(source), -1) {
			defined[m] = file
		}
	}
	mutations := map[string][]string{
		"MUTATION_BOOT_BEFORE_CONFIRMATION": faults("1", "0", "0", "0", "-DFEW"),
		"MUTATION_BOOT_NOT_SAVED":           faults("1", "0", "0", "1", "-DFEW"),
		"MUTATION_LOCK_STAYS":               faults("1", "1", "0", "0", "-DFEW"),
		"MUTATION_NOBODY_SETTLES":           faults("1", "1", "0", "0", "-DFEW"),
		"MUTATION_RECEIVER_IGNORED":         faults("1", "1", "1", "0", "-DFEW"),
		"MUTATION_RECORDED_TWICE":           faults("1", "1", "1", "0"),
		"MUTATION_BEGUN_FORGOTTEN":          faults("1", "0", "1", "0"),
		"MUTATION_NO_COMPARE_AND_SWAP":      faults("2", "0", "0", "0", "-DFEW"),
		"MUTATION_BRANCH_OVERWRITTEN":       faults("2", "0", "0", "0", "-DFEW"),
		"MUTATION_SUPERSEDED_STAYS":         faults("2", "0", "0", "0", "-DFEW"),
		"MUTATION_REFS_NOT_LOCKED":          faults("2", "0", "1", "0", "-DFEW"),
		"MUTATION_ROLLBACK_MOVES_BRANCH":    faults("1", "0", "1", "0"),
		"MUTATION_SHUTDOWN_FAILS_ROLLBACK":  faults("1", "0", "0", "0", "-DFEW", shut),
		"MUTATION_BOOTED_IN_SHUTDOWN":       faults("1", "0", "0", "0", shut),
		"MUTATION_BEGINS_IN_SHUTDOWN":       faults("2", "0", "0", "0", "-DFEW", shut, last),
		"MUTATION_DIVERGED_ENDS":            {},
		"MUTATION_SAME_ENDS":                {},
		"MUTATION_ENDS_WHAT_IS_BUILT":       {},
		"MUTATION_ONE_LOCK":                 {},
		"MUTATION_SETTLES_ANOTHERS":         {},
		"MUTATION_RECOVERY_HOLDS_SYSTEM":    {},
		"MUTATION_ALL_IS_SYSTEM":            {},
	}
	for mutation := range defined {
		if mutations[mutation] == nil {
			t.Errorf("%s is not tested", mutation)
		}
	}
	for mutation, defines := range mutations {
		t.Run(mutation, func(t *testing.T) {
			if defined[mutation] == "" {
				t.Fatal("the model has no such mutation")
			}
			if testing.Short() {
				t.Skip("some seconds of searching")
			}
			t.Parallel()
			holds, said, _ := verify(t, defined[mutation], false, append(defines, "-D"+mutation)...)
			if holds {
				t.Errorf("not found: %s", said)
			}
			t.Log(said)
		})
	}
}
