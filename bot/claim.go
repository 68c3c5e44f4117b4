package bot

import (
	"context"
	"errors"

	"hitl"
)

// Outcomes of what is done with a review beside deciding it, as Observer.Clicked gets them.
const (
	outcomeClaimed  = "claimed"
	outcomeReleased = "released"
	outcomeSkipped  = "skipped"
)

// claimClick claims a review for who clicked, or extends their claim.
func (b *Bot) claimClick(ctx context.Context, in interaction, r ref, scope string) answer {
	return b.handleClick(ctx, in, r, scope, outcomeClaimed, func(ctx context.Context) (hitl.Record, error) {
		return b.cfg.Desk.Claim(ctx, r.Review, r.Round, in.reviewer())
	})
}

// releaseClick gives a review back.
func (b *Bot) releaseClick(ctx context.Context, in interaction, r ref, scope string) answer {
	return b.handleClick(ctx, in, r, scope, outcomeReleased, func(ctx context.Context) (hitl.Record, error) {
		return b.cfg.Desk.Release(ctx, r.Review, r.Round, in.reviewer())
	})
}

// handleClick does something with a review beside the answer to a click, and shows what came of it where it was clicked.
func (b *Bot) handleClick(ctx context.Context, in interaction, r ref, scope, outcome string, do func(context.Context) (hitl.Record, error)) answer {
	b.spawn(ctx, func(ctx context.Context) {
		rec, no := b.handle(ctx, r, in.reviewer(), do)
		if no != nil {
			b.cfg.Observer.Clicked("button", no.outcome)
			b.tellOff(ctx, in, scope, *no)
			return
		}
		b.cfg.Observer.Clicked("button", outcome)
		switch l := b.languageOf(ctx, in.User.ID); {
		case in.ResponseURL == "":
		case !in.Container.IsEphemeral:
			b.redrawClicked(ctx, in, rec)
		case outcome == outcomeReleased:
			b.replace(ctx, in.ResponseURL, nextOffer(l, scope, l.say("told.released")))
		default:
			b.replace(ctx, in.ResponseURL, scopedCard(l, rec, scope))
		}
	})
	return answer{}
}

// handle does something with a review for somebody who may do so at this moment. It returns the record after it, or what to tell them.
func (b *Bot) handle(ctx context.Context, r ref, who hitl.Reviewer, do func(context.Context) (hitl.Record, error)) (screened, *result) {
	rec, no := b.loadFor(ctx, hitl.Verdict{ReviewID: r.Review, Round: r.Round, Reviewer: who}, b.rights.reader)
	if no != nil {
		return rec, no
	}
	after, err := do(ctx)
	if err == nil {
		return b.screen(after), nil
	}
	res := b.handled(ctx, r, who, rec, err)
	return rec, &res
}

// handled puts into words why something was not done.
func (b *Bot) handled(ctx context.Context, r ref, who hitl.Reviewer, rec screened, err error) result {
	var (
		claimed *hitl.ClaimedError
		lost    *hitl.AlreadyDecidedError
		invalid *hitl.InvalidError
		undo    *hitl.UndoError
	)
	switch {
	case errors.As(err, &claimed):
		return result{outcome: outcomeRefused, rec: rec, words: claimedWords(claimed)}
	case errors.As(err, &lost):
		rec.Decision = &lost.Decision
		rec = b.screen(rec.Record)
		return result{outcome: outcomeLost, rec: rec, words: func(l *language) string { return closedWords(l, rec, who) }}
	case errors.Is(err, hitl.ErrRoundOver):
		return result{outcome: outcomeLost, rec: rec, words: saying("told.round_over")}
	case errors.As(err, &undo):
		return notUndone(rec, undo)
	case errors.Is(err, hitl.ErrNotClaimed):
		return result{outcome: outcomeRefused, rec: rec, words: saying("told.not_claimed")}
	case errors.As(err, &invalid):
		switch invalid.Field {
		case "claim":
			return result{outcome: outcomeRefused, rec: rec, words: saying("told.no_claims")}
		case "verdict":
			return result{outcome: outcomeRefused, rec: rec, words: saying("told.skip_voted")}
		case "round":
			return result{outcome: outcomeLost, rec: rec, words: saying("told.moved_on")}
		}
		return result{outcome: outcomeInvalid, rec: rec, words: invalidWords(invalid), field: invalid.Field}
	case errors.Is(err, hitl.ErrNotFound):
		return result{outcome: outcomeUnknown, words: saying("told.unknown")}
	}
	b.log.ErrorContext(ctx, "review not handled", "review", r.Review, "reviewer", who, "error", err)
	return result{outcome: outcomeFailed, rec: rec, words: saying("told.not_done"), again: saying("modal.field.not_done")}
}

// tellOff says why something was not done. On an ephemeral card that is of no use any more the words take its place, with the way to the next
// review.
func (b *Bot) tellOff(ctx context.Context, in interaction, scope string, res result) {
	if !in.Container.IsEphemeral || in.ResponseURL == "" || res.outcome == outcomeFailed || res.outcome == outcomeInvalid {
		b.tell(ctx, in, res.words)
		return
	}
	l := b.languageOf(ctx, in.User.ID)
	b.replace(ctx, in.ResponseURL, nextOffer(l, scope, res.words(l)))
}

// replace shows something in place of the message that a response_url belongs to.
func (b *Bot) replace(ctx context.Context, responseURL string, m message) {
	err := b.api.respond(ctx, responseURL, response{ReplaceOriginal: true, Text: m.Text, Blocks: m.Blocks})
	if err != nil {
		b.log.WarnContext(ctx, "a message that one person sees was not replaced", "error", err)
	}
}

// decidedAlone shows what came of a verdict on a card that one person sees, with the way to the next review, and draws the channel's card.
func (b *Bot) decidedAlone(ctx context.Context, in interaction, r ref, res result) {
	scope := scopeOf(in.Actions[0].BlockID)
	if res.rec.Decision != nil {
		b.refreshSoon(ctx, r.Review)
	}
	b.spawn(ctx, func(ctx context.Context) {
		if res.words != nil {
			b.tellOff(ctx, in, scope, res)
			return
		}
		b.replace(ctx, in.ResponseURL, recorded(b.languageOf(ctx, in.User.ID), res.rec, scope))
	})
}
