package bot

import (
	"context"

	"github.com/slack-go/slack"

	"hitl"
)

const (
	wordsNotRevealed = "*Not shown.* That you want to see the hidden parts could not be recorded, so they stay hidden. Please try again in a moment."
	wordsRevealed    = "*Nothing is hidden here.* The log keeps that you looked, and when. Please share what you see with nobody who need not know it."
)

// hiddenWords says how much of a record is hidden.
func hiddenWords(s screened) string {
	if s.hidden == 1 {
		return "1 part is hidden."
	}
	return count(s.hidden, "part") + " are hidden."
}

// revealButton shows what is hidden, to the one person who clicks on it.
func revealButton(s screened) *slack.ButtonBlockElement {
	r := ref{Review: s.Review.ID, Round: s.Review.Round}
	b := slack.NewButtonBlockElement(actionReveal, r.String(), plain("Reveal"))
	b.AccessibilityLabel = "Reveal the hidden parts to me; this is recorded"
	return b
}

// revealView shows a record without a mask. That is recorded before, and when it cannot be, nothing is shown. The caller has made sure that
// the person may decide the review.
func (b *Bot) revealView(ctx context.Context, who hitl.Reviewer, s screened, data viewData) slack.ModalViewRequest {
	if s.hidden == 0 {
		return textModal(s, data) // the queue hides nothing any more, or the text was erased
	}
	where := map[string]string{"surface": "button", "channel": data.Channel, "message": data.TS}
	rec, err := b.cfg.Desk.Reveal(ctx, s.Review.ID, who, where)
	if err != nil {
		b.log.ErrorContext(ctx, "hidden parts not shown: entry not committed", "review", s.Review.ID, "reviewer", who, "error", err)
		b.cfg.Observer.Clicked("reveal", outcomeFailed)
		return notice("Reveal", wordsNotRevealed, data)
	}
	b.cfg.Observer.Clicked("reveal", "revealed")
	return revealModal(rec, data)
}

// revealModal is the one place where a record as it is goes to Slack.
func revealModal(rec hitl.Record, data viewData) slack.ModalViewRequest {
	blocks := append([]slack.Block{section(wordsRevealed)}, fullText(rec)...)
	if d := rec.Decision; d != nil && d.Comment != "" {
		blocks = append(blocks, contextLine("Comment by "+who(d.Reviewer)+":"), quote(cut(visible(d.Comment), pageUnits, units)))
	}
	return modal(viewText, "Revealed text", data, blocks...)
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
	b.spawn(ctx, func(ctx context.Context) { b.fillView(ctx, in, in.View.ID, r, "Reveal", data, b.revealView) })
	return answer{}
}
