package bot

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"go.opentelemetry.io/otel/trace"

	"hitl"
)

// shown is what became of an attempt to show a review.
type shown string

const (
	posted   shown = "posted"
	adopted  shown = "adopted"  // its message was there already, an earlier attempt had lost the answer
	needless shown = "needless" // it has its card, or its decision
	full     shown = "full"     // the channel has no room
	busy     shown = "busy"     // somebody else is posting it
	failed   shown = "failed"
)

// fill posts the cards of one queue, one after the other, as long as its channel has room. It holds the review it is at until that has its
// card, so that trouble with Slack costs one intent and no order.
func (b *Bot) fill(ctx context.Context, queue string) {
	pause := b.backoff()
	rest := b.cfg.Poll
	look := false // the channel may be full
	wait := func() {
		b.park(ctx, queue, rest)
		rest = min(2*rest, restMost*b.cfg.Poll)
	}
	for ctx.Err() == nil {
		if b.pausedLately(ctx, queue) {
			b.park(ctx, queue, b.cfg.Poll)
			continue
		}
		if look && !b.room(ctx, queue) {
			wait()
			continue
		}
		limit := b.prefer(ctx, queue)
		deliveries, err := b.cfg.Waiting.Next(ctx, queue, b.cfg.Consumer, 1, b.cfg.Poll)
		if err != nil && ctx.Err() == nil {
			b.hinder("queue "+queue+": take reviews", err)
			b.log.ErrorContext(ctx, "cannot take reviews from the queue", "queue", queue, "error", err)
			_ = sleep(ctx, pause())
			continue
		}
		b.unhinder("queue " + queue + ": take reviews")
		pause = b.backoff()
		look = len(deliveries) > 0
		for _, d := range deliveries {
			if b.paused(ctx, queue) { // since it was asked for
				b.release(ctx, queue, d.ReviewID)
				continue
			}
			letGo := b.hold(ctx, queue, d.ReviewID)
			room := b.deliver(ctx, queue, d.ReviewID, limit)
			letGo()
			if room {
				rest = b.cfg.Poll
				continue
			}
			wait()
		}
	}
}

// lostIntent is the age from which an intent without a message is taken for one whose process has died, or has given its review back.
const lostIntent = 5 * time.Second

// room says whether a poster may find something to do in its channel, so that a full one costs a glance: many posters wake when a card is decided, and one
// of them finds room. It is true when that is not known.
func (b *Bot) room(ctx context.Context, queue string) bool {
	q := b.cfg.Queues[queue]
	ok, err := b.cfg.Cards.Room(ctx, q.Channel, q.OpenLimit, time.Now().Add(-lostIntent))
	if ok || err != nil {
		return true
	}
	b.cfg.Observer.Posted(queue, string(full))
	return false
}

// restMost is how many times Config.Poll a poster rests at most whose channel stays full. What makes room wakes a poster of the process that made it, when a
// review is closed or its card redrawn after that: looking is only for room that came about otherwise.
const restMost = 5

// prefer has the review delivered next that the queue's order puts first, and returns the most cards in the channel for what is delivered: none but what
// was begun where the order chose nothing for want of room, or room that is made meanwhile would go to whichever review was delivered, by age. When the
// order is not known, cards go on being posted by age.
func (b *Bot) prefer(ctx context.Context, queue string) (limit int) {
	q := b.cfg.Queues[queue]
	what := "queue " + queue + ": keep its order"
	room, err := b.cfg.Desk.Prefer(ctx, queue, q.Channel, q.OpenLimit)
	switch {
	case err != nil && ctx.Err() == nil:
		b.hinder(what, err)
		b.log.WarnContext(ctx, "the next card is posted by age, not in the queue's order", "queue", queue, "error", err)
	case err == nil:
		b.unhinder(what)
	}
	if !room {
		return -1
	}
	return q.OpenLimit
}

// hold keeps a review from being given to others while we work on it. letGo ends that and waits for it.
func (b *Bot) hold(ctx context.Context, queue, reviewID string) (letGo func()) {
	ctx, cancel := context.WithCancel(ctx)
	var holding sync.WaitGroup
	holding.Go(func() {
		for sleep(ctx, b.cfg.HoldEvery) == nil {
			if err := b.cfg.Waiting.Hold(ctx, queue, b.cfg.Consumer, reviewID); err != nil && ctx.Err() == nil {
				b.log.WarnContext(ctx, "others may get a review that we hold", "queue", queue, "review", reviewID, "error", err)
			}
		}
	})
	return func() {
		cancel()
		holding.Wait()
	}
}

