package audit_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hitl"
	"hitl/audit"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	rec := unsure("a", "so so")
	mustAppend(t, s, rec, nil)
	d := corrected(rec, "U1")
	mustDecide(t, s, d, callback(rec))
	got, err := s.Review(t.Context(), rec.Review.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := rec
	review := *rec.Review
	review.State = hitl.ReviewDecided
	want.Review, want.Decision = &review, &d
	equal(t, "record", got, want)

	standing, won, err := s.Decide(t.Context(), corrected(rec, "U2"), callback(rec))
	if err != nil || won {
		t.Fatalf("second decision: won %v, error %v", won, err)
	}
	equal(t, "standing", standing, d)
	equal(t, "callbacks", scalar[int](t, owner, "SELECT count(*) FROM hitl.callbacks"), 1)
	equal(t, "entries", scalar[int](t, owner, "SELECT count(*) FROM hitl.log"), 2)
	equal(t, "jobs", scalar[int](t, owner, "SELECT count(*) FROM hitl_jobs.river_job"), 0) // there is no card
}

func TestDecideOddRounds(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	rec := unsure("a", "so so")
	mustAppend(t, s, rec, nil)
	later := corrected(rec, "U1")
	later.Round = 2
	var invalid *hitl.InvalidError
	if _, won, err := s.Decide(t.Context(), later, nil); won || !errors.As(err, &invalid) {
		t.Errorf("round that never was: won %v, error %v", won, err)
	}
	missing := corrected(rec, "U1")
	missing.ReviewID = "rev_none"
	if _, won, err := s.Decide(t.Context(), missing, nil); won || !errors.Is(err, hitl.ErrNotFound) {
		t.Errorf("missing review: won %v, error %v", won, err)
	}
	first := corrected(rec, "U1")
	mustDecide(t, s, first, nil)
	if standing, won, err := s.Decide(t.Context(), later, nil); won || err != nil || standing.Round != 1 {
		t.Errorf("closed review: %+v, won %v, error %v", standing, won, err)
	}
	// Opened again by an administrator: the second round is decided on its own, and the first stays closed.
	if _, err := owner.Exec(t.Context(), `UPDATE hitl.reviews SET round = 2, state = 'open'`); err != nil {
		t.Fatal(err)
	}
	got, err := s.Review(t.Context(), rec.Review.ID)
	if err != nil || got.Decision != nil || got.Status() != hitl.HumanReview {
		t.Errorf("reopened: %+v, error %v", got, err)
	}
	if _, won, err := s.Decide(t.Context(), corrected(rec, "U3"), nil); won || !errors.Is(err, hitl.ErrRoundOver) {
		t.Errorf("old round: won %v, error %v", won, err)
	}
	mustDecide(t, s, later, nil)
}

func TestDecideRace(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	rec := unsure("a", "so so")
	mustAppend(t, s, rec, nil)
	var wg sync.WaitGroup
	var winners atomic.Int64
	standing := make([]hitl.Decision, 100)
	for i := range standing {
		wg.Go(func() {
			d, won, err := s.Decide(t.Context(), corrected(rec, fmt.Sprint("U", i)), callback(rec))
			if err != nil {
				t.Error(err)
			}
			if won {
				winners.Add(1)
			}
			standing[i] = d
		})
	}
	wg.Wait()
	equal(t, "winners", winners.Load(), int64(1))
	for _, d := range standing {
		if !d.Same(standing[0]) {
			t.Errorf("two decisions stand: %v and %v", d.Reviewer, standing[0].Reviewer)
		}
	}
	for _, table := range []string{"hitl.decisions", "hitl.callbacks"} {
		equal(t, table, scalar[int](t, owner, "SELECT count(*) FROM "+table), 1)
	}
}

// What fails half way leaves nothing.
func TestDecideRollsBack(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	rec := unsure("a", "so so")
	mustAppend(t, s, rec, nil)
	bad := callback(rec)
	bad.ItemID = "itm_none"
	if _, won, err := s.Decide(t.Context(), corrected(rec, "U1"), bad); err == nil || won {
		t.Fatalf("won %v, error %v", won, err)
	}
	if _, err := owner.Exec(t.Context(), `ALTER TABLE hitl.callbacks RENAME TO away`); err != nil {
		t.Fatal(err)
	}
	if _, won, err := s.Decide(t.Context(), corrected(rec, "U1"), callback(rec)); err == nil || won {
		t.Fatalf("won %v, error %v", won, err)
	}
	if _, _, err := s.Append(t.Context(), sure("b", "fine"), callback(rec)); err == nil {
		t.Fatal("appended without its callback")
	}
	if _, err := owner.Exec(t.Context(), `ALTER TABLE hitl.away RENAME TO callbacks`); err != nil {
		t.Fatal(err)
	}
	equal(t, "items", scalar[int](t, owner, "SELECT count(*) FROM hitl.items"), 1)
	equal(t, "entries", scalar[int](t, owner, "SELECT count(*) FROM hitl.log"), 1)
	equal(t, "callbacks", scalar[int](t, owner, "SELECT count(*) FROM hitl.callbacks"), 0)
	mustDecide(t, s, corrected(rec, "U1"), callback(rec))
}

func TestDue(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	early, late, never := unsure("a", "one"), unsure("b", "two"), unsure("c", "three")
	early.Review.ExpiresAt, never.Review.ExpiresAt = start.Add(time.Minute), time.Time{}
	for _, rec := range []hitl.Record{late, never, early} {
		mustAppend(t, s, rec, nil)
	}
	due := func(at time.Time, limit int) []string {
		ids, err := s.Due(t.Context(), at, limit)
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	equal(t, "too early", len(due(start, 10)), 0)
	equal(t, "one due", due(start.Add(2*time.Minute), 10), []string{early.Review.ID})
	equal(t, "both due", due(start.Add(2*time.Hour), 10), []string{early.Review.ID, late.Review.ID})
	equal(t, "limited", due(start.Add(2*time.Hour), 1), []string{early.Review.ID})
	d := corrected(early, "system")
	d.Status, d.Label = hitl.Expired, ""
	mustDecide(t, s, d, nil)
	equal(t, "decided are not due", due(start.Add(2*time.Hour), 10), []string{late.Review.ID})
	equal(t, "state", scalar[string](t, owner, `SELECT state FROM hitl.reviews WHERE id = $1`, early.Review.ID), "expired")
}

func TestWait(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	accepted := mustAppend(t, s, sure("sure", "fine"), nil)
	if rec, err := s.Wait(t.Context(), accepted.Item.ID); err != nil || rec.Status() != hitl.AIAccepted {
		t.Errorf("final item: %s, error %v", rec.Status(), err)
	}
	here, there := unsure("here", "so so"), unsure("there", "so so")
	mustAppend(t, s, here, nil)
	mustAppend(t, s, there, nil)
	ended, end := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer end()
	if rec, err := s.Wait(ended, here.Item.ID); err != nil || rec.Status() != hitl.HumanReview {
		t.Errorf("deadline: %s, error %v", rec.Status(), err)
	}
	another := openWith(t, audit.Config{DSN: owner.Config().ConnString()})
	var wg sync.WaitGroup
	for _, rec := range []hitl.Record{here, there, here, there} {
		wg.Go(func() {
			got, err := s.Wait(t.Context(), rec.Item.ID)
			if err != nil || got.Status() != hitl.HumanCorrected {
				t.Errorf("%s: %s, error %v", rec.Item.ExternalID, got.Status(), err)
			}
		})
	}
	mustDecide(t, s, corrected(here, "U1"), nil)
	mustDecide(t, another, corrected(there, "U1"), nil)
	wg.Wait()
}
