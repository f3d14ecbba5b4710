package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/proc"
)

const (
	// askLimit is how long systemd or the journal may take to answer: a broken
	// system must not keep a rollback waiting.
	askLimit = 30 * time.Second
	// journalLines is how much of a failed unit's journal goes into the error.
	journalLines = 10
)

// A unit that systemd has restarted is watched for settle at the most, until
// it has been up for calm. Both are longer than what people write as
// RestartSec, and shorter than what they wait for.
var (
	calm       = 10 * time.Second
	settle     = 30 * time.Second
	settlePoll = 500 * time.Millisecond
)

// unit is what systemd tells of one.
type unit struct {
	name     string
	state    string // ActiveState
	sub      string // SubState
	result   string // of its last run
	restarts int    // by systemd itself, since it was last started on purpose
	up       time.Duration
	lastRun  time.Time // when it last began to start; zero: never
}

// restless reports that systemd has restarted the unit, or is about to, and
// that it has not been up for long since.
func (u unit) restless() bool {
	switch u.state {
	case "active", "reloading", "refreshing":
		return u.restarts > 0 && u.up < calm
	case "activating":
		return u.restarts > 0 || strings.HasPrefix(u.sub, "auto-restart")
	}
	return false // stopped on purpose, or failed, which counts by itself
}

func (u unit) String() string {
	detail := u.sub
	if u.result != "" && u.result != "success" {
		detail += ", " + u.result
	}
	if u.restarts > 0 {
		detail += ", restarted " + strconv.Itoa(u.restarts) + plural(u.restarts, " time", " times")
	}
	return fmt.Sprintf("%s is %s (%s)", u.name, u.state, detail)
}

