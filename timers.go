package hitl

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Outcome is what a review comes to that nobody decided in time: ExpireUndecided, ExpireAILabel, or "label:" and a label.
type Outcome string

// The outcomes of expiry. The empty one is ExpireUndecided.
const (
	ExpireUndecided Outcome = "undecided"
	ExpireAILabel   Outcome = "ai_label"
)

const outcomeLabel = "label:"

// Default returns the label of an outcome that names one.
func (o Outcome) Default() (label string, ok bool) { return strings.CutPrefix(string(o), outcomeLabel) }

// label is the answer that an expired review gets: none where the model gave none either.
func (o Outcome) label(rec Record) string {
	if label, ok := o.Default(); ok {
		return label
	}
	if o == ExpireAILabel {
		return rec.Prediction.Label
	}
	return ""
}

// Escalation is who gets a review that has waited too long. At least one of its fields is set, or its queue's owners are told.
type Escalation struct {
	Channel string // Slack channel where it is told; empty: where the owners of the queue are told
	Group   string // Slack user group to mention
	Queue   string // that the review is moved to; empty: it stays
}

// Kinds of notices about reviews that wait, and about queues.
const (
	NoticeReminder   NoticeKind = "reminder"
	NoticeEscalation NoticeKind = "escalation"
	NoticePaused     NoticeKind = "paused"
	NoticeResumed    NoticeKind = "resumed"
	NoticeDigest     NoticeKind = "digest"
	NoticeStamping   NoticeKind = "rubber_stamping"
)

// Timers is the part of the system of record that knows what is due, by the database's clock. Nothing is due in a queue that is paused.
type Timers interface {
	// Remind takes the reminders that are due in a queue, limit at most, and writes one notice for all of them, in one transaction. It returns how many
	// reviews that were.
	Remind(ctx context.Context, queue string, limit int) (int, error)
	// Escalate carries out the escalations that are due in a queue, limit at most, in one transaction, and returns how many. to says who is told, and
	// next what the reviews wait for from now on; its queue is the one that they are moved to, or theirs.
	Escalate(ctx context.Context, queue string, to Escalation, next Review, limit int) (int, error)
}

// begin makes a review wait for a verdict from a time on: what is due, and when.
func (q QueueRules) begin(r *Review, at time.Time) {
	due := func(after time.Duration) time.Time {
		if after <= 0 {
			return time.Time{}
		}
		return q.Hours.Add(at, after)
	}
	r.State, r.OpenedAt = ReviewOpen, at
	r.RemindAt, r.EscalateAt, r.ExpiresAt = due(q.RemindAfter), due(q.EscalateAfter), due(q.ExpireAfter)
}

// RemindDue has people reminded of reviews that wait, up to limit in each queue, and returns of how many. Trouble with one queue does not keep the
// others waiting.
func (d *Desk) RemindDue(ctx context.Context, limit int) (int, error) {
	return d.eachQueue(func(name string, q QueueRules) (int, error) {
		if q.RemindAfter <= 0 {
			return 0, nil
		}
		return d.Timers.Remind(ctx, name, limit)
	})
}

// EscalateDue gives reviews that have waited too long to others, up to limit in each queue, and returns how many.
func (d *Desk) EscalateDue(ctx context.Context, limit int) (int, error) {
	return d.eachQueue(func(name string, q QueueRules) (int, error) {
		if q.EscalateAfter <= 0 {
			return 0, nil
		}
		next := Review{Queue: name}
		if to := q.EscalateTo.Queue; to != "" {
			d.Queues[to].begin(&next, d.now())
			next.Queue, next.EscalateAt = to, time.Time{} // once is enough, and nothing goes round in circles
		}
		return d.Timers.Escalate(ctx, name, q.EscalateTo, next, limit)
	})
}

func (d *Desk) eachQueue(do func(name string, q QueueRules) (int, error)) (int, error) {
	sum := 0
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(d.Queues)) {
		n, err := do(name, d.Queues[name])
		if err != nil {
			errs = append(errs, fmt.Errorf("queue %q: %w", name, err))
		}
		sum += n
	}
	return sum, errors.Join(errs...)
}

// ExpireDue ends up to limit reviews whose time has run out, each with an EXPIRED decision, and returns how many. A review decided
// meanwhile keeps its decision.
func (d *Desk) ExpireDue(ctx context.Context, limit int) (int, error) {
	ids, err := d.Decisions.Due(ctx, d.now(), limit)
	if err != nil {
		return 0, fmt.Errorf("list due reviews: %w", err)
	}
	expired := 0
	for _, id := range ids {
		rec, err := d.Decisions.Review(ctx, id)
		if err != nil {
			return expired, fmt.Errorf("load review %s: %w", id, err)
		}
		_, err = d.commit(ctx, rec, Decision{
			ReviewID: id, Round: rec.Review.Round, Status: Expired, Label: d.Queues[rec.Review.Queue].ExpireAs.label(rec), Reviewer: systemReviewer,
			At: d.now(), Context: map[string]string{"surface": "timer"},
		})
		switch {
		case errors.Is(err, ErrAlreadyDecided), errors.Is(err, ErrRoundOver):
		case err != nil:
			return expired, fmt.Errorf("expire review %s: %w", id, err)
		default:
			expired++
		}
	}
	return expired, nil
}
