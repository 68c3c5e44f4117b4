package bot

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/trace"

	"hitl"
)

// Outcomes of deciding, as Observer.Clicked gets them.
const (
	outcomeAccepted  = "accepted"
	outcomeCorrected = "corrected"
	outcomeLost      = "lost"
	outcomeRefused   = "refused"
	outcomeUnknown   = "unknown"
	outcomeInvalid   = "invalid"
	outcomeFailed    = "failed"
)

// result is what came of a verdict.
type result struct {
	outcome string
	rec     screened // with the decision that stands, if there is one
	words   words    // to tell the reviewer, as mrkdwn; nil when the card itself says it
	again   words    // of the outcome failed: the same in plain text, beside a form's field
	field   string   // of the outcome invalid: which field
}

// decide makes a verdict a decision, with the rights of the moment. what reads from the record which label and reason the reviewer
// meant; nothing in the request is believed to be one. Only the outcomes accepted and corrected mean that it is recorded as theirs.
func (b *Bot) decide(ctx context.Context, v hitl.Verdict, what func(screened) (label, reason string, err error)) result {
	start := time.Now()
	raw, no := b.recordFor(ctx, v, b.rights.decider)
	if no != nil {
		return *no
	}
	rec := b.screen(raw)
	ctx, span := b.follow(ctx, rec.Record, "click", trace.SpanKindServer, start)
	var err error
	if v.Label, v.Reason, err = what(rec); err == nil {
		if v.Label == rec.Prediction.Label {
			v.Kind, v.Label = hitl.Accept, ""
		}
		rec, err = b.commit(ctx, raw, v)
	}
	res := b.result(ctx, v, rec, err)
	endSpan(span, res.outcome == outcomeFailed)
	return res
}

// loadFor returns the record that a verdict is about, if its reviewer may give it at this moment, and otherwise what to tell them.
func (b *Bot) loadFor(ctx context.Context, v hitl.Verdict, may func(context.Context, hitl.Reviewer, hitl.Record) error) (screened, *result) {
	rec, no := b.recordFor(ctx, v, may)
	if no != nil {
		return screened{}, no
	}
	return b.screen(rec), nil
}

// recordFor is loadFor for what is not for Slack.
func (b *Bot) recordFor(ctx context.Context, v hitl.Verdict, may func(context.Context, hitl.Reviewer, hitl.Record) error) (hitl.Record, *result) {
	rec, err := b.cfg.Desk.Review(ctx, v.ReviewID)
	if errors.Is(err, hitl.ErrNotFound) || (err == nil && rec.Review == nil) {
		return rec, &result{outcome: outcomeUnknown, words: saying("told.unknown")}
	}
	if err != nil {
		b.log.ErrorContext(ctx, "verdict not recorded: review not loaded", "review", v.ReviewID, "reviewer", v.Reviewer, "error", err)
		return rec, &result{outcome: outcomeFailed, words: saying("told.not_saved"), again: saying("modal.field.not_saved")}
	}
	var no *notAllowedError
	switch err := may(ctx, v.Reviewer, rec); {
	case errors.As(err, &no):
		return rec, &result{outcome: outcomeRefused, words: no.why}
	case err != nil:
		b.log.ErrorContext(ctx, "verdict not recorded: rights not known", "review", v.ReviewID, "reviewer", v.Reviewer, "error", err)
		return rec, &result{outcome: outcomeFailed, words: saying("told.not_sure"), again: saying("modal.field.not_sure")}
	}
	return rec, nil
}

// commit has a verdict on a record made its decision, and returns it with the decision that stands.
func (b *Bot) commit(ctx context.Context, rec hitl.Record, v hitl.Verdict) (screened, error) {
	rec, err := b.cfg.Desk.DecideRecord(ctx, rec, v)
	if lost, ok := errors.AsType[*hitl.AlreadyDecidedError](err); ok {
		rec.Decision = &lost.Decision
	}
	return b.screen(rec), err
}

