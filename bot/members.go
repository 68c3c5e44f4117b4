package bot

import (
	"context"
	"slices"
	"time"

	"github.com/slack-go/slack"
)

const (
	readMembers = "conversations.members"
	memberPage  = 200    // Slack advises no more
	maxMembers  = 10_000 // of a channel; who joined after them does not review by being there
	// membersPatience is how long one page may be waited for.
	membersPatience = 5 * time.Second
)

// membersRate leaves half of Slack's hundred a minute (tier 4) to a burst: the pages of one large channel.
var membersRate = Rate{Every: 1200 * time.Millisecond, Burst: maxMembers / memberPage}

// channelMembers returns who is in a channel, bots, strangers and deactivated accounts included: maxMembers at most, and whether that is all.
func (a *api) channelMembers(ctx context.Context, channel string) (users []string, all bool, err error) {
	p := slack.GetUsersInConversationParameters{ChannelID: channel, Limit: memberPage}
	for len(users) < maxMembers {
		err := a.call(ctx, readMembers, membersPatience, func(ctx context.Context) error {
			page, next, err := a.slack().GetUsersInConversationContext(ctx, &p)
			if err == nil {
				users, p.Cursor = append(users, page...), next
			}
			return err
		})
		if err != nil {
			return nil, false, err
		}
		if p.Cursor == "" {
			return users, true, nil
		}
	}
	return users[:maxMembers], false, nil
}

// newMembers caches the members of channels.
func newMembers(cfg Config, a *api, spawn spawner) *cache[[]string] {
	return newCache(cfg, spawn, func(ctx context.Context, channel string) ([]string, error) {
		users, all, err := a.channelMembers(ctx, channel)
		if err == nil && !all {
			cfg.Logger.WarnContext(ctx, "a channel whose members review has more of them than are read", "channel", channel, "read", len(users),
				"advice", "name users or groups under the queue's reviewers too")
		}
		return slices.Clip(users), err
	})
}
