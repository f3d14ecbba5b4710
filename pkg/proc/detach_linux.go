package proc

import (
	"math"

	"golang.org/x/sys/unix"
)

// closeInheritedOnExec keeps descriptors that this process got from its own
// parent (Go's own are safe already) from a program that outlives both: a
// pipe of git's held open would keep git waiting.
func closeInheritedOnExec() {
	_ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
}
