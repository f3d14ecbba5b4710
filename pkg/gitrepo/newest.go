package gitrepo

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/proc"
)

// Newest returns the newest max commits (all for max <= 0) that tips reach, no
// commit before its children, and of each message the first line. One process
// of git does it: the order needs the whole history, which git has indexed.
func (r *Repo) Newest(ctx context.Context, tips []string, max int) ([]CommitInfo, error) {
	if len(tips) == 0 {
		return nil, nil
	}
	args := []string{"log", "--stdin", "-z", "--date-order", "--no-show-signature", "--no-color", "--encoding=UTF-8",
		"--format=%H%x1f%P%x1f%an%x1f%ae%x1f%ct%x1f%s"}
	if max > 0 {
		args = append(args, "--max-count="+strconv.Itoa(max))
	}
	for _, tip := range tips {
		if !Oid(tip) {
			return nil, fmt.Errorf("read history: %q is not a commit's id", tip)
		}
	}
	out, err := r.output(ctx, proc.Cmd{Stdin: stdin(strings.Join(tips, "\n") + "\n")}, args...)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	var commits []CommitInfo
	for entry := range strings.SplitSeq(out, "\x00") {
		f := strings.SplitN(strings.TrimSpace(entry), "\x1f", 6)
		if len(f) < 6 {
			continue
		}
		c := CommitInfo{Oid: f[0], Parents: strings.Fields(f[1]), Author: Identity{f[2], f[3]}, Message: f[5]}
		if seconds, err := strconv.ParseInt(f[4], 10, 64); err == nil {
			c.When = time.Unix(seconds, 0)
		}
		commits = append(commits, c)
	}
	return commits, nil
}
