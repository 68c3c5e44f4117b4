package bot

import (
	"context"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"hitl"
)

const viewSkip = "hitl_skip"

// skipReasons are what can be said about a skip, as the log keeps them.
var skipReasons = []string{"not_my_area", "unclear", "conflict_of_interest", "other"}

// skipReason names a reason in a language.
func skipReason(l *language, reason string) string {
	switch reason {
	case "not_my_area":
		return l.say("skip.not_my_area")
	case "unclear":
		return l.say("skip.unclear")
	case "conflict_of_interest":
		return l.say("skip.conflict_of_interest")
	}
	return l.say("skip.other")
}

// skipView is the form that passes a review on.
func (b *Bot) skipView(_ context.Context, l *language, who hitl.Reviewer, rec screened, data viewData) slack.ModalViewRequest {
	switch {
	case !open(rec.Record):
		return notice(l, l.say("modal.skip.title"), closedWords(l, rec, hitl.Reviewer{}), data)
	case rec.claimed && rec.Review.ClaimedBy != who:
		claimed := &hitl.ClaimedError{By: rec.Review.ClaimedBy, Until: rec.Review.ClaimedUntil}
		return notice(l, l.say("modal.skip.title"), claimedWords(claimed)(l), data)
	}
	return skipModal(l, data)
}

func skipModal(l *language, data viewData) slack.ModalViewRequest {
	var options []*slack.OptionBlockObject
	for _, r := range skipReasons {
		options = append(options, slack.NewOptionBlockObject(r, plain(skipReason(l, r)), nil))
	}
	comment := slack.NewPlainTextInputBlockElement(plain(l.say("modal.skip.comment_hint")), fieldComment).
		WithMultiline(true).WithMaxLength(maxCommentInput)
	view := modal(l, viewSkip, l.say("modal.skip.title"), data,
		section(l.say("modal.skip.intro")),
		slack.NewInputBlock(blockReason, plain(l.say("modal.correct.reason")), nil,
			slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, plain(l.say("modal.correct.reason_hint")), fieldReason, options...)),
		slack.NewInputBlock(blockComment, plain(l.say("modal.correct.comment")), nil, comment).WithOptional(true))
	view.Submit, view.Close = plain(l.say("modal.skip.send")), plain(l.say("modal.correct.cancel"))
	return view
}

// submitSkip records a skip: a closed modal means that it is recorded.
func (b *Bot) submitSkip(ctx context.Context, in interaction) answer {
	l, _ := b.knownLanguage(ctx, in.User.ID)
	data, r, ok := parseViewData(in.View.PrivateMetadata)
	if !ok {
		b.cfg.Observer.Clicked("modal", outcomeUnknown)
		return replaceView(notice(l, l.say("modal.unknown.title"), l.say("told.unknown"), viewData{}))
	}
	v := hitl.Verdict{
		ReviewID: r.Review, Round: r.Round, Kind: hitl.Skip, Reviewer: in.reviewer(),
		Reason: in.View.input(blockReason, fieldReason), Comment: in.View.input(blockComment, fieldComment),
		Context: map[string]string{"surface": "modal", "channel": data.Channel, "message": data.TS},
	}
	switch {
	case !slices.Contains(skipReasons, v.Reason):
		b.cfg.Observer.Clicked("modal", outcomeInvalid)
		return fieldError(blockReason, l.say("modal.field.no_reason"))
	case v.Reason == "other" && strings.TrimSpace(v.Comment) == "":
		b.cfg.Observer.Clicked("modal", outcomeInvalid)
		return fieldError(blockComment, l.say("modal.field.say_why"))
	}
	_, no := b.handle(ctx, r, v.Reviewer, func(ctx context.Context) (hitl.Record, error) { return b.cfg.Desk.Skip(ctx, v) })
	if no == nil {
		b.cfg.Observer.Clicked("modal", outcomeSkipped)
		b.refreshSoon(ctx, r.Review)
		b.goOn(ctx, in, data, func(l *language) message { return nextOffer(l, data.Scope, l.say("told.skipped")) })
		return answer{}
	}
	b.cfg.Observer.Clicked("modal", no.outcome)
	switch no.outcome {
	case outcomeInvalid:
		return fieldError(blockOf(no.field), no.words(l))
	case outcomeFailed:
		return fieldError(blockReason, no.again(l))
	}
	return replaceView(notice(l, l.say("modal.not_recorded.title"), no.words(l), data))
}

// goOn shows what follows a modal in place of the ephemeral card that it was opened from, if it was one.
func (b *Bot) goOn(ctx context.Context, in interaction, data viewData, what func(*language) message) {
	if data.Reply == "" {
		return
	}
	b.spawn(ctx, func(ctx context.Context) { b.replace(ctx, data.Reply, what(b.languageOf(ctx, in.User.ID))) })
}
