package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"go.opentelemetry.io/otel/codes"

	"hitl"
)

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
	ctx, span := s.callbackSpan(ctx, c.Callback)
	outcome, err := w.try(ctx, job, c)
	if outcome != OutcomeDone {
		span.SetStatus(codes.Error, "")
	}
	span.End()
	s.cfg.Observer.CallbackTried(ctx, c.Source, c.attempt, outcome, s.cfg.Now().Sub(start))
	return err
}

func (w *callbackWorker) try(ctx context.Context, job *river.Job[callbackJob], c *claimed) (Outcome, error) {
	s := w.store
	endJob := func(tx pgx.Tx) error {
		_, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
		if err != nil && !errors.Is(err, river.ErrNotFound) { // not found: it was taken from us, and whoever has it finds nothing left to do
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
