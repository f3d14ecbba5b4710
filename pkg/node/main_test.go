package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"github.com/git-deploy/git-deploy/pkg/event"
	"github.com/git-deploy/git-deploy/pkg/statedir"
	"github.com/git-deploy/git-deploy/pkg/ui"
)

// TestMain lets the test binary be the tool that hooks and runners start: the
// same calls as package cli makes.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && slices.Contains([]string{"hook", "node"}, os.Args[1]) {
		os.Exit(tool(os.Args[1:]))
	}
	os.Exit(m.Run())
}

func tool(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := call(ctx, args)
	var quiet interface{ ExitCode() int }
	switch {
	case err == nil:
		return 0
	case errors.As(err, &quiet):
		return quiet.ExitCode()
	}
	ui.Error(os.Stderr, "git-deploy", err)
	return 1
}

// dieEnv has the runner kill itself, as kill -9 would, right after it has
// written the event with that number.
const dieEnv = "NODE_TEST_DIE_AT"

func dieAt(number string) event.Sink {
	n, _ := strconv.Atoi(number)
	return event.SinkFunc(func(event.Event) {
		if n--; n == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	})
}

var ctx = context.Background()

func call(ctx context.Context, args []string) error {
	l := statedir.FromEnv()
	h := NewHookEnv(os.Stdin, os.Stderr, "test")
	arg := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	request := Request{Network: arg(2), Getenv: os.Getenv, Events: os.Stdout, Version: "test"}
	switch args[0] + " " + arg(1) {
	case "hook pre-receive":
		return PreReceive(ctx, h)
	case "hook post-receive":
		return PostReceive(ctx, h)
	case "node activate":
		return runDeployment(ctx, l, arg(2), dieAt(os.Getenv(dieEnv)))
	case "node recover":
		return Recover(ctx, l, arg(2) == "", event.Discard)
	case "node receive-pack":
		return ReceivePack(ctx, l, arg(2))
	case "node upload-pack":
		return UploadPack(l, arg(2), "version=2")
	case "node deploy":
		request.Options = args[min(3, len(args)):]
		return Deploy(ctx, l, request)
	case "node rollback":
		return Rollback(ctx, l, arg(3), request)
	case "node follow":
		return FollowTo(ctx, l, arg(2), 0, os.Stdout)
	}
	return fmt.Errorf("no such call: %q", args)
}