// deliver gives one review its card, trying until it succeeds. Without room or time for that it gives the review back; room says that there was.
func (b *Bot) deliver(ctx context.Context, queue, reviewID string, limit int) (room bool) {
	pause := b.backoff()
	attempt, doubt := 0, true // somebody else may have tried before us
	for ctx.Err() == nil {
		what, last, err := b.showWithin(ctx, queue, reviewID, limit, attempt, doubt)
		b.cfg.Observer.Posted(queue, string(what))
		attempt = 0
		if last > 0 {
			attempt, doubt = last+1, inDoubt(doubt, err)
		}
		switch {
		case err == nil && what == busy:
			// The queue thought us dead and gave the review to another process as well; it may be through with it soon.
			_ = sleep(ctx, pause())
			continue
		case err == nil && what == full:
			b.release(ctx, queue, reviewID)
			return false
		case err == nil:
			b.unhinder("queue " + queue + ": post cards")
			b.done(ctx, queue, reviewID)
			return true
		case ctx.Err() != nil:
			continue
		}
		if d := rateLimited(err); d > 0 {
			b.log.InfoContext(ctx, "slack asks for patience", "queue", queue, "for", d)
			_ = sleep(ctx, d)
			continue
		}
		b.hinder("queue "+queue+": post cards", err)
		b.log.ErrorContext(ctx, "cannot post a card, will try again",
			"queue", queue, "channel", b.cfg.Queues[queue].Channel, "review", reviewID, "error", err, "advice", b.advice(err))
		if badContent(refusal(err)) {
			b.release(ctx, queue, reviewID) // the others need not wait for this one
			_ = sleep(ctx, b.cfg.Poll)
			return true
		}
		_ = sleep(ctx, pause())
	}
	b.release(ctx, queue, reviewID)
	return true
}

func (b *Bot) advice(err error) string {
	if c := refusal(err); c != "" {
		return advice(c)
	}
	return "none needed if it passes"
}

