package hitl

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Twins are open reviews of one queue whose texts are near-identical: a person who decides one of them decides all.

// Twins is the part of the system of record that Desk needs to decide twins together.
type Twins interface {
	// Twins returns the records of the open reviews that somebody's decision on a review decides too, limit at most: those of its twin and
	// queue that nobody else has claimed, the oldest first. With a time, only those that were opened by then and have not been decided with
	// the review before.
	Twins(ctx context.Context, reviewID string, by Reviewer, openedBy time.Time, limit int) ([]Record, error)
	// DecideTogether is Decisions.Decide, and when the decision wins, it commits the answers to its twins in the same transaction, each with
	// its own log entry, callback and refresh. Twins that have moved on, or that somebody else is at, it leaves out; decided are the
	// others. If any are left, it sees to it that Desk.DecideTwins is called.
	DecideTogether(ctx context.Context, decision Decision, callback *Callback, twins []Answer) (standing Decision, won bool, decided []string, err error)
	// DecideLater commits answers to more twins of a decision, as long as that stands, and says whether there are more.
	DecideLater(ctx context.Context, decision Decision, twins []Answer) (decided []string, more bool, err error)
}

// Followers is the part of the system of record that Desk needs to take back what was decided together.
type Followers interface {
	// Followers returns the records of the reviews that the decision of a review decided, too, and that have that decision still, the oldest
	// first, limit at most.
	Followers(ctx context.Context, reviewID string, limit int) ([]Record, error)
	// ReopenTogether is Reopens.Reopen for a review and, in the same transaction, for those that were decided with it. Of these it leaves out
	// what may not be taken back any more: it has moved on, or was erased. When others than these were decided with it meanwhile, and they are
	// fewer than MaxFollowers, it changes nothing and returns false.
	ReopenTogether(ctx context.Context, r Reopening, followers []Reopening) (bool, error)
}

// MaxFollowers is how many reviews are reopened with one. Who reopens waits for all.
const MaxFollowers = 200

// reopenTogether takes back a decision, for all that were decided with it. While these become more, it begins anew.
func (d *Desk) reopenTogether(ctx context.Context, r Reopening) error {
	for {
		done, err := d.reopenListed(ctx, r)
		if done || err != nil {
			return err
		}
	}
}

func (d *Desk) reopenListed(ctx context.Context, r Reopening) (bool, error) {
	followers, err := d.Followers.Followers(ctx, r.ReviewID, MaxFollowers)
	if err != nil {
		return false, fmt.Errorf("list what was decided together: %w", err)
	}
	if len(followers) == MaxFollowers {
		d.Logger.WarnContext(ctx, "more reviews may have been decided together than are reopened together; the others keep the decision",
			"review", r.ReviewID, "reopened", MaxFollowers)
	}
	with := make([]Reopening, len(followers))
	for i, rec := range followers {
		f := r
		f.ReviewID, f.Round = rec.Review.ID, rec.Review.Round
		f.Context = withReview(r.Context, r.ReviewID)
		if with[i], err = d.reopening(rec, f); err != nil {
			return false, err
		}
	}
	return d.Followers.ReopenTogether(ctx, r, with)
}

// withReview adds to a context that something was done together with a review.
func withReview(context map[string]string, reviewID string) map[string]string {
	out := maps.Clone(context)
	if out == nil {
		out = map[string]string{}
	}
	out[DecidedWith] = reviewID
	return out
}

// Answer is a decision with what the upstream is told of it.
type Answer struct {
	Decision Decision
	Callback *Callback // nil: nothing
}

// DecidedWith is the key of a decision's context under which it names the review it was decided with.
const DecidedWith = "with"

// twinBatch is how many twins are decided in one transaction. A click waits for the first.
const twinBatch = 50

