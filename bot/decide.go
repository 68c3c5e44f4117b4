package bot

import (
	"context"
	"errors"
	"fmt"

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
	words   string   // to tell the reviewer, as mrkdwn; empty when the card itself says it
	invalid *hitl.InvalidError
}

// decide makes a verdict a decision, with the rights of the moment. what reads from the record which label and reason the reviewer
// meant; nothing in the request is believed to be one. Only the outcomes accepted and corrected mean that it is recorded as theirs.
func (b *Bot) decide(ctx context.Context, v hitl.Verdict, what func(screened) (label, reason string, err error)) result {
	rec, err := b.state(ctx, v.ReviewID)
	if errors.Is(err, hitl.ErrNotFound) || (err == nil && rec.Review == nil) {
		return result{outcome: outcomeUnknown, words: wordsUnknown}
	}
	if err != nil {
		b.log.ErrorContext(ctx, "verdict not recorded: review not loaded", "review", v.ReviewID, "reviewer", v.Reviewer, "error", err)
		return result{outcome: outcomeFailed, words: wordsNotSaved}
	}
	var no *notAllowedError
	switch err := b.rights.reviewer(ctx, v.Reviewer, rec.Review.Queue); {
	case errors.As(err, &no):
		return result{outcome: outcomeRefused, words: no.why}
	case err != nil:
		b.log.ErrorContext(ctx, "verdict not recorded: rights not known", "review", v.ReviewID, "reviewer", v.Reviewer, "error", err)
		return result{outcome: outcomeFailed, words: wordsNotSure}
	}
	if v.Label, v.Reason, err = what(rec); err == nil {
		if v.Label == rec.Prediction.Label {
			v.Kind, v.Label = hitl.Accept, ""
		}
		rec, err = b.commit(ctx, v)
	}
	return b.result(ctx, v, rec, err)
}

// commit has a verdict recorded and returns the record with the decision that stands.
func (b *Bot) commit(ctx context.Context, v hitl.Verdict) (screened, error) {
	rec, err := b.cfg.Desk.Decide(ctx, v)
	if lost, ok := errors.AsType[*hitl.AlreadyDecidedError](err); ok {
		rec.Decision = &lost.Decision
	}
	return b.screen(rec), err
}

// result puts what the desk said into words.
func (b *Bot) result(ctx context.Context, v hitl.Verdict, rec screened, err error) result {
	var (
		lost    *hitl.AlreadyDecidedError
		invalid *hitl.InvalidError
	)
	switch {
	case err == nil:
		b.wake(rec.Review.Queue)
		if rec.Decision.Status == hitl.HumanCorrected {
			return result{outcome: outcomeCorrected, rec: rec}
		}
		return result{outcome: outcomeAccepted, rec: rec}
	case errors.As(err, &lost):
		return result{outcome: outcomeLost, rec: rec, words: closedWords(rec, v.Reviewer)}
	case errors.As(err, &invalid):
		return result{outcome: outcomeInvalid, words: invalid.Reason, invalid: invalid}
	case errors.Is(err, hitl.ErrNotFound):
		return result{outcome: outcomeUnknown, words: wordsUnknown}
	}
	b.log.ErrorContext(ctx, "verdict not recorded", "review", v.ReviewID, "reviewer", v.Reviewer, "error", err)
	return result{outcome: outcomeFailed, words: wordsNotSaved}
}

// closedWords tells somebody that a review was closed before them: by whom, how and when.
func closedWords(rec screened, me hitl.Reviewer) string {
	d := rec.Decision
	if d == nil {
		return ended(rec.Record) + ". Nothing was recorded."
	}
	by := who(d.Reviewer)
	if d.Reviewer == me {
		by = "you"
	}
	switch d.Status {
	case hitl.HumanAccepted:
		return fmt.Sprintf("Already accepted as %s by %s, %s. Your click was not recorded.", code(d.Label, maxLabelUnits), by, when(d.At))
	case hitl.HumanCorrected:
		return fmt.Sprintf("Already corrected to %s by %s, %s. Your click was not recorded.", code(d.Label, maxLabelUnits), by, when(d.At))
	case hitl.Expired:
		return fmt.Sprintf("This review expired %s, before your click. Your click was not recorded.", when(d.At))
	case hitl.Cancelled, hitl.AIAccepted, hitl.HumanReview, hitl.Revealed, hitl.Erased, hitl.Voted, hitl.SkippedByOne, hitl.Reopened, hitl.Noted:
	}
	if byNobody(*d) {
		return fmt.Sprintf("This review was cancelled, %s. Your click was not recorded.", when(d.At))
	}
	return fmt.Sprintf("This review was cancelled by %s, %s. Your click was not recorded.", by, when(d.At))
}
