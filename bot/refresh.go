package bot

import (
	"context"
	"errors"
	"fmt"

	"hitl"
)

// RefreshCard redraws every posted card of a review in the review's present state, and deletes what other messages show the review once it
// is closed. It is the handler of an effect: it may be called again
// at any time, by any process.
//
// Errors: *hitl.RetryError when Slack wants to be left alone for a while; an error that is hitl.ErrPermanent when there is no such
// review; anything else may pass. Messages that are gone are noted as gone and are no error.
func (b *Bot) RefreshCard(ctx context.Context, reviewID string) error {
	rec, err := b.state(ctx, reviewID)
	if errors.Is(err, hitl.ErrNotFound) {
		return fmt.Errorf("load review: %w: %w", err, hitl.ErrPermanent)
	}
	if err != nil {
		return fmt.Errorf("load review: %w", err)
	}
	if !open(rec.Record) && rec.Review != nil {
		b.wake(rec.Review.Queue)
	}
	cards, err := b.cfg.Cards.Cards(ctx, reviewID)
	if err != nil {
		return fmt.Errorf("list cards: %w", err)
	}
	m := card(b.language(), rec)
	var errs []error
	for _, c := range cards {
		switch {
		case c.State != hitl.CardPosted:
		case open(rec.Record) && b.moved(c, rec):
			errs = append(errs, b.leave(ctx, c, rec))
		default:
			errs = append(errs, b.redraw(ctx, c, rec, m))
		}
	}
	if err := errors.Join(errs...); err != nil || open(rec.Record) {
		return err
	}
	return b.withdraw(ctx, reviewID, cards)
}

func (b *Bot) redraw(ctx context.Context, c hitl.Card, rec screened, m message) error {
	// After an erasure what others may have drawn here counts, not what this process has.
	if !erased(rec.Record) && b.drawn.has(c.Channel, c.TS, m) {
		return nil
	}
	err := b.api.update(ctx, c.Channel, c.TS, m)
	if badContent(refusal(err)) {
		b.log.ErrorContext(ctx, "slack refuses the card's content, drawing a plain one", "review", c.ReviewID, "error", err)
		err = b.api.update(ctx, c.Channel, c.TS, plainCard(b.language(), rec))
	}
	switch {
	case err == nil:
		b.drawn.put(c.Channel, c.TS, m)
		return nil
	case rateLimited(err) > 0:
		return &hitl.RetryError{After: rateLimited(err), Err: err}
	case messageGone(refusal(err)):
		b.log.WarnContext(ctx, "a card cannot be changed any more", "review", c.ReviewID, "channel", c.Channel, "ts", c.TS, "error", err)
		if erased(rec.Record) {
			if err := b.removeErased(ctx, c); err != nil {
				return err
			}
		}
		if err := b.cfg.Cards.CardGone(ctx, c); err != nil {
			return fmt.Errorf("record gone card: %w", err)
		}
		return nil
	}
	return fmt.Errorf("redraw card %s: %w", c.ID, err)
}

// removeErased deletes a card that shows an erased text and cannot be edited. Where Slack refuses that, too, only a person can.
func (b *Bot) removeErased(ctx context.Context, c hitl.Card) error {
	err := b.api.remove(ctx, c.Channel, c.TS)
	switch {
	case err == nil, refusal(err) == "message_not_found":
		return nil
	case rateLimited(err) > 0:
		return &hitl.RetryError{After: rateLimited(err), Err: err}
	case refusal(err) == "":
		return fmt.Errorf("delete card %s: %w", c.ID, err)
	}
	b.log.ErrorContext(ctx, "a card still shows an erased text, and slack lets me neither change nor delete it",
		"review", c.ReviewID, "channel", c.Channel, "ts", c.TS, "error", err)
	return nil
}
