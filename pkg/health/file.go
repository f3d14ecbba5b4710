package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/git-deploy/git-deploy/pkg/bundle"
)

func fileProbe(c bundle.Check) (probe, error) {
	if !filepath.IsAbs(c.Path) {
		return nil, fmt.Errorf("path %q is not absolute", c.Path)
	}
	body, err := regexp.Compile(c.Body)
	if err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	return func(ctx context.Context) error {
		// A file system that has lost its server answers never, and cannot be interrupted.
		done := make(chan error, 1)
		go func() { done <- lookAt(c, body) }()
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return fmt.Errorf("look at %s: %w", c.Path, ctx.Err())
		}
	}, nil
}

func lookAt(c bundle.Check, body *regexp.Regexp) error {
	if c.Absent {
		_, err := os.Lstat(c.Path)
		switch {
		case err == nil:
			return fmt.Errorf("%s exists", c.Path)
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
			return nil
		}
		return err
	}
	st, err := os.Stat(c.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s does not exist", c.Path)
	}
	if err != nil {
		return err
	}
	limit := time.Duration(c.MaxAge) * time.Second
	if age := time.Since(st.ModTime()); limit > 0 && age > limit {
		return fmt.Errorf("%s was last changed %s ago, more than %s", c.Path, age.Round(time.Second), limit)
	}
	if c.Body == "" {
		return nil
	}
	text, err := readRegular(c.Path)
	if err != nil {
		return err
	}
	if !body.Match(text) {
		return fmt.Errorf("the content of %s does not match %q%s", c.Path, c.Body, quoted(text))
	}
	return nil
}

// readRegular returns at most the first maxBody bytes of a regular file.
func readRegular(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() { // opening a pipe would wait for its writer
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxBody))
}
