package classifier

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"hitl/classifier/internal/engine"
	"hitl/classifier/internal/hub"
)

// RuntimeVersion is the ONNX Runtime that [InstallRuntime] installs.
const RuntimeVersion = "1.30.0"

// NPM is where npm's packages are.
const NPM = "https://registry.npmjs.org"

// release is an archive that holds ONNX Runtime's library for several platforms, pinned by content: what is loaded is what was looked at, whatever a
// registry answers.
type release struct {
	path      string // below the registry's address
	size      int64
	sha256    string
	libraries map[string]library // by GOOS/GOARCH
}

type library struct {
	member string // of the archive
	name   string // under which it is found in a folder
	sha256 string
}

// pinned is Microsoft's npm package onnxruntime-node. Its archive is that which npm's registry names for this version by its SHA-512. The libraries need no
// Node. Left out are platforms for which it has none (macOS on Intel), and Windows, where it needs more than the one file.
var pinned = release{
	path: "/onnxruntime-node/-/onnxruntime-node-" + RuntimeVersion + ".tgz", size: 113507888,
	sha256: "6e3390d6b783e7be946fad629292799da28d0b42f84856e50d2c1b0383291e75",
	libraries: map[string]library{
		"linux/amd64": {
			"package/bin/napi-v6/linux/x64/libonnxruntime.so.1", "libonnxruntime.so." + RuntimeVersion,
			"ffb75a925ba05e47b235bb66e3e3911714a80b328a9c9425539feb204aa32a23",
		},
		"linux/arm64": {
			"package/bin/napi-v6/linux/arm64/libonnxruntime.so.1", "libonnxruntime.so." + RuntimeVersion,
			"1f549d46250b005580b597f4164984aaf75b3bcb9f3aeb07c7f8a8fe60b23c76",
		},
		"darwin/arm64": {
			"package/bin/napi-v6/darwin/arm64/libonnxruntime." + RuntimeVersion + ".dylib", "libonnxruntime." + RuntimeVersion + ".dylib",
			"685d2be5dba1309c89d3a5324b7fd06a5c42f1a61bfea32d14c4cc28d072121d",
		},
	},
}

// ErrNoRuntimeHere says that there is no ONNX Runtime to install for this platform.
var ErrNoRuntimeHere = errors.New("there is no ONNX Runtime to install for this platform")

// RuntimeOptions say from where ONNX Runtime is installed, and to where.
type RuntimeOptions struct {
	// Registry is where npm's packages are, or a mirror of it. Default: [NPM].
	Registry string
	// Dir is the folder for the library. Default: [RuntimeFolder].
	Dir string
	// Progress is where the download shows itself, as in [Options]. Default: none.
	Progress io.Writer
	// Logger hears of attempts that fail. Default: none.
	Logger *slog.Logger

	client *http.Client
	pause  time.Duration
}

// RuntimeFolder is where [Open] looks for ONNX Runtime last, and [InstallRuntime] puts it: "hitl/onnxruntime" in the user's cache folder. Empty: the user
// has none.
func RuntimeFolder() string { return engine.Folder() }

// FindRuntime returns the path of the library that a classifier with this value of [Options].ONNXRuntime would try; empty for "off". Its error says
// where there is none.
func FindRuntime(where string, getenv func(string) string) (string, error) {
	switch where {
	case "off":
		return "", nil
	case "auto":
		where = ""
	}
	return engine.FindRuntime(where, getenv)
}

// RuntimeInstalls says whether [InstallRuntime] has something for this platform.
func RuntimeInstalls() bool {
	_, err := pinned.here()
	return err == nil
}

// here returns the library for this platform, or ErrNoRuntimeHere.
func (r release) here() (library, error) {
	platform := runtime.GOOS + "/" + runtime.GOARCH
	lib, ok := r.libraries[platform]
	if !ok {
		return library{}, fmt.Errorf("%w (%s)", ErrNoRuntimeHere, platform)
	}
	if _, err := os.Stat("/etc/alpine-release"); err == nil {
		return library{}, fmt.Errorf("%w (Alpine has another C library than it was built for)", ErrNoRuntimeHere)
	}
	return lib, nil
}

// InstallRuntime downloads ONNX Runtime 1.30.0, 114 MB in which the library takes 25 to 46, and returns the path of the library. It verifies what it got
// by a SHA-256 that is part of this binary. A library that is there already is left; then fetched is false. A download that breaks off is tried again, and
// goes on from there, also when this is called again.
func InstallRuntime(ctx context.Context, o RuntimeOptions) (path string, fetched bool, err error) {
	return pinned.install(ctx, o)
}

func (r release) install(ctx context.Context, o RuntimeOptions) (path string, fetched bool, err error) {
	lib, err := r.here()
	if err != nil {
		return "", false, err
	}
	set(&o.Registry, NPM)
	set(&o.Dir, RuntimeFolder())
	if o.Dir == "" {
		return "", false, errors.New("this user has no cache folder: name a folder for the library")
	}
	path = filepath.Join(o.Dir, lib.name)
	there := func() bool {
		sum, err := hashOf(path)
		return err == nil && sum == lib.sha256
	}
	if there() {
		return path, false, nil
	}
	client := hub.Client{URL: strings.TrimSuffix(o.Registry, "/") + r.path, HTTP: o.client, Progress: o.Progress, Logger: o.Logger, Pause: o.pause}
	archive := filepath.Join(o.Dir, filepath.Base(r.path))
	err = client.One(ctx, archive, r.size, r.sha256, there, func() error {
		fetched = true
		return extract(archive, lib, path)
	})
	if err != nil {
		return "", false, fmt.Errorf("install ONNX Runtime: %w", err)
	}
	return path, fetched, nil
}

// extract writes the library of an archive to path, whole or not at all: a process may be loading it.
func extract(archive string, lib library, path string) (err error) {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // read only
	plain, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("read archive: %w", err)
	}
	files := tar.NewReader(plain)
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("the archive holds no %s", lib.member)
		}
		if err != nil {
			return fmt.Errorf("read archive: %w", err)
		}
		if header.Name == lib.member {
			break
		}
	}
	aside := path + ".new"
	out, err := os.OpenFile(aside, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(aside)
		}
	}()
	_, err = io.Copy(out, files)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return fmt.Errorf("write library: %w", err)
	}
	sum, err := hashOf(aside)
	if err != nil {
		return err
	}
	if sum != lib.sha256 {
		return fmt.Errorf("the library has SHA-256 %s, want %s", sum, lib.sha256)
	}
	return os.Rename(aside, path)
}

func hashOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // read only
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
