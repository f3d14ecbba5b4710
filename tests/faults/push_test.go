//go:build linux

package faults

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/tests/lab"
)

// pushing is a `git deploy push` under way.
type pushing struct {
	d      *deployer
	cmd    *exec.Cmd
	begun  time.Time
	killed bool // by us: its exit code says nothing

	mu     sync.Mutex
	events []event.Event
	stderr bytes.Buffer

	done chan struct{} // closed at the end; then the fields below hold
	code int
	took time.Duration
}

// push starts a push of what is committed.
func (d *deployer) push(flags ...string) (*pushing, error) {
	p := &pushing{d: d, done: make(chan struct{}), begun: time.Now()}
	p.cmd = exec.Command(filepath.Join(d.w.bin, "git-deploy"), append(append([]string{"push", "--json"}, flags...), "web")...)
	p.cmd.Dir, p.cmd.Env = d.net(), d.env()
	p.cmd.Stderr = &p.stderr
	p.cmd.WaitDelay = 2 * time.Second
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, in := io.Pipe()
	p.cmd.Stdout = in
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			if e, err := event.Parse(lines.Bytes()); err == nil {
				p.mu.Lock()
				p.events = append(p.events, e)
				p.mu.Unlock()
			}
		}
	}()
	go func() {
		_ = p.cmd.Wait()
		p.took = time.Since(p.begun)
		p.code = p.cmd.ProcessState.ExitCode()
		_ = in.Close()
		<-read
		close(p.done)
	}()
	return p, nil
}

// seen returns the events so far.
func (p *pushing) seen() []event.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.events
}

// said is all that the push has told its user.
func (p *pushing) said() string {
	var b strings.Builder
	for _, e := range p.seen() {
		b.WriteString(string(e.Kind) + " " + string(e.Step) + " " + string(e.Outcome) + " " + e.Message + " " + e.Hint + "\n")
	}
	select {
	case <-p.done:
		b.WriteString(p.stderr.String())
	default:
	}
	return b.String()
}

// processes returns those of the push: its children's children too, and the
// ssh that went to the background, which its socket's path betrays.
func (p *pushing) processes() []lab.Process {
	all := lab.Processes(func(int) bool { return true })
	ours := map[int]bool{p.cmd.Process.Pid: true}
	for grew := true; grew; {
		grew = false
		for _, q := range all {
			mine := ours[q.Parent] || q.Name == "ssh" && strings.Contains(strings.Join(q.Args, " "), p.d.tmp+"/")
			if mine && !ours[q.Pid] {
				ours[q.Pid], grew = true, true
			}
		}
	}
	var found []lab.Process
	for _, q := range all {
		if ours[q.Pid] {
			found = append(found, q)
		}
	}
	return found
}

// orphans names the processes that a killed push has left on the deployer and
// that go on by themselves: its environment tells, their parents have gone.
func (p *pushing) orphans() []string {
	var left []string
	for _, q := range lab.Processes(func(int) bool { return true }) {
		if q.Name != "git" && q.Name != "git-remote-node" {
			continue
		}
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", q.Pid))
		if err == nil && bytes.Contains(env, []byte("TMPDIR="+p.d.tmp+"\x00")) {
			left = append(left, strings.Join(q.Args, " "))
		}
	}
	return left
}

// kill ends the whole push.
func (p *pushing) kill() {
	p.killed = true
	for _, q := range p.processes() {
		_ = q.Kill()
	}
}
