package registry

import (
	"bytes"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// s3Server is an S3 server of others, in this process, that can be made to fail. It looks at no signatures.
type s3Server struct {
	*httptest.Server
	fail atomic.Pointer[func(w http.ResponseWriter, r *http.Request, next http.Handler)]
}

func newS3Server(t *testing.T) *s3Server {
	t.Helper()
	memory := s3mem.New()
	if err := memory.CreateBucket("acme"); err != nil {
		t.Fatal(err)
	}
	next := gofakes3.New(memory).Server()
	s := &s3Server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fail := s.fail.Load(); fail != nil {
			(*fail)(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *s3Server) failing(f func(w http.ResponseWriter, r *http.Request, next http.Handler)) {
	s.fail.Store(&f)
}

func (s *s3Server) open(t *testing.T, location string) *Registry {
	t.Helper()
	r, err := Open(location, S3{Endpoint: s.URL, Region: "us-east-1", AccessKey: "key", SecretKey: "secret", PathStyle: true})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A server's short trouble is waited out; what it cuts off is noticed, and leaves nothing behind.
func TestBucketInTrouble(t *testing.T) {
	t.Parallel()
	s := newS3Server(t)
	r := s.open(t, "s3://acme/models")
	var refused atomic.Int64
	s.failing(func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		if refused.Add(1)%2 == 1 { // every second request
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, req)
	})
	m, added, err := r.Add(t.Context(), "tickets", aModel(t, "{}"), "cli/ana")
	if err != nil || !added {
		t.Fatalf("on a server that refuses every second request: %v, %v", added, err)
	}
	s.failing(func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		if req.Method != http.MethodGet || !strings.HasSuffix(req.URL.Path, "model.onnx") {
			next.ServeHTTP(w, req)
			return
		}
		whole := httptest.NewRecorder()
		next.ServeHTTP(whole, req)
		maps.Copy(w.Header(), whole.Header())
		w.WriteHeader(whole.Code)
		_, _ = io.CopyN(w, whole.Body, int64(whole.Body.Len()/2))
		panic(http.ErrAbortHandler) // the connection ends here
	})
	cache := t.TempDir()
	if dir, err := r.Folder(t.Context(), m, cache); err == nil || !strings.Contains(err.Error(), "copy model.onnx") {
		t.Errorf("cut off: %q, %v", dir, err)
	}
	if left, _ := filepath.Glob(filepath.Join(cache, "registry", "tickets", "*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	s.fail.Store(nil)
	dir, err := r.Folder(t.Context(), m, cache)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "model.onnx")); err != nil {
		t.Error(err)
	}
}

// A file that is larger than what clients like to send in one piece comes back as it was.
func TestBucketKeepsLargeFiles(t *testing.T) {
	t.Parallel()
	r := newS3Server(t).open(t, "s3://acme/models")
	data := make([]byte, 40<<20+1)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data) // never fails
	if err := r.blobs.put(t.Context(), "tickets/x/model.onnx_data", bytesOf(data), int64(len(data))); err != nil {
		t.Fatal(err)
	}
	body, err := r.blobs.get(t.Context(), "tickets/x/model.onnx_data")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }()
	got, err := io.ReadAll(body)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes came back of %d, or others, %v", len(got), len(data), err)
	}
}

// Errors name the object, and say what to do.
func TestBucketExplains(t *testing.T) {
	t.Parallel()
	s := newS3Server(t)
	if _, err := s.open(t, "s3://nobody/models").List(t.Context(), "tickets"); err == nil || !strings.Contains(err.Error(), "make the bucket") {
		t.Errorf("no bucket: %v", err)
	}
	nothing := "sha256:" + strings.Repeat("0", 64)
	if _, err := s.open(t, "s3://nobody/models").Get(t.Context(), "tickets", nothing); err == nil || !strings.Contains(err.Error(), "make the bucket") {
		t.Errorf("no bucket: %v", err)
	}
	for code, want := range map[string]string{
		"AccessDenied": "the key needs s3:GetObject", "SignatureDoesNotMatch": "see models.s3.access_key", "RequestTimeTooSkewed": "the clock of this machine",
	} {
		s.failing(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "<Error><Code>"+code+"</Code><Message>no</Message></Error>")
		})
		_, err := s.open(t, "s3://acme/models").List(t.Context(), "tickets")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "s3://acme/models/tickets") {
			t.Errorf("%s: %v", code, err)
		}
		if _, err := s.open(t, "s3://acme/models").Get(t.Context(), "tickets", nothing); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", code, err)
		}
	}
	for location, endpoint := range map[string]string{"s3://": "https://s3.example.org", "s3:///models": "https://s3.example.org", "s3://acme": "ftp://s3.example.org", "s3://acme/x": "s3.example.org"} {
		if _, err := Open(location, S3{Endpoint: endpoint}); err == nil {
			t.Errorf("%s at %s was taken", location, endpoint)
		}
	}
}
