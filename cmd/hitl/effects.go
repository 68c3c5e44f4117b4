package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"hitl"
	"hitl/audit"
	"hitl/config"
	"hitl/queue"
)

const (
	expireEvery = 5 * time.Second
	dueEvery    = 5 * time.Second
	dueBatch    = 5000 // reviews of one queue per run, of which one notice tells
	digestEvery = time.Minute
	digestLate  = 24 * time.Hour // a digest that could not be begun for so long is left out
	expireBatch = 200            // reviews per run; the next run goes on
	sweepEvery  = 10 * time.Minute

	retainEvery = 5 * time.Second
	retainBatch = 1000 // items of one source per run; the next run goes on
)

// runEffects carries out what commits asked for: callbacks, card refreshes, and the timers.
func (s *service) runEffects(ctx context.Context) error {
	periodic := append([]audit.Periodic{
		{Name: "expire_reviews", Every: expireEvery, Run: func(ctx context.Context) error {
			_, err := s.desk.ExpireDue(ctx, expireBatch)
			return err
		}},
		{Name: "remind", Every: dueEvery, Run: func(ctx context.Context) error {
			_, err := s.desk.RemindDue(ctx, dueBatch)
			return err
		}},
		{Name: "escalate", Every: dueEvery, Run: func(ctx context.Context) error {
			_, err := s.desk.EscalateDue(ctx, dueBatch)
			return err
		}},
		{Name: "move_due_times", Every: dueEvery, Run: func(ctx context.Context) error {
			return s.store.MoveTimes(ctx, allHours(s.cfg))
		}},
		{Name: "weekly_digest", Every: digestEvery, Run: s.addDigests},
		{Name: "advise", Every: adviseEvery, Run: s.adviseDue},
		{Name: "measure_drift", Every: driftEvery, Run: s.measureDrift},
		{Name: "flag_rubber_stamping", Every: flagEvery, Run: s.addFlags},
		{Name: "gold_figures", Every: digestEvery, Run: s.addGoldFigures},
		{Name: "sweep_attempts", Every: sweepEvery, Run: s.store.SweepAttempts},
	}, slices.Concat(s.noticeTasks(), s.trainTasks())...)
	if retained := retained(s.cfg); len(retained) > 0 {
		periodic = append(periodic, audit.Periodic{Name: "retain_texts", Every: retainEvery, Run: func(ctx context.Context) error {
			return s.eraseOld(ctx, retained)
		}})
	}
	return s.store.RunEffects(ctx, audit.Handlers{
		Callback: s.sender.Send, RefreshCard: s.bot.RefreshCard, PostNotice: s.bot.PostNotice, DecideTwins: s.desk.DecideTwins, Periodic: periodic,
	})
}

// addDigests has the week's figures of each queue posted when they are due: once, since the notice is named by queue and moment.
func (s *service) addDigests(ctx context.Context) error {
	var due []hitl.Notice
	now := time.Now()
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Queues)) {
		w := digest(s.cfg.Queues[name])
		if w.Never() {
			continue
		}
		if at := w.Latest(now); now.Sub(at) < digestLate {
			due = append(due, hitl.Notice{
				ID: "ntc_digest_" + name + "_" + at.Format("20060102T1504"), Kind: hitl.NoticeDigest, Queue: name, InQueue: true,
				Data: map[string]string{"until": at.Format(time.RFC3339)},
			})
		}
	}
	return s.store.AddNotices(ctx, due...)
}

// retained returns how long the items of each source are kept; sources that keep them for ever are left out.
func retained(cfg *config.Config) map[string]time.Duration {
	out := map[string]time.Duration{}
	for name, s := range cfg.Sources {
		if s.Retain > 0 {
			out[name] = s.Retain
		}
	}
	return out
}

// eraseOld erases items that their sources wanted kept no longer than this. Trouble with one source does not keep the others waiting.
func (s *service) eraseOld(ctx context.Context, retained map[string]time.Duration) error {
	eraser := newEraser(s.store, s.desk, s.logger)
	var errs []error
	for _, source := range slices.Sorted(maps.Keys(retained)) {
		done, err := eraser.Erase(ctx, hitl.Erasure{
			Source: source, Before: time.Now().Add(-retained[source]), By: "system", Reason: "retention",
		}, retainBatch, nil)
		s.metrics.erased.WithLabelValues(source).Add(float64(done.Items))
		if err != nil {
			errs = append(errs, fmt.Errorf("source %q: %w", source, err))
		}
	}
	return errors.Join(errs...)
}

// reconcile brings reviews that Redis lost back to their queues. However many there are, that takes no more than one budget.
func (s *service) reconcile(ctx context.Context) error {
	budget := &queue.Budget{}
	group, ctx := errgroup.WithContext(ctx)
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Queues)) {
		group.Go(func() error {
			r := queue.Reconciler{Client: s.queue, Queue: name, Open: s.store, Budget: budget, Logger: s.logger}
			return r.Run(ctx)
		})
	}
	return group.Wait()
}

// waiting is the queue as intake and bot see it.
type waiting struct{ *queue.Client }

// Add implements hitl.Waiting.
func (w waiting) Add(ctx context.Context, name string, priority hitl.Priority, reviewID string) error {
	if err := w.AddTogether(ctx, name, queue.Entry{ReviewID: reviewID, Priority: priority}); err != nil {
		return fmt.Errorf("queue review: %w", err)
	}
	return nil
}

// Promote implements hitl.Promotions.
func (w waiting) Promote(ctx context.Context, name string, priority hitl.Priority, reviewID string) error {
	if _, err := w.Client.Promote(ctx, name, queue.Entry{ReviewID: reviewID, Priority: priority}); err != nil {
		return fmt.Errorf("promote review: %w", err)
	}
	return nil
}
