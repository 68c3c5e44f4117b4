package bot

import (
	"context"
	"fmt"
	"slices"

	"hitl"
)

// screened is a record as Slack may have it: what its queue hides is gone from every word that an upstream or a reviewer wrote. Everything
// that makes something for Slack takes a screened record, and only screen makes one. The exceptions are mask and bare, for one person and after
// an entry in the log.
type screened struct {
	hitl.Record
	hidden     int          // how many parts are gone
	spoken     []hitl.Voice // who has given a verdict in an open panel: shown to nobody but themselves
	veil       veil         // why the text is not there; after mask and bare, why it would not be
	metadata   []datum      // of the item
	hiddenData int          // how many parts are gone from that

	sent      string // where the message stands that the item was; it need not be shown
	claimed   bool   // somebody has the review for themselves now
	claimable bool   // the queue has claims
}

// state loads a review's record.
func (b *Bot) state(ctx context.Context, reviewID string) (screened, error) {
	rec, err := b.cfg.Desk.Review(ctx, reviewID)
	if err != nil {
		return screened{}, err
	}
	return b.screen(rec), nil
}

// screen is mask, and takes away the whole text, and the metadata, of what is veiled.
func (b *Bot) screen(rec hitl.Record) screened {
	s := b.mask(rec)
	if s.veil.on() {
		s.Item.Text, s.metadata = "", nil
		s.Notes = slices.Clone(s.Notes)
		for i := range s.Notes {
			s.Notes[i].Text = "" // may repeat it
		}
	}
	return s
}

// redactorOf hides what a record's queue hides. Where the queue is not configured any more, it is what any queue hides.
func (b *Bot) redactorOf(rec hitl.Record) *redactor {
	if rec.Review != nil {
		if r, ok := b.redactors[rec.Review.Queue]; ok {
			return r
		}
	}
	return b.strictest
}

// bare hides nothing.
func (b *Bot) bare(rec hitl.Record) screened {
	s := screened{Record: rec, veil: b.veilOfRecord(rec), sent: b.sentFrom(rec)}
	s.metadata, _ = flatten(rec.Item.Metadata, nil)
	s.Voices, s.spoken = sealedVoices(rec), spoken(rec)
	s.Item.Metadata, s.Item.Subject = nil, ""
	return s
}

func (b *Bot) veilOfRecord(rec hitl.Record) veil {
	if rec.Review == nil || erased(rec) {
		return veil{}
	}
	return b.veilOf(rec.Review.Queue, rec.Prediction.Label, rec.Prediction.Scores)
}

// mask hides what a record's queue hides.
func (b *Bot) mask(rec hitl.Record) screened {
	hide := b.redactorOf(rec)
	s := screened{Record: rec, veil: b.veilOfRecord(rec), sent: b.sentFrom(rec)}
	s.metadata, s.hiddenData = flatten(rec.Item.Metadata, hide)
	s.Item.Metadata, s.Item.Subject = nil, "" // no surface takes them from here
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
	s.Notes = slices.Clone(rec.Notes)
	for i := range s.Notes {
		s.Notes[i].Text, _ = hide.redact(s.Notes[i].Text) // the thread shows them: nothing to reveal
	}
	s.Voices, s.spoken = sealedVoices(rec), spoken(rec)
	if rec.Decision != nil {
		d := *rec.Decision
		d.Comment = text(d.Comment)
		s.Decision = &d
	}
	if rec.Review != nil {
		s.claimed = rec.Review.ClaimedBy.User != "" && rec.Review.Claimed(b.cfg.Now())
		s.claimable = b.cfg.Desk.Queues[rec.Review.Queue].ClaimFor > 0
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
