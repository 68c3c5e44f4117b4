package local

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// archiveOf wraps testdata/tree.txz (bin/postgres, bin/initdb, a link) or
// another .txz as the published archives do.
func archiveOf(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var jar bytes.Buffer
	z := zip.NewWriter(&jar)
	for _, entry := range []string{"META-INF/MANIFEST.MF", "postgres-linux-x86_64.txz"} {
		w, err := z.Create(entry)
		if err == nil && strings.HasSuffix(entry, ".txz") {
			_, err = w.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return jar.Bytes()
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func TestFetch(t *testing.T) {
	t.Parallel()
	archive := archiveOf(t, "tree.txz")
	var downloads atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		downloads.Add(1)
		if want := "/io/zonky/test/postgres/embedded-postgres-binaries-any-cpu/" + fetchedVersion +
			"/embedded-postgres-binaries-any-cpu-" + fetchedVersion + ".jar"; r.URL.Path != want {
			t.Errorf("asked for %s, want %s", r.URL.Path, want)
		}
		_, _ = w.Write(archive)
	}))
	t.Cleanup(server.Close)

	var progress bytes.Buffer
	f := fetcher{repository: server.URL, builds: map[string]string{"any-cpu": hash(archive)}, cache: t.TempDir(), progress: &syncWriter{to: &progress}}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			dir, err := f.fetch(t.Context(), "any-cpu")
			if err != nil {
				t.Error(err)
				return
			}
			info, err := os.Stat(filepath.Join(dir, "postgres"))
			if err != nil || info.Mode().Perm()&0o111 != 0o111 {
				t.Errorf("postgres in %s: %v, %v", dir, info, err)
			}
			if link, err := os.Readlink(filepath.Join(dir, "..", "lib", "libpq.so")); err != nil || link != "libpq.so.5" {
				t.Errorf("link leads to %q, %v", link, err)
			}
		})
	}
	wg.Wait()
	if n := downloads.Load(); n != 1 {
		t.Errorf("downloaded %d times, want once", n)
	}
	if !strings.Contains(progress.String(), "100%") {
		t.Errorf("progress: %q", progress.String())
	}
	left, err := filepath.Glob(filepath.Join(f.cache, "unpacking-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

type syncWriter struct {
	mu sync.Mutex
	to *bytes.Buffer
}

func (w *syncWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(b)
}

func TestFetchRefuses(t *testing.T) {
	t.Parallel()
	good, escaping := archiveOf(t, "tree.txz"), archiveOf(t, "escaping.txz")
	tests := map[string]struct {
		sum, platform string
		answer        []byte
		status        int
		want          string
	}{
		"other content":    {hash([]byte("other")), "any-cpu", good, 200, "has SHA-256"},
		"not found":        {hash(good), "any-cpu", nil, 404, "404"},
		"no archive":       {hash([]byte("text")), "any-cpu", []byte("text"), 200, "read archive"},
		"cut short":        {hash(good[:len(good)/2]), "any-cpu", good[:len(good)/2], 200, "read archive"},
		"leaves folder":    {hash(escaping), "any-cpu", escaping, 200, "unpack"},
		"unknown platform": {hash(good), "plan9-mips", good, 200, "no PostgreSQL to fetch"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				_, _ = w.Write(tt.answer)
			}))
			t.Cleanup(server.Close)
			cache := filepath.Join(t.TempDir(), "cache")
			f := fetcher{repository: server.URL, builds: map[string]string{"any-cpu": tt.sum}, cache: cache, progress: &bytes.Buffer{}}
			_, err := f.fetch(t.Context(), tt.platform)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			outside, err := filepath.Glob(filepath.Join(cache, "..", "*"))
			if err != nil || len(outside) > 1 {
				t.Errorf("outside the cache: %v, %v", outside, err)
			}
			inside, err := filepath.Glob(filepath.Join(cache, "*ing-*"))
			if err != nil || len(inside) > 0 {
				t.Errorf("left in the cache: %v, %v", inside, err)
			}
		})
	}
}

func TestFetchCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(http.StatusOK)
		cancel()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	f := fetcher{repository: server.URL, builds: map[string]string{"any-cpu": "00"}, cache: t.TempDir(), progress: &bytes.Buffer{}}
	if _, err := f.fetch(ctx, "any-cpu"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// FuzzUnpack: whatever the archive holds, nothing appears outside the folder
// and nothing panics.
func FuzzUnpack(f *testing.F) {
	for _, name := range []string{"tree.txz", "escaping.txz"} {
		content, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, txz []byte) {
		parent := t.TempDir()
		dir := filepath.Join(parent, "in")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		_ = unpackTXZ(bytes.NewReader(txz), dir)
		entries, err := os.ReadDir(parent)
		if err != nil || len(entries) != 1 {
			t.Fatalf("outside the folder: %v, %v", entries, err)
		}
	})
}

func TestRepositoryIsKnown(t *testing.T) {
	t.Parallel()
	address, err := repository()
	if err != nil || !strings.HasPrefix(address, "https://") {
		t.Errorf("repository is %q, %v", address, err)
	}
}
