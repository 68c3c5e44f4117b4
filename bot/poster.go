package bot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/slack-go/slack"

	"hitl"
)

// shown is what became of an attempt to show a review.
type shown string

const (
	posted   shown = "posted"
	adopted  shown = "adopted"  // its message was there already, an earlier attempt had lost the answer
	needless shown = "needless" // it has its card, or its decision
	full     shown = "full"     // the channel has no room
	failed   shown = "failed"
)

// fill posts the cards of one queue, one after the other, as long as its channel has room. It holds the review it is at until that has its
// card, so that trouble with Slack costs one intent and no order.
func (b *Bot) fill(ctx context.Context, queue string) {
	pause := b.backoff()
	for ctx.Err() == nil {
		deliveries, err := b.cfg.Waiting.Next(ctx, queue, b.cfg.Consumer, 1, b.cfg.Poll)
		if ctx.Err() != nil {
			b.release(ctx, queue, deliveries)
			return
		}
		if err != nil {
			b.hinder("queue "+queue, err)
			b.log.ErrorContext(ctx, "cannot take reviews from the queue", "queue", queue, "error", err)
			_ = sleep(ctx, pause())
			continue
		}
		pause = b.backoff()
		for i, d := range deliveries {
			if !b.deliver(ctx, queue, d.ReviewID) {
				b.release(ctx, queue, deliveries[i:])
				break
			}
		}
	}
}

// deliver gives one review its card, trying until it succeeds; false means that it must go back: there is no room, or no time.
func (b *Bot) deliver(ctx context.Context, queue, reviewID string) bool {
	pause := b.backoff()
	for ctx.Err() == nil {
		what, err := b.show(ctx, queue, reviewID)
		b.cfg.Observer.Posted(queue, string(what))
		switch {
		case err == nil && what == full:
			b.park(ctx, queue)
			return false
		case err == nil:
			b.unhinder("queue " + queue)
			b.done(ctx, queue, reviewID)
			return true
		case ctx.Err() != nil:
			return false
		}
		b.hinder("queue "+queue, err)
		b.log.ErrorContext(ctx, "cannot post a card, will try again",
			"queue", queue, "channel", b.cfg.Queues[queue].Channel, "review", reviewID, "error", err, "advice", b.advice(err))
		if badContent(refusal(err)) {
			_ = sleep(ctx, b.cfg.Poll)
			return false // the others need not wait for this one
		}
		_ = sleep(ctx, pause())
	}
	return false
}

func (b *Bot) advice(err error) string {
	if c := refusal(err); c != "" {
		return advice(c)
	}
	return "none needed if it passes"
}

// park waits until a slot may have become free.
func (b *Bot) park(ctx context.Context, queue string) {
	t := time.NewTimer(b.cfg.Poll)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-b.wakes[queue]:
	}
}

// afterwards is for what must still be done when ctx is over.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
}

func (b *Bot) done(ctx context.Context, queue, reviewID string) {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	if err := b.cfg.Waiting.Done(ctx, queue, reviewID); err != nil {
		b.log.WarnContext(ctx, "review stays in the queue for now", "queue", queue, "review", reviewID, "error", err)
	}
}

func (b *Bot) release(ctx context.Context, queue string, deliveries []hitl.Delivery) {
	if len(deliveries) == 0 {
		return
	}
	ctx, cancel := afterwards(ctx)
	defer cancel()
	ids := make([]string, len(deliveries))
	for i, d := range deliveries {
		ids[i] = d.ReviewID
	}
	if err := b.cfg.Waiting.Release(ctx, queue, ids...); err != nil {
		b.log.WarnContext(ctx, "reviews go back to the queue only when their time is up", "queue", queue, "reviews", ids, "error", err)
	}
}

