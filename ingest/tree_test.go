package ingest

import (
	"net/http"
	"strings"
	"testing"
)

func TestTree(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.do(t, call{method: "GET", path: "/v1/log/checkpoint"})
	if rec.Code != http.StatusOK || rec.Body.String() != "log\n1\nroot\n" || rec.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("checkpoint = %d %v %q", rec.Code, rec.Header(), rec.Body)
	}
	rec = w.do(t, call{method: "GET", path: "/v1/log/tile/8/0/x001/234.p/2"})
	if rec.Code != http.StatusOK || rec.Body.String() != "tile" || !strings.Contains(rec.Header().Get("Cache-Control"), "immutable") {
		t.Errorf("tile = %d %v %q", rec.Code, rec.Header(), rec.Body)
	}
	for path, want := range map[string]int{
		"/v1/log/tile/8/0/000": http.StatusNotFound, "/v1/log/": http.StatusNotFound,
	} {
		if rec := w.do(t, call{method: "GET", path: path}); rec.Code != want {
			t.Errorf("%s = %d %s", path, rec.Code, rec.Body)
		}
	}
	if rec := w.do(t, call{method: "POST", path: "/v1/log/checkpoint"}); rec.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST = %d", rec.Code)
	}
	w.store.fail = errSecret
	if rec := w.do(t, call{method: "GET", path: "/v1/log/checkpoint"}); rec.Code != http.StatusInternalServerError ||
		strings.Contains(rec.Body.String(), errSecret.Error()) {
		t.Errorf("with a broken store: %d %s", rec.Code, rec.Body)
	}
}
