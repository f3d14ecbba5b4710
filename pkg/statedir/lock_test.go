package statedir

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMain lets the test binary play the process that holds a lock or writes a log.
func TestMain(m *testing.M) {
	switch os.Getenv("STATEDIR_TEST_ROLE") {
	case "hold":
		held, err := Lock(context.Background(), os.Args[1], Holder{Deployment: "dead", By: "ann"}, 0)
		if err != nil {
			println(err.Error())
			os.Exit(1)
		}
		os.Stdout.WriteString("held\n")
		_, _ = io.Copy(io.Discard, os.Stdin) // until killed: Go ends a program in which nothing can happen any more
		runtime.KeepAlive(held)
	case "write":
		writerRole()
	default:
		os.Exit(m.Run())
	}
}

func TestLockNamesHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "lock")
	if h, err := HolderOf(path); h != nil || err != nil {
		t.Fatalf("HolderOf without a file: %v, %v", h, err)
	}
	held, err := Lock(ctx, path, Holder{Deployment: "d1", By: "Ann <a@x>"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Lock(ctx, path, Holder{Deployment: "d2"}, 0)
	var locked *LockedError
	if !errors.As(err, &locked) || locked.Holder == nil {
		t.Fatalf("second Lock: %v", err)
	}
	if h := locked.Holder; h.Deployment != "d1" || h.By != "Ann <a@x>" || h.Pid != os.Getpid() || time.Since(h.Since) > time.Minute {
		t.Errorf("holder: %+v", h)
	}
	for _, want := range []string{"d1", "Ann <a@x>", "since"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if h, err := HolderOf(path); h == nil || h.Deployment != "d1" || err != nil {
		t.Errorf("HolderOf: %v, %v", h, err)
	}
	if err := held.Release(); err != nil {
		t.Fatal(err)
	}
	if h, _ := HolderOf(path); h != nil {
		t.Errorf("HolderOf a released lock: %+v", h)
	}
}

func TestLockWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	held, err := Lock(ctx, path, Holder{Deployment: "d1"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() {
		second, err := Lock(ctx, path, Holder{Deployment: "d2"}, time.Minute)
		if err == nil {
			err = second.Release()
		}
		got <- err
	}()
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := Lock(cancelled, path, Holder{}, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled wait: %v", err)
	}
	if err := held.Release(); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Errorf("waiting Lock: %v", err)
	}
}

func TestDeadHolderDoesNotBlock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	cmd := exec.Command(os.Args[0], path)
	cmd.Env = append(os.Environ(), "STATEDIR_TEST_ROLE=hold")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Fatalf("holder said %q, %v", line, err)
	}
	if h, err := HolderOf(path); err != nil || h == nil || h.Pid != cmd.Process.Pid || h.By != "ann" {
		t.Fatalf("HolderOf: %+v, %v", h, err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if h, err := HolderOf(path); h != nil || err != nil {
		t.Errorf("HolderOf after kill -9: %+v, %v", h, err)
	}
	held, err := Lock(ctx, path, Holder{Deployment: "next"}, 0)
	if err != nil {
		t.Fatalf("Lock after kill -9: %v", err)
	}
	if h, _ := HolderOf(path); h == nil || h.Deployment != "next" {
		t.Errorf("holder: %+v", h)
	}
	if err := held.Release(); err != nil {
		t.Error(err)
	}
}

// Asking who holds a lock must not make a Lock that does not wait fail.
func TestProbesDoNotDisturb(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = HolderOf(path)
				}
			}
		})
	}
	for i := range 200 {
		held, err := Lock(ctx, path, Holder{Deployment: "d"}, 0)
		if err != nil {
			t.Errorf("Lock %d: %v", i, err)
			break
		}
		_ = held.Release()
	}
	close(stop)
	wg.Wait()
}
