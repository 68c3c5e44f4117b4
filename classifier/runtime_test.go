package classifier

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const libraryContent = "a library, as far as this test is concerned"

func hexHash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// archived returns an archive as npm's are, and the release that pins it for this platform.
func archived(t *testing.T) ([]byte, release) {
	t.Helper()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	files := tar.NewWriter(z)
	for _, f := range []struct{ name, content string }{{"package/package.json", "{}"}, {"package/bin/library.so.1", libraryContent}} {
		err := files.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.content)), Typeflag: tar.TypeReg})
		if err == nil {
			_, err = files.Write([]byte(f.content))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(files.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	lib := library{member: "package/bin/library.so.1", name: "libonnxruntime.so.9.9.9", sha256: hexHash([]byte(libraryContent))}
	return packed.Bytes(), release{
		path: "/pack/-/pack-9.9.9.tgz", size: int64(packed.Len()), sha256: hexHash(packed.Bytes()),
		libraries: map[string]library{runtime.GOOS + "/" + runtime.GOARCH: lib},
	}
}

// serveArchive serves an archive, with ranges; meddle, which may be nil, answers first and says whether it did.
func serveArchive(t *testing.T, archive []byte, meddle func(n int32, w http.ResponseWriter, r *http.Request) bool) (address string, asked *atomic.Int32) {
	t.Helper()
	asked = &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := asked.Add(1)
		if r.URL.Path != "/mirror/pack/-/pack-9.9.9.tgz" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		if meddle == nil || !meddle(n, w, r) {
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(archive))
		}
	}))
	t.Cleanup(server.Close)
	return server.URL + "/mirror/", asked
}

func onlyLibrary(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".lock") && e.Name() != "libonnxruntime.so.9.9.9" {
			t.Errorf("left over: %s", e.Name())
		}
	}
	if content, err := os.ReadFile(filepath.Join(dir, "libonnxruntime.so.9.9.9")); err != nil || string(content) != libraryContent {
		t.Errorf("the library holds %q, %v", content, err)
	}
}

func runtimeOptions(address, dir string) RuntimeOptions {
	transport := &http.Transport{DisableKeepAlives: true}
	return RuntimeOptions{Registry: address, Dir: dir, client: &http.Client{Transport: transport}, pause: time.Microsecond}
}

// Many processes may install at once: one downloads.
func TestInstallRuntime(t *testing.T) {
	t.Parallel()
	archive, r := archived(t)
	address, asked := serveArchive(t, archive, nil)
	dir := filepath.Join(t.TempDir(), "new")
	var group sync.WaitGroup
	var downloads atomic.Int32
	for range 4 {
		group.Go(func() {
			path, fetched, err := r.install(t.Context(), runtimeOptions(address, dir))
			if err != nil || path != filepath.Join(dir, "libonnxruntime.so.9.9.9") {
				t.Errorf("%s, %v", path, err)
			}
			if fetched {
				downloads.Add(1)
			}
		})
	}
	group.Wait()
	if asked.Load() != 1 || downloads.Load() != 1 {
		t.Errorf("asked %d times, said to be fetched %d times", asked.Load(), downloads.Load())
	}
	onlyLibrary(t, dir)
	if runtime.GOOS == "linux" {
		if found, err := FindRuntime(dir, os.Getenv); err != nil || filepath.Dir(found) != dir {
			t.Errorf("found %s, %v", found, err)
		}
	}
	// One that was damaged since is replaced.
	if err := os.WriteFile(filepath.Join(dir, "libonnxruntime.so.9.9.9"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, fetched, err := r.install(t.Context(), runtimeOptions(address, dir)); err != nil || !fetched {
		t.Errorf("%v, %v", fetched, err)
	}
	onlyLibrary(t, dir)
}

// What breaks off goes on from there.
func TestInstallRuntimeResumes(t *testing.T) {
	t.Parallel()
	archive, r := archived(t)
	var from atomic.Value
	address, asked := serveArchive(t, archive, func(n int32, w http.ResponseWriter, req *http.Request) bool {
		switch n {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		case 2:
			w.Header().Set("Content-Length", "100000")
			_, _ = w.Write(archive[:len(archive)/2])
			return true
		}
		from.Store(req.Header.Get("Range"))
		return false
	})
	dir := t.TempDir()
	if _, _, err := r.install(t.Context(), runtimeOptions(address, dir)); err != nil {
		t.Fatal(err)
	}
	if got, _ := from.Load().(string); asked.Load() != 3 || got == "" {
		t.Errorf("%d requests, the last from %q", asked.Load(), got)
	}
	onlyLibrary(t, dir)
}

func TestInstallRuntimeRefuses(t *testing.T) {
	t.Parallel()
	archive, good := archived(t)
	platform := runtime.GOOS + "/" + runtime.GOARCH
	change := func(f func(r *release, l *library)) release {
		r, l := good, good.libraries[platform]
		f(&r, &l)
		r.libraries = map[string]library{platform: l}
		return r
	}
	tests := map[string]struct {
		release release
		words   string
	}{
		"another archive": {change(func(r *release, _ *library) { r.sha256 = strings.Repeat("0", 64) }), "has hash"},
		"another library": {change(func(_ *release, l *library) { l.sha256 = strings.Repeat("0", 64) }), "SHA-256"},
		"no library":      {change(func(_ *release, l *library) { l.member = "package/none" }), "holds no package/none"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, _ := serveArchive(t, archive, nil)
			dir := t.TempDir()
			if path, _, err := tt.release.install(t.Context(), runtimeOptions(address, dir)); err == nil || !strings.Contains(err.Error(), tt.words) {
				t.Errorf("%s, %v; want an error with %q", path, err, tt.words)
			}
			if left, err := filepath.Glob(filepath.Join(dir, "libonnxruntime*")); err != nil || len(left) > 0 {
				t.Errorf("left over: %v, %v", left, err)
			}
		})
	}
	t.Run("nothing for here", func(t *testing.T) {
		t.Parallel()
		none := good
		none.libraries = nil
		if path, _, err := none.install(t.Context(), RuntimeOptions{Registry: "http://127.0.0.1:1", Dir: t.TempDir()}); !errors.Is(err, ErrNoRuntimeHere) {
			t.Errorf("%s, %v", path, err)
		}
	})
	t.Run("not there", func(t *testing.T) {
		t.Parallel()
		address, asked := serveArchive(t, archive, func(_ int32, w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusNotFound)
			return true
		})
		_, _, err := good.install(t.Context(), runtimeOptions(address, t.TempDir()))
		if err == nil || !strings.Contains(err.Error(), address+"pack/-/pack-9.9.9.tgz") || asked.Load() != 1 {
			t.Errorf("after %d requests: %v", asked.Load(), err)
		}
	})
}
