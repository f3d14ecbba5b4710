package gitrepo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/git-deploy/git-deploy/pkg/proc"
)

// Config is all of git's configuration as it was when read, from all files and the environment.
type Config struct{ values map[string][]string }

// Config reads the configuration with one process.
func (r *Repo) Config(ctx context.Context) (*Config, error) {
	return readConfig(ctx, r.Cmd("config", "--list", "-z"))
}

// UserConfig reads the configuration outside any repository.
func UserConfig(ctx context.Context) (*Config, error) {
	return readConfig(ctx, proc.Cmd{Argv: []string{"git", "config", "--list", "-z"}})
}

func readConfig(ctx context.Context, c proc.Cmd) (*Config, error) {
	out, err := proc.Output(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("read git's configuration: %w", err)
	}
	return parseConfig(string(out)), nil
}

func parseConfig(list string) *Config {
	c := &Config{values: map[string][]string{}}
	for entry := range strings.SplitSeq(list, "\x00") {
		if entry == "" {
			continue
		}
		key, value, hasValue := strings.Cut(entry, "\n")
		if !hasValue {
			value = "true" // "[core] bare" without a value
		}
		c.values[key] = append(c.values[key], value)
	}
	return c
}

// canonical lower-cases section and variable; a subsection keeps its case.
func canonical(key string) string {
	first, last := strings.IndexByte(key, '.'), strings.LastIndexByte(key, '.')
	if first < 0 {
		return strings.ToLower(key)
	}
	return strings.ToLower(key[:first]) + key[first:last] + strings.ToLower(key[last:])
}

// Get returns the last value of key, or "".
func (c *Config) Get(key string) string {
	if all := c.All(key); len(all) > 0 {
		return all[len(all)-1]
	}
	return ""
}

// All returns all values of key.
func (c *Config) All(key string) []string { return c.values[canonical(key)] }

// Bool returns the truth of key, or def when it is not set or not a boolean.
func (c *Config) Bool(key string, def bool) bool {
	all := c.All(key)
	if len(all) == 0 {
		return def
	}
	switch strings.ToLower(all[len(all)-1]) {
	case "true", "yes", "on", "1":
		return true
	case "false", "no", "off", "0", "":
		return false
	}
	return def
}

// Subsections returns the names N for which section.N.variable is set, e.g. all remotes that have a url.
func (c *Config) Subsections(section, variable string) []string {
	var names []string
	prefix, suffix := strings.ToLower(section)+".", "."+strings.ToLower(variable)
	for key := range c.values {
		if len(key) > len(prefix)+len(suffix)-1 && strings.HasPrefix(key, prefix) && strings.HasSuffix(key, suffix) {
			names = append(names, key[len(prefix):len(key)-len(suffix)])
		}
	}
	return names
}

// Unshallow returns the command that completes a shallow clone: from where it
// was cloned, which has what it has, or else from remote.
func (c *Config) Unshallow(remote string) string {
	if c.Get("remote.origin.url") != "" {
		remote = "origin"
	}
	return "git fetch --unshallow " + remote
}

// LocalConfig returns the last value of key in the repository's own configuration, or "".
func (r *Repo) LocalConfig(ctx context.Context, key string) (string, error) {
	value, err := r.output(ctx, proc.Cmd{}, "config", "--local", "--get", key)
	if proc.ExitCode(err) == 1 { // is not set
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read git's configuration %s: %w", key, err)
	}
	return value, nil
}

// SetConfig replaces all values of key in the repository's own configuration; without values the key is removed.
func (r *Repo) SetConfig(ctx context.Context, key string, values ...string) error {
	if len(values) == 0 {
		err := r.configure(ctx, "--unset-all", key)
		if proc.ExitCode(err) == 5 { // was not set
			return nil
		}
		return wrapConfig(key, err)
	}
	if err := r.configure(ctx, "--replace-all", key, values[0]); err != nil {
		return wrapConfig(key, err)
	}
	for _, v := range values[1:] {
		if err := r.configure(ctx, "--add", key, v); err != nil {
			return wrapConfig(key, err)
		}
	}
	return nil
}

// RemoveConfigSection removes a section such as "remote.web"; it may be absent.
func (r *Repo) RemoveConfigSection(ctx context.Context, section string) error {
	err := r.configure(ctx, "--remove-section", section)
	if strings.Contains(proc.Stderr(err), "no such section") || strings.Contains(proc.Stderr(err), "No such section") {
		return nil
	}
	return wrapConfig(section, err)
}

// configure changes the repository's own configuration. While another git does
// so git refuses at once, and a change takes milliseconds.
func (r *Repo) configure(ctx context.Context, args ...string) error {
	change := func() (struct{}, error) {
		err := r.run(ctx, proc.Cmd{}, append([]string{"config", "--local"}, args...)...)
		if err != nil && !strings.Contains(proc.Stderr(err), "could not lock config file") {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}
	_, err := backoff.Retry(ctx, change, backoff.WithBackOff(&backoff.ExponentialBackOff{
		InitialInterval: 10 * time.Millisecond, RandomizationFactor: 0.5, Multiplier: 1.5, MaxInterval: 100 * time.Millisecond,
	}), backoff.WithMaxElapsedTime(configLock))
	return err
}

// configLock is how long another git may keep the configuration locked: one
// that was killed keeps it for ever.
const configLock = 5 * time.Second

func wrapConfig(key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("set git's configuration %s: %w", key, err)
}
