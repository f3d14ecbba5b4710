//go:build !linux

package transport

import "net"

// acknowledge has no counterpart here.
func acknowledge(*net.TCPConn) {}
