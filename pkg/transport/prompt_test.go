package transport

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// TestPrompt: ssh asks for a passphrase on the terminal, once for all commands.
func TestPrompt(t *testing.T) {
	if os.Getenv("TEST_DIAL") != "" {
		tr := otherProcess(t)
		for range 2 {
			if err := ping(t, tr); err != nil {
				t.Fatal(err)
			}
		}
		fmt.Println("both commands ran")
		return
	}
	h := embedded(t)
	if out, err := exec.Command("ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", h.key).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestPrompt$")
	cmd.Env = append(os.Environ(), "TEST_DIAL="+h.sshConfig, "TEST_HOSTKEY="+h.hostKey, "TEST_ADDR="+h.addr.String(), "DISPLAY=", "SSH_ASKPASS_REQUIRE=never")
	terminal, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	out := &syncBuffer{}
	go func() { _, _ = io.Copy(out, terminal) }()
	waitFor(t, "ssh to ask", func() bool { return strings.Contains(out.String(), "Enter passphrase for key") })
	if _, err := io.WriteString(terminal, "secret\n"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the commands", func() bool { return strings.Contains(out.String(), "both commands ran") })
	if n := strings.Count(out.String(), "Enter passphrase"); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// otherProcess is the Transport of a test that runs itself in a process of its own.
func otherProcess(t *testing.T) *openSSH {
	t.Helper()
	h := &host{sshConfig: os.Getenv("TEST_DIAL"), hostKey: os.Getenv("TEST_HOSTKEY"), log: &syncBuffer{}, embedded: true}
	a, err := ParseAddress(os.Getenv("TEST_ADDR"))
	if err != nil {
		t.Fatal(err)
	}
	h.addr, persist = a, time.Second
	return h.dial(t, h.options(t)).(*openSSH)
}
