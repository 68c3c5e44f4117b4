package audit_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"hitl"
)

// undoing is a desk on a store whose decisions can be undone.
func undoing(s interface {
	hitl.Decisions
	hitl.Twins
	hitl.Reopens
	hitl.Followers
},
) *hitl.Desk {
	return &hitl.Desk{
		Decisions: s, Twins: s, Reopens: s, Followers: s, Callbacks: map[string]bool{"mail": true},
		Queues: map[string]hitl.QueueRules{"default": {UndoFor: time.Hour, ExpireAfter: time.Hour}}, Now: func() time.Time { return start.Add(time.Hour) },
	}
}

// What one click decided, one click takes back: for all, and all of it.
func TestUndoTogether(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	desk := undoing(s)
	recs := appendTwins(t, s, 7)
	ana := hitl.Reviewer{Team: "T1", User: "U1"}
	if _, err := desk.Decide(t.Context(), accept(recs[2], "U1")); err != nil {
		t.Fatal(err)
	}
	// One of them has a decision of its own by now, and one is erased.
	if _, err := desk.Undo(t.Context(), recs[0].Review.ID, 1, ana, nil); err != nil {
		t.Fatal(err)
	}
	equal(t, "reopened alone", scalar[int](t, owner, `SELECT count(*) FROM hitl.reviews WHERE state = 'open'`), 1)
	own := accept(recs[0], "U2")
	if _, err := desk.Decide(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Erase(t.Context(), []string{recs[1].Item.ID}, start.Add(2*time.Hour), "cli/ana", "asked to"); n != 1 || err != nil {
		t.Fatalf("erased %d, %v", n, err)
	}
	if _, err := desk.Undo(t.Context(), recs[2].Review.ID, 1, hitl.Reviewer{Team: "T1", User: "U2"}, nil); err == nil {
		t.Error("undone by somebody else")
	}
	equal(t, "open, undone by nobody", scalar[int](t, owner, `SELECT count(*) FROM hitl.reviews WHERE state = 'open'`), 0)
	rec, err := desk.Undo(t.Context(), recs[2].Review.ID, 1, ana, map[string]string{"surface": "button"})
	if err != nil || rec.Review.Round != 2 {
		t.Fatalf("undo: %+v, %v", rec.Review, err)
	}
	equal(t, "reopened together", scalar[int](t, owner, `SELECT count(*) FROM hitl.reviews WHERE state = 'open' AND round = 2`), 5)
	equal(t, "entries", scalar[int](t, owner, `SELECT count(*) FROM hitl.log WHERE status = 'REOPENED' AND context->'where'->>'with' = $1`, recs[2].Review.ID), 4)
	equal(t, "withdrawn", scalar[int](t, owner, `SELECT count(*) FROM hitl.callbacks WHERE state = 'withdrawn'`), 6)
	equal(t, "one card", len(leading(t, s)), 1)
	equal(t, "backlog", first(t, s), 5)
	equal(t, "problems", recordProblems(t, s), []string(nil))
	var undo *hitl.UndoError
	if _, err := desk.Undo(t.Context(), recs[2].Review.ID, 1, ana, nil); !errors.As(err, &undo) || undo.Why != hitl.UndoReopened {
		t.Errorf("undone twice: %v", err)
	}
	// And together they are decided again.
	if _, err := desk.Decide(t.Context(), accept(recs[6], "U3")); err != nil {
		t.Fatal(err)
	}
	equal(t, "open, decided again", scalar[int](t, owner, `SELECT count(*) FROM hitl.reviews WHERE state = 'open'`), 0)
	if _, err := desk.Reopen(t.Context(), recs[6].Review.ID, "cli/ana", "a slip"); err != nil {
		t.Fatal(err)
	}
	equal(t, "reopened by an operator", scalar[int](t, owner, `SELECT count(*) FROM hitl.reviews WHERE state = 'open' AND round = 3`), 5)
	equal(t, "problems", recordProblems(t, s), []string(nil))
}

// While the rest of many twins is being decided, the decision is undone: none keeps it.
func TestUndoWhileTwinsFollow(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	desk := undoing(s)
	recs := appendTwins(t, s, 150)
	if _, err := desk.Decide(t.Context(), accept(recs[0], "U1")); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := desk.DecideTwins(t.Context(), recs[0].Review.ID); err != nil {
			t.Error(err)
		}
	})
	wg.Go(func() {
		if _, err := desk.Undo(t.Context(), recs[0].Review.ID, 1, hitl.Reviewer{Team: "T1", User: "U1"}, nil); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
	equal(t, "decided", scalar[int](t, owner, `SELECT count(*) FROM hitl.reviews WHERE state = 'decided'`), 0)
	equal(t, "problems", recordProblems(t, s), []string(nil))
}
