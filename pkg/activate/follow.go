package activate

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"time"
)

const (
	followPoll = 20 * time.Millisecond
	maxLine    = 8 << 10 // a longer line is cut into pieces
)

// follower passes on the lines that a program appends to a file.
type follower struct {
	f        *os.File
	line     func(string)
	partial  []byte
	last     string // last line that is not blank
	quit     chan struct{}
	finished chan struct{}
}

// followFile follows the file at path from its present end. stop ends it.
func followFile(path string, line func(string)) (*follower, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekEnd); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	fo := &follower{f: f, line: line, quit: make(chan struct{}), finished: make(chan struct{})}
	go fo.run()
	return fo, nil
}

func (fo *follower) run() {
	defer close(fo.finished)
	tick := time.NewTicker(followPoll)
	defer tick.Stop()
	for {
		fo.drain()
		select {
		case <-fo.quit:
			fo.drain()
			if len(fo.partial) > 0 {
				fo.emit(fo.partial)
			}
			return
		case <-tick.C:
		}
	}
}

func (fo *follower) drain() {
	buf := make([]byte, 32<<10)
	for {
		n, err := fo.f.Read(buf)
		fo.partial = append(fo.partial, buf[:n]...)
		for {
			end := bytes.IndexByte(fo.partial, '\n') + 1
			if end == 0 && len(fo.partial) < maxLine {
				break
			}
			if end == 0 || end > maxLine+1 {
				end = maxLine
			}
			fo.emit(fo.partial[:end])
			fo.partial = fo.partial[end:]
		}
		if err != nil || n == 0 {
			return
		}
	}
}

func (fo *follower) emit(line []byte) {
	text := strings.ToValidUTF8(strings.TrimRight(string(line), "\r\n"), "\uFFFD")
	if strings.TrimSpace(text) != "" {
		fo.last = strings.TrimSpace(text)
	}
	fo.line(text)
}

// stop passes on what is there and returns the last line.
func (fo *follower) stop() string {
	close(fo.quit)
	<-fo.finished
	_ = fo.f.Close()
	return fo.last
}
