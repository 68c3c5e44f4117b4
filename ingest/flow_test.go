package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"hitl"
)

// until polls for a condition.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// serve runs a world behind NewServer on a real socket.
func serve(t testing.TB, w *world, change ...func(*http.Server)) (url string, server *http.Server) {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server = NewServer("", w.handler)
	for _, f := range change {
		f(server)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
	return "http://" + l.Addr().String(), server
}

// get asks a real server as the helpdesk.
func get(t testing.TB, client *http.Client, url string) (int, []byte, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+helpKey)
	res, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	return res.StatusCode, body, err
}

func testClient(t testing.TB) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestWait(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]call{
		"query":          {path: "?wait=60s"},
		"query, seconds": {path: "?wait=60"},
		"prefer":         {header: map[string]string{"Prefer": "respond-async, wait=60"}},
	} {
		w := newWorld(t)
		it := w.post(t, `{"text":"unsure"}`)
		answer := make(chan *httptest.ResponseRecorder)
		c := call{method: "GET", path: "/v1/items/" + it.ID + ask.path, key: helpKey, header: ask.header}
		go func() { answer <- w.do(t, c) }()
		until(t, "the request waits", func() bool { return w.store.waiters() == 1 })
		w.store.decide(it.ID, "POSITIVE")
		rec := <-answer
		if got := decode[item](t, rec); rec.Code != http.StatusOK || got.Label != "POSITIVE" {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
		if name == "prefer" && rec.Header().Get("Preference-Applied") != "wait=60" {
			t.Errorf("%s: headers %v", name, rec.Header())
		}
		// What has its answer is not waited for.
		if rec := w.do(t, c); rec.Code != http.StatusOK {
			t.Errorf("%s, afterwards: %d", name, rec.Code)
		}
	}
	w := newWorld(t, func(c *Config) { c.MaxWaits = 1 })
	it := w.post(t, `{"text":"unsure"}`)
	// In vain: the item as it is.
	if rec := w.do(t, call{method: "GET", path: "/v1/items/" + it.ID + "?wait=1ms", key: helpKey}); rec.Code != http.StatusOK || decode[item](t, rec).Status != hitl.HumanReview {
		t.Errorf("in vain: %d %s", rec.Code, rec.Body)
	}
	// One more than may wait is answered at once.
	waiter := call{method: "GET", path: "/v1/items/" + it.ID + "?wait=60s", key: helpKey}.request(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.handler.ServeHTTP(httptest.NewRecorder(), waiter.WithContext(ctx))
	}()
	until(t, "the first waits", func() bool { return w.store.waiters() == 1 })
	if rec := w.do(t, call{method: "GET", path: "/v1/items/" + it.ID + "?wait=60s", key: helpKey}); rec.Code != http.StatusOK {
		t.Errorf("one too many: %d %s", rec.Code, rec.Body)
	}
	cancel()
	<-done
}

// TestServer waits longer than the server reads, and shuts down while somebody waits.
func TestServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Checks = map[string]func(context.Context) error{} })
	url, server := serve(t, w, func(s *http.Server) { s.ReadTimeout = 300 * time.Millisecond })
	client := testClient(t)
	it := w.post(t, `{"text":"unsure"}`)

	status, body, err := get(t, client, url+"/v1/items/"+it.ID+"?wait=600ms")
	if err != nil || status != http.StatusOK || !strings.Contains(string(body), `"HUMAN_REVIEW"`) {
		t.Errorf("longer than the read timeout: %d %s %v", status, body, err)
	}
	// A body that does not arrive in time.
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprintf(conn, "POST /v1/items HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\n{", helpKey); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408") || !strings.Contains(string(answer), `"read_timeout"`) {
		t.Errorf("slow body: %q %v", answer, err)
	}

	type result struct {
		status int
		body   []byte
		err    error
	}
	waiting := make(chan result)
	go func() {
		var r result
		r.status, r.body, r.err = get(t, client, url+"/v1/items/"+it.ID+"?wait=60s")
		waiting <- r
	}()
	until(t, "the request waits", func() bool { return w.store.waiters() == 1 })
	if err := server.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := <-waiting; r.err != nil || r.status != http.StatusOK || !strings.Contains(string(r.body), it.ID) {
		t.Errorf("shut down while waiting: %d %s %v", r.status, r.body, r.err)
	}
}

func TestBatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	items := make([]string, MaxBatch)
	for i := range items {
		switch i % 8 {
		case 0:
			items[i] = fmt.Sprintf(`{"id":"b-%d","text":"unsure"}`, i)
		case 1:
			items[i] = `{"id":"b-1","text":"sure other"}` // a conflict, but for whoever is first
		case 2:
			items[i] = `{"text":""}`
		case 3:
			items[i] = `"text"`
		case 4:
			items[i] = `{"text":"busy"}`
		case 5:
			items[i] = `{"text":"panic"}`
		default:
			items[i] = fmt.Sprintf(`{"id":"b-%d","text":"sure"}`, i)
		}
	}
	w.post(t, `{"id":"b-1","text":"sure"}`)
	body := `{"items":[` + strings.Join(items, ",") + `]}`
	rec := w.do(t, call{method: "POST", path: "/v1/items/batch", key: helpKey, body: body})
	got := decode[batchAnswer](t, rec).Results
	if rec.Code != http.StatusOK || len(got) != MaxBatch {
		t.Fatalf("batch = %d with %d results", rec.Code, len(got))
	}
	for i, r := range got {
		var ok bool
		switch i % 8 {
		case 0:
			ok = r.Status == 202 && r.Item.ExternalID == fmt.Sprintf("b-%d", i) && r.Item.Review != nil
		case 1:
			ok = r.Status == 409 && r.Problem.Code == codeConflict
		case 2:
			ok = r.Status == 422 && r.Problem.Errors[0].Location == fmt.Sprintf("body.items[%d].text", i)
		case 3:
			ok = r.Status == 422 && r.Problem.Errors[0].Location == fmt.Sprintf("body.items[%d]", i)
		case 4:
			ok = r.Status == 429 && r.Problem.RetryAfter == 1
		case 5:
			ok = r.Status == 503 && r.Problem.Code == codeOutcomeUnknown
		default:
			ok = r.Status == 200 && r.Item.ExternalID == fmt.Sprintf("b-%d", i)
		}
		if !ok || r.Replayed || (r.Item == nil) == (r.Problem == nil) {
			t.Fatalf("result %d = %+v, %+v", i, r, r.Problem)
		}
	}
	// Sent again, what was taken is replayed.
	again := decode[batchAnswer](t, w.do(t, call{method: "POST", path: "/v1/items/batch", key: helpKey, body: body})).Results
	for i, r := range again {
		if r.Status != got[i].Status || r.Replayed != (r.Item != nil) || r.Item != nil && r.Item.ID != got[i].Item.ID {
			t.Fatalf("result %d again = %+v", i, r)
		}
	}
	if strings.Contains(w.log.String(), "secret text") {
		t.Error("the log tells what a panic said")
	}
	// The whole batch has its limit too, announced or not.
	large := `{"items":["` + strings.Repeat("x", 4<<20) + `"]}`
	req := call{method: "POST", path: "/v1/items/batch", key: helpKey, body: large}.request(t)
	req.ContentLength = -1
	rec = httptest.NewRecorder()
	w.handler.ServeHTTP(rec, req)
	if rec.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("large batch = %d", rec.Code)
	}
	// When nobody waits any more, nothing is begun.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rec = httptest.NewRecorder()
	w.handler.ServeHTTP(rec, call{method: "POST", path: "/v1/items/batch", key: helpKey, body: `{"items":[{"text":"sure"}]}`}.request(t).WithContext(ctx))
	if r := decode[batchAnswer](t, rec).Results[0]; r.Status != 503 || r.Problem.Code != codeUnavailable {
		t.Errorf("cancelled batch = %+v", r)
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	checks := map[string]func(context.Context) error{
		"postgres": func(context.Context) error { return nil },
		"redis":    func(context.Context) error { return errSecret },
		"slack":    func(context.Context) error { panic("planted") },
	}
	w := newWorld(t, func(c *Config) { c.Checks = checks })
	rec := w.do(t, call{method: "GET", path: "/readyz"})
	p := decode[problem](t, rec)
	names := []string{}
	for _, e := range p.Errors {
		names = append(names, e.Location)
	}
	if rec.Code != http.StatusServiceUnavailable || p.Code != codeNotReady || !slices.Equal(names, []string{"redis", "slack"}) || strings.Contains(rec.Body.String(), "secret") {
		t.Errorf("readyz = %d %s", rec.Code, rec.Body)
	}
	if rec := w.do(t, call{method: "GET", path: "/healthz"}); rec.Code != http.StatusOK || strings.TrimSpace(rec.Body.String()) != `{"status":"ok"}` {
		t.Errorf("healthz = %d %s", rec.Code, rec.Body)
	}
	delete(checks, "redis")
	delete(checks, "slack")
	if rec := w.do(t, call{method: "GET", path: "/readyz"}); rec.Code != http.StatusOK {
		t.Errorf("readyz = %d %s", rec.Code, rec.Body)
	}
	stopping, stop := context.WithCancel(t.Context())
	stop()
	rec = httptest.NewRecorder()
	w.handler.ServeHTTP(rec, call{method: "GET", path: "/readyz"}.request(t).WithContext(context.WithValue(t.Context(), shutdownKey{}, stopping)))
	if rec.Code != http.StatusServiceUnavailable || !strings.Contains(rec.Body.String(), `"shutdown"`) {
		t.Errorf("readyz in shutdown = %d %s", rec.Code, rec.Body)
	}
}