func plural(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

// FailedUnits names the units that are in trouble, in order: those that
// systemd counts as failed, and services that it restarts again and again.
func FailedUnits(ctx context.Context) ([]string, error) {
	failed, restless, err := trouble(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, u := range append(failed, restless...) {
		names = append(names, u.name)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// UnitsFailed fails when units are in trouble that are not in before. The
// error holds the last lines of their journals since the given time. A service
// that systemd has restarted lately is watched until it is clear whether it stays up.
func UnitsFailed(ctx context.Context, before []string, since time.Time) error {
	failed, looping, err := settled(ctx, before)
	if err != nil {
		return err
	}
	return inTrouble(ctx, failed, looping, since, " since the switch")
}

// UnitsInTrouble fails when units are failed or restarted again and again right
// now that are not in before. It waits for nothing.
func UnitsInTrouble(ctx context.Context, before []string) error {
	failed, looping, err := trouble(ctx)
	if err != nil {
		return err
	}
	known := func(u unit) bool { return slices.Contains(before, u.name) }
	return inTrouble(ctx, slices.DeleteFunc(failed, known), slices.DeleteFunc(looping, known), time.Unix(0, 0), "")
}

// inTrouble is the error that names units, nil for none.
func inTrouble(ctx context.Context, failed, looping []unit, since time.Time, when string) error {
	if len(failed)+len(looping) == 0 {
		return nil
	}
	var said []string
	for _, list := range []struct {
		what  string
		units []unit
	}{{"failed" + when, failed}, {"restarted again and again" + when, looping}} {
		if len(list.units) == 0 {
			continue
		}
		var names, lines []string
		for _, u := range list.units {
			names = append(names, u.name)
			for _, line := range journal(ctx, u.name, since) {
				lines = append(lines, u.name+": "+line)
			}
		}
		said = append(said, list.what+": "+strings.Join(names, ", ")+indented(lines))
	}
	return errors.New(strings.Join(said, "\n"))
}

// settled returns the units in trouble that are not in before, when no more
// are restless, or they had long enough to come to rest.
func settled(ctx context.Context, before []string) (failed, restless []unit, err error) {
	known := func(u unit) bool { return slices.Contains(before, u.name) }
	end := time.Now().Add(settle)
	for {
		if failed, restless, err = trouble(ctx); err != nil {
			return nil, nil, err
		}
		failed, restless = slices.DeleteFunc(failed, known), slices.DeleteFunc(restless, known)
		// One that has failed decides; what is restless beside it is told too.
		if len(failed) > 0 || len(restless) == 0 || time.Now().After(end) {
			return failed, restless, nil
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(settlePoll):
		}
	}
}

// trouble returns the units that are failed, and the services that are restless.
func trouble(ctx context.Context) (failed, restless []unit, err error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	out, err := proc.Output(ctx, proc.Cmd{Argv: []string{
		"systemctl", "list-units", "--state=failed", "--all", "--full", "--plain", "--no-legend", "--no-pager",
	}})
	if err != nil {
		return nil, nil, fmt.Errorf("ask systemd for failed units: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) > 0 {
			failed = append(failed, unit{name: fields[0], state: "failed"})
		}
	}
	slices.SortFunc(failed, func(a, b unit) int { return strings.Compare(a.name, b.name) })
	services, err := show(ctx, "*.service")
	if err != nil {
		return nil, nil, err
	}
	return failed, slices.DeleteFunc(services, func(u unit) bool { return !u.restless() }), nil
}

// show asks systemd for units: names, or patterns that match the loaded ones.
func show(ctx context.Context, names ...string) ([]unit, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	out, err := proc.Output(ctx, proc.Cmd{Grace: grace, Argv: append([]string{
		"systemctl", "show", "--no-pager", "--property=Id,LoadState,ActiveState,SubState,Result,NRestarts,ActiveEnterTimestampMonotonic,InactiveExitTimestampMonotonic", "--",
	}, names...)})
	if err != nil {
		return nil, fmt.Errorf("ask systemd for units: %w", err)
	}
	var clock unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &clock); err != nil {
		return nil, err
	}
	return parseUnits(string(out), time.Duration(clock.Nano()), time.Now()), nil
}

// parseUnits reads blocks of KEY=VALUE. clock and now are the same moment on
// the clock that systemd's monotonic times are of, and on the wall.
func parseUnits(text string, clock time.Duration, now time.Time) []unit {
	var units []unit
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		var u unit
		load := ""
		ago := func(value string) (time.Duration, bool) {
			usec, err := strconv.ParseInt(value, 10, 64)
			return clock - time.Duration(usec)*time.Microsecond, err == nil && usec > 0
		}
		for line := range strings.SplitSeq(block, "\n") {
			key, value, _ := strings.Cut(line, "=")
			switch key {
			case "Id":
				u.name = value
			case "LoadState":
				load = value
			case "ActiveState":
				u.state = value
			case "SubState":
				u.sub = value
			case "Result":
				u.result = value
			case "NRestarts":
				u.restarts, _ = strconv.Atoi(value)
			case "ActiveEnterTimestampMonotonic":
				u.up, _ = ago(value)
			case "InactiveExitTimestampMonotonic":
				if d, ok := ago(value); ok {
					u.lastRun = now.Add(-d)
				}
			}
		}
		if load != "" && load != "loaded" {
			u.result = load // not-found, masked: that is why it is not active
		}
		if u.name != "" {
			units = append(units, u)
		}
	}
	return units
}

// journal returns the last lines that a unit wrote. A journal that cannot be
// read takes nothing from the fact that the unit failed, so errors are lines too.
func journal(ctx context.Context, unit string, since time.Time) []string {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	// Not in reverse, --since makes --lines count from there, and gives the first ones.
	out, err := proc.Output(ctx, proc.Cmd{Grace: grace, Argv: []string{
		"journalctl", "--no-pager", "--quiet", "--reverse", "--output=json", "--output-fields=MESSAGE", "--all",
		fmt.Sprintf("--lines=%d", journalLines), fmt.Sprintf("--since=@%d", since.Unix()), "--unit=" + unit,
	}})
	if err != nil {
		return []string{"(its journal cannot be read: " + err.Error() + ")"}
	}
	var entries []string
	for line := range strings.Lines(string(out)) {
		entries = append(entries, message(line))
	}
	slices.Reverse(entries)
	return lastLines(strings.Join(entries, "\n"), journalLines)
}

// message is the text of one entry, which is a string or, where it is not
// printable, a list of bytes.
func message(entry string) string {
	var text struct{ Message string }
	if json.Unmarshal([]byte(entry), &text) == nil {
		return text.Message
	}
	var raw struct{ Message []int }
	_ = json.Unmarshal([]byte(entry), &raw) // what is neither has no text
	var b []byte
	for _, n := range raw.Message {
		b = append(b, byte(n))
	}
	return string(b)
}

// unitsProbe wants units to be active.
func unitsProbe(c bundle.Check) (probe, error) {
	if len(c.Units) == 0 {
		return nil, errors.New("it names no units")
	}
	for _, name := range c.Units {
		if strings.ContainsAny(name, "*?[") {
			return nil, fmt.Errorf("unit %q is a pattern: name the units", name)
		}
	}
	return func(ctx context.Context) error {
		units, err := show(ctx, c.Units...)
		if err != nil {
			return err
		}
		var bad []string
		for _, u := range units {
			if u.state == "active" || u.state == "reloading" || u.state == "refreshing" {
				continue
			}
			text := u.String()
			if !u.lastRun.IsZero() {
				text += indented(journal(ctx, u.name, u.lastRun))
			}
			bad = append(bad, text)
		}
		if len(bad) == 0 {
			return nil
		}
		return errors.New(strings.Join(bad, "\n"))
	}, nil
}
