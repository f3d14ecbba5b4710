package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/gitrepo"
	"github.com/git-deploy/git-deploy/pkg/network"
	"github.com/git-deploy/git-deploy/pkg/proc"
)

// checkSignatures refuses commits that nobody whom this node trusts has signed.
// Whom it trusts stands in the commit that it has already, never in what comes
// in: a push cannot let itself in. A file that comes in counts from the next
// push on, and must accept the commit that brings it, so that nobody is locked
// out by a slip of the pen.
func (n *Node) checkSignatures(ctx context.Context, repo *gitrepo.Repo, objects *gitrepo.Objects, u update) error {
	before, err := signersAt(objects, u.old, u.creates())
	if err != nil {
		return err
	}
	after, err := signersAt(objects, u.new, false)
	if err != nil {
		return err
	}
	if before != "" {
		err := verify(ctx, repo, before, u.new, "^"+u.old)
		if err != nil {
			return refused("git config commit.gpgSign true && git config gpg.format ssh   # and user.signingKey, then sign what is there: git rebase --gpg-sign "+gitrepo.Short(u.old),
				"node %q takes only commits signed by a key in its file %s: %w", n.Node, network.SignersFile, err)
		}
	}
	if after != "" && after != before {
		if err := verify(ctx, repo, after, u.new, "--max-count=1"); err != nil {
			return refused("git commit --amend --no-edit --gpg-sign",
				"the new file %s does not accept the commit that brings it, and would lock you out: %w", network.SignersFile, err)
		}
	}
	return nil
}

// signersAt returns the allowed signers of a commit, "" where it has none.
func signersAt(objects *gitrepo.Objects, commit string, none bool) (string, error) {
	if none {
		return "", nil
	}
	_, kind, content, err := objects.Read(commit + ":" + network.SignersFile)
	if errors.Is(err, gitrepo.ErrNotFound) {
		return "", nil
	}
	if err == nil && kind != "blob" {
		err = fmt.Errorf("%s is a %s and not a file", network.SignersFile, kind)
	}
	return string(content), err
}

// verify fails for the first of the commits that range names without a good
// ssh signature of one of the signers. Other kinds of signatures would be
// judged by keys that this machine happens to have: they do not count.
func verify(ctx context.Context, repo *gitrepo.Repo, signers, commit, limit string) error {
	if _, err := proc.Find("ssh-keygen"); err != nil {
		return fmt.Errorf("signatures cannot be checked here: %w", err)
	}
	dir, err := os.MkdirTemp("", "git-deploy-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "signers")
	if err := os.WriteFile(file, []byte(signers), 0o600); err != nil {
		return err
	}
	out, err := proc.Output(ctx, repo.Cmd(
		"-c", "gpg.ssh.allowedSignersFile="+file, "-c", "gpg.ssh.revocationFile=", "-c", "gpg.ssh.program=ssh-keygen",
		"-c", "gpg.program=false", "-c", "gpg.openpgp.program=false", "-c", "gpg.x509.program=false",
		"log", "-z", "--no-show-signature", "--format=%H %G? %GF %an: %s", limit, commit, "--"))
	if err != nil {
		return fmt.Errorf("read signatures: %w", err)
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		f := strings.SplitN(line, " ", 4)
		if len(f) < 4 || f[1] == "G" {
			continue
		}
		why := map[string]string{"N": "is not signed", "U": "is signed by a key that is not in it (" + f[2] + ")"}[f[1]]
		if why == "" {
			why = "has no good ssh signature"
		}
		return fmt.Errorf("commit %s (%s) %s", gitrepo.Short(f[0]), gitrepo.Clean(f[3]), why)
	}
	return nil
}
