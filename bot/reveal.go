package bot

import (
	"context"

	"github.com/slack-go/slack"

	"hitl"
)

// hiddenWords says how much of a record is hidden.
func hiddenWords(l *language, s screened) string {
	return l.say("card.hidden", "N", s.hidden)
}

// revealButton shows what is hidden, to the one person who clicks on it.
func revealButton(l *language, s screened) *slack.ButtonBlockElement {
	r := ref{Review: s.Review.ID, Round: s.Review.Round}
	b := slack.NewButtonBlockElement(actionReveal, r.String(), plain(l.say("card.button.reveal")))
	b.AccessibilityLabel = l.say("card.button.reveal.spoken")
	return b
}

// revealView shows a record without a mask. That is recorded before, and when it cannot be, nothing is shown. The caller has made sure that
// the person may decide the review.
func (b *Bot) revealView(ctx context.Context, l *language, who hitl.Reviewer, s screened, data viewData) slack.ModalViewRequest {
	if s.hidden == 0 {
		return textModal(l, s, data) // the queue hides nothing any more, or the text was erased
	}
	where := map[string]string{"surface": "button", "channel": data.Channel, "message": data.TS}
	rec, err := b.cfg.Desk.Reveal(ctx, s.Review.ID, who, where)
	if err != nil {
		b.log.ErrorContext(ctx, "hidden parts not shown: entry not committed", "review", s.Review.ID, "reviewer", who, "error", err)
		b.cfg.Observer.Clicked("reveal", outcomeFailed)
		return notice(l, l.say("modal.reveal.title"), l.say("modal.reveal.failed"), data)
	}
	b.cfg.Observer.Clicked("reveal", "revealed")
	return revealModal(l, rec, data)
}

// revealModal is the one place where a record as it is goes to Slack.
func revealModal(l *language, rec hitl.Record, data viewData) slack.ModalViewRequest {
	blocks := append([]slack.Block{section(l.say("modal.revealed.intro"))}, fullText(l, rec)...)
	if d := rec.Decision; d != nil && d.Comment != "" {
		blocks = append(blocks, contextLine(l.say("card.comment_by", "Who", who(l, d.Reviewer))), quote(cut(visible(l, d.Comment), pageUnits, units)))
	}
	return modal(l, viewText, l.say("modal.revealed.title"), data, blocks...)
}

// revealInModal fills the modal that a person has open. No trigger is needed for that, so there is nothing to hurry for.
func (b *Bot) revealInModal(ctx context.Context, in interaction) answer {
	data, r, ok := parseViewData(in.View.PrivateMetadata)
	if !ok {
		b.cfg.Observer.Clicked("modal", outcomeUnknown)
		data = viewData{}
	} else {
		b.cfg.Observer.Clicked("modal", "opened")
	}
	b.spawn(ctx, func(ctx context.Context) {
		b.fillView(ctx, in, in.View.ID, r, saying("modal.reveal.title"), data, b.revealView)
	})
	return answer{}
}
