package bot

import (
	"context"
	"fmt"
	"slices"

	"hitl"
)

// screened is a record as Slack may have it: what its queue hides is gone from every word that an upstream or a reviewer wrote. Everything
// that makes something for Slack takes a screened record, and only screen makes one. The exception is revealModal, for one person and after
// an entry in the log.
type screened struct {
	hitl.Record
	hidden int          // how many parts are gone
	spoken []hitl.Voice // who has given a verdict in an open panel: shown to nobody but themselves
}

// state loads a review's record.
func (b *Bot) state(ctx context.Context, reviewID string) (screened, error) {
	rec, err := b.cfg.Desk.Review(ctx, reviewID)
	if err != nil {
		return screened{}, err
	}
	return b.screen(rec), nil
}

// screen hides what a record's queue hides. Where the queue is not configured any more, what any queue hides is hidden.
func (b *Bot) screen(rec hitl.Record) screened {
	hide := b.strictest
	if rec.Review != nil {
		if r, ok := b.redactors[rec.Review.Queue]; ok {
			hide = r
		}
	}
	s := screened{Record: rec}
	s.Item.Metadata, s.Item.Subject = nil, "" // Slack shows neither
	text := func(in string) string {
		out, n := hide.redact(in)
		s.hidden += n
		return out
	}
	s.Item.Text = text(rec.Item.Text)
	if rec.Item.ExternalID != rec.Item.ID {
		s.Item.ExternalID = text(rec.Item.ExternalID)
	}
	s.Failure = text(rec.Failure)
	s.Voices, s.spoken = sealedVoices(rec), spoken(rec)
	if rec.Decision != nil {
		d := *rec.Decision
		d.Comment = text(d.Comment)
		s.Decision = &d
	}
	return s
}

// newRedactors compiles what each queue hides, and the sum of it.
func newRedactors(queues map[string]Queue) (each map[string]*redactor, strictest *redactor, err error) {
	each = map[string]*redactor{}
	for name, q := range queues {
		r, err := newRedactor(q.Redact, q.RedactPatterns)
		if err != nil {
			return nil, nil, fmt.Errorf("queue %q: %w", name, err)
		}
		if each[name] = r; r == nil {
			continue
		}
		if strictest == nil {
			strictest = &redactor{}
		}
		strictest.finders = slices.Concat(strictest.finders, r.finders)
	}
	return each, strictest, nil
}
