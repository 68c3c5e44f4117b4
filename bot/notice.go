package bot

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/slack-go/slack"

	"hitl"
)

// Notice is a message to a channel that belongs to no review.
type Notice struct {
	Channel string // Slack channel id
	Kind    string // small letters, digits and "_": by it the notice is found again
	Text    string // a few words, shown literally
	Code    string // lines to copy, shown literally below
}

var noticeKind = regexp.MustCompile(`^[a-z][a-z0-9_]{0,30}$`)

// Notify posts a notice, unless the channel has one of the kind since a time. It may be called again after any error, and by any number of
// processes one after the other: what an earlier call has posted is found in the channel's history.
//
// Errors: *hitl.RetryError when Slack asks for patience; all others say what can be done about them.
func (b *Bot) Notify(ctx context.Context, n Notice, since time.Time) error {
	if !channelID.MatchString(n.Channel) || !noticeKind.MatchString(n.Kind) {
		return fmt.Errorf("post notice: %q of kind %q cannot be", n.Channel, n.Kind)
	}
	err := b.notify(ctx, n, since)
	if d := rateLimited(err); d > 0 {
		return &hitl.RetryError{After: d, Err: fmt.Errorf("post notice: %w", err)}
	}
	if err != nil {
		return fmt.Errorf("post notice to %s: %w; %s", n.Channel, err, b.advice(err))
	}
	return nil
}

func (b *Bot) notify(ctx context.Context, n Notice, since time.Time) error {
	giveBack, err := b.api.turn(ctx, n.Channel)
	if err != nil {
		return err
	}
	kind, found := "hitl_"+n.Kind, false
	if _, err := b.mine(ctx, n.Channel, kind, since, func(slack.Message) bool { found = true; return false }); err != nil || found {
		giveBack()
		return err
	}
	_, _, err = b.api.postMarked(ctx, n.Channel, n.message(b.language()), slack.SlackMetadata{EventType: kind, EventPayload: map[string]any{"kind": n.Kind}})
	return err
}

// message shows a notice. It is pure.
func (n Notice) message(l *language) message {
	text := visible(l, n.Text)
	return message{
		Text: escape(text) + "\n```\n" + escape(n.Code) + "\n```",
		Blocks: []slack.Block{slack.NewSectionBlock(plain(text), nil, nil), slack.NewRichTextBlock("", &slack.RichTextPreformatted{
			Type: slack.RTEPreformatted, Elements: []slack.RichTextSectionElement{slack.NewRichTextSectionTextElement(n.Code, nil)},
		})},
	}
}
