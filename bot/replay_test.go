package bot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hitl/bot/slacksim"
)

// shared is a memory of replicas: it answers, fails, or hangs until its caller has enough.
type shared struct {
	mu   sync.Mutex
	seen map[string]bool
	err  error
	hang bool
	ttl  time.Duration
}

func (s *shared) First(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hang {
		<-ctx.Done()
		return false, ctx.Err()
	}
	if s.err != nil {
		return false, s.err
	}
	first := !s.seen[key]
	s.seen[key], s.ttl = true, ttl
	return first, nil
}

// signedRequest is a request as Slack sends it; upper writes the signature's hex in capitals.
func signedRequest(t *testing.T, path, secret, body string, upper bool) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	sum := slacksim.Sign(secret, stamp, body)
	if upper {
		sum = "v0=" + strings.ToUpper(sum[3:])
	}
	r.Header.Set("X-Slack-Request-Timestamp", stamp)
	r.Header.Set("X-Slack-Signature", sum)
	return r
}

func (w *world) serve(r *http.Request) int {
	rec := httptest.NewRecorder()
	w.bot.Handler().ServeHTTP(rec, r)
	w.bot.Wait()
	return rec.Code
}

// again is a request's exact repetition.
func again(r *http.Request, body string) *http.Request {
	c := r.Clone(r.Context())
	c.Body = http.NoBody
	if body != "" {
		c.Body = httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.Path, strings.NewReader(body)).Body
	}
	return c
}

func TestReplay(t *testing.T) {
	t.Parallel()
	for name, memory := range map[string]*shared{
		"no other replica": nil, "with others": {seen: map[string]bool{}}, "others away": {err: errors.New("connection refused")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(s *setup) {
				if memory != nil {
					s.bot.Replays = memory
				}
			})
			body := url.Values{"command": {"/hitl"}, "text": {"stats"}, "user_id": {ana}, "team_id": {"T0SLACKSIM"}, "channel_id": {channel}}.Encode()
			r := signedRequest(t, "/slack/commands", "old secret", body, false)
			if code := w.serve(r); code != 200 || len(w.stats.asked) != 1 {
				t.Fatalf("answer %d, asked %v; the test tests nothing", code, w.stats.asked)
			}
			capitals := again(r, body)
			capitals.Header.Set("X-Slack-Signature", "v0="+strings.ToUpper(r.Header.Get("X-Slack-Signature")[3:]))
			elsewhere := again(r, body)
			elsewhere.URL.Path = "/slack/interactivity"
			for what, replay := range map[string]*http.Request{"the same": again(r, body), "in capitals": capitals, "to another path": elsewhere} {
				if code := w.serve(replay); code != 409 {
					t.Errorf("%s: %d", what, code)
				}
			}
			if len(w.stats.asked) != 1 || w.seen.count(&w.seen.clicked, "request replayed") != 3 {
				t.Errorf("asked %v, counted %v", w.stats.asked, w.seen.clicked)
			}
			if memory != nil && memory.err == nil && memory.ttl != replayTime {
				t.Errorf("remembered for %v", memory.ttl)
			}
		})
	}
}

// What another replica took is refused here.
func TestReplayToAnotherReplica(t *testing.T) {
	t.Parallel()
	memory := &shared{seen: map[string]bool{}}
	share := func(s *setup) { s.bot.Replays = memory }
	one, two := newWorld(t, share), newWorld(t, share)
	const body = `{"type":"event_callback"}`
	r := signedRequest(t, "/slack/events", "old secret", body, false)
	if a, b := one.serve(r), two.serve(again(r, body)); a != 200 || b != 409 {
		t.Errorf("answers %d and %d", a, b)
	}
}

// A memory that hangs costs a fraction of a second, not the request.
func TestReplayMemoryHangs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.bot.Replays = &shared{hang: true} })
	start := time.Now()
	if code := w.serve(signedRequest(t, "/slack/events", "old secret", `{"type":"event_callback"}`, false)); code != 200 {
		t.Errorf("answer %d", code)
	}
	if took := time.Since(start); took < replayPatience || took > 10*replayPatience {
		t.Errorf("took %v", took)
	}
}

// Who cannot sign fills no memory, and does not keep an honest request out.
func TestStrangersAreNotRemembered(t *testing.T) {
	t.Parallel()
	memory := &shared{seen: map[string]bool{}}
	w := newWorld(t, func(s *setup) { s.bot.Replays = memory })
	const body = `{"type":"event_callback"}`
	for range 3 {
		if code := w.serve(signedRequest(t, "/slack/events", "guessed", body, false)); code != 401 {
			t.Errorf("answer %d", code)
		}
	}
	if n := len(memory.seen) + len(w.bot.replays.young); n != 0 {
		t.Errorf("%d signatures are remembered", n)
	}
	if code := w.serve(signedRequest(t, "/slack/events", "old secret", body, true)); code != 200 {
		t.Errorf("answer %d", code)
	}
}

func TestReplaysAreBounded(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	r := newReplays(nil, func() time.Time { return now })
	for i := range 2*maxReplays + 7 {
		if !r.remember(fmt.Sprint(i)) {
			t.Fatalf("%d came before", i)
		}
	}
	if n := len(r.young) + len(r.old); n > maxReplays {
		t.Errorf("%d are remembered", n)
	}
	if r.remember(fmt.Sprint(2*maxReplays + 6)) {
		t.Error("the last is forgotten")
	}
	now = now.Add(replayTime + time.Second)
	for i := range 3 { // the next generation, and a late repetition of the one before
		if r.remember(fmt.Sprint("late", i)); r.remember(fmt.Sprint(2*maxReplays + 6)) {
			t.Error("forgotten too early")
		}
	}
	now = now.Add(replayTime + time.Second)
	r.remember("x")
	if len(r.young) != 1 || len(r.old) != 3 {
		t.Errorf("generations of %d and %d", len(r.young), len(r.old))
	}
}
