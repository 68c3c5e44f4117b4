package hitl

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Reopening takes the decision of a review's round back and opens the next round.
type Reopening struct {
	ReviewID string
	Round    int      // whose decision is taken back
	By       Reviewer // a person of Slack's, or an operator: User is "cli/ana" then
	Reason   string   // "undo", or why an operator did it; stands in the log from then on
	// Undo says that it is the decider's own change of mind: only of a person's decision, by whom it is, and within the time for it.
	// Otherwise any decision is taken back at any time.
	Undo    bool
	At      time.Time
	Next    Review // the round that begins: its due times
	Context map[string]string
	// Event is what the upstream is told if it may know the decision; nil: it is told nothing.
	Event *Callback
	// Withdraw says that a callback that was not begun is not sent, and nothing is told then.
	Withdraw bool
}

// Reopens is the part of the system of record that takes decisions back.
type Reopens interface {
	// Reopen commits a reopening with its log entry, what becomes of the decision's callback and the card's refresh in one transaction.
	// Errors: ErrNotFound; *UndoError when it changed nothing; after any other the outcome is unknown.
	Reopen(ctx context.Context, r Reopening) error
}

// UndoRefusal is why a decision was not taken back.
type UndoRefusal string

// Why a decision is not taken back.
const (
	UndoTooLate  UndoRefusal = "its time is over"
	UndoNotYours UndoRefusal = "only who decided can undo it"
	UndoReopened UndoRefusal = "it was taken back already"
	UndoOpen     UndoRefusal = "there is no decision yet"
	UndoErased   UndoRefusal = "the item was erased"
)

// UndoError answers who wanted to take a decision back and did not.
type UndoError struct {
	Why   UndoRefusal
	By    Reviewer  // who decided; zero: nobody
	Until time.Time // until when they can undo it; zero: they cannot, or not any more
}

func (e *UndoError) Error() string { return "not taken back: " + string(e.Why) }

// undone is the reason of a reopening by who decided.
const undone = "undo"

// Undo takes a person's decision back and returns the record with its next round, after the commit. round is the one that the person saw;
// whether the person may still decide in this queue is the caller's to check.
//
// Errors: ErrNotFound, *UndoError; *InvalidError for a round that never was. After any other error the outcome is unknown, and the same may be
// asked again: a decision is taken back once.
func (d *Desk) Undo(ctx context.Context, reviewID string, round int, who Reviewer, where map[string]string) (Record, error) {
	rec, err := d.Decisions.Review(ctx, reviewID)
	if err != nil {
		return Record{}, fmt.Errorf("load review: %w", err)
	}
	switch {
	case round > rec.Review.Round:
		return rec, &InvalidError{"round", fmt.Sprintf("%d never was", round)}
	case round < rec.Review.Round:
		return rec, &UndoError{Why: UndoReopened}
	}
	return d.reopen(ctx, rec, Reopening{ReviewID: reviewID, Round: round, By: who, Reason: undone, Undo: true, Context: where})
}

// Reopen takes the decision of a closed review back, whoever made it and whenever, for an operator. By and reason stand in the log from then on.
// Errors as Undo's, and *InvalidError when one of them is missing or over-long.
func (d *Desk) Reopen(ctx context.Context, reviewID, by, reason string) (Record, error) {
	for _, f := range []struct {
		name, text string
		limit      int
	}{{"reason", reason, MaxReasonBytes}, {"by", by, MaxEraserBytes}} {
		switch {
		case strings.TrimSpace(f.text) == "":
			return Record{}, &InvalidError{f.name, "is missing; the log keeps it"}
		case len(f.text) > f.limit:
			return Record{}, &InvalidError{f.name, fmt.Sprintf("is longer than %d bytes", f.limit)}
		case CleanText(f.text) != f.text:
			return Record{}, &InvalidError{f.name, "is no text: it holds invalid UTF-8 or NUL"}
		}
	}
	rec, err := d.Decisions.Review(ctx, reviewID)
	if err != nil {
		return Record{}, fmt.Errorf("load review: %w", err)
	}
	return d.reopen(ctx, rec, Reopening{
		ReviewID: reviewID, Round: rec.Review.Round, By: Reviewer{User: by}, Reason: reason, Context: map[string]string{"surface": "command"},
	})
}

func (d *Desk) reopen(ctx context.Context, rec Record, r Reopening) (Record, error) {
	if d.Reopens == nil {
		return rec, fmt.Errorf("reopen review: %w", ErrUnavailable)
	}
	r.At = d.now()
	r, err := d.reopening(rec, r)
	if err != nil {
		return rec, err
	}
	if d.Followers != nil && rec.Decision != nil && spreads(rec, *rec.Decision) {
		err = d.reopenTogether(ctx, r)
	} else {
		err = d.Reopens.Reopen(ctx, r)
	}
	if err != nil {
		if refused, ok := errors.AsType[*UndoError](err); ok {
			return rec, refused
		}
		return rec, fmt.Errorf("reopen review: %w", err)
	}
	rec.Review, rec.Decision = &r.Next, nil
	return rec, nil
}

// reopening completes a reopening of a record's review: the round that begins, and what the upstream is told.
func (d *Desk) reopening(rec Record, r Reopening) (Reopening, error) {
	r.Next = *rec.Review
	r.Next.Round, r.Next.ClaimedBy, r.Next.ClaimedUntil, r.Next.UndoUntil = r.Round+1, Reviewer{}, time.Time{}, time.Time{}
	d.Queues[r.Next.Queue].begin(&r.Next, r.At)
	if source := rec.Item.Source; d.Callbacks[source] && rec.Gold == nil {
		event, err := newReopened(rec, r)
		if err != nil {
			return r, err
		}
		r.Event, r.Withdraw = &event, !d.Amends[source]
	}
	return r, nil
}
