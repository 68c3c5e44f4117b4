package hitl

import (
	"context"
	"fmt"
	"time"
)

// NoticeAssigned tells somebody that a review was given to them: Data has "by" (who gave it, as Reviewer.String) and "until" (RFC 3339).
// NoticeSkipped tells a queue's owners that two people have passed a review on: Data has "reasons", one of each, separated by line breaks.
const (
	NoticeAssigned NoticeKind = "assigned"
	NoticeSkipped  NoticeKind = "skipped_twice"
)

// SkipsToRaise is how many people must have skipped a review for it to become urgent, and its queue's owners to be told.
const SkipsToRaise = 2

// Skips is the part of the system of record that keeps who passed which review on.
type Skips interface {
	// Skip commits that a reviewer passes a review's round on, with its log entry, and ends their claim. Of SkipsToRaise people the last makes
	// the review urgent and has the queue's owners told, in the same transaction; raised says that it is urgent since this call. Saying it
	// again changes nothing. Errors: as those of Claims, and *InvalidError of the field "verdict" when the reviewer has given their verdict.
	Skip(ctx context.Context, v Verdict, at time.Time) (raised bool, err error)
}

// Promotions is the index of reviews that wait for a card, as far as their order changes.
type Promotions interface {
	// Promote moves a review that waits to another priority. One that does not wait is left alone.
	Promote(ctx context.Context, queue string, priority Priority, reviewID string) error
}

// Skip records that a reviewer passes a review on to others, for a reason, and returns its record after the commit. Saying it again is no
// error. The reviewer is not given the review again by Next, and may still decide it. Errors: as those of Skips, and *InvalidError for a
// reason that is missing, or words too long.
func (d *Desk) Skip(ctx context.Context, v Verdict) (Record, error) {
	switch {
	case d.Skips == nil:
		return Record{}, fmt.Errorf("skip review: %w", ErrUnavailable)
	case v.Reviewer.User == "":
		return Record{}, &InvalidError{"reviewer", "is missing"}
	case v.Reason == "":
		return Record{}, &InvalidError{"reason", "is missing"}
	}
	if err := checkWords(v); err != nil {
		return Record{}, err
	}
	v.Kind, v.Label, v.Reason, v.Comment = Skip, "", CleanText(v.Reason), CleanText(v.Comment)
	raised, err := d.Skips.Skip(ctx, v, d.now())
	if err != nil {
		return Record{}, fmt.Errorf("skip review: %w", err)
	}
	rec, err := d.again(ctx, v.ReviewID)
	if err != nil || !raised || d.Waiting == nil {
		return rec, err
	}
	// The row says it already; should this be lost, the reconciler makes the index like the row.
	if err := d.Waiting.Promote(ctx, rec.Review.Queue, rec.Review.Priority, rec.Review.ID); err != nil {
		d.Logger.WarnContext(ctx, "a review is urgent now, and the queue does not know yet", "review", v.ReviewID, "error", err)
	}
	return rec, nil
}

// checkWords bounds what a reviewer wrote.
func checkWords(v Verdict) error {
	if len(v.Reason) > MaxReasonBytes {
		return &InvalidError{"reason", fmt.Sprintf("is longer than %d bytes", MaxReasonBytes)}
	}
	if len(v.Comment) > MaxCommentBytes {
		return &InvalidError{"comment", fmt.Sprintf("is longer than %d bytes", MaxCommentBytes)}
	}
	return nil
}
