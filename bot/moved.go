package bot

import (
	"context"
	"fmt"

	"github.com/slack-go/slack"

	"hitl"
)

// moved says whether a card stands in a channel that is not, or no longer, that of its review's queue.
func (b *Bot) moved(c hitl.Card, rec screened) bool {
	q, ok := b.cfg.Queues[rec.Review.Queue]
	return ok && q.Channel != c.Channel
}

// leave takes the buttons off a card whose review has moved to another channel, and gives it up: the review gets another card there. A card whose
// message is gone is given up all the same.
func (b *Bot) leave(ctx context.Context, c hitl.Card, rec screened) error {
	m := movedCard(b.language(), rec, b.cfg.Queues[rec.Review.Queue].Channel)
	switch err := b.api.update(ctx, c.Channel, c.TS, m); {
	case rateLimited(err) > 0:
		return &hitl.RetryError{After: rateLimited(err), Err: err}
	case err != nil && !messageGone(refusal(err)):
		return fmt.Errorf("redraw moved card %s: %w", c.ID, err)
	}
	if err := b.cfg.Cards.CardGone(ctx, c); err != nil {
		return fmt.Errorf("record gone card: %w", err)
	}
	return nil
}

// movedCard is what stays of a card whose review has moved.
func movedCard(l *language, rec screened, channel string) message {
	words := l.say("card.moved", "Queue", code(l, rec.Review.Queue, maxNameUnits), "Channel", "<#"+channel+">")
	return message{Text: words, Blocks: []slack.Block{contextLine(origin(l, rec.Record)), section(words)}}
}
