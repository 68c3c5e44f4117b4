package local

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/xi2/xz"
)

// unpack writes the tree inside archive, a zip file that holds one .txz,
// below dir. Nothing is written outside dir: names and links that lead out
// of it are errors.
func unpack(archive []byte, dir string) error {
	jar, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return fmt.Errorf("read archive: %w", err)
	}
	for _, file := range jar.File {
		if !strings.HasSuffix(file.Name, ".txz") {
			continue
		}
		inner, err := file.Open()
		if err != nil {
			return fmt.Errorf("read archive: %w", err)
		}
		return errors.Join(unpackTXZ(inner, dir), inner.Close())
	}
	return errors.New("archive holds no .txz")
}

func unpackTXZ(r io.Reader, dir string) (err error) {
	plain, err := xz.NewReader(r, xz.DefaultDictMax)
	if err != nil {
		return fmt.Errorf("read .txz: %w", err)
	}
	// A root refuses every path that leaves it, links included.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open folder: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	tree := tar.NewReader(plain)
	for {
		header, err := tree.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read .txz: %w", err)
		}
		if err := unpackEntry(root, header, tree); err != nil {
			return fmt.Errorf("unpack %s: %w", header.Name, err)
		}
	}
}

func unpackEntry(root *os.Root, header *tar.Header, content io.Reader) error {
	name := filepath.Clean(filepath.FromSlash(header.Name))
	if name == "." {
		return nil
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	switch header.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, 0o755)
	case tar.TypeSymlink:
		if !filepath.IsLocal(filepath.Join(filepath.Dir(name), filepath.FromSlash(header.Linkname))) {
			return fmt.Errorf("link to %s leaves the archive", header.Linkname)
		}
		return root.Symlink(header.Linkname, name)
	case tar.TypeReg:
		file, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, header.FileInfo().Mode().Perm()|0o444)
		if err != nil {
			return err
		}
		_, err = io.Copy(file, content)
		return errors.Join(err, file.Close())
	default:
		return nil // hard links and devices do not occur
	}
}
