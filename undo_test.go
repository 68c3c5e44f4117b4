package hitl

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

// reopenings takes reopenings, or refuses them.
type reopenings struct {
	asked []Reopening
	err   error
}

func (r *reopenings) Reopen(_ context.Context, asked Reopening) error {
	r.asked = append(r.asked, asked)
	return r.err
}

func undoDesk(m *memory) (*Desk, *reopenings) {
	desk, taken := testDesk(m, testTime.Add(time.Minute)), &reopenings{}
	desk.Reopens, desk.Queues = taken, map[string]QueueRules{"support": {ExpireAfter: time.Hour, UndoFor: 2 * time.Minute}}
	return desk, taken
}

// A person's decision can be undone for as long as its queue says, and its callback waits as long, unless its source wants to hear at once.
func TestDecisionsThatCanBeUndone(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*Desk)
		want   time.Duration
		hold   bool
	}{
		"wait":         {func(*Desk) {}, 2 * time.Minute, true},
		"amend":        {func(d *Desk) { d.Amends = map[string]bool{"shop": true} }, 2 * time.Minute, false},
		"never":        {func(d *Desk) { d.Queues = nil }, 0, false},
		"no reopening": {func(d *Desk) { d.Reopens = nil }, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMemory()
			rec := openReview(t, m, unsure)
			desk, _ := undoDesk(m)
			tc.change(desk)
			if _, err := desk.Decide(t.Context(), Verdict{ReviewID: rec.Review.ID, Kind: Accept, Reviewer: ann}); err != nil {
				t.Fatal(err)
			}
			if got := m.decisions[rec.Review.ID].UndoFor; got != tc.want {
				t.Errorf("can be undone for %v, want %v", got, tc.want)
			}
			if c := m.callbacks[0]; c.Hold != tc.hold || c.Round != 1 {
				t.Errorf("callback held %v of round %d", c.Hold, c.Round)
			}
		})
	}
	m := newMemory()
	openReview(t, m, unsure)
	desk, _ := undoDesk(m)
	desk.Now = func() time.Time { return testTime.Add(2 * time.Hour) }
	if n, err := desk.ExpireDue(t.Context(), 10); n != 1 || err != nil || m.callbacks[0].Hold {
		t.Errorf("expired %d, error %v, callback held %v", n, err, m.callbacks[0].Hold)
	}
}

func TestUndo(t *testing.T) {
	t.Parallel()
	m := newMemory()
	rec := openReview(t, m, unsure)
	desk, taken := undoDesk(m)
	if _, err := desk.Decide(t.Context(), Verdict{ReviewID: rec.Review.ID, Kind: Accept, Reviewer: ann}); err != nil {
		t.Fatal(err)
	}
	got, err := desk.Undo(t.Context(), rec.Review.ID, 1, ann, map[string]string{"surface": "button"})
	if err != nil {
		t.Fatal(err)
	}
	at := testTime.Add(time.Minute).Truncate(time.Microsecond)
	r := got.Review
	if got.Decision != nil || r.Round != 2 || r.State != ReviewOpen || !r.OpenedAt.Equal(at) || !r.ExpiresAt.Equal(at.Add(time.Hour)) || !r.UndoUntil.IsZero() {
		t.Errorf("reopened: %+v, decision %v", r, got.Decision)
	}
	asked := taken.asked[0]
	if !asked.Undo || !asked.Withdraw || asked.Round != 1 || asked.By != ann || asked.Reason != "undo" {
		t.Errorf("asked for %+v", asked)
	}
	var event struct {
		Type string       `json:"type"`
		Data CallbackItem `json:"data"`
	}
	if err := json.Unmarshal(asked.Event.Body, &event); err != nil {
		t.Fatal(err)
	}
	if d := event.Data; event.Type != "item.reopened" || d.Status != HumanReview || d.Round != 1 || d.Label != "" || !d.DecidedAt.Equal(at) || d.Reviewer != "T1/UANN" {
		t.Errorf("event %s: %+v", event.Type, d)
	}

	if _, err := desk.Undo(t.Context(), rec.Review.ID, 2, ann, nil); !errors.As(err, new(*InvalidError)) {
		t.Errorf("a round that never was: %v", err)
	}
	desk.Amends = map[string]bool{"shop": true}
	if _, err := desk.Undo(t.Context(), rec.Review.ID, 1, ann, nil); err != nil || taken.asked[1].Withdraw {
		t.Errorf("amended: %v, %+v", err, taken.asked[1])
	}
	taken.err = &UndoError{Why: UndoTooLate}
	if _, err := desk.Undo(t.Context(), rec.Review.ID, 1, ann, nil); !errors.As(err, new(*UndoError)) {
		t.Errorf("too late: %v", err)
	}
	taken.err = errors.New("connection reset")
	if _, err := desk.Undo(t.Context(), rec.Review.ID, 1, ann, nil); err == nil || errors.As(err, new(*UndoError)) {
		t.Errorf("outcome unknown: %v", err)
	}
	if _, err := desk.Undo(t.Context(), "rev_none", 1, ann, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown review: %v", err)
	}
	desk.Reopens = nil
	if _, err := desk.Undo(t.Context(), rec.Review.ID, 1, ann, nil); !errors.Is(err, ErrUnavailable) {
		t.Errorf("nothing reopens: %v", err)
	}
}

func TestReopenNeedsItsTrace(t *testing.T) {
	t.Parallel()
	m := newMemory()
	rec := openReview(t, m, unsure)
	desk, taken := undoDesk(m)
	for _, tc := range []struct{ by, reason, field string }{
		{"cli/ana", " ", "reason"},
		{"", "x", "by"},
		{"cli/ana", strings.Repeat("a", MaxReasonBytes+1), "reason"},
		{strings.Repeat("a", MaxEraserBytes+1), "x", "by"},
		{"cli/ana", "a\x00", "reason"},
	} {
		_, err := desk.Reopen(t.Context(), rec.Review.ID, tc.by, tc.reason)
		if invalid, ok := errors.AsType[*InvalidError](err); !ok || invalid.Field != tc.field {
			t.Errorf("by %.9q for %.9q: %v", tc.by, tc.reason, err)
		}
	}
	if _, err := desk.Reopen(t.Context(), rec.Review.ID, "cli/ana", "wrong form"); err != nil {
		t.Fatal(err)
	}
	if got := taken.asked[0]; len(taken.asked) != 1 || got.Undo || got.By.String() != "cli/ana" || got.Reason != "wrong form" {
		t.Errorf("asked for %+v", taken.asked)
	}
}
