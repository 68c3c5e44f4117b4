package hitl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Ledger is the part of the system of record that Intake needs.
type Ledger interface {
	// Append commits a new record with its log entry, its review (if any) and its callback (if any) in one transaction. When the
	// idempotency key exists it changes nothing and returns the stored record with replayed true, or ErrConflict when the body hash differs;
	// an erased item has none, so that whatever comes under its key is a replay.
	Append(ctx context.Context, record Record, callback *Callback) (stored Record, replayed bool, err error)
	// Find returns the record with an idempotency key, or ErrNotFound.
	Find(ctx context.Context, source, externalID string) (Record, error)
	// Backlog returns how many reviews are open in a queue, and how many of a source in all queues. It may lag by a few seconds.
	Backlog(ctx context.Context, queue, source string) (inQueue, ofSource int, err error)
}

// Waiting is the part of the queue that Intake needs: an index of the reviews that wait for a card.
type Waiting interface {
	Add(ctx context.Context, queue string, priority Priority, reviewID string) error
}

// Observer is told what happened, for metrics; ctx is that in which it did. Its methods must not block.
type Observer interface {
	// Submitted is called once per submission. With an error the record holds what was known by then.
	Submitted(ctx context.Context, record Record, replayed bool, took time.Duration, err error)
	// Decided is called once per decision, by the replica that made it.
	Decided(ctx context.Context, record Record)
}

// Source is how a source's items are treated.
type Source struct {
	Classifier     string // name of the classifier, for the record
	Model          Classifier
	Policy         Policy
	Callback       bool // whether the upstream is called back with decisions
	CallbackOnSure bool // and also with AI_ACCEPTED
	Backlog        int  // most open reviews of its items; 0: no limit
}

// QueueRules are what a review takes from its queue.
type QueueRules struct {
	RemindAfter   time.Duration // 0: nobody is reminded
	EscalateAfter time.Duration // 0: reviews are not escalated
	EscalateTo    Escalation
	ExpireAfter   time.Duration // 0: reviews never expire
	ExpireAs      Outcome
	Hours         Hours // in which those times run

	Backlog         int           // most open reviews; 0: no limit
	ClaimFor        time.Duration // how long a claim lasts; 0: nothing can be claimed
	UndoFor         time.Duration // how long whoever decided can take it back; 0: never
	MergeDuplicates bool          // near-identical items are decided together
	Panel           PanelRules    // which reviews are put before several people

	BlindShare float64 // of the reviews, in [0, 1], that are judged without seeing what the model said
	GoldShare  float64 // known answers per review that comes in, in [0, 0.5]

	Order OrderRules // in which reviews are given out

	ReasonRequired  Requirement // which verdicts need a reason
	CommentRequired Requirement // which verdicts need a comment
}

// Intake takes submissions in. It is safe for concurrent use; its fields must not change once it is used.
type Intake struct {
	Sources map[string]Source
	Queues  map[string]QueueRules
	Ledger  Ledger
	Waiting Waiting
	Masters Masters // nil: no known answers are mixed in
	// Normal returns the form in which near-identical texts are equal; nil: none are looked for.
	Normal   func(text string) string
	Observer Observer // may be nil
	Tracer   Tracer   // may be nil
	Logger   *slog.Logger
	Now      func() time.Time
}

// Submit classifies, routes and records one submission and returns after the commit. A submission whose key was used before gets
// the stored record and replayed true, whatever the state of model and backlog.
//
// Errors: *InvalidError, ErrNotFound for an unknown source, ErrConflict, ErrBusy, ErrBacklog, ErrUnavailable; with any of
// them nothing was recorded. Other errors mean that the commit's outcome is unknown: send the same submission again.
func (in *Intake) Submit(ctx context.Context, s Submission) (rec Record, replayed bool, err error) {
	start := in.Now()
	ctx, end := begin(ctx, in.Tracer, StepSubmit)
	defer func() {
		if in.Observer != nil {
			in.Observer.Submitted(ctx, rec, replayed, in.Now().Sub(start), err)
		}
		end(rec, err)
	}()
	source, ok := in.Sources[s.Source]
	if !ok {
		return Record{}, false, fmt.Errorf("source %q: %w", s.Source, ErrNotFound)
	}
	// Postgres keeps microseconds: what we answer now and what we answer to a replay are the same.
	item, err := s.item(start.UTC().Truncate(time.Microsecond))
	if err != nil {
		return Record{Item: Item{Source: s.Source}}, false, err
	}
	if in.Tracer != nil {
		item.Trace = in.Tracer.Trace(ctx)
	}
	rec = Record{Item: item, Classifier: source.Classifier}
	if err := in.classifyAndRoute(ctx, source, &rec); err != nil {
		// A refusal costs nothing when the answer is already stored.
		if stored, found := in.replay(ctx, rec.Item, s.ExternalID != ""); found {
			return stored, true, conflict(stored, rec.Item)
		}
		return rec, false, err
	}
	callback, err := in.callback(source, rec)
	if err != nil {
		return rec, false, err
	}
	stored, replayed, err := in.append(ctx, rec, callback)
	if err != nil {
		return rec, false, fmt.Errorf("record item: %w", err)
	}
	if r := stored.Review; r != nil && !replayed {
		in.wait(ctx, *r)
		in.mixGold(ctx, source, stored)
	}
	return stored, replayed, nil
}

