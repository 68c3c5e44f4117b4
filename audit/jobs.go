package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
)

// Queues of jobs: a process works those it has a handler for.
const (
	cardQueue   = "cards"
	noticeQueue = "notices"
	twinQueue   = "twins"
)

// cardJob shows a review's state on its cards. It is not unique: one that runs may have read the state before the change.
type cardJob struct {
	ReviewID string `json:"review_id"`
}

// Kind implements river.JobArgs.
func (cardJob) Kind() string { return "card_refresh" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (cardJob) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: cardQueue, MaxAttempts: maxJobAttempts}
}

// maxJobAttempts bounds a card refresh to about two days.
const maxJobAttempts = 300

// insertJobs has jobs worked once a transaction is committed.
func (s *Store) insertJobs(ctx context.Context, tx pgx.Tx, jobs ...river.InsertManyParams) error {
	if len(jobs) == 0 {
		return nil
	}
	if _, err := s.jobs.InsertManyTx(ctx, tx, jobs); err != nil { // not River's fast one: a COPY is three round trips
		return fmt.Errorf("insert jobs: %w", err)
	}
	return nil
}

// refreshIf inserts a refresh of a review's card, if it has one that needs it.
func (s *Store) refreshIf(ctx context.Context, tx pgx.Tx, needed bool, reviewID string) error {
	if !needed {
		return nil
	}
	return s.insertJobs(ctx, tx, refreshNow(reviewID))
}

// refreshNow is a refresh of a review's card.
func refreshNow(reviewID string) river.InsertManyParams {
	return river.InsertManyParams{Args: cardJob{ReviewID: reviewID}}
}

// refreshAt is a refresh of a review's card that is due at a time.
func refreshAt(reviewID string, at time.Time) river.InsertManyParams {
	return river.InsertManyParams{Args: cardJob{ReviewID: reviewID}, InsertOpts: &river.InsertOpts{ScheduledAt: at}}
}
