package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestServerLimits has clients that send too much, too slowly, or not at all, on real sockets.
func TestServerLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		begin  string // sent at once
		drip   string // sent again and again, until the server has enough
		answer string // how the answer begins; empty: none, or a 400
	}{
		"header too large":  {"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", 64<<10), "", "HTTP/1.1 431"},
		"target too long":   {"GET /" + strings.Repeat("a", 64<<10), "", "HTTP/1.1 431"},
		"silent":            {"", "", ""},
		"header stops":      {"GET /healthz HTTP/1.1\r\nHos", "", ""},
		"header drips":      {"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: ", "a", ""},
		"body drips":        {"POST /v1/items HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + helpKey + "\r\nContent-Length: 100000\r\n\r\n{", " ", "HTTP/1.1 408"},
		"chunks drip":       {"POST /v1/items HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + helpKey + "\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n", "HTTP/1.1 408"},
		"signed body drips": {"POST /v1/hooks/hub HTTP/1.1\r\nHost: x\r\nX-Hub-Signature-256: sha256=00\r\nContent-Length: 100000\r\n\r\n{", " ", "HTTP/1.1 408"},
		"nobody's body":     {"POST /v1/items HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", "", "HTTP/1.1 401"}, // without waiting for it
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			url, _ := serve(t, w, func(s *http.Server) {
				s.ReadHeaderTimeout, s.ReadTimeout, s.IdleTimeout = 200*time.Millisecond, 400*time.Millisecond, 200*time.Millisecond
			})
			var d net.Dialer
			conn, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if _, err := io.WriteString(conn, c.begin); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			dripped := make(chan struct{})
			go func() {
				defer close(dripped)
				drip(ctx, conn, c.drip)
			}()
			if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(conn)
			cancel()
			<-dripped
			var late net.Error
			if errors.As(err, &late) && late.Timeout() {
				t.Errorf("the server still waits; it answered %q", answer)
			}
			if want := cmp.Or(c.answer, "HTTP/1.1 400"); !strings.HasPrefix(string(answer), want) && (c.answer != "" || len(answer) > 0) {
				t.Errorf("answer = %q", answer)
			}
			if len(w.store.byID) != 0 {
				t.Error("something was recorded")
			}
		})
	}
}

// drip writes a little every few milliseconds, so that no single read ever waits long.
func drip(ctx context.Context, conn net.Conn, text string) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for text != "" {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := io.WriteString(conn, text); err != nil {
			return
		}
	}
}

// NewServer leaves nothing without a limit.
func TestNewServer(t *testing.T) {
	t.Parallel()
	s := NewServer("", http.NotFoundHandler())
	for name, limit := range map[string]time.Duration{
		"headers": s.ReadHeaderTimeout, "reading": s.ReadTimeout, "writing": s.WriteTimeout, "idle": s.IdleTimeout,
	} {
		if limit <= 0 {
			t.Errorf("%s have no limit", name)
		}
	}
	if s.MaxHeaderBytes <= 0 || s.WriteTimeout <= maxWait || s.WriteTimeout <= batchTimeout || s.WriteTimeout <= submitTimeout {
		t.Errorf("limits do not fit: %+v", s)
	}
}

// TestBodyLimits refuses what is announced as too large without reading, and the rest once it is too large; JSON is counted before it is built.
func TestBodyLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.MaxBody, c.MaxBatchBody = 1<<20, 4<<20 })
	values := func(n int) string { return `{"items":[` + strings.Repeat("0,", n) + `0]}` }
	for name, c := range map[string]struct {
		path, body string
		announced  int64
		status     int
	}{
		"item announced":    {"/v1/items", "", 1<<20 + 1, 413},
		"item":              {"/v1/items", strings.Repeat(" ", 1<<20+1), -1, 413},
		"hook announced":    {"/v1/hooks/shop", "", 1<<20 + 1, 413},
		"hook":              {"/v1/hooks/shop", strings.Repeat(" ", 1<<20+1), -1, 413},
		"batch announced":   {"/v1/items/batch", "", 4<<20 + 1, 413},
		"batch":             {"/v1/items/batch", strings.Repeat(" ", 4<<20+1), -1, 413},
		"too many values":   {"/v1/items/batch", values(maxValues), -1, 400},
		"too many in a row": {"/v1/items/batch", values(maxValues - 2), -1, 422}, // only as items of a batch
		"too deep":          {"/v1/hooks/shop", strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1), -1, 400},
	} {
		var body io.Reader = strings.NewReader(c.body)
		if c.body == "" {
			body = unread{t}
		}
		r := httptest.NewRequestWithContext(t.Context(), "POST", c.path, body)
		r.Header.Set("Authorization", "Bearer "+shopKey)
		r.ContentLength = c.announced
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		if rec.Code != c.status {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
	}
}

// TestSafeHeaders looks at an answer of every kind.
func TestSafeHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	it := w.post(t, `{"text":"unsure"}`)
	const none, private = "default-src 'none'; frame-ancestors 'none'", "no-store"
	for _, c := range []struct {
		call
		status  int
		caching string
		policy  string
	}{
		{call{method: "POST", path: "/v1/items", key: helpKey, body: `{"text":"sure"}`}, 200, private, none},
		{call{method: "POST", path: "/v1/items", body: `{"text":"sure"}`}, 401, private, none},
		{call{method: "POST", path: "/v1/items", key: helpKey, body: `{"text":"panic"}`}, 500, private, none},
		{call{method: "POST", path: "/v1/items/batch", key: helpKey, body: `{"items":[{"text":"sure"}]}`}, 200, private, none},
		{call{method: "POST", path: "/v1/hooks/shop", key: shopKey, body: `{"text":"sure"}`}, 200, private, none},
		{call{method: "GET", path: "/v1/items/" + it.ID, key: helpKey}, 200, private, none},
		{call{method: "GET", path: "/v1/items/" + it.ID + "/log", key: helpKey}, 200, private, none},
		{call{method: "GET", path: "/v1/stats", key: helpKey}, 200, private, none},
		{call{method: "GET", path: "/v1/log/checkpoint"}, 200, "no-cache", none},
		{call{method: "GET", path: "/v1/log/tile/8/0/x001/234.p/2"}, 200, "public, max-age=31536000, immutable", none},
		{call{method: "GET", path: "/v1/log/tile/8/0/000"}, 404, private, none},
		{call{method: "GET", path: "/healthz"}, 200, private, none},
		{call{method: "GET", path: "/readyz"}, 200, private, none},
		{call{method: "GET", path: "/openapi.json"}, 200, private, none},
		{call{method: "GET", path: "/docs"}, 200, private, "default-src 'none'; style-src 'sha256-"},
		{call{method: "GET", path: "/nothing"}, 404, private, none},
		{call{method: "DELETE", path: "/v1/items"}, 405, private, none},
	} {
		rec := w.do(t, c.call)
		h := rec.Header()
		got := fmt.Sprint(rec.Code, " ", h.Get("X-Content-Type-Options"), " ", h.Get("Cache-Control"))
		if want := fmt.Sprint(c.status, " nosniff ", c.caching); got != want || !strings.HasPrefix(h.Get("Content-Security-Policy"), c.policy) {
			t.Errorf("%s %s: %s, want %s; policy %q", c.method, c.path, got, want, h.Get("Content-Security-Policy"))
		}
	}
}
