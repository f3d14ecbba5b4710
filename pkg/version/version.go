// Package version says what was built, so that the tools of a node and of a
// deployer can tell each other.
package version

import (
	"fmt"
	"runtime"
)

// Revision is the git revision that was built; the Makefile and package.nix set it.
var Revision = "unknown"

// Line is what PROGRAM --version prints.
func Line(program string) string {
	return fmt.Sprintf("%s %s %s/%s", program, Revision, runtime.GOOS, runtime.GOARCH)
}
