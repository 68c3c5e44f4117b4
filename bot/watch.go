package bot

import (
	"context"
	"errors"
	"fmt"

	"github.com/slack-go/slack"

	"hitl"
)

// watchBatch is how many cards are listed at a time.
const watchBatch = 200

// watch looks, at the start and then from time to time, whether the cards of open reviews are still there. Slack tells nobody that a person
// or a retention rule has deleted a message; such a card would keep its room in the channel, and nobody would see its review again.
func (b *Bot) watch(ctx context.Context) {
	pause := b.backoff()
	for ctx.Err() == nil {
		err := b.watchOnce(ctx)
		next := b.cfg.WatchEvery
		switch {
		case err == nil:
			pause = b.backoff()
		case uncertain(err), rateLimited(err) > 0:
			next = min(next, max(pause(), rateLimited(err)))
		}
		if err != nil && ctx.Err() == nil && rateLimited(err) == 0 {
			b.log.WarnContext(ctx, "not all cards could be looked after", "error", err, "again_in", next)
		}
		_ = sleep(ctx, next)
	}
}

// watchOnce looks at every posted card of an open review. It ends early when Slack is away or wants to be left alone: what is left then
// can wait, too. A card that Slack refuses to show does not keep it from the others.
func (b *Bot) watchOnce(ctx context.Context) error {
	var errs []error
	for after := ""; ; {
		cards, err := b.cfg.Cards.PostedCards(ctx, after, watchBatch)
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("list posted cards: %w", err))...)
		}
		for _, c := range cards {
			after = c.ID
			if err := b.lookAfter(ctx, c); err != nil {
				errs = append(errs, fmt.Errorf("card %s: %w", c.ID, err))
				if refusal(err) == "" {
					return errors.Join(errs...)
				}
			}
		}
		if len(cards) < watchBatch {
			return errors.Join(errs...)
		}
	}
}

// lookAfter gives a review another card if the message of this one is gone.
func (b *Bot) lookAfter(ctx context.Context, c hitl.Card) error {
	self, err := b.rights.self(ctx)
	if err != nil {
		return fmt.Errorf("learn workspace: %w", err)
	}
	rec, err := b.state(ctx, c.ReviewID)
	if errors.Is(err, hitl.ErrNotFound) || (err == nil && !open(rec.Record)) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("load review: %w", err)
	}
	q, ours := b.cfg.Queues[rec.Review.Queue]
	if !ours || c.Team != self.TeamID {
		return nil
	}
	there, err := b.stands(ctx, c, rec)
	switch code := refusal(err); {
	case err != nil && (c.Channel == q.Channel || !messageGone(code)):
		// Trouble with the queue's own channel is for the operator: the message is where it was once that is mended.
		return err
	case there:
		return nil
	}
	b.log.WarnContext(ctx, "the card of an open review is gone, it gets another one", "review", c.ReviewID, "channel", c.Channel, "ts", c.TS)
	if err := b.cfg.Cards.CardGone(ctx, c); err != nil {
		return fmt.Errorf("record gone card: %w", err)
	}
	return b.showAgain(ctx, rec.Review.Queue, c.ReviewID, 0) // without room the queue's next rebuild brings it back
}

// stands says whether a card's message exists. The history answers without touching the message; that it does not hold the message is
// believed only if the message cannot be edited either, because a review's second card is not taken back.
func (b *Bot) stands(ctx context.Context, c hitl.Card, rec screened) (bool, error) {
	res, err := b.api.history(ctx, &slack.GetConversationHistoryParameters{
		ChannelID: c.Channel, Oldest: c.TS, Latest: c.TS, Inclusive: true, Limit: 1,
	})
	if err != nil {
		return false, fmt.Errorf("look for card: %w", err)
	}
	for _, m := range res.Messages {
		if m.Timestamp == c.TS && m.SubType != "tombstone" {
			return true, nil
		}
	}
	m := card(b.language(), rec)
	err = b.api.update(ctx, c.Channel, c.TS, m)
	switch refusal(err) {
	case "message_not_found", "cant_update_message":
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("redraw card: %w", err)
	}
	b.drawn.put(c.Channel, c.TS, m)
	return true, nil
}