// TestSurround looks at what surrounds each request: log, metrics, ids, headers, and that nothing private is in them.
func TestSurround(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.do(t, call{
		method: "POST", path: "/v1/items?planted-query", key: helpKey, body: `{"text":"sure planted-text","metadata":{"m":"planted-meta"},"subject":"planted-subject"}`,
		header: map[string]string{"X-Request-Id": "trace-1.a"},
	})
	for name, want := range map[string]string{
		"X-Request-Id": "trace-1.a", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Content-Type": "application/json",
	} {
		if got := rec.Header().Get(name); got != want {
			t.Errorf("%s = %q", name, got)
		}
	}
	w.do(t, call{method: "POST", path: "/v1/items", key: "planted-key", body: `{"text":"planted-text"}`})
	w.do(t, call{method: "POST", path: "/v1/items", key: helpKey, body: `{"text":"panic planted-text"}`})
	w.do(t, call{method: "POST", path: "/v1/hooks/shop", key: shopKey, body: `{"planted-key":"planted-text"}`})
	w.do(t, call{method: "GET", path: "/planted-path"})
	if rec := w.do(t, call{method: "GET", path: "/metrics"}); rec.Code != http.StatusNotFound {
		t.Errorf("metrics are public: %d", rec.Code)
	}
	rec = w.do(t, call{method: "GET", path: "/healthz", header: map[string]string{"X-Request-Id": "a\nb"}})
	if id := rec.Header().Get("X-Request-Id"); !strings.HasPrefix(id, "req_") {
		t.Errorf("X-Request-Id = %q", id)
	}
	if log := w.log.String(); strings.Contains(log, "planted") || strings.Contains(log, helpKey) {
		t.Errorf("the log tells too much: %s", log)
	}
	var seen []string
	for _, r := range w.seen {
		seen = append(seen, fmt.Sprintf("%s %s %s %d", r.Method, r.Route, r.Source, r.Status))
	}
	want := []string{
		"POST /v1/items help 200", "POST /v1/items  401", "POST /v1/items help 500", "POST /v1/hooks/{source} shop 422", "GET   404",
		"GET   404", "GET /healthz  200",
	}
	if !slices.Equal(seen, want) {
		t.Errorf("observed %q", seen)
	}
	var line map[string]any
	if err := json.Unmarshal([]byte(strings.SplitN(w.log.String(), "\n", 2)[0]), &line); err != nil {
		t.Fatal(err)
	}
	if line["msg"] != "request" || line["route"] != "/v1/items" || line["status"] != 200.0 || line["source"] != "help" || line["request"] != "trace-1.a" {
		t.Errorf("log line = %v", line)
	}
}

// TestPanicInTheMiddle cuts an answer that had begun, so that nobody takes it for whole.
func TestPanicInTheMiddle(t *testing.T) {
	t.Parallel()
	a := &api{Config: Config{Logger: testLogger(), Now: time.Now}}
	url, _ := serve(t, &world{handler: a.surround(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(rw, strings.Repeat("x", 1<<16))
		panic("planted")
	}))})
	if status, _, err := get(t, testClient(t), url+"/"); err == nil {
		t.Errorf("status %d and no error", status)
	}
}

func TestConfigErrors(t *testing.T) {
	t.Parallel()
	good := func() Config {
		w := newWorld(t)
		source := hitl.Source{Model: model{}, Policy: policy{}}
		return Config{
			Intake:  &hitl.Intake{Sources: map[string]hitl.Source{"a": source}, Ledger: w.store, Waiting: w.store},
			Records: w.store, Logger: testLogger(), Sources: map[string]Source{"a": {Keys: []hitl.KeyHash{hitl.HashKey("k")}}},
		}
	}
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"no logger":         {func(c *Config) { c.Logger = nil }, "logger"},
		"no intake":         {func(c *Config) { c.Intake = nil }, "intake"},
		"negative":          {func(c *Config) { c.MaxWaits = -1 }, "limits"},
		"unknown source":    {func(c *Config) { c.Sources["b"] = Source{Keys: []hitl.KeyHash{hitl.HashKey("l")}} }, `source "b": intake does not know it`},
		"no authentication": {func(c *Config) { c.Sources["a"] = Source{} }, `source "a": has neither keys`},
		"no key of any":     {func(c *Config) { c.Sources["a"] = Source{Hook: &Hook{Text: "'x'"}} }, `source "a": has neither keys`},
		"no hook":           {func(c *Config) { c.Sources["a"] = Source{WebhookSecrets: []Secret{webhookSecret}} }, "no hook"},
		"weak secret": {func(c *Config) {
			c.Sources["a"] = Source{Hook: &Hook{Text: "'x'"}, HMAC: &HMAC{Secrets: []Secret{"x"}}}
		}, `source "a": hmac secret 1`},
		"bad expression": {func(c *Config) {
			c.Sources["a"] = Source{Keys: []hitl.KeyHash{hitl.HashKey("k")}, Hook: &Hook{Text: "1 +"}}
		}, `source "a": hook: text: ERROR`},
	} {
		config := good()
		c.change(&config)
		if _, err := New(config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(good()); err != nil {
		t.Errorf("good: %v", err)
	}
	kept := good()
	kept.Sources["a"], kept.Keys = Source{}, keptKeys{}
	if _, err := New(kept); err != nil {
		t.Errorf("a source whose keys are kept elsewhere: %v", err)
	}
}
