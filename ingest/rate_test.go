package ingest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestBucket(t *testing.T) {
	t.Parallel()
	b := newBucket(Rate{PerSecond: 2, Burst: 3})
	for i, step := range []struct{ at, wait time.Duration }{
		{0, 0},
		{0, 0},
		{0, 0}, // a full bucket
		{0, 500 * time.Millisecond},
		{400 * time.Millisecond, 100 * time.Millisecond}, // a refusal costs nothing
		{500 * time.Millisecond, 0},
		{500 * time.Millisecond, 500 * time.Millisecond},
		{time.Second, 0},
		{time.Hour, 0},
		{time.Hour, 0},
		{time.Hour, 0},
		{time.Hour, 500 * time.Millisecond},   // it fills up to three, and no more
		{0, time.Hour + 500*time.Millisecond}, // a clock that was set back
	} {
		if got := b.take(testNow.Add(step.at)); got != step.wait {
			t.Errorf("step %d: wait %s, want %s", i, got, step.wait)
		}
	}
	for rate, burst := range map[Rate]int{{PerSecond: 0.1}: 1, {PerSecond: 2.5}: 3, {PerSecond: 5, Burst: 1}: 1} {
		b, n := newBucket(rate), 0
		for b.take(testNow) == 0 {
			n++
		}
		if n != burst {
			t.Errorf("%+v takes %d at once, want %d", rate, n, burst)
		}
	}
	none := newBucket(Rate{})
	if none != nil || none.take(testNow) != 0 {
		t.Error("no rate is a rate")
	}
}

// unread is a body that must not be read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.ErrUnexpectedEOF
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	now := testNow
	var refused atomic.Int64
	w := newWorld(t, func(c *Config) {
		for name, s := range c.Sources {
			s.Rate = Rate{PerSecond: 0.5, Burst: 3}
			c.Sources[name] = s
		}
		c.Now = func() time.Time { return now }
		c.RateLimited = func(source string) {
			if source == "" {
				t.Error("nobody is limited")
			}
			refused.Add(1)
		}
	})
	post := call{method: "POST", path: "/v1/items", key: shopKey, body: `{"text":"sure"}`}
	// Who is not known, or may not submit, takes nobody's tokens.
	for range 10 {
		for _, c := range []call{
			{method: "POST", path: "/v1/items", key: "guess", body: `{"text":"sure"}`},
			{method: "POST", path: "/v1/hooks/shop", key: "guess", body: `{"text":"sure"}`},
			{method: "POST", path: "/v1/hooks/hub", header: hubHeader("another long secret", `{}`), body: `{}`},
		} {
			if rec := w.do(t, c); rec.Code != http.StatusUnauthorized {
				t.Fatalf("guess: %d", rec.Code)
			}
		}
	}
	// One token for an item, a hook's post, and each item of a batch.
	if rec := w.do(t, post); rec.Code != http.StatusOK {
		t.Errorf("first: %d", rec.Code)
	}
	if rec := w.do(t, call{method: "POST", path: "/v1/hooks/shop", key: shopKey, body: `{"text":"sure"}`}); rec.Code != http.StatusOK {
		t.Errorf("second: %d", rec.Code)
	}
	batch := w.do(t, call{method: "POST", path: "/v1/items/batch", key: shopKey, body: `{"items":[{"text":"sure"},{"text":"sure"}]}`})
	count := map[int]int{}
	for _, r := range decode[batchAnswer](t, batch).Results {
		count[r.Status]++
		if r.Problem != nil && (r.Problem.Code != codeRateLimited || r.Problem.RetryAfter != 2) {
			t.Errorf("in the batch: %+v", r.Problem)
		}
	}
	if batch.Code != http.StatusOK || count[200] != 1 || count[429] != 1 {
		t.Errorf("batch: %d with %v", batch.Code, count)
	}
	// The body of what is refused is not read.
	for _, path := range []string{"/v1/items", "/v1/hooks/shop"} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", path, unread{t})
		r.Header.Set("Authorization", "Bearer "+shopKey)
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		if rec.Code != http.StatusTooManyRequests || rec.Header().Get("Retry-After") != "2" || !strings.Contains(rec.Body.String(), `"rate_limited"`) {
			t.Errorf("%s over the rate: %d %v %s", path, rec.Code, rec.Header(), rec.Body)
		}
	}
	now = now.Add(2 * time.Second)
	if rec := w.do(t, post); rec.Code != http.StatusOK {
		t.Errorf("two seconds later: %d", rec.Code)
	}
	// Another source has its own.
	for i, want := range []int{204, 204, 204, 429} {
		rec := w.do(t, call{method: "POST", path: "/v1/hooks/hub", header: map[string]string{
			"X-Hub-Signature-256": hubHeader(hubSecret, `{}`)["X-Hub-Signature-256"],
		}, body: `{}`})
		if rec.Code != want {
			t.Errorf("signed %d: %d %s", i, rec.Code, rec.Body)
		}
	}
	if n := refused.Load(); n != 4 {
		t.Errorf("%d refusals were told, want 4", n)
	}
}
