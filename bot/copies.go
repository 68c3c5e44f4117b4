package bot

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/slack-go/slack"

	"hitl"
)

// Slack's history may be late: a message that was posted can be missing from it for a while. Two things keep that from mattering. A post
// whose fate is in doubt is made again only after it was missing twice, LookAgain apart. And should a review have come to have two
// messages all the same, the one that nobody knows of goes when the review is closed.

// missing looks for a card a second time, some time after it was not found. It returns posted when the card may be posted, adopted with
// its timestamp when it is there, and busy when somebody else has taken it over. The turn to post is held meanwhile.
func (b *Bot) missing(ctx context.Context, c hitl.Card) (what shown, ts string, err error) {
	if err := sleep(ctx, b.cfg.LookAgain); err != nil {
		return failed, "", fmt.Errorf("wait to look for card again: %w", err)
	}
	cards, err := b.cfg.Cards.Cards(ctx, c.ReviewID)
	if err != nil {
		return failed, "", fmt.Errorf("list cards: %w", err)
	}
	for _, now := range cards {
		if now.ID == c.ID && (now.Attempt != c.Attempt || now.State != hitl.CardIntent) {
			return busy, "", nil
		}
	}
	ts, found, err := b.find(ctx, c)
	switch {
	case err != nil:
		return failed, "", fmt.Errorf("look for card again: %w", err)
	case found:
		return adopted, ts, nil
	}
	return posted, "", nil
}

// inDoubt says whether a message may exist after an attempt that failed. The post's own refusal excludes it, and so does that Slack could
// not be reached for it; what failed before the post leaves it as it was.
func inDoubt(before bool, err error) bool {
	f, ok := errors.AsType[*failure](err)
	switch {
	case !ok:
		return true
	case f.method == postMessage:
		op, isOp := errors.AsType[*net.OpError](f.err)
		return f.kind == unclear && (!isOp || op.Op != "dial")
	}
	return before
}

// withdraw deletes the messages of a closed review that are none of its posted cards. Only a review whose card took several attempts can
// have any. While a card is only intended, any of them may be its message; once that is known, the refresh comes again.
func (b *Bot) withdraw(ctx context.Context, reviewID string, cards []hitl.Card) error {
	known, seen := map[string]bool{}, map[string]bool{}
	for _, c := range cards {
		switch c.State {
		case hitl.CardIntent:
			return nil
		case hitl.CardGone:
		case hitl.CardPosted:
			known[c.Channel+" "+c.TS] = true
		}
	}
	for _, c := range cards {
		if c.Attempt < 2 || seen[c.Channel] {
			continue
		}
		if early := b.cfg.LookAgain - b.cfg.Now().Sub(c.BegunAt); early > 0 {
			return &hitl.RetryError{After: early, Err: errors.New("the history may not show every copy of the card yet")}
		}
		seen[c.Channel] = true
		var extra []string
		_, err := b.ours(ctx, c, func(m slack.Message) bool {
			if m.Metadata.EventPayload["review"] == reviewID && !known[c.Channel+" "+m.Timestamp] {
				extra = append(extra, m.Timestamp)
			}
			return true
		})
		for _, ts := range extra {
			err = errors.Join(err, b.remove(ctx, reviewID, c.Channel, ts))
		}
		switch {
		case rateLimited(err) > 0:
			return &hitl.RetryError{After: rateLimited(err), Err: err}
		case err != nil && !messageGone(refusal(err)):
			return fmt.Errorf("look for copies of card %s: %w", c.ID, err)
		}
	}
	return nil
}

func (b *Bot) remove(ctx context.Context, reviewID, channel, ts string) error {
	err := b.api.remove(ctx, channel, ts)
	if err != nil && !messageGone(refusal(err)) {
		return fmt.Errorf("delete a copy of a card: %w", err)
	}
	b.log.InfoContext(ctx, "a second card of a review is withdrawn", "review", reviewID, "channel", channel, "ts", ts)
	return nil
}