func (in *Intake) append(ctx context.Context, rec Record, callback *Callback) (stored Record, replayed bool, err error) {
	ctx, end := begin(ctx, in.Tracer, StepAppend)
	defer func() { end(Record{}, err) }()
	return in.Ledger.Append(ctx, rec, callback)
}

// wait puts a review into the queue's index.
func (in *Intake) wait(ctx context.Context, r Review) {
	ctx, end := begin(ctx, in.Tracer, StepQueue)
	err := in.Waiting.Add(ctx, r.Queue, r.Priority, r.ID)
	end(Record{Review: &r}, err)
	if err != nil {
		// The review is safe in the ledger; the reconciler brings it to the queue, and says so when the queue is away.
		in.Logger.DebugContext(ctx, "review not queued yet, the reconciler will", "review", r.ID, "queue", r.Queue, "error", err)
	}
}

// Find returns the record of an item by the source's own id, or ErrNotFound.
func (in *Intake) Find(ctx context.Context, source, externalID string) (Record, error) {
	return in.Ledger.Find(ctx, source, externalID)
}

func (in *Intake) classifyAndRoute(ctx context.Context, source Source, rec *Record) error {
	p, err := in.classify(ctx, source.Model, rec.Item.Text)
	switch {
	case err == nil || errors.Is(err, ErrNoModel):
	case errors.Is(err, ErrModel):
		rec.Failure = err.Error()
		in.Logger.ErrorContext(ctx, "model failed, the item goes to a person", "item", rec.Item.ID, "source", rec.Item.Source, "error", err)
		p = Prediction{Model: cmp.Or(p.Model, source.Model.Version()), Stage: p.Stage, Latency: p.Latency, Tokens: p.Tokens, Truncated: p.Truncated, Labels: p.Labels}
	default:
		return fmt.Errorf("classify: %w", err)
	}
	if p.Labels == nil {
		p.Labels = source.Model.Labels()
	}
	rec.Labels, p.Labels = p.Labels, nil
	rec.Prediction = p
	_, end := begin(ctx, in.Tracer, StepRoute)
	rec.Route = source.Policy.Route(rec.Item, p, err)
	end(Record{}, nil)
	if rec.Route.Status != HumanReview {
		return nil
	}
	rules := in.Queues[rec.Route.Queue]
	if err := in.checkBacklog(ctx, source, rules, rec); err != nil {
		return err
	}
	rec.Review = &Review{
		ID: NewID("rev", rec.Item.ReceivedAt), ItemID: rec.Item.ID, Round: 1,
		Queue: rec.Route.Queue, Priority: rec.Route.Priority,
	}
	rec.Review.Panel = rules.Panel.size(rec.Review.ID)
	rec.Review.Blind = drawBlind(rules.BlindShare, rec.Review.ID)
	rules.Order.place(rec.Review, p.Scores)
	rules.begin(rec.Review, rec.Item.ReceivedAt)
	rec.Review.Twin = in.twin(rules, *rec)
	return nil
}

func (in *Intake) classify(ctx context.Context, model Classifier, text string) (p Prediction, err error) {
	ctx, end := begin(ctx, in.Tracer, StepClassify)
	defer func() { end(Record{}, err) }()
	return model.Classify(ctx, text)
}

// checkBacklog refuses a review for which its queue or its source has too many already.
func (in *Intake) checkBacklog(ctx context.Context, source Source, rules QueueRules, rec *Record) error {
	if rules.Backlog <= 0 && source.Backlog <= 0 {
		return nil
	}
	inQueue, ofSource, err := in.Ledger.Backlog(ctx, rec.Route.Queue, rec.Item.Source)
	switch {
	case err != nil:
		return fmt.Errorf("count backlog: %w", err)
	case source.Backlog > 0 && ofSource >= source.Backlog:
		return fmt.Errorf("source %q: %w", rec.Item.Source, ErrBacklog)
	case rules.Backlog > 0 && inQueue >= rules.Backlog:
		return fmt.Errorf("queue %q: %w", rec.Route.Queue, ErrBacklog)
	}
	return nil
}

func (in *Intake) replay(ctx context.Context, item Item, keyed bool) (Record, bool) {
	if !keyed {
		return Record{}, false
	}
	stored, err := in.Ledger.Find(ctx, item.Source, item.ExternalID)
	return stored, err == nil
}

func conflict(stored Record, item Item) error {
	if stored.Item.ErasedAt.IsZero() && stored.Item.BodyHash != item.BodyHash {
		return ErrConflict
	}
	return nil
}

func (in *Intake) callback(source Source, rec Record) (*Callback, error) {
	if !source.Callback || !source.CallbackOnSure || rec.Route.Status != AIAccepted {
		return nil, nil
	}
	c, err := newCallback(rec)
	if err != nil {
		return nil, err
	}
	return &c, nil
}