// park waits until a slot may have become free.
func (b *Bot) park(ctx context.Context, queue string, most time.Duration) {
	t := time.NewTimer(most)
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

func (b *Bot) release(ctx context.Context, queue, reviewID string) {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	if err := b.cfg.Waiting.Release(ctx, queue, reviewID); err != nil {
		b.log.WarnContext(ctx, "review goes back to the queue only when its time is up", "queue", queue, "review", reviewID, "error", err)
	}
}

// show makes sure that an open review has its card. It may be called any number of times, by any number of processes. attempt is the one
// that this must be, 0 for any: when it is another, somebody else is at it. doubt says that an earlier attempt may have brought a message
// about. last is the attempt that this was, 0 for none.
//
// The order is what keeps cards single: first the turn to post, which may take long; then the intent; then the look into the history if
// there was an intent before, and a second one if that leaves doubt; then the post, at once.
func (b *Bot) show(ctx context.Context, queue, reviewID string, attempt int, doubt bool) (what shown, last int, err error) {
	return b.showWithin(ctx, queue, reviewID, b.cfg.Queues[queue].OpenLimit, attempt, doubt)
}

// showWithin is show with another limit of cards in the channel, as BeginCard takes it.
func (b *Bot) showWithin(ctx context.Context, queue, reviewID string, limit, attempt int, doubt bool) (what shown, last int, err error) {
	q := b.cfg.Queues[queue]
	rec, err := b.state(ctx, reviewID)
	if errors.Is(err, hitl.ErrNotFound) || (err == nil && (!open(rec.Record) || rec.Review.Queue != queue)) {
		return needless, 0, nil // closed, or moved to another queue
	}
	if err != nil {
		return failed, 0, fmt.Errorf("load review: %w", err)
	}
	self, err := b.rights.self(ctx)
	if err != nil {
		return failed, 0, fmt.Errorf("learn workspace: %w", err)
	}
	giveBack, err := b.api.turn(ctx, q.Channel)
	if err != nil {
		return failed, 0, err
	}
	c, err := b.cfg.Cards.BeginCard(ctx, reviewID, self.TeamID, q.Channel, limit)
	if err != nil || (attempt > 0 && c.Attempt != attempt) {
		giveBack()
	}
	switch {
	case errors.Is(err, hitl.ErrNoRoom):
		return full, 0, nil
	case errors.Is(err, hitl.ErrPosted), errors.Is(err, hitl.ErrAlreadyDecided), errors.Is(err, hitl.ErrNotFound):
		return needless, 0, nil
	case err != nil:
		return failed, 0, fmt.Errorf("begin card: %w", err)
	case attempt > 0 && c.Attempt != attempt:
		return busy, 0, nil
	}
	ctx, span := b.follow(ctx, rec.Record, "post card", trace.SpanKindConsumer, time.Now())
	defer func() { endSpan(span, err != nil) }()
	if c.Attempt > 1 {
		ts, found, err := b.find(ctx, c)
		if err != nil || found {
			giveBack()
		}
		if err != nil {
			return failed, c.Attempt, errors.Join(fmt.Errorf("look for card: %w", err), b.abandon(ctx, c, q.Channel, err))
		}
		if !found && doubt {
			what, ts, err = b.missing(ctx, c)
			if what != posted {
				giveBack()
			}
			if what == busy {
				return busy, 0, nil
			}
			if err != nil {
				return failed, c.Attempt, err
			}
			found = what == adopted
		}
		if found {
			return adopted, c.Attempt, b.settle(ctx, c, c.Channel, ts)
		}
	}
	what, err = b.send(ctx, c, rec, q.Channel)
	return what, c.Attempt, err
}

// send posts a card that is known not to be there.
func (b *Bot) send(ctx context.Context, c hitl.Card, rec screened, configured string) (shown, error) {
	channel, ts, err := b.api.post(ctx, c, card(b.language(), rec))
	if badContent(refusal(err)) {
		b.log.ErrorContext(ctx, "slack refuses the card's content, posting a plain one", "review", c.ReviewID, "error", err)
		channel, ts, err = b.api.post(ctx, c, plainCard(b.language(), rec))
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
	}
	return failed, errors.Join(err, b.abandon(ctx, c, configured, err))
}

// abandon gives an intent up that is for a channel which its queue has left and which refuses us: the next one will be for the new
// channel.
func (b *Bot) abandon(ctx context.Context, c hitl.Card, configured string, err error) error {
	if c.Channel == configured || !messageGone(refusal(err)) {
		return nil
	}
	if err := b.cfg.Cards.CardGone(ctx, c); err != nil {
		return fmt.Errorf("record gone card: %w", err)
	}
	return nil
}

// settleTries is how often the store is told of a posted card before it is left to the next attempt, which finds the message.
const settleTries = 3

// settle records where a card stands, and redraws it if its review was decided, or has moved to another channel, while it was being posted.
func (b *Bot) settle(ctx context.Context, c hitl.Card, channel, ts string) error {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	var err error
	pause := b.backoff()
	for range settleTries {
		err = b.cfg.Cards.CardPosted(ctx, c.ID, channel, ts)
		if err == nil || errors.Is(err, hitl.ErrPosted) || sleep(ctx, pause()) != nil {
			break
		}
	}
	if errors.Is(err, hitl.ErrPosted) {
		return b.retire(ctx, channel, ts)
	}
	if err != nil {
		return fmt.Errorf("record posted card: %w", err)
	}
	rec, err := b.state(ctx, c.ReviewID)
	c.Channel = channel
	if err == nil && open(rec.Record) && !b.moved(c, rec) {
		return nil
	}
	if err := b.RefreshCard(ctx, c.ReviewID); err != nil {
		// The decision's own refresh may have come before the card was known; there is no other one.
		b.log.WarnContext(ctx, "card shows an old state", "review", c.ReviewID, "error", err)
	}
	return nil
}

// retire takes the buttons off a message whose review has got another card meanwhile.
func (b *Bot) retire(ctx context.Context, channel, ts string) error {
	text := b.language().say("card.retired")
	err := b.api.update(ctx, channel, ts, message{Text: text, Blocks: []slack.Block{section(text)}})
	if err != nil {
		b.log.WarnContext(ctx, "a second card of a review stays", "channel", channel, "ts", ts, "error", err)
	}
	return nil
}

// plainCard is a card that Slack cannot find fault with: nothing of the item's stands in it.
func plainCard(l *language, rec screened) message {
	if !open(rec.Record) {
		text := l.say("card.ended.closed")
		if rec.Decision != nil {
			text = l.say("card.plain.closed_by", "Status", code(l, string(rec.Decision.Status), maxNameUnits), "Who", who(l, rec.Decision.Reviewer))
		}
		if line := undoLine(l, rec.Record); line != "" {
			return message{Text: text + " " + line + ".", Blocks: append([]slack.Block{section(text)}, undoRow(l, rec.Record)...)}
		}
		return message{Text: text, Blocks: []slack.Block{section(text)}}
	}
	if rec.Gathering() {
		text := l.say("card.plain.panel")
		r := ref{Review: rec.Review.ID, Round: rec.Review.Round}
		return message{Text: text, Blocks: []slack.Block{section(text), slack.NewActionBlock("hitl_verdict", voteButton(l, r)), tools(l, rec)}}
	}
	text := l.say("card.plain.open")
	r := ref{Review: rec.Review.ID, Round: rec.Review.Round}
	return message{Text: text, Blocks: []slack.Block{section(text), slack.NewActionBlock("hitl_verdict",
		slack.NewButtonBlockElement(actionOther, r.String(), plain(l.say("card.button.other")))), tools(l, rec)}}
}
