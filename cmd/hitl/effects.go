package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"hitl"
	"hitl/audit"
	"hitl/queue"
)

const (
	expireEvery = 5 * time.Second
	expireBatch = 200 // reviews per run; the next run goes on
	sweepEvery  = 10 * time.Minute
)

// runEffects carries out what commits asked for: callbacks, card refreshes, and the timers.
func (s *service) runEffects(ctx context.Context) error {
	return s.store.RunEffects(ctx, audit.Handlers{
		Callback:    s.sender.Send,
		RefreshCard: s.bot.RefreshCard,
		Periodic: append([]audit.Periodic{
			{Name: "expire_reviews", Every: expireEvery, Run: func(ctx context.Context) error {
				_, err := s.desk.ExpireDue(ctx, expireBatch)
				return err
			}},
			{Name: "sweep_attempts", Every: sweepEvery, Run: s.store.SweepAttempts},
		}, s.noticeTasks()...),
	})
}

// reconcile brings reviews that Redis lost back to their queues.
func (s *service) reconcile(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Queues)) {
		group.Go(func() error {
			r := queue.Reconciler{Client: s.queue, Queue: name, Open: s.store, Logger: s.logger}
			return r.Run(ctx)
		})
	}
	return group.Wait()
}

// waiting is the queue as intake and bot see it.
type waiting struct{ *queue.Client }

// Add implements hitl.Waiting.
func (w waiting) Add(ctx context.Context, name string, priority hitl.Priority, reviewID string) error {
	if err := w.Client.Add(ctx, name, queue.Entry{ReviewID: reviewID, Priority: priority}); err != nil {
		return fmt.Errorf("queue review: %w", err)
	}
	return nil
}
