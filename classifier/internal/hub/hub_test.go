package hub

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	commit = "0123456789abcdef0123456789abcdef01234567"
	token  = "hf_secret"
)

// simulated answers as the hub does: a listing, redirects for large files to another host with hashes in the first answer's
// headers, small files directly, ranges.
type simulated struct {
	*httptest.Server
	content *httptest.Server // the content network

	mu       sync.Mutex
	files    map[string][]byte
	large    map[string]bool
	private  bool
	noHashes bool                               // the listing is bare, hashes are in headers only
	spoil    func(name string, b []byte) []byte // what goes over the wire instead
	cut      map[string]int                     // bytes after which a file's next answer breaks off
	failures int                                // next answers that are 503
	noRanges bool
	requests []string
	leaked   bool // a token came to the content network
}

func newSimulated(t *testing.T) *simulated {
	t.Helper()
	s := &simulated{
		files: map[string][]byte{
			"config.json":     []byte(`{"a":1}`),
			"tokenizer.json":  []byte(`{"b":2}`),
			"onnx/model.onnx": bytes.Repeat([]byte("weights "), 10_000),
			"README.md":       []byte("unwanted"),
		},
		large: map[string]bool{"onnx/model.onnx": true},
		cut:   map[string]int{},
	}
	s.content = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.leaked = s.leaked || r.Header.Get("Authorization") != ""
		s.serve(w, r, strings.TrimPrefix(r.URL.Path, "/blob/"))
	}))
	s.Server = httptest.NewServer(http.HandlerFunc(s.hub))
	t.Cleanup(func() { s.Close(); s.content.Close() })
	return s
}

func (s *simulated) hub(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r.URL.Path)
	refuse := func(code int, reason string) {
		w.Header().Set("X-Error-Code", reason)
		w.WriteHeader(code)
	}
	if s.failures > 0 {
		s.failures--
		refuse(http.StatusServiceUnavailable, "")
		return
	}
	if s.private && r.Header.Get("Authorization") != "Bearer "+token {
		refuse(http.StatusUnauthorized, "RepoNotFound")
		return
	}
	if revision, ok := strings.CutPrefix(r.URL.EscapedPath(), "/api/models/org/name/revision/"); ok {
		if revision != "main" && revision != "refs%2Fpr%2F1" {
			refuse(http.StatusNotFound, "RevisionNotFound")
			return
		}
		s.list(w)
		return
	}
	name, ok := strings.CutPrefix(r.URL.Path, "/org/name/resolve/"+commit+"/")
	switch {
	case !ok:
		refuse(http.StatusNotFound, "RepoNotFound")
	case s.files[name] == nil:
		refuse(http.StatusNotFound, "EntryNotFound")
	case s.large[name]:
		sum := sha256.Sum256(s.files[name])
		w.Header().Set("X-Linked-Etag", `"`+hex.EncodeToString(sum[:])+`"`)
		w.Header().Set("X-Linked-Size", strconv.Itoa(len(s.files[name])))
		w.Header().Set("ETag", `"redirects-own"`)
		http.Redirect(w, r, s.content.URL+"/blob/"+name, http.StatusFound)
	default:
		w.Header().Set("ETag", `"`+gitHash(s.files[name])+`"`)
		s.serve(w, r, name)
	}
}

func (s *simulated) list(w http.ResponseWriter) {
	type object = map[string]any
	var siblings []object
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		o := object{"rfilename": name}
		if !s.noHashes {
			o["size"], o["blobId"] = len(s.files[name]), gitHash(s.files[name])
			if s.large[name] {
				sum := sha256.Sum256(s.files[name])
				o["blobId"] = gitHash([]byte("a pointer"))
				o["lfs"] = object{"sha256": hex.EncodeToString(sum[:]), "size": len(s.files[name]), "pointerSize": 134}
			}
		}
		siblings = append(siblings, o)
	}
	_ = json.NewEncoder(w).Encode(object{"id": "org/name", "sha": commit, "siblings": siblings})
}

func (s *simulated) serve(w http.ResponseWriter, r *http.Request, name string) {
	body := s.files[name]
	if s.spoil != nil {
		body = s.spoil(name, slices.Clone(body))
	}
	from := 0
	if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil && !s.noRanges {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(body)-1, len(body)))
	} else {
		from = 0
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)-from))
	if from > 0 {
		w.WriteHeader(http.StatusPartialContent)
	}
	if n, ok := s.cut[name]; ok {
		delete(s.cut, name)
		_, _ = w.Write(body[from:n])
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(body[from:])
}

