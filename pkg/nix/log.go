package nix

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/event"
)

// Activity and result types of Nix's internal-json log, the same since Nix 2.0.
const (
	actRealise   = 102
	actCopyPath  = 100
	actCopyPaths = 103
	actBuilds    = 104
	actBuild     = 105

	resBuildLogLine     = 101
	resProgress         = 105
	resPostBuildLogLine = 107
)

// Nix's levels of messages.
const (
	levelError = 0
	levelInfo  = 3
)

const (
	tailLines   = 15       // of a builder's output kept for the error
	maxLogLine  = 4 << 10  // of foreign output in one event
	maxErrors   = 50       // messages kept
	maxPlain    = 20       // lines kept that are not of the log format
	maxBuilds   = 1024     // derivations whose last lines are kept
	maxLine     = 32 << 20 // of the log itself; a trace can be long
	queryingTxt = "querying info about missing paths"
)

// logParser reads Nix's internal-json log, one line at a time, and reports
// Progress and Log. It trusts nothing in it: builders write into the same
// stream, and other versions may say other things.
type logParser struct {
	sink  event.Sink
	step  event.Step
	steps *stepper

	builds   map[uint64]string // running builds: activity to derivation
	tails    map[string][]string
	counters map[uint64]*counter // activities that count paths
	busy     bool                // something is really built or copied
	shown    event.Event         // the last Progress
	errors   []message
	plain    []string
}

type counter struct{ done, expected, failed int64 }

// message is an error as Nix logs it.
type message struct {
	Msg    string  `json:"msg"`
	RawMsg string  `json:"raw_msg"`
	File   string  `json:"file"`
	Line   int     `json:"line"`
	Column int     `json:"column"`
	Trace  []frame `json:"trace"`
}

type frame struct {
	RawMsg string `json:"raw_msg"`
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

type logLine struct {
	Action string            `json:"action"`
	ID     uint64            `json:"id"`
	Level  int               `json:"level"`
	Type   int               `json:"type"`
	Text   string            `json:"text"`
	Fields []json.RawMessage `json:"fields"`
}

func newLogParser(sink event.Sink, step event.Step, steps *stepper) *logParser {
	return &logParser{
		sink: sink, step: step, steps: steps,
		builds: map[uint64]string{}, tails: map[string][]string{}, counters: map[uint64]*counter{},
	}
}

// Line takes one line of stderr without its end.
func (p *logParser) Line(line []byte) {
	text, ok := bytes.CutPrefix(line, []byte("@nix "))
	var l logLine
	if !ok || json.Unmarshal(text, &l) != nil {
		p.plainLine(string(line))
		return
	}
	switch l.Action {
	case "msg":
		p.message(l, text)
	case "start":
		p.started(l)
	case "stop":
		delete(p.builds, l.ID)
		// Newer versions expect more than there is to do, to the very end.
		if c := p.counters[l.ID]; c != nil && c.failed == 0 {
			c.expected = c.done
			p.progress("")
		}
	case "result":
		p.result(l)
	}
}

func (p *logParser) plainLine(line string) {
	line = clean(line)
	if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "(use '--show-trace'") {
		return
	}
	if len(p.plain) == maxPlain {
		p.plain = p.plain[1:]
	}
	p.plain = append(p.plain, line)
	p.emitLog(line, "")
}

func (p *logParser) message(l logLine, text []byte) {
	var m message
	if json.Unmarshal(text, &m) != nil {
		return
	}
	m.Msg = clean(m.Msg)
	m.File = fileOf(m.File)
	if len(m.Trace) == 0 {
		m.Trace = frames(m.Msg) // only --show-trace gives them as data
	}
	for i := range m.Trace {
		m.Trace[i].File = fileOf(m.Trace[i].File)
	}
	if l.Level == levelError && (m.RawMsg != "" || strings.HasPrefix(m.Msg, "error:")) {
		if len(p.errors) < maxErrors {
			p.errors = append(p.errors, m)
		}
		return
	}
	// What is going to be built is Progress; the rest is what the user's own
	// expressions say (trace, warn) and what Nix warns of.
	if l.Level < levelInfo {
		for line := range strings.Lines(m.Msg) {
			p.emitLog(strings.TrimRight(line, "\n"), "")
		}
	}
}

// framePlace is the line that says where a frame is.
var framePlace = regexp.MustCompile(`^at (.+):(\d+):(\d+):$`)

// frames reads the frames from the text of an error, and returns them
// innermost first: Nix 2.8 writes them below the error, newer ones above.
func frames(msg string) []frame {
	var all []frame
	above, inFrame := false, false
	for line := range strings.Lines(msg) {
		line = strings.TrimSpace(line)
		if text, ok := strings.CutPrefix(line, "… "); ok {
			all = append(all, frame{RawMsg: text})
			inFrame = true
		} else if strings.HasPrefix(line, "error:") {
			above, inFrame = len(all) > 0, false
		} else if at := framePlace.FindStringSubmatch(line); at != nil && inFrame {
			f := &all[len(all)-1]
			f.File = at[1]
			f.Line, _ = strconv.Atoi(at[2])
			f.Column, _ = strconv.Atoi(at[3])
			inFrame = false
		}
	}
	if above {
		slices.Reverse(all)
	}
	return all
}

