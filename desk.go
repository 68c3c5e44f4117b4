package hitl

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"
)

// Decisions is the part of the system of record that Desk needs.
type Decisions interface {
	// Review returns the record of a review's item, with that review and its decision, or ErrNotFound.
	Review(ctx context.Context, reviewID string) (Record, error)
	// Decide commits a decision with its log entry, its callback (if any) and the card's refresh in one transaction, unless the round has
	// its decision already: then it changes nothing. It returns the decision that stands and whether it is this one. Error: *ClaimedError,
	// and nothing is recorded, while somebody else than its reviewer has the review claimed; no claim keeps the clock and erasure out.
	Decide(ctx context.Context, decision Decision, callback *Callback) (standing Decision, won bool, err error)
	// Due returns the ids of open reviews that expired before now, the oldest first, limit at most. None is due in a queue that is paused.
	Due(ctx context.Context, now time.Time, limit int) ([]string, error)
}

// Limits of what a reviewer writes.
const (
	MaxReasonBytes  = 300
	MaxCommentBytes = 3000
)

// Desk makes verdicts decisions. It is safe for concurrent use; its fields must not change once it is used. Whether a
// person may decide is the caller's to check, at the time of the click.
type Desk struct {
	Decisions Decisions
	Reveals   Reveals    // nil: nothing can be revealed
	Claims    Claims     // nil: nothing can be claimed
	Skips     Skips      // nil: nothing can be skipped
	Panels    Panels     // nil: there are no panels
	Waiting   Promotions // nil: no index is told of what became urgent
	Twins     Twins      // nil: near-identical items are decided one by one
	Reopens   Reopens    // nil: nothing can be undone
	Followers Followers  // nil: what was decided together is reopened one by one
	Notes     NoteKeeper // nil: no notes are kept
	Timers    Timers     // nil: nobody is reminded, and nothing escalated
	Pauses    Pauses     // nil: no queue can be paused
	Orders    Orders     // nil: all cards are posted by age
	Queues    map[string]QueueRules
	Callbacks map[string]bool // sources that are called back
	Amends    map[string]bool // of those, the ones that are told at once, and told again when a decision is undone; others are told when it cannot be undone any more
	Observer  Observer        // may be nil
	Tracer    Tracer          // may be nil
	Logger    *slog.Logger
	Now       func() time.Time
}

// Review returns the record of a review's item, or ErrNotFound.
func (d *Desk) Review(ctx context.Context, reviewID string) (Record, error) {
	return d.Decisions.Review(ctx, reviewID)
}

// Decide makes a verdict the decision of its round and returns the record with it after the commit. Saying the same again is no
// error. Correcting to the model's own label is accepting.
//
// A review before a panel is decided by nobody alone, unless the panel is complete and came to no majority; then the caller makes sure that the
// person is one of its adjudicators.
//
// Errors: ErrNotFound; *InvalidError for a label the model does not know, an acceptance of nothing, over-long words, a reason or a comment that
// the queue wants and that is missing; ErrPanel; *AlreadyDecidedError when another decision stands; ErrRoundOver when the round's was undone;
// *ClaimedError while somebody else has the review. After any other error the outcome is unknown and the same verdict may be given again.
func (d *Desk) Decide(ctx context.Context, v Verdict) (Record, error) {
	rec, err := d.Decisions.Review(ctx, v.ReviewID)
	if err != nil {
		return Record{}, fmt.Errorf("load review: %w", err)
	}
	return d.DecideRecord(ctx, rec, v)
}

// DecideRecord is Decide for who has just read the review's record, as Review returns it. What has changed since is found out at the commit.
func (d *Desk) DecideRecord(ctx context.Context, rec Record, v Verdict) (next Record, err error) {
	ctx, end := begin(ctx, d.Tracer, StepDecide)
	defer func() { end(next, err) }()
	decision, err := d.decision(rec, v)
	if err != nil {
		return rec, err
	}
	if rec.Gathering() && decision.Round == rec.Review.Round {
		return rec, ErrPanel
	}
	if rec.Adjudicated() {
		decision.Context = maps.Clone(decision.Context)
		if decision.Context == nil {
			decision.Context = map[string]string{}
		}
		decision.Context["adjudicated"] = "true"
	}
	if d.Reopens != nil && rec.Review.Panel <= 1 { // what a panel came to is nobody's own to take back
		decision.UndoFor = d.Queues[rec.Review.Queue].UndoFor
	}
	return d.commit(ctx, rec, decision)
}