// show makes sure that an open review has its card. It may be called any number of times, by any number of processes.
func (b *Bot) show(ctx context.Context, queue, reviewID string) (shown, error) {
	q := b.cfg.Queues[queue]
	rec, err := b.state(ctx, reviewID)
	if errors.Is(err, hitl.ErrNotFound) || (err == nil && !open(rec)) {
		return needless, nil
	}
	if err != nil {
		return failed, fmt.Errorf("load review: %w", err)
	}
	self, err := b.rights.self(ctx)
	if err != nil {
		return failed, fmt.Errorf("learn workspace: %w", err)
	}
	c, err := b.cfg.Cards.BeginCard(ctx, reviewID, self.TeamID, q.Channel, q.OpenLimit)
	switch {
	case errors.Is(err, hitl.ErrNoRoom):
		return full, nil
	case errors.Is(err, hitl.ErrPosted), errors.Is(err, hitl.ErrAlreadyDecided), errors.Is(err, hitl.ErrNotFound):
		return needless, nil
	case err != nil:
		return failed, fmt.Errorf("begin card: %w", err)
	}
	if c.Attempt > 1 {
		ts, found, err := b.find(ctx, c)
		if err != nil {
			return failed, fmt.Errorf("look for card: %w", err)
		}
		if found {
			return adopted, b.settle(ctx, c, c.Channel, ts)
		}
	}
	return b.send(ctx, c, rec, q.Channel)
}

// send posts a card that is known not to be there.
func (b *Bot) send(ctx context.Context, c hitl.Card, rec hitl.Record, configured string) (shown, error) {
	channel, ts, err := b.api.post(ctx, c, card(rec))
	for rateLimited(err) > 0 { // the next try waits for as long as Slack asked
		channel, ts, err = b.api.post(ctx, c, card(rec))
	}
	if badContent(refusal(err)) {
		b.log.ErrorContext(ctx, "slack refuses the card's content, posting a plain one", "review", c.ReviewID, "error", err)
		channel, ts, err = b.api.post(ctx, c, plainCard(rec))
	}
	switch {
	case err == nil:
		return posted, b.settle(ctx, c, channel, ts)
	case uncertain(err):
		ts, found, lookErr := b.find(ctx, c)
		if lookErr == nil && found {
			return adopted, b.settle(ctx, c, c.Channel, ts)
		}
		return failed, errors.Join(err, lookErr)
	case messageGone(refusal(err)) && c.Channel != configured:
		// The intent is for a channel that the queue has left: the next one will be for the new channel.
		return failed, errors.Join(err, b.cfg.Cards.CardGone(ctx, c.ID))
	}
	return failed, err
}

// settleTries is how often the store is told of a posted card before it is left to the next attempt, which finds the message.
const settleTries = 3

// settle records where a card stands, and redraws it if its review was decided while it was being posted.
func (b *Bot) settle(ctx context.Context, c hitl.Card, channel, ts string) error {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	var err error
	pause := b.backoff()
	for range settleTries {
		if err = b.cfg.Cards.CardPosted(ctx, c.ID, channel, ts); err == nil || sleep(ctx, pause()) != nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("record posted card: %w", err)
	}
	rec, err := b.state(ctx, c.ReviewID)
	if err == nil && open(rec) {
		return nil
	}
	if err := b.RefreshCard(ctx, c.ReviewID); err != nil {
		// The decision's own refresh may have come before the card was known; there is no other one.
		b.log.WarnContext(ctx, "card shows an old state", "review", c.ReviewID, "error", err)
	}
	return nil
}

// plainCard is a card that Slack cannot find fault with: nothing of the item's stands in it.
func plainCard(rec hitl.Record) message {
	if !open(rec) {
		text := "This review is closed."
		if rec.Decision != nil {
			text = "This review is closed: " + code(string(rec.Decision.Status), maxNameUnits) + " by " + who(rec.Decision.Reviewer) + "."
		}
		return message{Text: text, Blocks: []slack.Block{section(text)}}
	}
	const text = "A review waits for a person. Slack did not take its text in a card: open it with “Show all”, decide with “Other…”."
	r := ref{Review: rec.Review.ID, Round: rec.Review.Round}
	return message{Text: text, Blocks: []slack.Block{section(text), slack.NewActionBlock("hitl_verdict",
		slack.NewButtonBlockElement(actionOther, r.String(), plain("Other…")),
		slack.NewButtonBlockElement(actionText, r.String(), plain("Show all")))}}
}