// position is what newer versions add to the name of a file.
var position = regexp.MustCompile(`:\d+(:\d+)?$`)

// fileOf returns the path of a file, "" for what is not one ("«none»", "«string»").
func fileOf(name string) string {
	name = position.ReplaceAllString(clean(name), "")
	if !strings.HasPrefix(name, "/") {
		return ""
	}
	return name
}

func (p *logParser) started(l logLine) {
	switch l.Type {
	case actBuilds, actCopyPaths:
		p.building()
		p.counters[l.ID] = &counter{}
	case actBuild:
		p.building()
		p.busy = true
		drv := clean(field[string](l, 0))
		p.builds[l.ID] = drv
		p.progress(nameOf(drv))
	case actRealise:
		p.building()
	case actCopyPath:
		p.busy = true
	default:
		if l.Text == queryingTxt {
			p.building()
		}
	}
}

// building marks the end of the evaluation. (An expression that imports from
// a derivation builds earlier: the rest of its evaluation counts as Build.)
func (p *logParser) building() {
	if p.steps != nil {
		p.steps.building()
	}
}

func (p *logParser) result(l logLine) {
	switch l.Type {
	case resBuildLogLine, resPostBuildLogLine:
		drv := p.builds[l.ID]
		line := clean(field[string](l, 0))
		p.keep(drv, line)
		p.emitLog(line, nameOf(drv))
	case resProgress:
		if c := p.counters[l.ID]; c != nil {
			c.done, c.expected, c.failed = field[int64](l, 0), field[int64](l, 1), field[int64](l, 3)
			p.progress("")
		}
	}
}

func (p *logParser) keep(drv, line string) {
	tail, known := p.tails[drv]
	if !known && len(p.tails) >= maxBuilds {
		return
	}
	if len(tail) == tailLines {
		tail = append(tail[:0], tail[1:]...)
	}
	p.tails[drv] = append(tail, cut(line))
}

// progress reports the sum of what is built and what is copied, when it has changed.
func (p *logParser) progress(building string) {
	e := event.Event{Kind: event.Progress, Step: p.current(), Unit: "paths", Message: building}
	for _, c := range p.counters {
		e.Done += max(c.done, 0)
		e.Expected += max(c.expected, 0)
	}
	if building == "" {
		e.Message = p.shown.Message
	}
	if e.Done == p.shown.Done && e.Expected == p.shown.Expected && e.Message == p.shown.Message && e.Step == p.shown.Step {
		return
	}
	if e.Expected == 0 || !p.busy {
		return // what is only looked at is counted too
	}
	p.shown = e
	e.Time = time.Now()
	p.sink.Emit(e)
}

func (p *logParser) emitLog(line, builder string) {
	e := event.Event{Kind: event.Log, Step: p.current(), Message: cut(line), Time: time.Now()}
	if builder != "" {
		e.Fields = map[string]string{"builder": builder}
	}
	p.sink.Emit(e)
}

func (p *logParser) current() event.Step {
	if p.steps != nil {
		return p.steps.step
	}
	return p.step
}

// field returns the i-th field of a result or start, the zero value when it is not there.
func field[T any](l logLine, i int) T {
	var v, zero T
	if i >= len(l.Fields) || json.Unmarshal(l.Fields[i], &v) != nil {
		return zero
	}
	return v
}

// escapes are terminal sequences: colours, titles, and single ones.
var escapes = regexp.MustCompile(`\x1b(\[[0-9:;<=>?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[ -/]+[0-~]|[0-Z\\^-~])`)

// clean makes foreign text printable: no terminal sequences, no control
// characters but tab and line end, valid UTF-8.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if strings.IndexByte(s, 0x1b) >= 0 {
		s = escapes.ReplaceAllString(s, "")
	}
	if i := strings.LastIndexByte(strings.TrimRight(s, "\r\n"), '\r'); i >= 0 && !strings.Contains(s, "\n") {
		s = s[i+1:] // a line that a program has drawn over again and again
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return -1
		}
		return r
	}, s)
}

func cut(line string) string {
	if len(line) > maxLogLine {
		return strings.ToValidUTF8(line[:maxLogLine], "") + "…"
	}
	return line
}

// lineWriter calls line for every whole line written to it.
type lineWriter struct {
	line    func([]byte)
	partial []byte
}

func (w *lineWriter) Write(b []byte) (int, error) {
	n := len(b)
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			break
		}
		if len(w.partial) > 0 {
			w.partial = append(w.partial, b[:i]...)
			w.line(w.partial)
			w.partial = w.partial[:0]
		} else {
			w.line(b[:i])
		}
		b = b[i+1:]
	}
	if len(w.partial)+len(b) > maxLine {
		w.flush()
	}
	w.partial = append(w.partial, b...)
	return n, nil
}

func (w *lineWriter) flush() {
	if len(w.partial) > 0 {
		w.line(w.partial)
		w.partial = w.partial[:0]
	}
}
