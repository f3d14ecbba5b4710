package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/fail"
	"github.com/git-deploy/git-deploy/pkg/proc"
	"github.com/git-deploy/git-deploy/pkg/statedir"
)

// UploadPack becomes git upload-pack on the network's repository; it returns
// only on error. protocol is the client's GIT_PROTOCOL.
func UploadPack(l statedir.Layout, arg, protocol string) error {
	n, err := serve(l, arg)
	if err != nil {
		return err
	}
	return n.become("upload-pack", protocol)
}

// ReceivePack becomes git receive-pack on the network's repository; it returns
// only on error. Without hooks that deploy, nothing is received.
func ReceivePack(ctx context.Context, l statedir.Layout, arg string) error {
	n, err := serve(l, arg)
	if err != nil {
		return err
	}
	// git would say no more than "unpacker error".
	if err := n.room(); err != nil {
		return err
	}
	if s := n.checkHooks(ctx); s.Problem != "" {
		return fail.New(fail.Failed, errors.New(s.Problem), s.Hint)
	}
	return n.become("receive-pack", "")
}

// serve opens the network that arg names, in a clean environment, where its repository is well.
func serve(l statedir.Layout, arg string) (*Node, error) {
	if err := cleanEnv(); err != nil {
		return nil, err
	}
	n, err := Open(l, arg)
	if err != nil {
		return nil, err
	}
	return n, n.checkRepo()
}

func (n *Node) become(service, protocol string) error {
	if strings.Trim(protocol, "abcdefghijklmnopqrstuvwxyz0123456789=:-") != "" {
		return fmt.Errorf("git protocol %.60q is not one", protocol)
	}
	var env []string
	if protocol != "" {
		env = append(env, "GIT_PROTOCOL="+protocol)
	}
	return proc.Exec([]string{"git", service, n.Repo.GitDir}, env)
}

// cleanEnv removes what would tie git, or the hooks that it runs, to another
// repository or configuration. GIT_DEPLOY_* is ours.
func cleanEnv() error {
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "GIT_") && !strings.HasPrefix(name, "GIT_DEPLOY_") && name != "GIT_EXEC_PATH" {
			if err := os.Unsetenv(name); err != nil {
				return err
			}
		}
	}
	return nil
}
