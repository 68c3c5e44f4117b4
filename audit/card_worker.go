package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"hitl"
)

// cardWorker refreshes a review's cards. Two of one review may run at a time: the one that finds the review changed since it read it does
// its work again, so the last word is always the newest.
type cardWorker struct {
	river.WorkerDefaults[cardJob]
	store   *Store
	refresh func(ctx context.Context, reviewID string) error
}

// cardRounds bounds how often one job follows a review that keeps changing.
const cardRounds = 5

// Work implements river.Worker.
func (w *cardWorker) Work(ctx context.Context, job *river.Job[cardJob]) error {
	s := w.store
	start := s.cfg.Now()
	err := w.follow(ctx, job.Args.ReviewID)
	var later *hitl.RetryError
	outcome := OutcomeRetried
	switch {
	case err == nil:
		outcome = OutcomeDone
	case errors.Is(err, hitl.ErrPermanent):
		outcome, err = OutcomeDead, river.JobCancel(err)
	case errors.As(err, &later):
		err = river.JobSnooze(max(later.After, 0))
	case job.Attempt >= job.MaxAttempts:
		outcome = OutcomeDead
	}
	if outcome == OutcomeDead {
		s.cfg.Logger.WarnContext(ctx, "card is out of date for good", "review", job.Args.ReviewID, "error", err)
	}
	s.cfg.Observer.CardRefreshed(outcome, s.cfg.Now().Sub(start))
	return err
}

func (w *cardWorker) follow(ctx context.Context, reviewID string) error {
	before, err := w.version(ctx, reviewID)
	for range cardRounds {
		if err != nil {
			return err
		}
		if err := contain(func() error { return w.refresh(ctx, reviewID) }); err != nil {
			return err
		}
		var after int64
		if after, err = w.version(ctx, reviewID); err == nil && after == before {
			return nil
		}
		before = after
	}
	return &hitl.RetryError{After: time.Second, Err: errors.New("the review keeps changing")}
}

func (w *cardWorker) version(ctx context.Context, reviewID string) (int64, error) {
	var v int64
	err := w.store.pool.QueryRow(ctx, `SELECT version FROM hitl.reviews WHERE id = $1`, reviewID).Scan(&v)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, fmt.Errorf("review %s: %w: %w", reviewID, hitl.ErrNotFound, hitl.ErrPermanent)
	}
	if err != nil {
		return 0, fmt.Errorf("read review: %w", err)
	}
	return v, nil
}

// NextRetry implements river.Worker: 1 s, doubled each time, at most 10 minutes.
func (w *cardWorker) NextRetry(job *river.Job[cardJob]) time.Time {
	return time.Now().Add(jitter(min(time.Second<<min(job.Attempt-1, 10), 10*time.Minute)))
}