func gitHash(b []byte) string {
	sum := sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(b)), b...))
	return hex.EncodeToString(sum[:])
}

func (s *simulated) client() Client {
	return Client{URL: s.URL, HTTP: s.Client(), Attempts: 3, Pause: time.Millisecond}
}

var wanted = []string{"config.json", "onnx/model.onnx", "tokenizer.json"}

func all([]string) ([]string, error) { return wanted, nil }

func fetch(t *testing.T, c Client, cache string) (string, error) {
	t.Helper()
	return c.Fetch(t.Context(), Repo{"org/name", "main"}, cache, "model", all)
}

// checkFolder compares a fetched folder with what the hub holds.
func (s *simulated) checkFolder(t *testing.T, dir string) {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, relErr := filepath.Rel(dir, path)
		got[filepath.ToSlash(name)] = string(data)
		if relErr != nil {
			return relErr
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, name := range wanted {
		want[name] = string(s.files[name])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("folder (-hub +cache):\n%.500s", diff)
	}
}

func TestFetchOnce(t *testing.T) {
	t.Parallel()
	for _, bare := range []bool{false, true} {
		s := newSimulated(t)
		s.noHashes = bare
		cache := t.TempDir()
		var progress bytes.Buffer
		c := s.client()
		c.Progress = &progress
		dir, err := fetch(t, c, cache)
		if err != nil {
			t.Fatal(err)
		}
		s.checkFolder(t, dir)
		if !strings.Contains(progress.String(), "downloading onnx/model.onnx: 0.1 MB\n") {
			t.Errorf("progress %q", progress.String())
		}
		asked := len(s.requests)
		s.Close()
		again, err := fetch(t, c, cache)
		if err != nil || again != dir || len(s.requests) != asked {
			t.Errorf("second fetch: %s, %v, %d requests; want %s and none", again, err, len(s.requests)-asked, dir)
		}
	}
}

func TestFetchOtherRevisionOfTheSameCommit(t *testing.T) {
	t.Parallel()
	s := newSimulated(t)
	cache := t.TempDir()
	first, err := fetch(t, s.client(), cache)
	if err != nil {
		t.Fatal(err)
	}
	asked := len(s.requests)
	second, err := s.client().Fetch(t.Context(), Repo{"org/name", "refs/pr/1"}, cache, "model", all)
	if err != nil || second != first {
		t.Errorf("%s, %v; want %s", second, err, first)
	}
	if got := s.requests[asked:]; len(got) != 1 {
		t.Errorf("requests %q, want the list only", got)
	}
}

func TestFetchResumes(t *testing.T) {
	t.Parallel()
	for _, noRanges := range []bool{false, true} {
		s := newSimulated(t)
		s.noRanges = noRanges
		s.cut["onnx/model.onnx"] = 30_000
		s.cut["tokenizer.json"] = 3
		dir, err := fetch(t, s.client(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		s.checkFolder(t, dir)
	}
}

// A download that ended in the middle goes on where it was, in another process too.
func TestFetchContinuesWhatAnotherBegan(t *testing.T) {
	t.Parallel()
	s := newSimulated(t)
	s.cut["onnx/model.onnx"] = 30_000
	cache := t.TempDir()
	c := s.client()
	c.Attempts = 1
	if dir, err := fetch(t, c, cache); err == nil {
		t.Fatalf("%s, want an error", dir)
	}
	var progress bytes.Buffer
	c.Progress = &progress
	dir, err := fetch(t, c, cache)
	if err != nil {
		t.Fatal(err)
	}
	s.checkFolder(t, dir)
	if !strings.Contains(progress.String(), "are there") || strings.Contains(progress.String(), "config.json") {
		t.Errorf("progress %q: want model.onnx resumed and config.json kept", progress.String())
	}
}

func TestFetchTriesAgainAfterServerErrors(t *testing.T) {
	t.Parallel()
	s := newSimulated(t)
	s.failures = 2
	dir, err := fetch(t, s.client(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s.checkFolder(t, dir)
}

func TestFetchRefusesWrongContent(t *testing.T) {
	t.Parallel()
	tests := map[string]func(string, []byte) []byte{
		"flipped in a large file": func(name string, b []byte) []byte {
			if name == "onnx/model.onnx" {
				b[100] ^= 1
			}
			return b
		},
		"flipped in a small file": func(name string, b []byte) []byte {
			if name == "config.json" {
				b[2] ^= 1
			}
			return b
		},
		"shorter": func(_ string, b []byte) []byte { return b[:len(b)-1] },
		"longer":  func(_ string, b []byte) []byte { return append(b, 'x') },
	}
	for name, spoil := range tests {
		for _, bare := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, bare %v", name, bare), func(t *testing.T) {
				t.Parallel()
				s := newSimulated(t)
				s.spoil, s.noHashes = spoil, bare
				cache := t.TempDir()
				if dir, err := fetch(t, s.client(), cache); err == nil || !strings.Contains(err.Error(), "the server says") {
					t.Fatalf("%s, %v; want a refusal", dir, err)
				}
				s.mu.Lock()
				s.spoil = nil
				s.mu.Unlock()
				dir, err := fetch(t, s.client(), cache)
				if err != nil {
					t.Fatalf("after the hub has recovered: %v", err)
				}
				s.checkFolder(t, dir)
			})
		}
	}
}

func TestFetchSendsTheTokenToTheHubOnly(t *testing.T) {
	t.Parallel()
	s := newSimulated(t)
	s.private = true
	c := s.client()
	if _, err := fetch(t, c, t.TempDir()); err == nil || !strings.Contains(err.Error(), "needs a token") {
		t.Errorf("without a token: %v", err)
	}
	c.Token = token
	if _, err := fetch(t, c, t.TempDir()); err != nil {
		t.Error(err)
	}
	if s.leaked {
		t.Error("the content network was given the token")
	}
}

func TestFetchExplains(t *testing.T) {
	t.Parallel()
	s := newSimulated(t)
	s.files["../evil"] = []byte("x")
	tests := []struct {
		name, url string
		repo      Repo
		choose    func([]string) ([]string, error)
		want      string
	}{
		{"no such model", s.URL, Repo{"org/other", "main"}, all, "there is no such model"},
		{"no such revision", s.URL, Repo{"org/name", "v9"}, all, "no such revision"},
		{"not a URL", "huggingface.co", Repo{"org/name", "main"}, all, "hub URL"},
		{"nothing to choose", s.URL, Repo{"org/name", "main"}, func(names []string) ([]string, error) { return nil, fmt.Errorf("none of %q", names) }, `none of ["../evil" "README.md"`},
		{"leaves the folder", s.URL, Repo{"org/name", "main"}, func([]string) ([]string, error) { return []string{"../evil"}, nil }, "is no file name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := s.client()
			c.URL = tt.url
			if _, err := c.Fetch(t.Context(), tt.repo, t.TempDir(), "model", tt.choose); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func TestFetchStopsWithItsContext(t *testing.T) {
	t.Parallel()
	s := newSimulated(t)
	s.failures = 1000
	c := s.client()
	c.Pause = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Fetch(ctx, Repo{"org/name", "main"}, t.TempDir(), "model", all); err == nil {
		t.Error("no error")
	}
}

func TestConcurrentFetchesShareOneDownload(t *testing.T) {
	t.Parallel()
	s := newSimulated(t)
	cache := t.TempDir()
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if dir, err := fetch(t, s.client(), cache); err != nil {
				t.Error(err)
			} else {
				s.checkFolder(t, dir)
			}
		})
	}
	group.Wait()
	if len(s.requests) != 1+len(wanted) {
		t.Errorf("requests %q, want one for the list and one per file", s.requests)
	}
}

func TestParseRepo(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Repo{
		"org/name": {"org/name", "main"}, "a-b/c_d.e@v1.0": {"a-b/c_d.e", "v1.0"}, "org/name@refs/pr/1": {"org/name", "refs/pr/1"}, "org/name@" + commit: {"org/name", commit},
	} {
		if got, err := ParseRepo(in); err != nil || got != want {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "name", "a/b/c", "../x", "a/..", "a/b@", "a/b@../c", "a/b@/x", "a/b c", "a/b?x", "-a/b", "https://x/y"} {
		if got, err := ParseRepo(in); err == nil {
			t.Errorf("%q: %v, want an error", in, got)
		}
	}
}

func FuzzParseRepo(f *testing.F) {
	f.Add("org/name@v1")
	f.Add("a/..@../..")
	f.Fuzz(func(t *testing.T, s string) {
		repo, err := ParseRepo(s)
		if err != nil {
			return
		}
		if rel, err := filepath.Rel("/cache", repo.folder("/cache")); err != nil || !filepath.IsLocal(rel) || strings.ContainsAny(rel, `/\`) {
			t.Errorf("%q lies at %q", s, repo.folder("/cache"))
		}
	})
}
