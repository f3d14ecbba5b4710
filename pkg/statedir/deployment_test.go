package statedir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/pkg/event"
)

var ctx = context.Background()

func create(t *testing.T, l Layout, id string) {
	t.Helper()
	held, err := l.Create(ctx, id, Holder{})
	if err != nil {
		t.Fatal(err)
	}
	if err := held.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestID(t *testing.T) {
	id := NewID()
	if !ValidID(id) || time.Since(IDTime(id)) > time.Minute {
		t.Errorf("NewID() = %q, time %v", id, IDTime(id))
	}
	for _, bad := range []string{"", "x", id + "0", id[1:], "../../../../../etc/passw", strings.ToUpper(id),
		"20261399T150405Z-01234567", "20261123T150405Z_01234567", "20261123T150405Z-0123456/", "20261123T150405Z-012345\n7"} {
		if ValidID(bad) && bad != id {
			t.Errorf("ValidID(%q)", bad)
		}
		if _, err := (Layout{Root: t.TempDir()}).Create(ctx, bad, Holder{}); err == nil && bad != id {
			t.Errorf("Create(%q)", bad)
		}
	}
	l := Layout{Root: t.TempDir()}
	held, err := l.Create(ctx, id, Holder{Deployment: id})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Create(ctx, id, Holder{}); !errors.Is(err, os.ErrExist) {
		t.Errorf("Create again: %v", err)
	}
	if h, err := HolderOf(l.DeploymentLock(id)); h == nil || h.Deployment != id {
		t.Errorf("holder of a new deployment: %v, %v", h, err)
	}
	if err := held.Release(); err != nil {
		t.Error(err)
	}
	if h, err := HolderOf(l.DeploymentLock(id)); h != nil || err != nil {
		t.Errorf("holder of a released deployment: %v, %v", h, err)
	}
	if entries, err := os.ReadDir(l.Deployments()); len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// Deployments of one second keep their order: retention goes by it.
func TestIDsSort(t *testing.T) {
	second := time.Date(2026, 11, 27, 15, 33, 7, 0, time.UTC)
	var ids []string
	for _, after := range []time.Duration{0, time.Microsecond, 17 * time.Microsecond, 100 * time.Millisecond, 999999 * time.Microsecond, time.Second} {
		id := newID(second.Add(after), ^uint32(after))
		if !ValidID(id) || IDTime(id) != second.Add(after).Truncate(time.Second) {
			t.Errorf("id %q after %v: valid %v, time %v", id, after, ValidID(id), IDTime(id))
		}
		ids = append(ids, id)
	}
	if !slices.IsSorted(ids) {
		t.Errorf("ids in the order in which they were made: %q", ids)
	}
}

func FuzzValidID(f *testing.F) {
	f.Add("20261123T150405Z-01234567")
	f.Add("../x")
	f.Fuzz(func(t *testing.T, id string) {
		if ValidID(id) && (filepath.Base(id) != id || strings.HasPrefix(id, ".") || IDTime(id).IsZero()) {
			t.Errorf("%q is no folder name", id)
		}
	})
}

// writerRole is a process that opens the log of os.Args[1], writes one event and dies without closing it.
func writerRole() {
	log, err := OpenEvents(FromEnv(), os.Args[1])
	if err == nil {
		log.Emit(event.Event{Kind: event.Notice, Message: "from the second process"})
		err = log.Err()
	}
	if err != nil {
		println(err.Error())
		os.Exit(1)
	}
	os.Exit(0)
}

func newDeployment(t *testing.T) (Layout, string) {
	t.Helper()
	l, id := Layout{Root: t.TempDir()}, NewID()
	create(t, l, id)
	return l, id
}

func open(t *testing.T, l Layout, id string) *EventLog {
	t.Helper()
	log, err := OpenEvents(l, id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	return log
}

func TestSeqSurvivesProcesses(t *testing.T) {
	l, id := newDeployment(t)
	open(t, l, id).Emit(event.Event{Kind: event.Notice, Message: "first"})
	cmd := exec.Command(os.Args[0], id)
	cmd.Env = append(os.Environ(), "STATEDIR_TEST_ROLE=write", RootEnv+"="+l.Root)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	log := open(t, l, id)
	log.Emit(event.Event{Kind: event.Finished, Outcome: event.Succeeded})
	log.Emit(event.Event{Kind: event.Finished, Outcome: event.Failed})
	log.Emit(event.Event{Kind: event.Notice})
	if err := log.Err(); err != nil {
		t.Fatal(err)
	}
	again := open(t, l, id)
	again.Emit(event.Event{Kind: event.Finished, Outcome: event.Interrupted})
	if f := again.Finished(); f == nil || f.Outcome != event.Succeeded {
		t.Errorf("Finished: %+v", f)
	}
	events, err := ReadEvents(l, id)
	if err != nil || len(events) != 3 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	for i, e := range events {
		if e.Seq != int64(i+1) || e.Deployment != id || e.Time.IsZero() {
			t.Errorf("event %d: %+v", i, e)
		}
	}
}

func TestTornLine(t *testing.T) {
	for _, torn := range []string{`{"seq":2,"kind":"no`, "\x00\x00\x00\x00", "null\n", "\n\n", `{"seq":9}`} {
		l, id := newDeployment(t)
		log := open(t, l, id)
		log.Emit(event.Event{Kind: event.Notice, Message: "one"})
		data, _ := os.ReadFile(l.Events(id))
		if err := os.WriteFile(l.Events(id), append(data, torn...), 0o600); err != nil {
			t.Fatal(err)
		}
		tail := NewTail(l, id, 0)
		defer func() { _ = tail.Close() }()
		before, err := tail.Next()
		if err != nil || len(before) != 1 {
			t.Errorf("%q: tail before: %v, %v", torn, before, err)
		}
		log = open(t, l, id)
		log.Emit(event.Event{Kind: event.Notice, Message: "two"})
		log.Emit(event.Event{Kind: event.Finished, Outcome: event.Interrupted})
		events, err := ReadEvents(l, id)
		if err != nil || len(events) != 3 || events[1].Seq != 2 || events[2].Seq != 3 {
			t.Errorf("%q: %+v, %v", torn, events, err)
		}
		after, err := tail.Next()
		if err != nil || len(after) != 2 || !tail.Done() {
			t.Errorf("%q: tail after: %+v, %v", torn, after, err)
		}
	}
}

func TestFollow(t *testing.T) {
	l, id := Layout{Root: t.TempDir()}, NewID()
	if err := Follow(ctx, l, id, 0, 0, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("unknown deployment: %v", err)
	}
	const n = 300
	go func() {
		held, err := l.Create(ctx, id, Holder{})
		if err != nil {
			t.Error(err)
			return
		}
		_ = held.Release()
		log, err := OpenEvents(l, id)
		for i := range n {
			if err == nil {
				log.Emit(event.Event{Kind: event.Log, Message: fmt.Sprint(i), Fields: map[string]string{"x": strings.Repeat("y", i*20)}})
			}
			if i%100 == 0 { // the next writer
				log, err = OpenEvents(l, id)
			}
		}
		log.Emit(event.Event{Kind: event.Finished, Outcome: event.Succeeded})
	}()
	want := int64(1)
	err := Follow(ctx, l, id, 0, time.Minute, func(e event.Event) error {
		if e.Seq != want {
			return fmt.Errorf("event %d, want %d", e.Seq, want)
		}
		want++
		return nil
	})
	if err != nil || want != n+2 {
		t.Errorf("followed %d events: %v", want-1, err)
	}
	var got []int64
	collect := func(e event.Event) error { got = append(got, e.Seq); return nil }
	if err := Follow(ctx, l, id, n, 0, collect); err != nil || len(got) != 2 {
		t.Errorf("from %d: %v, %v", n, got, err)
	}
	got = nil
	// Who has seen more than there is has seen what a power cut took: the outcome is news.
	if err := Follow(ctx, l, id, n+100, 0, collect); err != nil || len(got) != 1 || got[0] != n+1 {
		t.Errorf("from beyond the end: %v, %v", got, err)
	}
}

func FuzzEventLog(f *testing.F) {
	f.Add([]byte("{\"seq\":1,\"kind\":\"notice\"}\n{\"seq\":2,"))
	f.Add([]byte{0, '\n', 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		l, id := newDeployment(t)
		if err := os.WriteFile(l.Events(id), data, 0o600); err != nil {
			t.Fatal(err)
		}
		log := open(t, l, id)
		before, last, finished := log.seq, log.seq, log.Finished() != nil
		log.Emit(event.Event{Kind: event.Notice})
		events, err := ReadEvents(l, id)
		if err != nil || log.Err() != nil {
			t.Fatal(err, log.Err())
		}
		if len(events) > 0 {
			last = events[len(events)-1].Seq
		}
		if before < 1<<62 && !finished && last != before+1 {
			t.Errorf("appended event has number %d after %d", last, before)
		}
	})
}

func TestPrune(t *testing.T) {
	l := Layout{Root: t.TempDir()}
	id := func(age time.Duration, n int) string {
		return time.Now().UTC().Add(-age).Format(idTime) + fmt.Sprintf("-%08x", n)
	}
	const day = 24 * time.Hour
	ids := []string{id(9*day, 0), id(8*day, 1), id(7*day, 2), id(6*day, 3), id(5*day, 4), id(time.Hour, 5), id(0, 6)}
	for i, id := range ids {
		create(t, l, id)
		if i != 1 { // number 1 never ended
			log := open(t, l, id)
			log.Emit(event.Event{Kind: event.Finished, Outcome: event.Succeeded})
		}
	}
	held, err := Lock(ctx, l.DeploymentLock(ids[2]), Holder{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	removed, err := l.Prune(Retention{Keep: 1, MaxAge: 2 * day}, func(id string) bool { return id == ids[3] })
	if err != nil || strings.Join(removed, " ") != ids[0]+" "+ids[4] {
		t.Errorf("removed %v, %v", removed, err)
	}
	_ = held.Release()
	left, err := l.IDs()
	if want := []string{ids[1], ids[2], ids[3], ids[5], ids[6]}; err != nil || strings.Join(left, " ") != strings.Join(want, " ") {
		t.Errorf("left %v, %v", left, err)
	}
}
