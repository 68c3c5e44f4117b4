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

// refreshIf inserts a refresh of a review's card, if it has one that needs it.
func (s *Store) refreshIf(ctx context.Context, tx pgx.Tx, needed bool, reviewID string) error {
	if !needed {
		return nil
	}
	if _, err := s.jobs.InsertManyFastTx(ctx, tx, []river.InsertManyParams{{Args: cardJob{ReviewID: reviewID}}}); err != nil {
		return fmt.Errorf("insert card refresh: %w", err)
	}
	return nil
}

// refreshAt inserts a refresh of a review's card that is due at a time.
func (s *Store) refreshAt(ctx context.Context, tx pgx.Tx, reviewID string, at time.Time) error {
	if _, err := s.jobs.InsertTx(ctx, tx, cardJob{ReviewID: reviewID}, &river.InsertOpts{ScheduledAt: at}); err != nil {
		return fmt.Errorf("insert card refresh: %w", err)
	}
	return nil
}
