package nix

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/proc"
)

// ValidPath reports whether path is whole in the store.
func (n *Nix) ValidPath(ctx context.Context, path string) (bool, error) {
	if err := storePath(path); err != nil {
		return false, err
	}
	if _, err := os.Lstat(path); os.IsNotExist(err) {
		return false, nil // no process needed to know that
	}
	err := proc.Run(ctx, proc.Cmd{Argv: []string{"nix-store", "--check-validity", path}})
	if err == nil || proc.ExitCode(err) == 1 {
		return err == nil, nil
	}
	return false, err
}

// Root keeps path, which must be valid or to be had from a binary cache, alive by the symlink link.
func (n *Nix) Root(ctx context.Context, path, link string) error {
	_, err := n.realise(ctx, path, link, "")
	return err
}

// Runner runs a program on the other machine.
type Runner func(ctx context.Context, argv []string, stdin io.Reader, stdout io.Writer) error

// remoteArgs bounds the paths in one remote command: its line is one argument of a shell.
const remoteArgs = 1000

// CopyTo copies the closures of paths to the machine behind run, which imports
// them as root (signatures are asked of others only). It reports the step Copy
// with its Progress in bytes.
func (n *Nix) CopyTo(ctx context.Context, run Runner, paths ...string) error {
	return event.RunStep(n.Sink, event.Copy, func() error {
		closure, err := n.Closure(ctx, paths...)
		if err != nil {
			return err
		}
		missing, err := missingThere(ctx, run, paths, closure)
		if err != nil || len(missing) == 0 {
			return err
		}
		infos, err := n.describe(ctx, paths...)
		if err != nil {
			return err
		}
		var total int64
		for _, p := range missing {
			total += infos[p].size
		}
		return n.send(ctx, run, missing, total)
	})
}

// missingThere returns those of closure that the other machine does not have, in order.
func missingThere(ctx context.Context, run Runner, paths, closure []string) ([]string, error) {
	ask := func(paths []string) ([]string, error) {
		var out bytes.Buffer
		argv := append([]string{"nix-store", "--check-validity", "--print-invalid"}, paths...)
		if err := run(ctx, argv, nil, &out); err != nil {
			return nil, fmt.Errorf("ask the node which store paths it has: %w", err)
		}
		return splitLines(out.Bytes()), nil
	}
	// A valid path has its whole closure: mostly one question is enough.
	missing, err := ask(paths)
	if err != nil || len(missing) == 0 {
		return nil, err
	}
	there := map[string]bool{}
	for chunk := range slices.Chunk(closure, remoteArgs) {
		missing, err := ask(chunk)
		if err != nil {
			return nil, err
		}
		for _, p := range missing {
			there[p] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(closure), func(p string) bool { return !there[p] }), nil
}

// send streams `nix-store --export` here into importArgv there.
func (n *Nix) send(ctx context.Context, run Runner, paths []string, total int64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, w := io.Pipe()
	exported := make(chan error, 1)
	count := &counting{w: w}
	go func() {
		err := n.Export(ctx, paths, count)
		_ = w.CloseWithError(err) // nil is the end of the stream
		exported <- err
	}()
	done := make(chan struct{})
	reported := make(chan struct{})
	go func() {
		defer close(reported)
		n.reportBytes(done, count, total)
	}()
	err := run(ctx, importArgv, r, io.Discard)
	_ = r.CloseWithError(io.ErrClosedPipe)
	close(done)
	<-reported
	if exportErr := <-exported; exportErr != nil && err == nil {
		err = exportErr
	}
	if err != nil && strings.Contains(err.Error(), "lacks a") && strings.Contains(err.Error(), "signature") {
		return hinted(fmt.Errorf("copy the system to the node: %w", err),
			"log in as root, or add the deployer's user to trusted-users in the node's nix.conf")
	}
	if err != nil {
		return fmt.Errorf("copy the system to the node: %w", err)
	}
	return nil
}

// reportBytes reports how much has been sent a few times per second.
func (n *Nix) reportBytes(done <-chan struct{}, count *counting, total int64) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	report := func(sent int64) {
		n.Sink.Emit(event.Event{Kind: event.Progress, Step: event.Copy, Unit: "bytes", Done: sent, Expected: total, Time: time.Now()})
	}
	for {
		select {
		case <-done:
			report(min(count.n.Load(), total))
			return
		case <-tick.C:
			report(min(count.n.Load(), total)) // the stream's frames are not counted
		}
	}
}

type counting struct {
	w io.Writer
	n atomic.Int64
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n.Add(int64(n))
	return n, err
}

// importArgv reads what Export writes. Nix calls a path valid before its files are
// on the disk: a power cut would leave empty ones that nobody copies again. The
// option has each on the disk first (a sync a path).
var importArgv = []string{"nix-store", "--import", "--sync-before-registering"}

// Export writes paths, in the order of their references, to w.
func (n *Nix) Export(ctx context.Context, paths []string, w io.Writer) error {
	for _, p := range paths {
		if err := storePath(p); err != nil {
			return err
		}
	}
	return proc.Run(ctx, proc.Cmd{Argv: append([]string{"nix-store", "--export"}, paths...), Stdout: w})
}
