package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// folder keeps blobs as files below a path.
type folder string

func (f folder) path(name string) string { return filepath.Join(string(f), filepath.FromSlash(name)) }

func (f folder) put(_ context.Context, name string, open opener, _ int64) (err error) {
	body, err := open()
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // read only
	to := f.path(name)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil { //nolint:gosec // a model is no secret
		return err
	}
	part, err := os.MkdirTemp(filepath.Dir(to), ".part-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(part)) }()
	written := filepath.Join(part, "blob")
	if err := writeFile(written, body); err != nil {
		return err
	}
	return os.Rename(written, to)
}

func (f folder) get(_ context.Context, name string) (io.ReadCloser, error) {
	return os.Open(f.path(name))
}

func (f folder) list(_ context.Context, below string, each func(name string)) error {
	err := filepath.WalkDir(f.path(below), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(string(f), path)
		each(filepath.ToSlash(name))
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was put there yet
	}
	return err
}

// writeFile writes a file that survives a crash of the machine once this returns.
func writeFile(path string, body io.Reader) (err error) {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // a model is no secret
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := io.Copy(out, body); err != nil {
		return err
	}
	return out.Sync()
}

// sum counts and hashes what is read through it.
type sum struct {
	r    io.Reader
	hash hash.Hash
	size int64
}

func newSum(r io.Reader) *sum { return &sum{r: r, hash: sha256.New()} }

func (s *sum) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	_, _ = s.hash.Write(p[:n]) // never fails
	s.size += int64(n)
	return n, err
}

// Close closes what is read, if it can be.
func (s *sum) Close() error {
	if c, ok := s.r.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

func (s *sum) hex() string { return hex.EncodeToString(s.hash.Sum(nil)) }
