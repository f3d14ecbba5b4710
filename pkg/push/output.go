package push

import (
	"bytes"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/ui"
)

// output is where a push tells what happens: the socket that EventsEnv names,
// or lines on stderr.
type output struct {
	event.Sink
	stderr *os.File
	conn   net.Conn
	ui     *ui.Renderer
	once   sync.Once
}

func newOutput(stderr *os.File, verbosity int, progress bool, node string) *output {
	o := &output{stderr: stderr}
	if path := os.Getenv(EventsEnv); path != "" {
		if conn, err := net.Dial("unix", path); err == nil {
			o.conn = conn
			o.Sink = named(event.NewEncoder(conn), node)
			return o
		}
	}
	options := ui.Options{Mode: ui.Auto, Verbose: verbosity > 1}
	switch {
	case verbosity < 1:
		options.Mode = ui.Quiet
	case !progress:
		options.Mode = ui.Plain
	}
	o.ui = ui.New(stderr, options)
	o.Sink = named(o.ui, node)
	return o
}

// aside passes on line by line what a program writes to stderr, apart from an
// error of our tool and all behind it: that is told as our own.
type aside struct {
	w         io.Writer
	line, err []byte
}

func (a *aside) Write(p []byte) (int, error) {
	a.line = append(a.line, p...)
	for {
		i := bytes.IndexByte(a.line, '\n')
		if i < 0 {
			return len(p), nil
		}
		a.pass(a.line[:i+1])
		a.line = a.line[i+1:]
	}
}

func (a *aside) pass(line []byte) {
	if a.err != nil || bytes.HasPrefix(line, []byte("git-deploy: error: ")) {
		a.err = append(a.err, line...)
		return
	}
	_, _ = a.w.Write(line) // there is nobody to tell that this failed
}

// end passes on what is left, all of it where the program ended well.
func (a *aside) end(well bool) {
	a.pass(a.line)
	if well {
		_, _ = a.w.Write(a.err)
	}
}

// named gives all events one name, that by which the user knows the node: a
// push is about one node, whatever it calls itself.
func named(next event.Sink, node string) event.Sink {
	return event.Stamp(event.SinkFunc(func(e event.Event) {
		e.Node = node
		next.Emit(e)
	}), node, "")
}

// finish tells the outcome, with the exit code for those who listen on the socket.
func (o *output) finish(e event.Event, code fail.Code) {
	e.Kind, e.Time = event.Finished, time.Now()
	fields := map[string]string{CodeField: strconv.Itoa(int(code))}
	for k, v := range e.Fields {
		fields[k] = v
	}
	e.Fields = fields
	o.Emit(e)
}

// error tells an error after which no outcome of the node can come.
func (o *output) error(err error) {
	if o.conn != nil {
		o.finish(event.Event{Outcome: event.Failed, Message: err.Error(), Hint: strings.Join(fail.HintsOf(err), "\n")}, fail.CodeOf(err))
		return
	}
	o.close()
	ui.Error(o.stderr, "git-deploy", err)
}

// close ends the drawing: git writes to stderr next.
func (o *output) close() {
	o.once.Do(func() {
		if o.conn != nil {
			_ = o.conn.Close()
		}
		if o.ui != nil {
			o.ui.Close()
		}
	})
}
