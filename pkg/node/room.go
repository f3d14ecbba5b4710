package node

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/git-deploy/git-deploy/pkg/fail"
)

// enough is what a deployment writes itself, apart from what Nix builds, many
// times over: records, refs, logs.
const enough = 8 << 20

// room refuses to begin where records could not be written: half a deployment
// is worse than none.
func (n *Node) room() error {
	dir := n.Layout.Dir()
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return fmt.Errorf("look at the file system of %s: %w", dir, err)
	}
	free := int64(s.Bavail) * s.Bsize
	var err error
	switch {
	case s.Flags&unix.ST_RDONLY != 0:
		err = fmt.Errorf("the file system of %s is read-only", dir)
	case free < enough:
		err = fmt.Errorf("there is no room in %s: %d KiB are left", dir, free>>10)
	case s.Files > 0 && s.Ffree == 0:
		err = fmt.Errorf("there is no room in %s: the file system takes no more files", dir)
	default:
		return nil
	}
	return fail.New(fail.Failed, err, fail.Remedy(err.Error(), n.Node))
}
