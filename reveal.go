package hitl

import (
	"context"
	"fmt"
	"time"
)

// Reveal is one look at what a queue hides from Slack.
type Reveal struct {
	ReviewID string
	Round    int
	Reviewer Reviewer
	At       time.Time
	Context  map[string]string // where it was asked for: channel, message, surface
}

// Reveals is the part of the system of record that keeps looks.
type Reveals interface {
	// Reveal commits a REVEALED entry to the log, one for each call. Error: ErrNotFound; after any other the entry may be there or not.
	Reveal(ctx context.Context, reveal Reveal) error
}

// Reveal returns the record of a review's item with everything in it, after the commit of a log entry that says who asked. Without the
// entry there is no record. Whether the person may see it is the caller's to check, at the time of the click. Errors: ErrNotFound;
// *InvalidError without a reviewer; ErrUnavailable when nothing keeps reveals.
func (d *Desk) Reveal(ctx context.Context, reviewID string, reviewer Reviewer, where map[string]string) (Record, error) {
	if reviewer.User == "" {
		return Record{}, &InvalidError{"reviewer", "is missing"}
	}
	if d.Reveals == nil {
		return Record{}, fmt.Errorf("record reveal: %w", ErrUnavailable)
	}
	rec, err := d.Decisions.Review(ctx, reviewID)
	if err != nil {
		return Record{}, fmt.Errorf("load review: %w", err)
	}
	err = d.Reveals.Reveal(ctx, Reveal{ReviewID: reviewID, Round: rec.Review.Round, Reviewer: reviewer, At: d.now(), Context: where})
	if err != nil {
		return Record{}, fmt.Errorf("record reveal: %w", err)
	}
	return rec, nil
}
