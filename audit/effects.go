package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"hitl"
)

// Handlers carry out effects. Each may be called more than once for the same effect, and must be safe for concurrent use. One that is
// nil leaves its effects to other processes.
type Handlers struct {
	// Callback sends a callback. nil is delivered; hitl.ErrPermanent makes it dead at once; a *hitl.RetryError puts its next
	// attempt off for at least that long; any other error means the next attempt of the schedule.
	Callback func(context.Context, hitl.Callback) error
	// RefreshCard shows a review's state, as it is then, on its posted cards. Errors as for Callback, retried for about two days.
	RefreshCard func(ctx context.Context, reviewID string) error
	// Periodic are tasks that one process at a time runs.
	Periodic []Periodic
}

// Periodic is a task that runs again and again, on one process at a time.
type Periodic struct {
	Name  string                      // the same in every process; it is the timer's key in the database
	Every time.Duration               // from the begin of one run to the begin of the next
	Run   func(context.Context) error // its context ends after Every, or a minute if that is more
}

// RunEffects carries out effects until ctx ends, then lets those that run finish within Config.StopTimeout, and returns nil. It returns
// early with an error when it cannot start.
func (s *Store) RunEffects(ctx context.Context, h Handlers) error {
	// Every kind has its worker, so that the process that tends the jobs knows them all; queues say which ones run here.
	workers := river.NewWorkers()
	river.AddWorker(workers, &callbackWorker{store: s, send: h.Callback})
	river.AddWorker(workers, &cardWorker{store: s, refresh: h.RefreshCard})
	queues := map[string]river.QueueConfig{}
	if h.Callback != nil {
		queues[callbackQueue] = river.QueueConfig{MaxWorkers: s.cfg.CallbackWorkers}
	}
	if h.RefreshCard != nil {
		queues[cardQueue] = river.QueueConfig{MaxWorkers: s.cfg.CardWorkers}
	}
	periodic := h.Periodic
	if h.Callback != nil {
		periodic = append([]Periodic{{Name: "audit.sweep_callbacks", Every: time.Minute, Run: s.sweepCallbacks}}, periodic...)
	}

	var running sync.WaitGroup
	defer running.Wait()
	if len(queues) > 0 {
		client, err := river.NewClient(riverpgxv5.New(s.pool), s.riverConfig(queues, workers))
		if err != nil {
			return fmt.Errorf("prepare effects: %w", err)
		}
		// Cancelling Start's context begins a soft stop, which SoftStopTimeout bounds.
		if err := client.Start(ctx); err != nil {
			return fmt.Errorf("start effects: %w", err)
		}
		defer func() { <-client.Stopped() }()
	}
	for _, p := range periodic {
		running.Go(func() { s.runPeriodic(ctx, p) })
	}
	<-ctx.Done()
	return nil
}

func (s *Store) riverConfig(queues map[string]river.QueueConfig, workers *river.Workers) *river.Config {
	return &river.Config{
		Schema: jobsSchema, PollOnly: true, Queues: queues, Workers: workers,
		FetchPollInterval: s.cfg.PollInterval, FetchCooldown: min(s.cfg.PollInterval, river.FetchCooldownDefault),
		JobTimeout: s.cfg.EffectTimeout + 5*time.Second, RescueStuckJobsAfter: s.cfg.EffectTimeout + s.cfg.StatementTimeout + 10*time.Second,
		SoftStopTimeout: s.cfg.StopTimeout,
		// Finished jobs are of no use: the callback's row and the card tell. Jobs given up are kept for a week.
		CompletedJobRetentionPeriod: time.Hour,
		// Reindexing takes the owner's rights, which the service lacks on purpose.
		ReindexerIndexNames: []string{},
		Logger:              slog.New(quiet{s.cfg.Logger.Handler()}),
	}
}

// quiet drops what River says below warnings: it speaks of every start and stop of its parts.
type quiet struct{ slog.Handler }

// Enabled implements slog.Handler.
func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && q.Handler.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(attrs)} }

// WithGroup implements slog.Handler.
func (q quiet) WithGroup(name string) slog.Handler { return quiet{q.Handler.WithGroup(name)} }

// callbackWorker tries a callback once. The callback's row counts its attempts and says when the next is due; the job only carries it.
type callbackWorker struct {
	river.WorkerDefaults[callbackJob]
	store *Store
	send  func(context.Context, hitl.Callback) error
}

// Work implements river.Worker.
func (w *callbackWorker) Work(ctx context.Context, job *river.Job[callbackJob]) error {
	s := w.store
	c, wait, err := s.claim(ctx, job.Args.ID)
	switch {
	case err != nil:
		return err
	case c == nil && wait > 0:
		return river.JobSnooze(wait)
	case c == nil:
		return nil
	}
	start := s.cfg.Now()
	outcome, err := w.try(ctx, job, c)
	s.cfg.Observer.CallbackTried(c.Source, c.attempt, outcome, s.cfg.Now().Sub(start))
	return err
}

func (w *callbackWorker) try(ctx context.Context, job *river.Job[callbackJob], c *claimed) (Outcome, error) {
	s := w.store
	endJob := func(tx pgx.Tx) error {
		_, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
		if err != nil {
			return fmt.Errorf("complete job: %w", err)
		}
		return nil
	}
	attemptCtx, cancel := context.WithTimeout(ctx, s.cfg.EffectTimeout)
	cause := contain(func() error { return w.send(attemptCtx, c.Callback) })
	cancel()
	// What the attempt came to is recorded even when the process is about to stop.
	ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), s.cfg.StatementTimeout)
	defer cancel()
	switch {
	case cause == nil:
		return OutcomeDone, s.finish(ctx, c, hitl.CallbackDelivered, nil, endJob)
	case c.attempt > len(s.cfg.CallbackRetries), errors.Is(cause, hitl.ErrPermanent):
		s.cfg.Logger.WarnContext(ctx, "callback is dead", "callback", c.ID, "source", c.Source, "item", c.ItemID, "attempt", c.attempt,
			"error", cause)
		return OutcomeDead, s.finish(ctx, c, hitl.CallbackDead, cause, endJob)
	}
	wait := jitter(s.cfg.CallbackRetries[c.attempt-1])
	if later, ok := errors.AsType[*hitl.RetryError](cause); ok {
		wait = max(wait, later.After)
	}
	s.cfg.Logger.InfoContext(ctx, "callback failed, will be tried again", "callback", c.ID, "source", c.Source, "item", c.ItemID,
		"attempt", c.attempt, "in", wait, "error", cause)
	if err := s.retryLater(ctx, c, cause, wait); err != nil {
		return OutcomeRetried, err
	}
	return OutcomeRetried, river.JobSnooze(wait)
}

// Timeout implements river.Worker: it leaves time to record what an attempt came to.
func (w *callbackWorker) Timeout(*river.Job[callbackJob]) time.Duration {
	return w.store.cfg.EffectTimeout + w.store.cfg.StatementTimeout
}

// NextRetry implements river.Worker: a callback's job itself fails only when Postgres does.
func (w *callbackWorker) NextRetry(*river.Job[callbackJob]) time.Time {
	return time.Now().Add(jitter(2 * time.Second))
}

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

// contain makes a panic an error: it fails one attempt, nothing else.
func contain(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return f()
}

// jitter adds up to a tenth, so that what failed together is not tried again together.
func jitter(d time.Duration) time.Duration {
	return d + time.Duration(rand.Int64N(int64(d/10)+1)) //nolint:gosec // no secret
}