// twin returns what near-identical items have in common, or nil for a review that takes a verdict of its own: that of a sample, of a panel,
// one that is blind, since what is counted there are independent answers, and of a known answer, which measures one person.
func (in *Intake) twin(rules QueueRules, rec Record) []byte {
	r := rec.Review
	if in.Normal == nil || rec.Gold != nil || !rules.MergeDuplicates || r.Panel > 1 || r.Blind || slices.Contains(rec.Route.Triggers, TriggerSample) {
		return nil
	}
	h := sha256.New()
	var n [8]byte
	for _, part := range append([]string{"hitl twin 1", in.Normal(rec.Item.Text)}, slices.Sorted(slices.Values(rec.Labels))...) {
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write([]byte(part))
	}
	return h.Sum(nil)
}

// commitTogether commits a person's decision with its twins.
func (d *Desk) commitTogether(ctx context.Context, rec Record, dec Decision, callback *Callback) (Decision, bool, error) {
	var twins []Record
	if rec.Twins > 0 {
		var err error
		if twins, err = d.Twins.Twins(ctx, dec.ReviewID, dec.Reviewer, time.Time{}, twinBatch); err != nil {
			return Decision{}, false, fmt.Errorf("list twins: %w", err)
		}
	}
	answers, err := d.answers(dec, twins)
	if err != nil {
		return Decision{}, false, err
	}
	standing, won, decided, err := d.Twins.DecideTogether(ctx, dec, callback, answers)
	if err == nil && won {
		d.observe(ctx, twins, answers, decided)
	}
	return standing, won, err
}

var errTwinsBusy = errors.New("somebody else is at all that are left")

// DecideTwins decides the twins of a review that its decision has not reached yet. It is the handler of an effect: it may be called at any time,
// and does nothing when the decision does not stand any more.
func (d *Desk) DecideTwins(ctx context.Context, reviewID string) error {
	rec, err := d.Decisions.Review(ctx, reviewID)
	if errors.Is(err, ErrNotFound) || err == nil && (rec.Decision == nil || !spreads(rec, *rec.Decision)) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("load review %s: %w", reviewID, err)
	}
	for {
		dec := *rec.Decision
		dec.UndoFor = max(rec.Review.UndoUntil.Sub(d.now()), 0) // they can be undone with it
		twins, err := d.Twins.Twins(ctx, reviewID, dec.Reviewer, dec.At, twinBatch)
		if err != nil {
			return fmt.Errorf("list twins of %s: %w", reviewID, err)
		}
		answers, err := d.answers(dec, twins)
		if err != nil {
			return err
		}
		decided, more, err := d.Twins.DecideLater(ctx, dec, answers)
		if err != nil {
			return fmt.Errorf("decide twins of %s: %w", reviewID, err)
		}
		d.observe(ctx, twins, answers, decided)
		switch {
		case !more:
			return nil
		case len(decided) == 0:
			return fmt.Errorf("decide twins of %s: %w", reviewID, errTwinsBusy)
		}
	}
}

// spreads says whether a decision counts for the twins of its review: what the clock or an erasure ends, it ends alone.
func spreads(rec Record, dec Decision) bool {
	return rec.Review.Twin != nil && (dec.Status == HumanAccepted || dec.Status == HumanCorrected)
}

// answers give the twins of a decision the same label, each by its own record.
func (d *Desk) answers(dec Decision, twins []Record) ([]Answer, error) {
	out := make([]Answer, len(twins))
	for i, rec := range twins {
		a := dec
		a.ReviewID, a.Round, a.Status = rec.Review.ID, rec.Review.Round, HumanCorrected
		if a.Label == rec.Prediction.Label {
			a.Status = HumanAccepted
		}
		a.Context = withReview(dec.Context, dec.ReviewID)
		callback, err := d.callback(rec.with(a))
		if err != nil {
			return nil, err
		}
		out[i] = Answer{Decision: a, Callback: callback}
	}
	return out, nil
}

// observe tells of the twins that were decided.
func (d *Desk) observe(ctx context.Context, twins []Record, answers []Answer, decided []string) {
	if d.Observer == nil {
		return
	}
	for i, rec := range twins {
		if slices.Contains(decided, rec.Review.ID) {
			d.Observer.Decided(ctx, rec.with(answers[i].Decision))
		}
	}
}
