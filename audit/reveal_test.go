package audit_test

import (
	"errors"
	"testing"
	"time"

	"hitl"
)

func TestReveal(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	rec := unsure("a", "so so")
	mustAppend(t, s, rec, nil)
	look := hitl.Reveal{
		ReviewID: rec.Review.ID, Round: 1, Reviewer: hitl.Reviewer{Team: "T1", User: "U1"}, At: rec.Item.ReceivedAt.Add(time.Minute),
		Context: map[string]string{"surface": "button", "channel": "C1", "message": "1.2"},
	}
	if err := s.Reveal(t.Context(), look); err != nil {
		t.Fatal(err)
	}
	mustDecide(t, s, corrected(rec, "U1"), nil)
	if err := s.Reveal(t.Context(), look); err != nil { // of a decided review, again
		t.Fatal(err)
	}
	entries, err := s.Log(t.Context(), rec.Item.ID)
	if err != nil {
		t.Fatal(err)
	}
	var got []hitl.Status
	for _, e := range entries {
		got = append(got, e.Status)
	}
	equal(t, "statuses", got, []hitl.Status{hitl.HumanReview, hitl.Revealed, hitl.HumanCorrected, hitl.Revealed})
	e, opened := entries[1], entries[0]
	equal(t, "context", e.Context, map[string]any{
		"source": rec.Item.Source, "review": rec.Review.ID, "round": 1.0, "queue": rec.Review.Queue,
		"where": map[string]any{"surface": "button", "channel": "C1", "message": "1.2"},
	})
	e.ID, e.Context = 0, nil
	want := hitl.Entry{
		ItemID: rec.Item.ID, At: look.At, Status: hitl.Revealed, TextRef: opened.TextRef, AILabel: opened.AILabel, Confidence: opened.Confidence,
		Reviewer: "T1/U1", Model: opened.Model, Policy: opened.Policy,
	}
	equal(t, "entry", e, want)

	// A look decides nothing.
	now, err := s.Review(t.Context(), rec.Review.ID)
	if err != nil || now.Status() != hitl.HumanCorrected {
		t.Errorf("record: %v, %v", now.Status(), err)
	}
	look.ReviewID = "rev_none"
	if err := s.Reveal(t.Context(), look); !errors.Is(err, hitl.ErrNotFound) {
		t.Errorf("missing review: %v", err)
	}
	s.Close()
	look.ReviewID = rec.Review.ID
	if err := s.Reveal(t.Context(), look); err == nil {
		t.Error("revealed by a closed store")
	}
}
