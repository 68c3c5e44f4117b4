package hitl

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// memory is a strict ledger for the flows' error paths, where a real Postgres cannot be made to fail at the right moment.
// The stories in cmd/hitl run the same flows on real parts.
type memory struct {
	mu        sync.Mutex
	records   map[string]Record // by source and external id
	decisions map[string]Decision
	callbacks []Callback
	fail      error // returned by every call that writes
}

func newMemory() *memory {
	return &memory{records: map[string]Record{}, decisions: map[string]Decision{}}
}

func (m *memory) Append(_ context.Context, r Record, c *Callback) (Record, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return Record{}, false, m.fail
	}
	key := r.Item.Source + "\x00" + r.Item.ExternalID
	if old, ok := m.records[key]; ok {
		if old.Item.ErasedAt.IsZero() && old.Item.BodyHash != r.Item.BodyHash {
			return old, true, ErrConflict
		}
		return old, true, nil
	}
	m.records[key] = r
	if c != nil {
		m.callbacks = append(m.callbacks, *c)
	}
	return r, false, nil
}

func (m *memory) Find(_ context.Context, source, externalID string) (Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r, ok := m.records[source+"\x00"+externalID]; ok {
		return r, nil
	}
	return Record{}, ErrNotFound
}

func (m *memory) Backlog(_ context.Context, queue, source string) (inQueue, ofSource int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.records {
		if r.Review == nil {
			continue
		}
		if r.Review.Queue == queue {
			inQueue++
		}
		if r.Item.Source == source {
			ofSource++
		}
	}
	return inQueue, ofSource, nil
}

func (m *memory) Review(_ context.Context, id string) (Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.records {
		if r.Review != nil && r.Review.ID == id {
			if d, ok := m.decisions[id]; ok {
				r.Decision = &d
			}
			return r, nil
		}
	}
	return Record{}, ErrNotFound
}

func (m *memory) Decide(_ context.Context, d Decision, c *Callback) (Decision, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return Decision{}, false, m.fail
	}
	if old, ok := m.decisions[d.ReviewID]; ok {
		return old, false, nil
	}
	m.decisions[d.ReviewID] = d
	if c != nil {
		m.callbacks = append(m.callbacks, *c)
	}
	return d, true, nil
}

func (m *memory) Due(_ context.Context, now time.Time, limit int) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ids []string
	for _, r := range m.records {
		if r.Review != nil && !r.Review.ExpiresAt.IsZero() && r.Review.ExpiresAt.Before(now) && len(ids) < limit {
			if _, done := m.decisions[r.Review.ID]; !done {
				ids = append(ids, r.Review.ID)
			}
		}
	}
	return ids, nil
}

// oracle answers every text with one prediction and one error.
type oracle struct {
	prediction Prediction
	err        error
}

func (o oracle) Classify(context.Context, string) (Prediction, error) { return o.prediction, o.err }
func (oracle) Labels() []string                                       { return []string{"NEGATIVE", "POSITIVE"} }
func (oracle) Version() string                                        { return "sha256:model" }

// threshold routes by confidence alone.
type threshold float64

func (t threshold) Route(_ Item, p Prediction, failure error) Route {
	r := Route{Status: AIAccepted, Policy: t.Version(), Threshold: float64(t)}
	switch {
	case failure != nil:
		r.Triggers = []Trigger{TriggerModelError}
	case p.Confidence < float64(t):
		r.Triggers = []Trigger{TriggerLowConfidence}
	}
	if len(r.Triggers) > 0 {
		r.Status, r.Queue, r.Priority, r.Inclusion = HumanReview, "support", PriorityNormal, 1
	}
	return r
}
func (threshold) Version() string { return "sha256:policy" }

type waiting struct {
	mu  sync.Mutex
	ids []string
	err error
}

func (w *waiting) Add(_ context.Context, _ string, _ Priority, id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.ids = append(w.ids, id)
	}
	return w.err
}

type seen struct {
	mu        sync.Mutex
	submitted []error
	decided   []Record
}

func (s *seen) Submitted(_ context.Context, _ Record, _ bool, _ time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.submitted = append(s.submitted, err)
}

func (s *seen) Decided(_ context.Context, r Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.decided = append(s.decided, r)
}

var testTime = time.Date(2026, 3, 1, 9, 0, 0, 123456789, time.UTC)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func testIntake(m *memory, w *waiting, o oracle) *Intake {
	return &Intake{
		Sources: map[string]Source{"shop": {Classifier: "sentiment", Model: o, Policy: threshold(0.85), Callback: true, CallbackOnSure: true}},
		Queues:  map[string]QueueRules{"support": {ExpireAfter: time.Hour, Backlog: 3}},
		Ledger:  m, Waiting: w, Logger: quiet(), Now: func() time.Time { return testTime },
	}
}

func testDesk(m *memory, now time.Time) *Desk {
	return &Desk{Decisions: m, Callbacks: map[string]bool{"shop": true}, Logger: quiet(), Now: func() time.Time { return now }}
}
