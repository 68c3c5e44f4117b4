package bot

import (
	"context"
	"errors"

	"github.com/slack-go/slack"

	"hitl"
)

// submit carries out a modal that was sent: a closed modal means that the decision, or the verdict, is recorded.
func (b *Bot) submit(ctx context.Context, in interaction) answer {
	var record func(context.Context, hitl.Verdict, func(screened) (label, reason string, err error)) result
	switch in.View.CallbackID {
	case viewSend:
		return b.submitSend(ctx, in)
	case viewSkip:
		return b.submitSkip(ctx, in)
	case viewCorrect:
		record = b.decide
	case viewVote:
		record = b.vote
	case viewBatch:
		return b.submitBatch(ctx, in)
	default:
		return answer{}
	}
	l, _ := b.knownLanguage(ctx, in.User.ID) // since the modal was opened
	data, r, ok := parseViewData(in.View.PrivateMetadata)
	if !ok {
		b.cfg.Observer.Clicked("modal", outcomeUnknown)
		return replaceView(notice(l, l.say("modal.unknown.title"), l.say("told.unknown"), viewData{}))
	}
	v := hitl.Verdict{
		ReviewID: r.Review, Round: r.Round, Kind: hitl.Correct, Reviewer: in.reviewer(),
		Comment: in.View.input(blockComment, fieldComment),
		Context: map[string]string{"surface": "modal", "channel": data.Channel, "message": data.TS},
	}
	res := record(ctx, v, func(rec screened) (label, reason string, err error) { return b.chosen(in, rec) })
	b.cfg.Observer.Clicked("modal", res.outcome)
	switch res.outcome {
	case outcomeAccepted, outcomeCorrected, outcomeVoted:
		b.refreshSoon(ctx, r.Review)
		b.goOn(ctx, in, data, func(l *language) message { return recorded(l, res.rec, data.Scope) })
		return answer{}
	case outcomeInvalid:
		return fieldError(blockOf(res.field), res.words(l))
	case outcomeFailed:
		return fieldError(blockLabel, res.again(l))
	case outcomeLost:
		b.refreshSoon(ctx, r.Review)
	}
	return replaceView(notice(l, l.say("modal.not_recorded.title"), res.words(l), data))
}

// chosen reads what was chosen in the form, as far as it is on offer.
func (b *Bot) chosen(in interaction, rec screened) (label, reason string, err error) {
	key := in.View.input(blockLabel, fieldLabel)
	if key == "" {
		return "", "", &notOfferedError{"label", saying("modal.field.missing")}
	}
	label, ok := byKey(rec.Labels, key)
	if !ok {
		return "", "", &notOfferedError{"label", saying("modal.field.no_label")}
	}
	if key := in.View.input(blockReason, fieldReason); key != "" {
		if reason, ok = byKey(b.cfg.Queues[rec.Review.Queue].Reasons, key); !ok {
			return "", "", &notOfferedError{"reason", saying("modal.field.no_reason")}
		}
	}
	return label, reason, nil
}

// refreshSoon redraws the cards of a review that was decided where no response_url is.
func (b *Bot) refreshSoon(ctx context.Context, reviewID string) {
	b.spawn(ctx, func(ctx context.Context) {
		if err := b.RefreshCard(ctx, reviewID); err != nil && !errors.Is(err, hitl.ErrPermanent) {
			b.log.InfoContext(ctx, "card not redrawn at once, its refresh will", "review", reviewID, "error", err)
		}
	})
}

// fieldError keeps a modal open, with words beside an input.
func fieldError(block, words string) answer {
	return answer{body: slack.NewErrorsViewSubmissionResponse(map[string]string{block: words})}
}

// replaceView turns a form that is of no use any more into what there is to say.
func replaceView(view slack.ModalViewRequest) answer {
	return answer{body: slack.NewUpdateViewSubmissionResponse(&view)}
}

func blockOf(field string) string {
	switch field {
	case "reason":
		return blockReason
	case "comment":
		return blockComment
	}
	return blockLabel
}
