package bot

import (
	"context"
	"strings"

	"hitl"
)

// cardLink returns the address of a review's card; empty when there is none, or Slack does not say what the workspace's is.
func (b *Bot) cardLink(ctx context.Context, reviewID string) string {
	cards, err := b.cfg.Cards.Cards(ctx, reviewID)
	if err != nil {
		b.log.WarnContext(ctx, "card not found for a link", "review", reviewID, "error", err)
		return ""
	}
	self, err := b.rights.self(ctx)
	if err != nil || self.URL == "" {
		return ""
	}
	for _, c := range cards {
		if c.State == hitl.CardPosted {
			return permalink(self.URL, c.Channel, c.TS)
		}
	}
	return ""
}

// permalink is where a message is found in a workspace, whose address ends with a slash: what chat.getPermalink answers, without the call.
func permalink(workspace, channel, ts string) string {
	return workspace + "archives/" + channel + "/p" + strings.ReplaceAll(ts, ".", "")
}
