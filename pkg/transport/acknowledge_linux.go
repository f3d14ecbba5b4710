package transport

import (
	"net"

	"golang.org/x/sys/unix"
)

// acknowledge has the kernel acknowledge at once what comes in on conn, which
// somebody else reads, until conn is closed. The option does not last, so it is set whenever
// something has come.
func acknowledge(conn *net.TCPConn) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Read(func(fd uintptr) bool {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
		return false
	})
}
