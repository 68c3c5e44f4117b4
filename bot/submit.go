package bot

import (
	"context"
	"errors"

	"github.com/slack-go/slack"

	"hitl"
)

// Words for a modal's fields, where Slack shows plain text.
const (
	fieldNotSaved = "Not recorded: the decision could not be confirmed as saved. Please press Save again; a decision counts only once."
	fieldNotSure  = "Not recorded: Slack did not tell me whether you may decide this. Please press Save again in a moment."
	fieldNoLabel  = "This label is not one of the review's labels. Choose another."
	fieldMissing  = "Choose a label."
	fieldNoReason = "This reason is not offered any more. Choose another, or none."
)

// submit carries out a modal that was sent: a closed modal means that the decision is recorded.
func (b *Bot) submit(ctx context.Context, in interaction) answer {
	if in.View.CallbackID != viewCorrect {
		return answer{}
	}
	data, r, ok := parseViewData(in.View.PrivateMetadata)
	if !ok {
		b.cfg.Observer.Clicked("modal", outcomeUnknown)
		return replaceView(notice("Unknown review", wordsUnknown, viewData{}))
	}
	v := hitl.Verdict{
		ReviewID: r.Review, Round: r.Round, Kind: hitl.Correct, Reviewer: in.reviewer(),
		Comment: in.View.input(blockComment, fieldComment),
		Context: map[string]string{"surface": "modal", "channel": data.Channel, "message": data.TS},
	}
	res := b.decide(ctx, v, func(rec screened) (label, reason string, err error) { return b.chosen(in, rec) })
	b.cfg.Observer.Clicked("modal", res.outcome)
	switch res.outcome {
	case outcomeAccepted, outcomeCorrected:
		b.refreshSoon(ctx, r.Review)
		return answer{}
	case outcomeInvalid:
		return fieldError(blockOf(res.invalid.Field), res.words)
	case outcomeFailed:
		return fieldError(blockLabel, fieldWords(res.words))
	case outcomeLost:
		b.refreshSoon(ctx, r.Review)
	}
	return replaceView(notice("Not recorded", res.words, data))
}

// chosen reads what was chosen in the form, as far as it is on offer.
func (b *Bot) chosen(in interaction, rec screened) (label, reason string, err error) {
	key := in.View.input(blockLabel, fieldLabel)
	if key == "" {
		return "", "", &hitl.InvalidError{Field: "label", Reason: fieldMissing}
	}
	label, ok := byKey(rec.Labels, key)
	if !ok {
		return "", "", &hitl.InvalidError{Field: "label", Reason: fieldNoLabel}
	}
	if key := in.View.input(blockReason, fieldReason); key != "" {
		if reason, ok = byKey(b.cfg.Queues[rec.Review.Queue].Reasons, key); !ok {
			return "", "", &hitl.InvalidError{Field: "reason", Reason: fieldNoReason}
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

func fieldWords(words string) string {
	if words == wordsNotSure {
		return fieldNotSure
	}
	return fieldNotSaved
}
