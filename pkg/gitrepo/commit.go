package gitrepo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/proc"
)

// Identity is a name and a mail address, as commits hold them.
type Identity struct{ Name, Email string }

func (i Identity) String() string { return fmt.Sprintf("%s <%s>", i.Name, i.Email) }

// ParseIdentity reads "Name <mail>"; without angle brackets all of s is the name.
func ParseIdentity(s string) Identity {
	name, rest, ok := strings.Cut(s, "<")
	if !ok {
		return Identity{Name: strings.TrimSpace(s)}
	}
	mail, _, _ := strings.Cut(rest, ">")
	return Identity{Name: strings.TrimSpace(name), Email: strings.TrimSpace(mail)}
}

// env gives git the identity; what git would refuse is replaced.
func (i Identity) env(role string, when time.Time) []string {
	name := strings.Trim(Clean(i.Name), " .,:;<>\"\\'")
	if name == "" {
		name = "unknown"
	}
	env := []string{
		"GIT_" + role + "_NAME=" + name,
		"GIT_" + role + "_EMAIL=" + Clean(i.Email),
	}
	if !when.IsZero() {
		env = append(env, fmt.Sprintf("GIT_%s_DATE=@%d %s", role, when.Unix(), when.Format("-0700")))
	}
	return env
}

// Commit describes a commit to make.
type Commit struct {
	Tree      string
	Parents   []string
	Message   string
	Author    *Identity // nil: as git is configured
	Committer *Identity
	When      time.Time // zero: now; of author and committer, where these are set
	Sign      bool      // with the user's key
}

// CommitTree makes a commit and returns its id; no ref moves.
func (r *Repo) CommitTree(ctx context.Context, c Commit) (string, error) {
	args := []string{"commit-tree", "-F", "-"}
	if c.Sign {
		args = append(args, "-S")
	}
	for _, p := range c.Parents {
		args = append(args, "-p", p)
	}
	var env []string
	if c.Author != nil {
		env = append(env, c.Author.env("AUTHOR", c.When)...)
	}
	if c.Committer != nil {
		env = append(env, c.Committer.env("COMMITTER", c.When)...)
	}
	oid, err := r.output(ctx, proc.Cmd{Env: env, Stdin: stdin(c.Message)}, append(args, c.Tree)...)
	if err != nil {
		return "", fmt.Errorf("make commit: %w", err)
	}
	return oid, nil
}
