package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"hitl"
)

// Queues of jobs: a process works those it has a handler for.
const (
	callbackQueue = "callbacks"
	cardQueue     = "cards"
	noticeQueue   = "notices"
	twinQueue     = "twins"
)

// callbackJob sends one callback until its row says it is over.
type callbackJob struct {
	ID string `json:"id"`
}

// Kind implements river.JobArgs.
func (callbackJob) Kind() string { return "callback" }

// InsertOpts implements river.JobArgsWithInsertOpts: one live job per callback. The job ends in the transaction that ends the
// callback, so a callback that is revived gets its new one.
func (callbackJob) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: callbackQueue, MaxAttempts: maxJobAttempts, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: liveStates()}}
}

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

// maxJobAttempts bounds a card refresh to about two days. Callbacks count their attempts in their row; their jobs only
// use up attempts when a process dies or Postgres is away.
const maxJobAttempts = 300

func liveStates() []rivertype.JobState {
	return []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning,
		rivertype.JobStateScheduled,
	}
}

// insertEffects inserts the jobs that a decision calls for: its callback's, for a time or (nil) for now, and its card's.
func (s *Store) insertEffects(ctx context.Context, tx pgx.Tx, callback *hitl.Callback, sendAt *time.Time, reviewID string, card bool) error {
	var jobs []river.InsertManyParams
	if callback != nil {
		job := river.InsertManyParams{Args: callbackJob{ID: callback.ID}}
		if sendAt != nil {
			job.InsertOpts = &river.InsertOpts{ScheduledAt: *sendAt}
		}
		jobs = append(jobs, job)
	}
	if card {
		jobs = append(jobs, river.InsertManyParams{Args: cardJob{ReviewID: reviewID}})
	}
	if len(jobs) == 0 {
		return nil
	}
	if _, err := s.jobs.InsertManyFastTx(ctx, tx, jobs); err != nil {
		return fmt.Errorf("insert effects: %w", err)
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
