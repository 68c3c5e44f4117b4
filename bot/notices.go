package bot

import (
	"context"
	"errors"
	"fmt"

	"github.com/slack-go/slack"

	"hitl"
)

// noticeType marks the messages of notices.
const noticeType = "hitl_notice"

// PostNotice posts a notice, unless an earlier attempt has done so, and returns where it stands. It is the handler of an effect: it may be called
// again at any time, by any process.
//
// Errors: *hitl.RetryError when Slack wants to be left alone for a while; one that is hitl.ErrPermanent for what cannot be posted ever; anything
// else may pass.
func (b *Bot) PostNotice(ctx context.Context, n hitl.Notice) (channel, ts string, err error) {
	var rec screened
	if n.ReviewID != "" {
		rec, err = b.state(ctx, n.ReviewID)
		if errors.Is(err, hitl.ErrNotFound) {
			return "", "", fmt.Errorf("load review: %w: %w", err, hitl.ErrPermanent)
		}
		if err != nil {
			return "", "", fmt.Errorf("load review: %w", err)
		}
	}
	if _, ok := b.cfg.Queues[n.Queue]; n.To == "" && !ok {
		return "", "", fmt.Errorf("queue %q is not configured any more: %w", n.Queue, hitl.ErrPermanent)
	}
	m, err := b.noticeMessage(ctx, n, rec, true)
	if err != nil {
		return "", "", err
	}
	channel, ts, err = b.postNotice(ctx, n, m)
	if badContent(refusal(err)) {
		b.log.InfoContext(ctx, "slack did not take a notice, sending words alone", "notice", n.ID, "kind", n.Kind, "error", err)
		if m, err = b.noticeMessage(ctx, n, rec, false); err == nil {
			channel, ts, err = b.postNotice(ctx, n, m)
		}
	}
	switch code := refusal(err); {
	case err == nil:
		return channel, ts, nil
	case rateLimited(err) > 0:
		return "", "", &hitl.RetryError{After: rateLimited(err), Err: err}
	case messageGone(code), badContent(code), code == "user_not_found", code == "cannot_dm_bot", code == "user_disabled":
		return "", "", fmt.Errorf("post notice: %w: %w", err, hitl.ErrPermanent)
	}
	return "", "", fmt.Errorf("post notice: %w", err)
}

// noticeMessage is what a notice says, as things stand now, with a chart where there is one and it is wanted.
func (b *Bot) noticeMessage(ctx context.Context, n hitl.Notice, rec screened, chart bool) (message, error) {
	l := b.language()
	switch n.Kind {
	case hitl.NoticeAdjudicate:
		return adjudicateMessage(l, rec, b.cfg.Queues[n.Queue].adjudicators(), b.cardLink(ctx, n.ReviewID)), nil
	case hitl.NoticeAssigned:
		return assignedMessage(b.languageOf(ctx, n.To), n, rec, b.cardLink(ctx, n.ReviewID)), nil
	case hitl.NoticeSkipped:
		return skippedMessage(l, n, rec, b.cfg.Queues[n.Queue].Owners, b.cardLink(ctx, n.ReviewID)), nil
	case hitl.NoticeReminder:
		return reminder(l, n, rec, b.cardLink(ctx, n.ReviewID)), nil
	case hitl.NoticeEscalation:
		return escalation(l, n, rec, b.cardLink(ctx, n.ReviewID)), nil
	case hitl.NoticeDigest:
		return b.digest(ctx, n, chart)
	case hitl.NoticeBroken:
		return brokenMessage(l, n)
	case hitl.NoticeCertifyLate:
		return certifyLateMessage(l, n)
	case hitl.NoticeProposal:
		return b.proposalNotice(ctx, n, chart)
	case hitl.NoticeStamping:
		if slackUser(n.To) {
			l = b.languageOf(ctx, n.To)
		}
		return stampingMessage(l, n)
	case hitl.NoticeGoldPrivate:
		return b.goldPrivate(ctx, n)
	case hitl.NoticeGoldOwners:
		return goldOwners(l, n), nil
	case hitl.NoticePaused, hitl.NoticeResumed:
		return pausedMessage(l, n), nil
	}
	return message{}, fmt.Errorf("notice of kind %q is not known here: %w", n.Kind, hitl.ErrPermanent)
}

// postNotice posts a message that is found again by its notice's id. What is for a person goes into their conversation with the app.
func (b *Bot) postNotice(ctx context.Context, n hitl.Notice, m message) (channel, ts string, err error) {
	to := n.To
	if to == "" {
		q := b.cfg.Queues[n.Queue]
		if to = q.Owners.Channel; to == "" || n.InQueue {
			to = q.Channel
		}
	}
	if slackUser(to) {
		if to, err = b.api.conversationWith(ctx, to); err != nil {
			return "", "", err
		}
	}
	giveBack, err := b.api.turn(ctx, to)
	if err != nil {
		return "", "", err
	}
	if n.Attempt > 1 {
		_, err := b.mine(ctx, to, noticeType, n.CreatedAt, func(m slack.Message) bool {
			if m.Metadata.EventPayload["notice"] == n.ID {
				ts = m.Timestamp
			}
			return ts == ""
		})
		if err != nil || ts != "" {
			giveBack()
			return to, ts, err
		}
	}
	return b.api.postMarked(ctx, to, m, slack.SlackMetadata{EventType: noticeType, EventPayload: map[string]any{"notice": n.ID}})
}
