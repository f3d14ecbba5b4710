package transport

import (
	"io"
	"os/exec"
	"testing"
)

// The cost of a command over the shared connection, against ssh by hand.

func BenchmarkSSHAlone(b *testing.B) {
	h := sshd(b)
	h.ssh(b, "", "true")
	for b.Loop() {
		if _, code := h.ssh(b, "", "true"); code != 0 {
			b.Fatal(code)
		}
	}
}

func BenchmarkDialAndOneCommand(b *testing.B) {
	h := sshd(b)
	for b.Loop() {
		tr, err := Dial(b.Context(), h.addr, h.options(b))
		if err != nil {
			b.Fatal(err)
		}
		if err := tr.Run(b.Context(), Command{Argv: []string{"true"}}); err != nil {
			b.Fatal(err)
		}
		tr.Close()
	}
}

func BenchmarkFurtherCommand(b *testing.B) {
	h := sshd(b)
	tr := h.dial(b, h.options(b))
	for b.Loop() {
		if err := tr.Run(b.Context(), Command{Argv: []string{"true"}}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFurtherSSHClient is the same through a client process of OpenSSH.
func BenchmarkFurtherSSHClient(b *testing.B) {
	h := sshd(b)
	tr := h.dial(b, h.options(b)).(*openSSH)
	for b.Loop() {
		if err := exec.Command("ssh", "-F", h.sshConfig, "-S", tr.master.socket, h.addr.login(), "true").Run(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkThroughputShared(b *testing.B) {
	h := sshd(b)
	tr := h.dial(b, h.options(b))
	const size = 16 << 20
	b.SetBytes(size)
	for b.Loop() {
		if err := tr.Run(b.Context(), Command{Argv: tr.Tool("node", "cat"), Stdin: &zeros{size}, Marked: true}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkThroughputEmbedded(b *testing.B) {
	h := embedded(b)
	tr := h.dial(b, h.options(b))
	const size = 16 << 20
	b.SetBytes(size)
	for b.Loop() {
		if err := tr.Run(b.Context(), Command{Argv: tr.Tool("node", "cat"), Stdin: &zeros{size}, Marked: true}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkThroughputSSH(b *testing.B) {
	h := sshd(b)
	h.ssh(b, "", "true")
	const size = 16 << 20
	b.SetBytes(size)
	for b.Loop() {
		cmd := exec.Command("ssh", "-F", h.sshConfig, "-p", itoa(h.addr.Port), h.addr.login(), "cat")
		cmd.Stdin = &zeros{size}
		cmd.Stdout = discard{}
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
	}
}

// zeros is n bytes of input.
type zeros struct{ n int }

func (z *zeros) Read(p []byte) (int, error) {
	if z.n == 0 {
		return 0, io.EOF
	}
	n := min(len(p), z.n)
	z.n -= n
	clear(p[:n])
	return n, nil
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
