package statedir

import (
	"os"
	"syscall"
	"testing"
)

func TestReserveTakesRoom(t *testing.T) {
	l := Layout{Root: t.TempDir()}
	if err := os.MkdirAll(l.Dir(), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.MakeReserve(); err != nil {
			t.Fatal(err)
		}
	}
	st, err := os.Stat(l.Reserve())
	if err != nil || st.Sys().(*syscall.Stat_t).Blocks*512 < reserveSize {
		t.Errorf("%+v, %v", st, err)
	}
	for range 2 {
		if err := l.DropReserve(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(l.Reserve()); err == nil {
		t.Error("it is still there")
	}
}
