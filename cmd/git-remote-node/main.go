// Command git-remote-node is the remote helper that git runs for node:// and
// node:: addresses. It is apart from git-deploy because every push starts it:
// what it does not need costs each of them time.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/git-deploy/git-deploy/pkg/push"
	"github.com/git-deploy/git-deploy/pkg/version"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Println(version.Line("git-remote-node"))
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := push.RemoteHelper(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
