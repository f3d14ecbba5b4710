//go:build linux

package faults

import (
	"bytes"
	"fmt"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/git-deploy/git-deploy/pkg/event"
)

// A point is where a fault is injected: at an event of the deployment, as
// step.started, step.done or step.failed; or, as seed-N, at a moment that
// chance takes from N.
type point string

// ofDeployer reports that the event is one of the deploying side's.
func (p point) ofDeployer() bool {
	step, _, _ := strings.Cut(string(p), ".")
	return step == string(event.Connect) || step == string(event.Merge) || step == string(event.Send)
}

// is reports whether e is the event.
func (p point) is(e event.Event) bool {
	step, what, _ := strings.Cut(string(p), ".")
	return string(e.Step) == step && string(e.Kind) == "step-"+what
}

// gate is what holds the deployment up at the point, for as long as is needed.
// Other steps take as long as they take.
func (p point) gate() string {
	switch p {
	case "build.started", "switch.started", "health.started":
		return strings.TrimSuffix(string(p), ".started")
	}
	return ""
}

// moment is the moment of a seed, after the start of the push. A push without a fault takes about as long.
func (p point) moment() (time.Duration, bool) {
	seed, ok := strings.CutPrefix(string(p), "seed-")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(seed, 10, 64)
	if err != nil {
		panic("the point " + string(p) + " has no seed")
	}
	return time.Duration(rand.New(rand.NewSource(n)).Int63n(int64(2200 * time.Millisecond))), true
}

// The points of a deployment that goes well, in order.
var (
	deployerPoints = []point{"connect.started", "connect.done", "send.started", "send.done"}
	receivePoints  = []point{"check.started", "check.done", "evaluate.started", "evaluate.done", "build.started", "build.done"}
	runnerPoints   = []point{"wait.started", "wait.done", "switch.started", "switch.done", "health.started", "health.done",
		"confirm.started", "confirm.done", "boot.started", "boot.done", "record.started", "record.done"}
	backPoints = []point{"rollback.started", "rollback.done"} // of one that fails
)

func seeds(from, n int) []point {
	var points []point
	for i := range n {
		points = append(points, point(fmt.Sprint("seed-", from+i)))
	}
	return points
}

func points(lists ...[]point) []point {
	var all []point
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// pointLimit is far longer than a deployment takes to come to a point.
const pointLimit = 90 * time.Second

// await returns when the push has come to the point, and whether it has: it may end before.
func (w *world) await(p point, push *pushing, known map[string]bool) bool {
	if moment, ok := p.moment(); ok {
		select {
		case <-push.done:
			return false
		case <-time.After(time.Until(push.begun.Add(moment))):
			return true
		}
	}
	look := push.seen
	if !p.ofDeployer() {
		node := w.watch(known)
		defer node.close()
		look = node.events
	}
	at, ended := 0, false
	for deadline := time.Now().Add(pointLimit); time.Now().Before(deadline); time.Sleep(500 * time.Microsecond) {
		events := look()
		for ; at < len(events); at++ {
			if p.is(events[at]) {
				return true
			}
			ended = ended || events[at].Kind == event.Finished
		}
		if ended {
			return false
		}
		select {
		case <-push.done:
			ended = true // one more look
		default:
		}
	}
	return false
}

// nodeEvents is the event log of the first deployment that is not known yet,
// as the node writes it.
type nodeEvents struct {
	events func() []event.Event
	close  func()
}

func (w *world) watch(known map[string]bool) nodeEvents {
	if w.machine {
		return w.watchConsole(known)
	}
	root, err := w.host.Files()
	if err != nil {
		return nodeEvents{func() []event.Event { return nil }, func() {}}
	}
	var file *os.File
	var data []byte
	var events []event.Event
	return nodeEvents{
		func() []event.Event {
			if file == nil {
				dirs, _ := os.ReadDir(root + stateDir + "/deployments")
				for _, d := range dirs {
					if !known[d.Name()] && !strings.HasPrefix(d.Name(), ".") {
						file, _ = os.Open(filepath.Join(root, stateDir, "deployments", d.Name(), "events.jsonl"))
					}
				}
			}
			if file != nil {
				more, _ := io.ReadAll(file)
				data = append(data, more...)
				events, data = parse(events, data)
			}
			return events
		},
		func() {
			if file != nil {
				_ = file.Close()
			}
		},
	}
}

// watchConsole is watch for a machine whose disk cannot be looked into.
func (w *world) watchConsole(known map[string]bool) nodeEvents {
	names := " "
	for id := range known {
		names += id + " "
	}
	nothing := nodeEvents{func() []event.Event { return nil }, func() {}}
	line, err := w.host.Argv("sh", "-c", `cd `+stateDir+`/deployments; while :; do for d in *; do
		case "`+names+`" in *" $d "*) ;; *) [ ! -s $d/events.jsonl ] || exec tail -s 0.02 -n +1 -f $d/events.jsonl ;; esac
	done; sleep 0.02; done`)
	if err != nil {
		return nothing
	}
	cmd := exec.Command(line[0], line[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil || cmd.Start() != nil {
		return nothing
	}
	chunks := make(chan []byte, 1024)
	go func() {
		defer close(chunks)
		for {
			buf := make([]byte, 64<<10)
			n, err := out.Read(buf)
			if err != nil {
				return
			}
			chunks <- buf[:n]
		}
	}()
	var data []byte
	var events []event.Event
	return nodeEvents{
		func() []event.Event {
			for {
				select {
				case more, ok := <-chunks:
					if ok {
						data = append(data, more...)
						events, data = parse(events, data)
						continue
					}
				default:
				}
				return events
			}
		},
		func() {
			_ = cmd.Process.Kill()
			for range chunks {
			}
			_ = cmd.Wait()
		},
	}
}

// parse takes whole lines from data and returns what is left.
func parse(events []event.Event, data []byte) ([]event.Event, []byte) {
	for {
		line, rest, whole := bytes.Cut(data, []byte{'\n'})
		if !whole {
			return events, data
		}
		data = rest
		if e, err := event.Parse(line); err == nil {
			events = append(events, e)
		}
	}
}
