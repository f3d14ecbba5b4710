package nix

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/git-deploy/git-deploy/pkg/proc"
)

// SetProfile makes profile name path. With the path that it names already, Nix
// makes no new generation; so a generation is not something to go back to, a
// store path is.
func (n *Nix) SetProfile(ctx context.Context, profile, path string) error {
	if err := storePath(path); err != nil {
		return err
	}
	if _, err := n.run(ctx, runOptions{argv: []string{"nix-env", "--profile", profile, "--set", path}}); err != nil {
		return fmt.Errorf("set the profile %s: %w", profile, err)
	}
	return nil
}

// AddGeneration makes path the newest generation of profile without making it
// the current one, as Nix itself makes generations, and returns its number.
// Made current later, it is the same generation.
func AddGeneration(profile, path string) (int, error) {
	if err := storePath(path); err != nil {
		return 0, err
	}
	if err := os.MkdirAll(filepath.Dir(profile), 0o755); err != nil {
		return 0, err
	}
	// Nix's own lock on a profile.
	lock, err := os.OpenFile(profile+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return 0, fmt.Errorf("lock the profile %s: %w", profile, err)
	}
	defer func() { _ = lock.Close() }()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return 0, fmt.Errorf("lock the profile %s: %w", profile, err)
	}
	gens, err := Generations(profile)
	if err != nil {
		return 0, err
	}
	number := 1
	if len(gens) > 0 {
		last := gens[len(gens)-1]
		if last.Path == path {
			return last.Number, nil
		}
		number = last.Number + 1
	}
	if err := os.Symlink(path, fmt.Sprintf("%s-%d-link", profile, number)); err != nil {
		return 0, fmt.Errorf("make generation %d of the profile: %w", number, err)
	}
	return number, nil
}

// Generation is one generation of a profile.
type Generation struct {
	Number  int
	Path    string // in the store
	Time    time.Time
	Current bool
}

// Generations lists the generations of profile, oldest first. It starts no process.
func Generations(profile string) ([]Generation, error) {
	current, err := os.Readlink(profile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the profile: %w", err)
	}
	entries, err := os.ReadDir(filepath.Dir(profile))
	if err != nil {
		return nil, fmt.Errorf("read the profile: %w", err)
	}
	var gens []Generation
	for _, e := range entries {
		number, ok := generationNumber(filepath.Base(profile), e.Name())
		if !ok {
			continue
		}
		link := filepath.Join(filepath.Dir(profile), e.Name())
		path, err := Resolve(link)
		info, infoErr := e.Info()
		if err := cmp.Or(err, infoErr); errors.Is(err, fs.ErrNotExist) {
			continue // deleted meanwhile
		} else if err != nil {
			return nil, fmt.Errorf("read generation %d of the profile: %w", number, err)
		}
		gens = append(gens, Generation{Number: number, Path: path, Time: info.ModTime(), Current: filepath.Base(current) == e.Name()})
	}
	slices.SortFunc(gens, func(a, b Generation) int { return cmp.Compare(a.Number, b.Number) })
	return gens, nil
}

// DeleteGenerations deletes generations of profile; Nix refuses that for the current one.
func (n *Nix) DeleteGenerations(ctx context.Context, profile string, numbers []int) error {
	argv := []string{"nix-env", "--profile", profile, "--delete-generations"}
	for _, number := range numbers {
		argv = append(argv, strconv.Itoa(number))
	}
	if _, err := n.run(ctx, runOptions{argv: argv}); err != nil {
		return fmt.Errorf("delete generations of the profile %s: %w", profile, err)
	}
	return nil
}

// CollectGarbage deletes what nothing in the store needs, and returns what Nix says of it.
func (n *Nix) CollectGarbage(ctx context.Context) (string, error) {
	out, err := proc.Output(ctx, proc.Cmd{Argv: []string{"nix-store", "--gc"}})
	if err != nil {
		return "", fmt.Errorf("collect garbage: %w", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1], nil
}

// generationNumber reads "system-42-link".
func generationNumber(profile, name string) (int, bool) {
	rest, ok := strings.CutPrefix(name, profile+"-")
	if !ok {
		return 0, false
	}
	digits, ok := strings.CutSuffix(rest, "-link")
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && n > 0 && strconv.Itoa(n) == digits
}