// decision checks a verdict against what it is about.
func (d *Desk) decision(rec Record, v Verdict) (Decision, error) {
	dec := Decision{
		ReviewID: v.ReviewID, Round: rec.Review.Round, Reviewer: v.Reviewer, Reason: CleanText(v.Reason),
		Comment: CleanText(v.Comment), At: d.now(), Context: v.Context,
	}
	if v.Round != 0 {
		dec.Round = v.Round
	}
	if v.Reviewer.User == "" {
		return Decision{}, &InvalidError{"reviewer", "is missing"}
	}
	if err := checkWords(v); err != nil {
		return Decision{}, err
	}
	switch {
	case v.Kind == Accept && rec.Prediction.Label == "":
		return Decision{}, &InvalidError{"verdict", "the model gave no label to accept; choose one"}
	case v.Kind == Accept, v.Kind == Correct && v.Label == rec.Prediction.Label && v.Label != "":
		dec.Status, dec.Label = HumanAccepted, rec.Prediction.Label
	case v.Kind == Correct && !slices.Contains(rec.Labels, v.Label):
		return Decision{}, &InvalidError{"label", fmt.Sprintf("%q is none of this model's labels", v.Label)}
	case v.Kind == Correct:
		dec.Status, dec.Label = HumanCorrected, v.Label
	default:
		return Decision{}, &InvalidError{"verdict", fmt.Sprintf("%q is not known", v.Kind)}
	}
	return dec, d.Queues[rec.Review.Queue].complete(rec, dec)
}

func (d *Desk) commit(ctx context.Context, rec Record, dec Decision) (Record, error) {
	if dec.Round < rec.Review.Round {
		return rec, ErrRoundOver
	}
	if standing := rec.Decision; standing != nil && standing.Round == dec.Round {
		return rec, lost(*standing, dec)
	}
	callback, err := d.callback(rec.with(dec))
	if err != nil {
		return rec, err
	}
	var standing Decision
	var won bool
	if d.Twins != nil && spreads(rec, dec) {
		standing, won, err = d.commitTogether(ctx, rec, dec, callback)
	} else {
		standing, won, err = d.Decisions.Decide(ctx, dec, callback)
	}
	if err != nil {
		return rec, fmt.Errorf("record decision: %w", err)
	}
	next := rec.with(standing)
	if !won {
		return next, lost(standing, dec)
	}
	if d.Observer != nil {
		d.Observer.Decided(ctx, next)
	}
	return next, nil
}

// callback is what tells a record's upstream of its decision; nil: nobody is told.
func (d *Desk) callback(rec Record) (*Callback, error) {
	if !d.Callbacks[rec.Item.Source] || rec.Gold != nil { // of which no upstream knows
		return nil, nil
	}
	c, err := newCallback(rec)
	if err != nil {
		return nil, err
	}
	c.Hold = rec.Decision.UndoFor > 0 && !d.Amends[rec.Item.Source]
	return &c, nil
}

// with returns the record of a review that a decision has closed.
func (r Record) with(dec Decision) Record {
	review := *r.Review
	review.State, review.UndoUntil = closedState(dec.Status), dec.UndoUntil
	r.Review, r.Decision, r.Twins = &review, &dec, 0
	return r
}

// closedState is what a review becomes by a decision.
func closedState(status Status) ReviewState {
	switch status { //nolint:exhaustive // the others are a person's
	case Expired:
		return ReviewExpired
	case Cancelled:
		return ReviewCancelled
	}
	return ReviewDecided
}

// lost answers who came second: nil when it was the same person saying the same again.
func lost(standing, mine Decision) error {
	if standing.Same(mine) {
		return nil
	}
	return &AlreadyDecidedError{Decision: standing}
}

// Cancel ends an open review without an answer, with a CANCELLED decision by nobody, and says whether it did: a review that is closed, or is
// being closed by somebody else, keeps its end. Error: ErrNotFound; after any other the outcome is unknown and it may be called again.
func (d *Desk) Cancel(ctx context.Context, reviewID, reason string) (bool, error) {
	rec, err := d.Decisions.Review(ctx, reviewID)
	if err != nil {
		return false, fmt.Errorf("load review %s: %w", reviewID, err)
	}
	if rec.Review.State != ReviewOpen {
		return false, nil
	}
	_, err = d.commit(ctx, rec, Decision{
		ReviewID: reviewID, Round: rec.Review.Round, Status: Cancelled, Reviewer: systemReviewer, Reason: reason, At: d.now(),
		Context: map[string]string{"surface": "erasure"},
	})
	if errors.Is(err, ErrAlreadyDecided) {
		return false, nil
	}
	return err == nil, err
}

func (d *Desk) now() time.Time { return d.Now().UTC().Truncate(time.Microsecond) }
