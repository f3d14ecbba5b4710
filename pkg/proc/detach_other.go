//go:build !linux

package proc

// closeInheritedOnExec has no cheap way here; nodes run Linux.
func closeInheritedOnExec() {}
