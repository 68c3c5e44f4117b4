package hitl

import (
	"errors"
	"fmt"
	"time"
)

// Errors that callers tell apart with errors.Is. Their texts are safe to show to upstreams and reviewers.
var (
	// ErrBusy says that the classifier's queue is full: nothing was recorded, try again later.
	ErrBusy = errors.New("classifier is busy")
	// ErrBacklog says that too many reviews wait already: nothing was recorded, try again later.
	ErrBacklog = errors.New("review backlog is full")
	// ErrModel says that the model failed on a text: a panic, a timeout, an output that is no distribution. The item goes to a person.
	ErrModel = errors.New("model error")
	// ErrNoModel says that a classifier has labels and no model yet. The item goes to a person.
	ErrNoModel = errors.New("there is no model yet")
	// ErrUnavailable says that a part is starting, closing or out of reach; nothing was recorded.
	ErrUnavailable = errors.New("service is unavailable")
	// ErrNotFound says that there is no such item, review, callback or source.
	ErrNotFound = errors.New("not found")
	// ErrConflict says that the idempotency key was used before with another body.
	ErrConflict = errors.New("the same source and id were used before with another text, metadata or subject")
	// ErrAlreadyDecided is what an *AlreadyDecidedError is.
	ErrAlreadyDecided = errors.New("already decided")
	// ErrRoundOver says that a verdict was on a round whose decision was undone. It is an ErrAlreadyDecided.
	ErrRoundOver = fmt.Errorf("the review was opened again: that round is %w", ErrAlreadyDecided)
	// ErrNotClaimed says that somebody hands over a review that they have not claimed.
	ErrNotClaimed = errors.New("not claimed")
	// ErrNoRoom says that a channel already holds as many open cards as it may.
	ErrNoRoom = errors.New("channel is full")
	// ErrPosted says that the review already has its card.
	ErrPosted = errors.New("card is posted")
)

// ErrPermanent marks an effect's failure that no retry can mend; wrap it.
var ErrPermanent = errors.New("will not be tried again")

// RetryError asks for an effect to be tried again, not before After has passed: the receiver said so.
type RetryError struct {
	After time.Duration
	Err   error
}

func (e *RetryError) Error() string { return fmt.Sprintf("retry after %s: %v", e.After, e.Err) }

// Unwrap returns the failure behind the wish.
func (e *RetryError) Unwrap() error { return e.Err }

// InvalidError is bad input: which field, and what is wrong with it.
type InvalidError struct {
	Field  string // as the caller named it, "text" or "metadata.order.id"
	Reason string // what is wrong and what would be right; safe to show
}

func (e *InvalidError) Error() string { return e.Field + ": " + e.Reason }

// AlreadyDecidedError answers the loser of a race: the decision that stands.
type AlreadyDecidedError struct{ Decision Decision }

func (e *AlreadyDecidedError) Error() string {
	return fmt.Sprintf("already %s by %s at %s", e.Decision.Status, e.Decision.Reviewer, e.Decision.At.UTC().Format(time.RFC3339))
}

// Is makes errors.Is(err, ErrAlreadyDecided) true.
func (e *AlreadyDecidedError) Is(target error) bool { return target == ErrAlreadyDecided }

// ClaimedError says that somebody has a review for themselves for now.
type ClaimedError struct {
	By    Reviewer
	Until time.Time
}

func (e *ClaimedError) Error() string {
	return fmt.Sprintf("claimed by %s until %s", e.By, e.Until.UTC().Format(time.RFC3339))
}
