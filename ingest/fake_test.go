package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hitl"
)

var update = flag.Bool("update", false, "write golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testNow = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// store is a strict stand-in for the system of record: what it would not take from Intake, it refuses with an error.
type store struct {
	mu      sync.Mutex
	byID    map[string]hitl.Record
	byKey   map[[2]string]string
	changed chan struct{}
	backlog int
	waiting int // calls inside Wait
	fail    error
}

func newStore() *store {
	return &store{byID: map[string]hitl.Record{}, byKey: map[[2]string]string{}, changed: make(chan struct{})}
}

func (s *store) Append(ctx context.Context, r hitl.Record, c *hitl.Callback) (hitl.Record, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return hitl.Record{}, false, s.fail
	}
	if err := ctx.Err(); err != nil {
		return hitl.Record{}, false, err
	}
	if (r.Review != nil) != (r.Route.Status == hitl.HumanReview) || c != nil || r.Item.ID == "" || r.Decision != nil {
		return hitl.Record{}, false, fmt.Errorf("inconsistent record %+v", r)
	}
	key := [2]string{r.Item.Source, r.Item.ExternalID}
	if id, ok := s.byKey[key]; ok {
		if s.byID[id].Item.BodyHash != r.Item.BodyHash {
			return hitl.Record{}, false, hitl.ErrConflict
		}
		return s.byID[id], true, nil
	}
	s.byKey[key], s.byID[r.Item.ID] = r.Item.ID, r
	return r, false, nil
}

func (s *store) Find(_ context.Context, source, externalID string) (hitl.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id, ok := s.byKey[[2]string{source, externalID}]; ok {
		return s.byID[id], nil
	}
	return hitl.Record{}, hitl.ErrNotFound
}

func (s *store) Backlog(context.Context, string, string) (inQueue, ofSource int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.backlog, s.backlog, nil
}

func (s *store) Add(context.Context, string, hitl.Priority, string) error { return nil }

func (s *store) Item(_ context.Context, id string) (hitl.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return hitl.Record{}, s.fail
	}
	r, ok := s.byID[id]
	if !ok {
		return r, fmt.Errorf("item: %w", hitl.ErrNotFound)
	}
	return r, nil
}

func (s *store) Wait(ctx context.Context, id string) (hitl.Record, error) {
	s.mu.Lock()
	s.waiting++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.waiting--
		s.mu.Unlock()
	}()
	for {
		s.mu.Lock()
		r, ok := s.byID[id]
		changed := s.changed
		s.mu.Unlock()
		if !ok || r.Status().Final() {
			return r, nil
		}
		select {
		case <-ctx.Done():
			return r, nil
		case <-changed:
		}
	}
}

// waiters returns how many calls of Wait wait.
func (s *store) waiters() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting
}

func (s *store) Log(_ context.Context, id string) ([]hitl.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.byID[id]
	return []hitl.Entry{{ID: 1, ItemID: id, At: r.Item.ReceivedAt, Status: r.Route.Status, Context: map[string]any{"source": r.Item.Source}}}, s.fail
}

func (s *store) Prove(_ context.Context, id string) (hitl.LogProof, error) {
	return hitl.LogProof{Checkpoint: "note of " + id, Proofs: []hitl.EntryProof{{Entry: 1, Position: 5, Leaf: []byte("leaf"), Hashes: [][]byte{{1, 2}}}}}, s.fail
}

func (s *store) LatestCheckpoint(context.Context) (string, error) { return "log\n1\nroot\n", s.fail }

func (s *store) Tile(_ context.Context, path string) ([]byte, error) {
	if path != "8/0/x001/234.p/2" {
		return nil, hitl.ErrNotFound
	}
	return []byte("tile"), s.fail
}

func (s *store) Stats(_ context.Context, q hitl.StatsQuery) (hitl.Stats, error) {
	return hitl.Stats{Since: q.Since, Until: q.Until, Queue: q.Queue, Items: 7}, s.fail
}

// decide makes a decision, as a reviewer would.
func (s *store) decide(id, label string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.byID[id]
	rev := *r.Review
	rev.State = hitl.ReviewDecided
	r.Review = &rev
	r.Decision = &hitl.Decision{
		ReviewID: rev.ID, Round: 1, Status: hitl.HumanCorrected, Label: label, Reviewer: hitl.Reviewer{Team: "T1", User: "U1"},
		Reason: "sarcasm", At: testNow.Add(time.Minute),
	}
	s.byID[id] = r
	close(s.changed)
	s.changed = make(chan struct{})
}

// model says what the text tells it to.
type model struct{}

func (model) Classify(_ context.Context, text string) (hitl.Prediction, error) {
	p := hitl.Prediction{
		Label: "NEGATIVE", Confidence: 0.75, Model: "m1", Tokens: 3,
		Scores: []hitl.Score{{Label: "NEGATIVE", Probability: 0.75}, {Label: "POSITIVE", Probability: 0.25}},
	}
	switch {
	case strings.HasPrefix(text, "sure"):
		p.Confidence = 1
	case strings.HasPrefix(text, "busy"):
		return p, fmt.Errorf("queue of 64: %w", hitl.ErrBusy)
	case strings.HasPrefix(text, "closed"):
		return p, hitl.ErrUnavailable
	case strings.HasPrefix(text, "later"):
		return p, &hitl.RetryError{After: 2500 * time.Millisecond, Err: hitl.ErrUnavailable}
	case strings.HasPrefix(text, "panic"):
		panic("secret text of a panic")
	}
	return p, nil
}

