package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

// ErrInUse is returned when a data folder already belongs to a running
// process.
var ErrInUse = errors.New("data folder is in use by another process")

// lockName is the file by which a folder's owner is known. The lock on it is
// the kernel's, so it is free again the moment the owner dies, however it
// dies.
const lockName = "owner.lock"

// folder is a data folder that this process holds alone.
type folder struct {
	path      string
	temporary bool
	lock      *flock.Flock
}

// openFolder locks dir, creating it when needed. An empty dir means a new
// temporary folder whose name starts with prefix; close removes it again.
// Temporary folders whose owners died without removing them are removed
// first.
func openFolder(dir, prefix string) (*folder, error) {
	f := &folder{path: dir}
	if dir == "" {
		base := os.TempDir()
		sweep(base, prefix)
		temp, err := os.MkdirTemp(base, prefix)
		if err != nil {
			return nil, fmt.Errorf("create temporary data folder: %w", err)
		}
		f.path, f.temporary = temp, true
	}
	abs, err := filepath.Abs(f.path)
	if err != nil {
		return nil, fmt.Errorf("locate data folder: %w", err)
	}
	f.path = abs
	if err := os.MkdirAll(abs, 0o755); err != nil {
		return nil, fmt.Errorf("create data folder: %w", err)
	}
	f.lock = flock.New(filepath.Join(abs, lockName))
	held, err := f.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	if !held {
		return nil, fmt.Errorf("%w: %s", ErrInUse, abs)
	}
	return f, nil
}

func (f *folder) join(name string) string { return filepath.Join(f.path, name) }

// close gives the folder up, and removes it when it is temporary.
func (f *folder) close() error {
	var removed error
	if f.temporary {
		removed = os.RemoveAll(f.path)
	}
	return errors.Join(removed, f.lock.Unlock())
}

// sweep removes temporary folders left behind by killed processes. It is a
// courtesy: whatever it cannot lock or remove it leaves alone. A folder
// without a lock file may be one that its owner has only just made.
func sweep(base, prefix string) {
	entries, err := os.ReadDir(base)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		path := filepath.Join(base, e.Name())
		if _, err := os.Lstat(filepath.Join(path, lockName)); err != nil {
			continue
		}
		lock := flock.New(filepath.Join(path, lockName))
		if held, err := lock.TryLock(); err != nil || !held {
			continue
		}
		_ = os.RemoveAll(path)
		_ = lock.Unlock()
	}
}
