package bot

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/slack-go/slack"

	"hitl"
)

const (
	historyPage  = 200
	historyPages = 25
	// clockSlack is how far Slack's clock, which stamps messages, and the database's, which stamps cards, may be apart.
	clockSlack = 5 * time.Minute
)

// find looks for a card's message in its channel's history, by the metadata that every card carries. An error means that the question
// is still open.
func (b *Bot) find(ctx context.Context, c hitl.Card) (ts string, found bool, err error) {
	whole, err := b.ours(ctx, c, func(m slack.Message) bool {
		if m.Metadata.EventPayload["card"] == c.ID {
			ts, found = m.Timestamp, true
		}
		return !found
	})
	if err == nil && !whole && !found {
		// A second card is a nuisance, a review that nobody sees is a loss.
		b.log.WarnContext(ctx, "gave up looking for a card in a very busy channel; it may be posted twice", "card", c.ID, "channel", c.Channel)
	}
	return ts, found, err
}

// ours calls each for our cards in the history of a card's channel from the card's time on, the newest first, until it returns false.
// Whole says whether all of them were seen.
func (b *Bot) ours(ctx context.Context, c hitl.Card, each func(slack.Message) bool) (whole bool, err error) {
	return b.mine(ctx, c.Channel, metadataType, c.CreatedAt, each)
}

// mine does so for our messages of one kind in a channel, from a time on.
func (b *Bot) mine(ctx context.Context, channel, kind string, since time.Time, each func(slack.Message) bool) (whole bool, err error) {
	self, err := b.rights.self(ctx)
	if err != nil {
		return false, fmt.Errorf("learn who we are: %w", err)
	}
	p := slack.GetConversationHistoryParameters{
		ChannelID: channel, Limit: historyPage, IncludeAllMetadata: true, Inclusive: true,
		Oldest: strconv.FormatInt(since.Add(-clockSlack).Unix(), 10) + ".000000",
	}
	for range historyPages {
		res, err := b.api.history(ctx, &p)
		if err != nil {
			return false, err
		}
		for _, m := range res.Messages {
			// Other apps can copy our metadata, but they cannot write in our name.
			if m.Metadata.EventType == kind && (m.User == self.UserID || m.BotID == self.BotID) && !each(m) {
				return false, nil
			}
		}
		if p.Cursor = res.ResponseMetaData.NextCursor; p.Cursor == "" || !res.HasMore {
			return true, nil
		}
	}
	return false, nil
}