func (model) Labels() []string { return []string{"NEGATIVE", "POSITIVE"} }

func (model) Version() string { return "m1" }

type policy struct{}

func (policy) Route(_ hitl.Item, p hitl.Prediction, _ error) hitl.Route {
	if p.Confidence >= 0.85 {
		return hitl.Route{Status: hitl.AIAccepted, Policy: "p1", Threshold: 0.85, Inclusion: 0.01}
	}
	return hitl.Route{
		Status: hitl.HumanReview, Triggers: []hitl.Trigger{hitl.TriggerLowConfidence}, Queue: "default", Priority: hitl.PriorityNormal,
		Policy: "p1", Threshold: 0.85, Inclusion: 1,
	}
}

func (policy) Version() string { return "p1" }

const (
	helpKey       = "key-of-the-helpdesk-1"
	shopKey       = "key-of-the-shop"
	slowKey       = "key-of-the-slow"
	webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	hubSecret     = "It's a Secret to Everybody"
)

// world is a handler with everything behind it.
type world struct {
	store   *store
	handler http.Handler
	log     *syncBuffer
	mu      sync.Mutex
	seen    []Request
}

// syncBuffer is a buffer that several goroutines may write to.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func testSources() map[string]Source {
	return map[string]Source{
		"help": {Keys: []hitl.KeyHash{hitl.HashKey("an older key"), hitl.HashKey(helpKey)}, Stats: true},
		"shop": {Keys: []hitl.KeyHash{hitl.HashKey(shopKey)}, Hook: &Hook{Text: "body.text"}},
		"slow": {Keys: []hitl.KeyHash{hitl.HashKey(slowKey)}, Rate: Rate{PerSecond: 0.1}},
		"hub": {
			HMAC: &HMAC{Secrets: []Secret{"the secret of last month", hubSecret}},
			Hook: &Hook{
				When: `headers[?"x-github-event"].orValue("") == "issues"`, ID: "body.issue.id", Text: "body.issue.title + '\\n' + body.issue.body",
				Metadata: `{"repo": body.repository.full_name, "number": body.issue.number}`, Subject: "body.issue.user.login",
			},
		},
		"desk": {
			WebhookSecrets: []Secret{"whsec_" + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", webhookSecret},
			Hook:           &Hook{Text: "body.data.message", Metadata: "body.data.?meta"},
		},
	}
}

func newWorld(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	w := &world{store: newStore(), log: &syncBuffer{}}
	logger := slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	source := hitl.Source{Classifier: "sentiment", Model: model{}, Policy: policy{}}
	c := Config{
		Intake: &hitl.Intake{
			Sources: map[string]hitl.Source{"help": source, "shop": source, "hub": source, "desk": source, "slow": source},
			Queues:  map[string]hitl.QueueRules{"default": {Backlog: 100, ExpireAfter: time.Hour}},
			Ledger:  w.store, Waiting: w.store, Logger: logger, Now: func() time.Time { return testNow },
		},
		Records: w.store, Sources: testSources(), Logger: logger, Version: "test", MaxBody: 2 << 20, MaxBatchBody: 4 << 20,
		Now: func() time.Time { return testNow },
		Observe: func(_ context.Context, r Request) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.seen = append(w.seen, r)
		},
	}
	for _, f := range change {
		f(&c)
	}
	h, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	w.handler = h
	return w
}

// call is a request to a world.
type call struct {
	method, path, key, body string
	header                  map[string]string
}

func (c call) request(t testing.TB) *http.Request {
	t.Helper()
	var body io.Reader
	if c.body != "" {
		body = strings.NewReader(c.body)
	}
	r := httptest.NewRequestWithContext(t.Context(), c.method, c.path, body)
	if c.key != "" {
		r.Header.Set("Authorization", "Bearer "+c.key)
	}
	if c.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for k, v := range c.header {
		r.Header.Set(k, v)
	}
	return r
}

func (w *world) do(t testing.TB, c call) *httptest.ResponseRecorder {
	t.Helper()
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, c.request(t))
	return rec
}

// post submits an item as the helpdesk and returns it.
func (w *world) post(t testing.TB, body string) item {
	t.Helper()
	rec := w.do(t, call{method: "POST", path: "/v1/items", key: helpKey, body: body})
	if rec.Code/100 != 2 {
		t.Fatalf("POST %s = %d %s", body, rec.Code, rec.Body)
	}
	return decode[item](t, rec)
}

func decode[T any](t testing.TB, rec *httptest.ResponseRecorder) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(rec.Body.Bytes(), &v); err != nil {
		t.Fatalf("decode %q: %v", rec.Body, err)
	}
	return v
}

var errSecret = errors.New("pq: password authentication failed for user secret-user")
