package proc

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"sync"
	"syscall"
	"time"
)

// Pump moves the stdio of a program between readers and writers of the caller
// and pipes, whose far ends (Files) the program gets. Unlike os/exec it never
// waits for a Read of the caller's input: a program that has ended needs none.
type Pump struct {
	stdin   io.Reader // nil: nothing to copy
	outputs [2]io.Writer
	ours    [3]*os.File
	theirs  [3]*os.File
	made    [3]bool // theirs[i] is ours to close
	broken  func()

	copies sync.WaitGroup // of the outputs
	mu     sync.Mutex
	err    error
}

// NewPump prepares the stdio of one program. A nil stdin is empty, a nil
// output is dropped; tail gets a copy of stderr. With direct, files are handed
// to the program as they are, and then tail gets nothing. broken is called
// once, when the caller's reader or writer fails: the program should be ended then.
func NewPump(stdin io.Reader, stdout, stderr io.Writer, tail *Tail, direct bool, broken func()) (*Pump, error) {
	p := &Pump{broken: broken}
	if stdout != nil && same(stdout, stderr) {
		if _, file := stdout.(*os.File); !file || !direct {
			stdout = &lockedWriter{w: stdout}
			stderr = stdout
		}
	}
	if _, file := stderr.(*os.File); stderr == nil {
		stderr = tail
	} else if !file || !direct {
		stderr = io.MultiWriter(stderr, tail)
	}
	p.outputs = [2]io.Writer{stdout, stderr}
	err := p.input(stdin, direct)
	for i := range p.outputs {
		if err == nil {
			err = p.output(i, direct)
		}
	}
	if err != nil {
		p.CloseFiles()
		p.closeOurs()
		return nil, err
	}
	return p, nil
}

func same(a, b io.Writer) bool {
	t := reflect.TypeOf(a)
	return t == reflect.TypeOf(b) && t.Comparable() && a == b
}

func (p *Pump) input(stdin io.Reader, direct bool) (err error) {
	file, isFile := stdin.(*os.File)
	switch {
	case stdin == nil:
		p.theirs[0], err = os.Open(os.DevNull)
	case isFile && direct:
		p.theirs[0] = file
		return nil
	default:
		p.stdin = stdin
		p.theirs[0], p.ours[0], err = os.Pipe()
	}
	p.made[0] = err == nil
	return err
}

func (p *Pump) output(i int, direct bool) (err error) {
	w := p.outputs[i]
	file, isFile := w.(*os.File)
	switch {
	case w == nil:
		p.theirs[i+1], err = os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	case isFile && direct:
		p.theirs[i+1] = file
		return nil
	default:
		p.ours[i+1], p.theirs[i+1], err = os.Pipe()
	}
	p.made[i+1] = err == nil
	return err
}

// Files returns what the program gets as descriptors 0, 1 and 2.
func (p *Pump) Files() [3]*os.File { return p.theirs }

// CloseFiles closes the program's ends here, once it has them.
func (p *Pump) CloseFiles() {
	for i, f := range p.theirs {
		if p.made[i] && f != nil {
			f.Close()
		}
	}
}

// Begin starts to copy.
func (p *Pump) Begin() {
	if p.stdin != nil {
		go func() {
			// A read error must not look like the end of the input, so the pipe stays open then until Finish.
			if _, err := io.Copy(onlyWriter{p.ours[0]}, p.stdin); err != nil && !pipeGone(err) {
				p.fail(fmt.Errorf("read the program's input: %w", err))
				return
			}
			p.ours[0].Close()
		}()
	}
	for i, w := range p.outputs {
		r := p.ours[i+1]
		if r == nil {
			continue
		}
		p.copies.Go(func() {
			_, err := io.Copy(w, onlyReader{r})
			r.Close()
			if err != nil && !errors.Is(err, os.ErrClosed) {
				p.fail(fmt.Errorf("write the program's output: %w", err))
			}
		})
	}
}

func (p *Pump) fail(err error) {
	p.mu.Lock()
	first := p.err == nil
	if first {
		p.err = err
	}
	p.mu.Unlock()
	if first {
		p.broken()
	}
}

// Finish waits until both outputs are copied to their end, or give up is
// closed, and returns the first error of the caller's reader or writers. The
// program has ended before: its input is closed.
func (p *Pump) Finish(giveUp <-chan struct{}) error {
	if p.ours[0] != nil {
		p.ours[0].Close()
	}
	done := make(chan struct{})
	go func() { p.copies.Wait(); close(done) }()
	select {
	case <-done:
	case <-giveUp:
		p.closeOurs()
		// Copies that wait for the program end at once; one that the caller's
		// writer blocks may not, and is left behind.
		select {
		case <-done:
		case <-time.After(time.Second):
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (p *Pump) closeOurs() {
	for _, f := range p.ours {
		if f != nil {
			f.Close()
		}
	}
}

// pipeGone reports that the reader of a pipe has gone, which is no failure of the writer.
func pipeGone(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrClosed)
}

// lockedWriter serialises two outputs that go to one writer.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// onlyReader and onlyWriter hide ReadFrom and WriteTo, with which io.Copy could
// block in the kernel where Close does not reach.
type onlyReader struct{ io.Reader }
type onlyWriter struct{ io.Writer }
