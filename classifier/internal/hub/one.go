package hub

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// One downloads one file of known size and SHA-256 from the URL of the client to path, from where an attempt before broke off, has use read it there, and
// removes it. Several processes may do so at once: one downloads, and those that wait are told by there that nothing is left to do.
func (c Client) One(ctx context.Context, path string, size int64, sha256 string, there func() bool, use func() error) error {
	c = c.withDefaults()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	lock := flock.New(path + ".lock")
	if _, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		return fmt.Errorf("lock folder: %w", err)
	}
	defer func() { _ = lock.Close() }() // unlocks; the operating system does so anyway
	if there() {
		return nil
	}
	want, show, part := promise{size: size, sha256: sha256}, newProgress(c.Progress), path+".part"
	name := filepath.Base(path)
	if err := c.retry(ctx, name, func() error { return c.attempt(ctx, c.URL, name, part, &want, show) }); err != nil {
		return fmt.Errorf("download %s: %w", c.URL, err)
	}
	if err := os.Rename(part, path); err != nil {
		return err
	}
	return errors.Join(use(), os.Remove(path))
}
