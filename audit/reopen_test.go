package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hitl"
	"hitl/audit"
)

// reopening is what the desk asks for when user takes back what corrected(rec, user) was in a round.
func reopening(rec hitl.Record, round int, user string) hitl.Reopening {
	next := *rec.Review
	next.Round, next.State, next.ExpiresAt = round+1, hitl.ReviewOpen, start.Add(3*time.Hour)
	event := callback(rec)
	event.Round, event.Body = round, []byte(`{"reopened": true}`)
	return hitl.Reopening{
		ReviewID: rec.Review.ID, Round: round, By: hitl.Reviewer{Team: "T1", User: user}, Reason: "undo", Undo: true, At: start.Add(2 * time.Minute),
		Next: next, Context: map[string]string{"surface": "button"}, Event: event, Withdraw: true,
	}
}

// undoable is a decision that can be undone for an hour.
func undoable(rec hitl.Record, round int, user string) hitl.Decision {
	d := corrected(rec, user)
	d.Round, d.UndoFor = round, time.Hour
	return d
}

func held(rec hitl.Record, round int) *hitl.Callback {
	c := callback(rec)
	c.Round, c.Hold = round, true
	return c
}

func refusal(t *testing.T, err error) hitl.UndoRefusal {
	t.Helper()
	refused, ok := errors.AsType[*hitl.UndoError](err)
	if !ok {
		t.Fatalf("error %v, want an *UndoError", err)
	}
	return refused.Why
}