// result puts what the desk said into words.
func (b *Bot) result(ctx context.Context, v hitl.Verdict, rec screened, err error) result {
	var (
		lost    *hitl.AlreadyDecidedError
		claimed *hitl.ClaimedError
		invalid *hitl.InvalidError
		offer   *notOfferedError
	)
	switch {
	case err == nil:
		b.wake(rec.Review.Queue)
		if rec.Decision.Status == hitl.HumanCorrected {
			return result{outcome: outcomeCorrected, rec: rec}
		}
		return result{outcome: outcomeAccepted, rec: rec}
	case errors.As(err, &lost):
		return result{outcome: outcomeLost, rec: rec, words: func(l *language) string { return closedWords(l, rec, v.Reviewer) }}
	case errors.As(err, &invalid):
		return result{outcome: outcomeInvalid, words: invalidWords(invalid), field: invalid.Field}
	case errors.As(err, &offer):
		return result{outcome: outcomeInvalid, words: offer.words, field: offer.field}
	case errors.As(err, &claimed):
		return result{outcome: outcomeRefused, words: claimedWords(claimed)}
	case errors.Is(err, hitl.ErrRoundOver):
		return result{outcome: outcomeLost, rec: rec, words: saying("told.round_over")}
	case errors.Is(err, hitl.ErrPanel):
		return result{outcome: outcomeRefused, words: saying("told.panel")}
	case errors.Is(err, hitl.ErrNotFound):
		return result{outcome: outcomeUnknown, words: saying("told.unknown")}
	}
	b.log.ErrorContext(ctx, "verdict not recorded", "review", v.ReviewID, "reviewer", v.Reviewer, "error", err)
	return result{outcome: outcomeFailed, words: saying("told.not_saved"), again: saying("modal.field.not_saved")}
}

// notOfferedError says that what was chosen is not on offer.
type notOfferedError struct {
	field string // "label" or "reason"
	words words
}

func (e *notOfferedError) Error() string { return e.field + " is not on offer" }

// invalidWords says what the desk does not take of a verdict.
func invalidWords(err *hitl.InvalidError) words {
	switch missing := err.Reason == hitl.Missing; {
	case missing && err.Field == "reason":
		return saying("modal.field.reason_required")
	case missing && err.Field == "comment":
		return saying("modal.field.comment_required")
	case err.Field == "label":
		return saying("told.no_label")
	case err.Field == "comment":
		return saying("told.comment_too_long")
	}
	return saying("told.not_taken", "Field", escape(err.Field), "Problem", escape(err.Reason))
}

// closedWords tells somebody that a review was closed before them: by whom, how and when.
func closedWords(l *language, rec screened, me hitl.Reviewer) string {
	d := rec.Decision
	if d == nil {
		return l.say("told.closed", "Ended", ended(l, rec.Record))
	}
	by := who(l, d.Reviewer)
	if d.Reviewer == me {
		by = l.say("told.you")
	}
	switch d.Status {
	case hitl.HumanAccepted:
		return l.say("told.accepted", "Label", code(l, d.Label, maxLabelUnits), "Who", by, "When", when(l, d.At))
	case hitl.HumanCorrected:
		return l.say("told.corrected", "Label", code(l, d.Label, maxLabelUnits), "Who", by, "When", when(l, d.At))
	case hitl.Expired:
		return l.say("told.expired", "When", when(l, d.At))
	case hitl.Cancelled, hitl.AIAccepted, hitl.HumanReview, hitl.Revealed, hitl.Erased, hitl.Voted, hitl.SkippedByOne, hitl.Reopened, hitl.Escalated, hitl.Noted, hitl.ChangeAccepted, hitl.ChangeDeclined, hitl.Detached:
	}
	if byNobody(*d) {
		return l.say("told.cancelled", "When", when(l, d.At))
	}
	return l.say("told.cancelled_by", "Who", by, "When", when(l, d.At))
}
