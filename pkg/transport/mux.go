package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// The client side of OpenSSH's connection multiplexing (PROTOCOL.mux, version
// 4, since OpenSSH 5.4): as much of it as it takes to run commands.

const (
	muxHello         = 0x00000001
	muxNewSession    = 0x10000002
	muxTerminate     = 0x10000005
	muxDenied        = 0x80000002
	muxFailure       = 0x80000003
	muxExit          = 0x80000004
	muxSessionOpened = 0x80000006
	muxVersion       = 4
	// muxNoEscape is the escape character that stands for none.
	muxNoEscape = 0xffffffff
	muxMaxLen   = 256 << 10
)

var errMuxRefused = errors.New("the master refused the session")

// muxConn is one connection to a master's socket. It is not safe for concurrent use, but Close is.
type muxConn struct {
	*net.UnixConn
}

// dialMux connects to the master at path and exchanges greetings.
func dialMux(path string, timeout time.Duration) (*muxConn, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	m := &muxConn{conn}
	_ = conn.SetDeadline(time.Now().Add(timeout))
	defer conn.SetDeadline(time.Time{})
	if err = m.send(u32(muxHello), u32(muxVersion)); err == nil {
		err = m.expectHello()
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("greet the ssh master: %w", err)
	}
	return m, nil
}

func (m *muxConn) expectHello() error {
	kind, body, err := m.receive()
	if err != nil {
		return err
	}
	if version, _, ok := cut32(body); kind != muxHello || !ok || version != muxVersion {
		return fmt.Errorf("unknown protocol (message %#x)", kind)
	}
	return nil
}

// start opens a session that runs line with the given files as its stdio.
func (m *muxConn) start(line string, stdio [3]*os.File) error {
	msg := [][]byte{u32(muxNewSession), u32(1), str(""), u32(0), u32(0), u32(0), u32(0), u32(muxNoEscape), str(""), str(line)}
	if err := m.send(msg...); err != nil {
		return err
	}
	for _, f := range stdio {
		if err := m.sendFile(f); err != nil {
			return err
		}
	}
	kind, body, err := m.receive()
	if err != nil {
		return err
	}
	switch kind {
	case muxSessionOpened:
		return nil
	case muxDenied, muxFailure:
		_, rest, _ := cut32(body)
		return fmt.Errorf("%w: %s", errMuxRefused, cutString(rest))
	}
	return fmt.Errorf("unexpected message %#x from the ssh master", kind)
}

// wait returns the exit code of the session. ok is false when the session ended without
// one: the command was killed by a signal, or the connection was lost.
func (m *muxConn) wait() (code int, ok bool) {
	for {
		kind, body, err := m.receive()
		if err != nil {
			return code, ok
		}
		if kind == muxExit {
			if _, rest, have := cut32(body); have {
				if c, _, have := cut32(rest); have {
					code, ok = int(c), true
				}
			}
		}
	}
}

// terminate asks the master to end.
func (m *muxConn) terminate() error {
	_ = m.SetWriteDeadline(time.Now().Add(time.Second))
	return m.send(u32(muxTerminate), u32(1))
}

func (m *muxConn) send(parts ...[]byte) error {
	msg := make([]byte, 4)
	for _, p := range parts {
		msg = append(msg, p...)
	}
	binary.BigEndian.PutUint32(msg, uint32(len(msg)-4))
	_, err := m.Write(msg)
	return err
}

// sendFile passes one file descriptor, with the one byte that the master expects.
func (m *muxConn) sendFile(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var sendErr error
	if err := raw.Control(func(fd uintptr) {
		_, _, sendErr = m.WriteMsgUnix([]byte{0}, unix.UnixRights(int(fd)), nil)
	}); err != nil {
		return err
	}
	return sendErr
}

func (m *muxConn) receive() (kind uint32, body []byte, err error) {
	var head [4]byte
	if _, err := io.ReadFull(m, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < 4 || n > muxMaxLen {
		return 0, nil, fmt.Errorf("message of %d bytes", n)
	}
	body = make([]byte, n)
	if _, err := io.ReadFull(m, body); err != nil {
		return 0, nil, err
	}
	return binary.BigEndian.Uint32(body), body[4:], nil
}

func u32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

func str(s string) []byte { return append(u32(uint32(len(s))), s...) }

func cut32(b []byte) (v uint32, rest []byte, ok bool) {
	if len(b) < 4 {
		return 0, nil, false
	}
	return binary.BigEndian.Uint32(b), b[4:], true
}

func cutString(b []byte) string {
	n, rest, ok := cut32(b)
	if !ok || uint64(n) > uint64(len(rest)) {
		return ""
	}
	return string(rest[:n])
}