func TestReopen(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	rec := unsure("a", "so so")
	mustAppend(t, s, rec, nil)
	card, err := s.BeginCard(t.Context(), rec.Review.ID, "T1", "C1", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CardPosted(t.Context(), card.ID, "C1", "1.2"); err != nil {
		t.Fatal(err)
	}
	d, won, err := s.Decide(t.Context(), undoable(rec, 1, "U1"), held(rec, 1))
	if err != nil || !won {
		t.Fatalf("won %v, error %v", won, err)
	}
	decided, err := s.Review(t.Context(), rec.Review.ID)
	if err != nil || decided.Review.UndoUntil.IsZero() || !decided.Review.UndoUntil.Equal(d.UndoUntil) {
		t.Errorf("undo until %v, told %v, error %v", decided.Review.UndoUntil, d.UndoUntil, err)
	}
	other, won, err := s.Decide(t.Context(), undoable(rec, 1, "U2"), held(rec, 1))
	if won || err != nil || other.Reviewer.User != "U1" || !other.UndoUntil.Equal(d.UndoUntil) {
		t.Errorf("who comes second is told %+v, won %v, error %v", other, won, err)
	}
	equal(t, "held callback", scalar[bool](t, owner, `SELECT next_at = undo_until FROM hitl.callbacks, hitl.reviews`), true)
	equal(t, "refresh at the end", scalar[int](t, owner, `
		SELECT count(*) FROM hitl_jobs.river_job j, hitl.reviews r WHERE j.kind = 'card_refresh' AND j.scheduled_at > r.undo_until`), 1)
	inQueue, _, err := s.Backlog(t.Context(), "default", "mail")
	equal(t, "backlog", []any{inQueue, err}, []any{0, error(nil)})
	version := scalar[int](t, owner, `SELECT version FROM hitl.reviews`)

	if err := s.Reopen(t.Context(), reopening(rec, 1, "U1")); err != nil {
		t.Fatal(err)
	}
	got, err := s.Review(t.Context(), rec.Review.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := rec
	review := *rec.Review
	review.Round, review.OpenedAt, review.ExpiresAt = 2, start.Add(2*time.Minute), start.Add(3*time.Hour)
	want.Review = &review
	equal(t, "record", got, want)
	inQueue, _, err = s.Backlog(t.Context(), "default", "mail")
	equal(t, "backlog", []any{inQueue, err}, []any{1, error(nil)})
	equal(t, "version", scalar[int](t, owner, `SELECT version FROM hitl.reviews`), version+1)
	equal(t, "card takes room", scalar[bool](t, owner, `SELECT live FROM hitl.cards`), true)
	equal(t, "callback", scalar[string](t, owner, `SELECT string_agg(state, ' ') FROM hitl.callbacks`), "withdrawn")
	equal(t, "withdrawn", states(t, s, hitl.CallbackWithdrawn)[0].Round, 1)
	entries, err := s.Log(t.Context(), rec.Item.ID)
	if err != nil || len(entries) != 3 {
		t.Fatalf("%d entries, error %v", len(entries), err)
	}
	e := entries[2]
	equal(t, "entry", []any{e.Status, e.Reviewer, e.Context["round"], e.Context["reason"], e.Context["review"]},
		[]any{hitl.Reopened, "T1/U1", 1.0, "undo", rec.Review.ID})
	equal(t, "problems", recordProblems(t, s), []string(nil))

	// The old round is over, and the new one is like any.
	if _, won, err := s.Decide(t.Context(), corrected(rec, "U2"), nil); won || !errors.Is(err, hitl.ErrRoundOver) {
		t.Errorf("late click: won %v, error %v", won, err)
	}
	equal(t, "undo again", refusal(t, s.Reopen(t.Context(), reopening(rec, 1, "U1"))), hitl.UndoReopened)
	equal(t, "undo nothing", refusal(t, s.Reopen(t.Context(), reopening(rec, 2, "U1"))), hitl.UndoOpen)
	mustDecide(t, s, undoable(rec, 2, "U2"), held(rec, 2))
	equal(t, "undo of another's", refusal(t, s.Reopen(t.Context(), reopening(rec, 2, "U1"))), hitl.UndoNotYours)
	equal(t, "problems", recordProblems(t, s), []string(nil))
	if err := s.Reopen(t.Context(), hitl.Reopening{ReviewID: "rev_none", Round: 1}); !errors.Is(err, hitl.ErrNotFound) {
		t.Errorf("missing review: %v", err)
	}
}

// What undo may take back, and what only an operator may.
func TestReopenRefuses(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	late, expired, erased := unsure("late", "a"), unsure("expired", "b"), unsure("erased", "c")
	for _, rec := range []hitl.Record{late, expired, erased} {
		mustAppend(t, s, rec, nil)
	}
	mustDecide(t, s, undoable(late, 1, "U1"), nil)
	if _, err := owner.Exec(t.Context(), `UPDATE hitl.reviews SET undo_until = now() WHERE id = $1`, late.Review.ID); err != nil {
		t.Fatal(err)
	}
	got, err := s.Review(t.Context(), late.Review.ID)
	equal(t, "time to undo when it is over", []any{got.Review.UndoUntil, err}, []any{time.Time{}, error(nil)})
	equal(t, "late", refusal(t, s.Reopen(t.Context(), reopening(late, 1, "U1"))), hitl.UndoTooLate)
	mustDecide(t, s, hitl.Decision{ReviewID: expired.Review.ID, Round: 1, Status: hitl.Expired, Reviewer: hitl.Reviewer{User: "system"}, At: start}, nil)
	byClock := reopening(expired, 1, "system")
	byClock.By.Team = ""
	equal(t, "the clock's", refusal(t, s.Reopen(t.Context(), byClock)), hitl.UndoNotYours)
	mustDecide(t, s, undoable(erased, 1, "U1"), held(erased, 1))
	if n, err := s.Erase(t.Context(), []string{erased.Item.ID}, start, "cli/ana", "asked"); n != 1 || err != nil {
		t.Fatalf("erased %d, %v", n, err)
	}
	equal(t, "erased", refusal(t, s.Reopen(t.Context(), reopening(erased, 1, "U1"))), hitl.UndoErased)

	for _, rec := range []hitl.Record{late, expired} {
		r := reopening(rec, 1, "")
		r.Undo, r.By, r.Reason = false, hitl.Reviewer{User: "cli/ana"}, "wrong form"
		if err := s.Reopen(t.Context(), r); err != nil {
			t.Errorf("operator: %v", err)
		}
		equal(t, "operator again", refusal(t, s.Reopen(t.Context(), r)), hitl.UndoReopened)
	}
	r := reopening(erased, 1, "")
	r.Undo = false
	equal(t, "operator, erased", refusal(t, s.Reopen(t.Context(), r)), hitl.UndoErased)
	equal(t, "problems", recordProblems(t, s), []string(nil))
}

// Of many undos one reopens, and of undo and what races it one comes first, whatever the order: nothing is half done.
func TestReopenRaces(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	var reopened, late atomic.Int64
	var wg sync.WaitGroup
	const n = 12
	for i := range n {
		rec := unsure(fmt.Sprint(i), "so so")
		mustAppend(t, s, rec, nil)
		mustDecide(t, s, undoable(rec, 1, "U1"), held(rec, 1))
		for range 4 {
			wg.Go(func() {
				switch err := s.Reopen(t.Context(), reopening(rec, 1, "U1")); {
				case err == nil:
					reopened.Add(1)
				case i%2 == 0 && refusal(t, err) != hitl.UndoReopened:
					t.Errorf("even: %v", err)
				}
			})
		}
		wg.Go(func() { // a click on the card as it was
			_, won, err := s.Decide(t.Context(), corrected(rec, "U2"), nil)
			if won || err != nil && !errors.Is(err, hitl.ErrRoundOver) {
				t.Errorf("late click: won %v, error %v", won, err)
			}
			late.Add(1)
		})
		if i%2 == 1 { // an erasure, which leaves what is open again alone
			wg.Go(func() {
				if _, err := s.Erase(t.Context(), []string{rec.Item.ID}, start, "cli/ana", "asked"); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	open := scalar[int64](t, owner, `SELECT count(*) FROM hitl.reviews WHERE state = 'open' AND round = 2`)
	erased := scalar[int64](t, owner, `SELECT count(*) FROM hitl.items WHERE erased_at IS NOT NULL`)
	equal(t, "reopened", reopened.Load(), open)
	equal(t, "reopened or erased", open+erased, int64(n))
	equal(t, "entries", scalar[int64](t, owner, `SELECT count(*) FROM hitl.log WHERE status = 'REOPENED'`), open)
	equal(t, "withdrawn", scalar[int64](t, owner, `SELECT count(*) FROM hitl.callbacks WHERE state = 'withdrawn'`), open)
	equal(t, "callbacks", scalar[int64](t, owner, `SELECT count(*) FROM hitl.callbacks`), int64(n))
	equal(t, "problems", recordProblems(t, s), []string(nil))
}

// upstream notes what it is told of each item, in order.
type upstream struct {
	mu   sync.Mutex
	told []string
}

func (u *upstream) take(_ context.Context, c hitl.Callback) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.told = append(u.told, string(c.Body))
	return nil
}

func (u *upstream) all() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return strings.Join(u.told, ", ")
}

func told(rec hitl.Record, round int, hold bool) *hitl.Callback {
	c := held(rec, round)
	c.Hold, c.Body = hold, fmt.Appendf(nil, `"decided %d"`, round)
	return c
}

func taken(rec hitl.Record, round int, withdraw bool) hitl.Reopening {
	r := reopening(rec, round, "U1")
	r.Event.Body, r.Withdraw = fmt.Appendf(nil, `"reopened %d"`, round), withdraw
	return r
}

// A decision that is undone in time is never told; the one that stands is, when its time to undo is over.
func TestUndoneIsNotTold(t *testing.T) {
	t.Parallel()
	s, owner := open(t, fast)
	u := &upstream{}
	rec := unsure("a", "so so")
	mustAppend(t, s, rec, nil)
	run(t, s, audit.Handlers{Callback: u.take})
	mustDecide(t, s, undoable(rec, 1, "U1"), told(rec, 1, true))
	if err := s.Reopen(t.Context(), taken(rec, 1, true)); err != nil {
		t.Fatal(err)
	}
	second := undoable(rec, 2, "U1")
	second.UndoFor = 300 * time.Millisecond
	mustDecide(t, s, second, told(rec, 2, true))
	until := scalar[time.Time](t, owner, `SELECT undo_until FROM hitl.reviews`)
	eventually(t, "the second told", func() bool { return len(states(t, s, hitl.CallbackDelivered)) == 1 })
	equal(t, "told", u.all(), `"decided 2"`)
	delivered := states(t, s, hitl.CallbackDelivered)[0]
	if delivered.DeliveredAt.Before(until) {
		t.Errorf("told at %v, before %v", delivered.DeliveredAt, until)
	}
	equal(t, "late", refusal(t, s.Reopen(t.Context(), taken(rec, 2, true))), hitl.UndoTooLate)
	// An operator takes it back all the same: what was told is followed by what became of it.
	operator := taken(rec, 2, true)
	operator.Undo = false
	if err := s.Reopen(t.Context(), operator); err != nil {
		t.Fatal(err)
	}
	last := undoable(rec, 3, "U2")
	last.UndoFor = time.Millisecond
	mustDecide(t, s, last, told(rec, 3, true))
	eventually(t, "all told", func() bool { return len(states(t, s, hitl.CallbackDelivered)) == 3 })
	equal(t, "told", u.all(), `"decided 2", "reopened 2", "decided 3"`)
}

// Where callbacks go at once, what was undone is told too, and in order: however long an earlier one fails, no later one overtakes it.
func TestAmendedInOrder(t *testing.T) {
	t.Parallel()
	s, _ := open(t, fast, func(c *audit.Config) {
		c.CallbackRetries = []time.Duration{50 * time.Millisecond, 50 * time.Millisecond, 50 * time.Millisecond}
	})
	u := &upstream{}
	var tries atomic.Int64
	rec := unsure("a", "so so")
	mustAppend(t, s, rec, nil)
	mustDecide(t, s, undoable(rec, 1, "U1"), told(rec, 1, false))
	if err := s.Reopen(t.Context(), taken(rec, 1, false)); err != nil {
		t.Fatal(err)
	}
	mustDecide(t, s, undoable(rec, 2, "U1"), told(rec, 2, false))
	run(t, s, audit.Handlers{Callback: func(ctx context.Context, c hitl.Callback) error {
		if tries.Add(1) <= 3 {
			if !bytes.Contains(c.Body, []byte(`decided 1`)) {
				t.Errorf("overtaken by %s", c.Body)
			}
			return errors.New("away")
		}
		return u.take(ctx, c)
	}})
	eventually(t, "all told", func() bool { return len(states(t, s, hitl.CallbackDelivered)) == 3 })
	equal(t, "told", u.all(), `"decided 1", "reopened 1", "decided 2"`)
}

// Undo and the begin of the callback at the same moment: either the callback is withdrawn and nobody is told, or both are told.
func TestUndoRacesItsCallback(t *testing.T) {
	t.Parallel()
	s, owner := open(t, fast)
	const n = 20
	var told1, reopened sync.Map
	var recs []hitl.Record
	for i := range n {
		rec := unsure(fmt.Sprint(i), "so so")
		mustAppend(t, s, rec, nil)
		mustDecide(t, s, undoable(rec, 1, "U1"), told(rec, 1, true))
		recs = append(recs, rec)
	}
	// The time to undo is over for the callbacks and not for the reviews: as if both looked at its last moment.
	if _, err := owner.Exec(t.Context(), `UPDATE hitl.callbacks SET next_at = now()`); err != nil {
		t.Fatal(err)
	}
	run(t, s, audit.Handlers{Callback: func(_ context.Context, c hitl.Callback) error {
		if strings.Contains(string(c.Body), "reopened") {
			if _, ok := told1.Load(c.ItemID); !ok {
				t.Errorf("item %s was reopened before it was decided", c.ItemID)
			}
			reopened.Store(c.ItemID, true)
			return nil
		}
		told1.Store(c.ItemID, true)
		return nil
	}})
	var wg sync.WaitGroup
	for _, rec := range recs {
		wg.Go(func() {
			if err := s.Reopen(t.Context(), taken(rec, 1, true)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	eventually(t, "nothing pending", func() bool { return len(states(t, s, hitl.CallbackPending)) == 0 })
	for _, rec := range recs {
		_, d := told1.Load(rec.Item.ID)
		_, r := reopened.Load(rec.Item.ID)
		if d != r {
			t.Errorf("item %s: decided told %v, reopened told %v", rec.Item.ID, d, r)
		}
	}
}

// A callback that was tried and given up, and is revived, may have been received: it is no more withdrawn than one that is on its way.
func TestRevivedIsNotWithdrawn(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	rec := unsure("a", "so so")
	mustAppend(t, s, rec, nil)
	mustDecide(t, s, undoable(rec, 1, "U1"), told(rec, 1, true))
	if _, err := owner.Exec(t.Context(), `UPDATE hitl.callbacks SET state = 'dead', attempts = 10, last_error = 'timeout'`); err != nil {
		t.Fatal(err)
	}
	if n, err := s.RetryCallbacks(t.Context()); n != 1 || err != nil {
		t.Fatalf("revived %d, %v", n, err)
	}
	if err := s.Reopen(t.Context(), taken(rec, 1, true)); err != nil {
		t.Fatal(err)
	}
	equal(t, "callbacks", scalar[string](t, owner, `SELECT string_agg(state || convert_from(body, 'UTF8'), ' ' ORDER BY created_at) FROM hitl.callbacks`),
		`pending"decided 1" pending"reopened 1"`)
}

// What was taken back is no decision for statistics and exports; the log keeps it.
func TestUndoneDoesNotCount(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	rec := unsure("a", "so so")
	mustAppend(t, s, rec, nil)
	mustDecide(t, s, undoable(rec, 1, "U1"), nil)
	if err := s.Reopen(t.Context(), reopening(rec, 1, "U1")); err != nil {
		t.Fatal(err)
	}
	count := func() []any {
		st, err := s.Stats(t.Context(), hitl.StatsQuery{Since: start, Until: start.Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		n, err := s.Export(t.Context(), &out, audit.ExportQuery{Kind: audit.ExportCorrections, Format: audit.ExportJSONL})
		if err != nil {
			t.Fatal(err)
		}
		m, err := s.Export(t.Context(), &out, audit.ExportQuery{Kind: audit.ExportDecisions, Format: audit.ExportJSONL})
		if err != nil {
			t.Fatal(err)
		}
		return []any{st.Decisions, len(st.ByReviewer), len(st.ByLabel), st.Open, n, m}
	}
	equal(t, "undone", count(), []any{0, 0, 0, 1, 0, 0})
	mustDecide(t, s, undoable(rec, 2, "U2"), nil)
	equal(t, "decided again", count(), []any{1, 1, 1, 0, 1, 1})
	var out bytes.Buffer
	if _, err := s.Export(t.Context(), &out, audit.ExportQuery{Kind: audit.ExportItems, Format: audit.ExportJSONL}); err != nil {
		t.Fatal(err)
	}
	var row audit.Exported
	if err := json.Unmarshal(out.Bytes(), &row); err != nil || row.Round != 2 || row.Reviewer != "T1/U2" {
		t.Errorf("exported %+v, error %v", row, err)
	}
}

// A reopening that is not as the log has it is found.
func TestVerifyRounds(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		`UPDATE hitl.reviews SET round = 3`: "no entry says that it was taken back",
		`UPDATE hitl.reviews SET round = 1`: "and it is not over",
		`INSERT INTO hitl.log (item_id, at, status, text_ref, ai_label, confidence, label, reviewer, model, policy, context)
			SELECT item_id, at, status, text_ref, ai_label, confidence, label, reviewer, model, policy, context FROM hitl.log WHERE status = 'REOPENED'`: "2 entries",
		`DELETE FROM hitl.decisions WHERE round = 1`: "the decision of entry",
	} {
		s, owner := open(t)
		rec := unsure("a", "so so")
		mustAppend(t, s, rec, nil)
		mustDecide(t, s, undoable(rec, 1, "U1"), nil)
		if err := s.Reopen(t.Context(), reopening(rec, 1, "U1")); err != nil {
			t.Fatal(err)
		}
		equal(t, "problems of an honest record", recordProblems(t, s), []string(nil))
		if _, err := owner.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
		if found := recordProblems(t, s); !strings.Contains(strings.Join(found, "\n"), want) {
			t.Errorf("%s: found %q, want %q", sql, found, want)
		}
	}
}
