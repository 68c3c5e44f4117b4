package bot

import (
	"context"
	"errors"
	"fmt"

	"hitl"
)

// sweepBatch is how many stale intents one sweep looks at.
const sweepBatch = 50

// sweep looks from time to time for cards whose posting was begun and never finished: a process died, or Slack was away for long. What a
// poster holds is renewed by its retries and is not stale.
func (b *Bot) sweep(ctx context.Context) {
	for sleep(ctx, b.cfg.SweepEvery) == nil {
		if err := b.sweepOnce(ctx); err != nil && ctx.Err() == nil {
			b.log.WarnContext(ctx, "sweep of unfinished cards met trouble", "error", err)
		}
	}
}

func (b *Bot) sweepOnce(ctx context.Context) error {
	intents, err := b.cfg.Cards.StaleIntents(ctx, b.cfg.Now().Add(-b.cfg.StaleAfter), sweepBatch)
	if err != nil {
		return fmt.Errorf("list stale intents: %w", err)
	}
	var errs []error
	for _, c := range intents {
		one, cancel := context.WithTimeout(ctx, taskTime) // a channel that must wait must not hold up the rest
		if err := b.finish(one, c); err != nil {
			errs = append(errs, fmt.Errorf("card %s: %w", c.ID, err))
		}
		cancel()
	}
	return errors.Join(errs...)
}

// finish brings an unfinished card to an end: posted, or gone.
func (b *Bot) finish(ctx context.Context, c hitl.Card) error {
	rec, err := b.state(ctx, c.ReviewID)
	if err != nil && !errors.Is(err, hitl.ErrNotFound) {
		return fmt.Errorf("load review: %w", err)
	}
	if err == nil && open(rec.Record) {
		queue := rec.Review.Queue
		if _, ours := b.cfg.Queues[queue]; !ours {
			return nil
		}
		return b.showAgain(ctx, queue, c.ReviewID, c.Attempt+1)
	}
	ts, found, err := b.find(ctx, c)
	switch {
	case err != nil && !messageGone(refusal(err)):
		return fmt.Errorf("look for card: %w", err)
	case found:
		return b.settle(ctx, c, c.Channel, ts)
	}
	return b.cfg.Cards.CardGone(ctx, c)
}

// showAgain gives a review its card beside the poster; attempt as in show.
func (b *Bot) showAgain(ctx context.Context, queue, reviewID string, attempt int) error {
	what, _, err := b.show(ctx, queue, reviewID, attempt, true)
	b.cfg.Observer.Posted(queue, string(what))
	if err == nil && what != full && what != busy {
		b.done(ctx, queue, reviewID)
	}
	return err
}
