package ui

import (
	"io"
	"os"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
)

// framePause is how often the block is drawn anew.
const framePause = 80 * time.Millisecond

// screen is what Bubble Tea draws on: w's terminal, by way of the output.
type screen struct {
	file *os.File
	out  *output
}

func (s *screen) Write(p []byte) (int, error) {
	if err := s.out.addWait(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (s *screen) Read([]byte) (int, error) { return 0, io.EOF }
func (s *screen) Close() error             { return nil }
func (s *screen) Fd() uintptr              { return s.file.Fd() }

type (
	frameMsg struct{} // time to draw
	quitMsg  struct{} // take the block away and end
)

// program draws a live model with Bubble Tea: inline, without input, without
// signal handlers, so that Ctrl-C and all else stays with the caller.
//
// A finished line leaves the block and appears above it in two steps of Bubble
// Tea's. Between them the block stays as it was and the output is held, so that
// nothing is missing or there twice for a moment.
type program struct {
	mu      *sync.Mutex // guards model and pending
	model   *live
	pending *[]string // finished lines not yet printed
	now     func() time.Time
	out     *output

	frame    string // the block as last drawn
	printing bool   // lines are on their way above the block
	quitting bool
}

func (p *program) Init() tea.Cmd { return nextFrame }

func nextFrame() tea.Msg {
	time.Sleep(framePause)
	return frameMsg{}
}

func (p *program) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		p.model.style.Width, p.model.style.Rows = msg.Width, msg.Height
		return p, nil
	case frameMsg:
		p.model.frame++
		return p, tea.Batch(nextFrame, p.draw())
	case quitMsg:
		p.quitting, p.frame = true, ""
		return p, tea.Quit
	case tea.ColorProfileMsg, tea.EnvMsg:
		return p, nil
	}
	// Bubble Tea's message that the lines are above the block now. Its type is not exported.
	if p.printing {
		p.printing = false
		return p, p.draw()
	}
	return p, nil
}

// draw prints finished lines, as many as fit above the block, or else renews the block.
func (p *program) draw() tea.Cmd {
	if p.printing || p.quitting {
		return nil
	}
	if len(*p.pending) > 0 {
		n := max(1, p.model.style.Rows-strings.Count(p.frame, "\n")-1)
		n = min(n, len(*p.pending))
		lines := strings.Join((*p.pending)[:n], "\n")
		*p.pending = (*p.pending)[n:]
		p.printing = true
		p.out.hold()
		return tea.Println(lines)
	}
	p.frame = strings.Join(p.model.view(p.now()), "\n")
	p.out.release()
	return nil
}

func (p *program) View() tea.View {
	v := tea.NewView(p.frame)
	v.DisableBracketedPasteMode = true
	return v
}

// start runs the program until stop is called.
func (p *program) start(file *os.File, term string) (stop func()) {
	profile := colorprofile.ASCII
	if p.model.style.Color {
		profile = colorprofile.ANSI
	}
	t := tea.NewProgram(p,
		tea.WithInput(nil), tea.WithOutput(&screen{file, p.out}), tea.WithEnvironment([]string{"TERM=" + term}),
		tea.WithColorProfile(profile), tea.WithoutSignalHandler(), tea.WithoutCatchPanics(), tea.WithFPS(30))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = t.Run() // it fails when the terminal is gone, and then nobody sees
	}()
	return func() {
		p.out.hold()
		t.Send(quitMsg{})
		<-ended
	}
}
