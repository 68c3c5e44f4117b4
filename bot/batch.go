package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/slack-go/slack"

	"hitl"
)

// Actions and views of batches: several reviews of one queue that get the same answer at one go.
const (
	actionBatch       = "hitl_batch_" // begins them all
	actionBatchAccept = actionBatch + "accept"
	actionBatchOther  = actionBatch + "other"
	viewBatch         = "hitl_batch"
)

const (
	// batchSample is how many texts of a batch are shown before it is carried out.
	batchSample = 5
	// batchTime bounds the deciding of a batch; what is not decided by then is reported as not recorded.
	batchTime = taskTime - 5*time.Second
	// batchViewTime bounds the showing of what became of it.
	batchViewTime = 5 * time.Second
)

// batch is what the form of a batch carries. Every review in it is looked up again, and the rights to each, when it is sent.
type batch struct {
	ID    string   `json:"batch"`
	Queue string   `json:"queue"`
	Label string   `json:"label,omitempty"` // labelKey of the answer; empty: it is chosen in the form
	Refs  []string `json:"refs"`
	Ref   string   `json:"ref"` // one of them: whose labels a type-ahead offers
}

func (d batch) String() string {
	b, _ := json.Marshal(d) // strings can always be written
	return string(b)
}

// parseBatch reads what String wrote.
func parseBatch(text string) (d batch, refs []ref, ok bool) {
	if json.Unmarshal([]byte(text), &d) != nil || !idText(d.ID) || len(d.Refs) == 0 || len(d.Refs) > homeRows {
		return batch{}, nil, false
	}
	for _, s := range d.Refs {
		r, ok := parseRef(s)
		if !ok || slices.Contains(refs, r) {
			return batch{}, nil, false
		}
		refs = append(refs, r)
	}
	return d, refs, true
}

// batchable says why a review cannot be decided together with others; nil: it can. A panel wants each of its reviewers to think for
// themselves, and so does a blind review.
func batchable(s screened) words {
	switch {
	case s.Review == nil || !open(s.Record):
		return saying("batch.closed")
	case s.Review.Panel > 1:
		return saying("batch.panel")
	case s.Review.Blind:
		return saying("batch.blind")
	}
	return nil
}

// sameLabel returns the model's label if it is the same for all records.
func sameLabel(rows []screened) (string, bool) {
	for _, s := range rows {
		if s.Prediction.Label == "" || s.Prediction.Label != rows[0].Prediction.Label {
			return "", false
		}
	}
	return rows[0].Prediction.Label, true
}

// batchClick opens the form of a batch, or takes one back. What was chosen is in the home tab's state.
func (b *Bot) batchClick(ctx context.Context, in interaction, a action, state homeState) answer {
	if a.ActionID == actionBatchUndo {
		return b.undoBatchClick(ctx, in, a.Value)
	}
	l, _ := b.knownLanguage(ctx, in.User.ID)
	id, err := b.api.openView(ctx, in.TriggerID, loading(l, l.say("batch.title"), viewData{}))
	if err != nil {
		b.cfg.Observer.Clicked("home", outcomeFailed)
		b.log.WarnContext(ctx, "form of a batch not opened", "user", in.User.ID, "error", err)
		return notDone()
	}
	b.cfg.Observer.Clicked("home", "opened")
	b.spawn(ctx, func(ctx context.Context) {
		l := b.languageOf(ctx, in.User.ID)
		b.setView(ctx, id, b.batchForm(ctx, l, in.reviewer(), a.ActionID == actionBatchAccept, state))
	})
	return answer{}
}

// setView replaces what an open modal shows, waiting once where Slack asks for it.
func (b *Bot) setView(ctx context.Context, id string, view slack.ModalViewRequest) {
	err := b.api.updateView(ctx, id, "", view)
	if d := rateLimited(err); d > 0 && sleep(ctx, d) == nil {
		err = b.api.updateView(ctx, id, "", view)
	}
	if err != nil && refusal(err) != "not_found" { // closed meanwhile
		b.log.WarnContext(ctx, "modal not filled", "callback", view.CallbackID, "error", err)
	}
}

// batchForm makes the form of a batch from what was chosen, or says why there is none.
func (b *Bot) batchForm(ctx context.Context, l *language, who hitl.Reviewer, accept bool, state homeState) slack.ModalViewRequest {
	say := func(words string) slack.ModalViewRequest { return notice(l, l.say("batch.title"), words, viewData{}) }
	rows, err := b.batchRows(ctx, who, state)
	var no *notAllowedError
	switch limit := b.cfg.Queues[state.Queue].BatchLimit; {
	case errors.As(err, &no):
		return say(no.why(l))
	case err != nil:
		b.log.ErrorContext(ctx, "reviews of a batch not loaded", "user", who.User, "error", err)
		return say(l.say("modal.not_loaded"))
	case limit == 0:
		return say(l.say("batch.off", "Queue", code(l, state.Queue, maxNameUnits)))
	case len(state.Picks) == 0:
		return say(l.say("batch.none"))
	case len(rows) == 0:
		return say(l.say("batch.all_gone"))
	case len(rows) > limit:
		return say(l.say("batch.too_many", "N", len(rows), "Limit", limit))
	}
	label, same := sameLabel(rows)
	if accept && !same {
		return say(l.say("batch.mixed"))
	}
	d := batch{ID: hitl.NewID("bat", b.cfg.Now()), Queue: state.Queue, Ref: refOf(rows[0])}
	if accept {
		d.Label = labelKey(label)
	} else {
		label = ""
	}
	for _, s := range rows {
		d.Refs = append(d.Refs, refOf(s))
	}
	var sample []screened
	for _, i := range rand.Perm(len(rows))[:min(len(rows), batchSample)] {
		sample = append(sample, rows[i])
	}
	return batchModal(l, d, label, sample, b.cfg.Queues[state.Queue].Reasons, b.cfg.Now())
}

func refOf(s screened) string { return ref{Review: s.Review.ID, Round: s.Review.Round}.String() }

// batchRows loads the chosen reviews that can be decided together.
func (b *Bot) batchRows(ctx context.Context, who hitl.Reviewer, state homeState) ([]screened, error) {
	if err := b.rights.reviewer(ctx, who, state.Queue); err != nil {
		return nil, err
	}
	var rows []screened
	for _, id := range state.Rows { // in their order
		if !state.Picks[id] {
			continue
		}
		s, err := b.state(ctx, id)
		if errors.Is(err, hitl.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("load review: %w", err)
		}
		if batchable(s) == nil && s.Review.Queue == state.Queue {
			rows = append(rows, s)
		}
	}
	return rows, nil
}

// submitBatch takes a batch that was confirmed. The reviewer is told at once that it is being worked on, and then what became of it; until
// then nothing in the form is a promise. Sent twice, it says the same of each review twice, and that is recorded once.
func (b *Bot) submitBatch(ctx context.Context, in interaction) answer {
	l, _ := b.knownLanguage(ctx, in.User.ID)
	d, refs, ok := parseBatch(in.View.PrivateMetadata)
	if !ok {
		b.cfg.Observer.Clicked("home", outcomeUnknown)
		return replaceView(notice(l, l.say("modal.unknown.title"), l.say("told.unknown"), viewData{}))
	}
	label := d.Label
	if label == "" {
		label = in.View.input(blockLabel, fieldLabel)
	}
	if label == "" {
		return fieldError(blockLabel, l.say("modal.field.missing"))
	}
	reason := ""
	if key := in.View.input(blockReason, fieldReason); key != "" {
		if reason, ok = byKey(b.cfg.Queues[d.Queue].Reasons, key); !ok {
			return fieldError(blockReason, l.say("modal.field.no_reason"))
		}
	}
	comment := in.View.input(blockComment, fieldComment)
	status := hitl.HumanAccepted
	if d.Label == "" {
		status = hitl.HumanCorrected // of some of them, at least
	}
	rules := b.cfg.Desk.Queues[d.Queue]
	if reason == "" && rules.ReasonRequired.Of(status) {
		return fieldError(blockReason, l.say("batch.required"))
	}
	if comment == "" && rules.CommentRequired.Of(status) {
		return fieldError(blockComment, l.say("batch.required"))
	}
	said := verdictOfAll{label: label, reason: reason, comment: comment}
	settled := time.NewTimer(b.cfg.SettleAfter)
	b.spawn(ctx, func(ctx context.Context) { b.runBatch(ctx, in, d, refs, said, settled.C) })
	return replaceView(notice(l, l.say("batch.title"), l.say("batch.working", "N", len(refs)), viewData{}))
}

// verdictOfAll is what is said of every review of a batch.
type verdictOfAll struct{ label, reason, comment string } // label is a key

// runBatch decides the reviews of a batch, each on its own, and says what became of them once Slack has taken the answer to the form: that
// would cover it.
func (b *Bot) runBatch(ctx context.Context, in interaction, d batch, refs []ref, said verdictOfAll, settled <-chan time.Time) {
	deciding, cancel := context.WithTimeout(ctx, batchTime)
	defer cancel()
	out := batchResult{queue: d.Queue}
	for _, r := range refs {
		res := b.decideOne(deciding, in.reviewer(), d, r, said)
		b.cfg.Observer.Clicked("batch", res.outcome)
		out.add(r, res)
	}
	<-settled
	showing, done := context.WithTimeout(context.WithoutCancel(ctx), batchViewTime)
	defer done()
	l := b.languageOf(showing, in.User.ID)
	out.undo = b.undoable(showing, in.reviewer(), d.ID)
	b.setView(showing, in.View.ID, batchDone(l, out))
	b.showHome(showing, in.reviewer(), homeState{Queue: d.Queue}, nil)
}

// undoable returns what can be taken back of a batch, or nil.
func (b *Bot) undoable(ctx context.Context, who hitl.Reviewer, id string) *hitl.Batch {
	batches, err := b.cfg.Lists.Batches(ctx, who)
	if err != nil {
		b.log.WarnContext(ctx, "whether a batch can be undone is not known", "batch", id, "error", err)
	}
	if i := slices.IndexFunc(batches, func(o hitl.Batch) bool { return o.ID == id }); i >= 0 {
		return &batches[i]
	}
	return nil
}

// decideOne decides one review of a batch.
func (b *Bot) decideOne(ctx context.Context, who hitl.Reviewer, d batch, r ref, said verdictOfAll) result {
	v := hitl.Verdict{
		ReviewID: r.Review, Round: r.Round, Kind: hitl.Correct, Reviewer: who, Comment: said.comment,
		Context: map[string]string{"surface": "batch", "batch": d.ID},
	}
	return b.decide(ctx, v, func(rec screened) (label, reason string, err error) {
		if rec.Review.Queue != d.Queue {
			return "", "", &notOfferedError{"label", saying("batch.moved")}
		}
		if why := batchable(rec); why != nil && open(rec.Record) { // a closed one is the desk's to tell of
			return "", "", &notOfferedError{"label", why}
		}
		if b.cfg.Queues[d.Queue].BatchLimit < len(d.Refs) {
			return "", "", &notOfferedError{"label", saying("batch.limit_now")}
		}
		label, ok := byKey(rec.Labels, said.label)
		if !ok && labelKey(rec.Prediction.Label) == said.label {
			label, ok = rec.Prediction.Label, true
		}
		if !ok {
			return "", "", &notOfferedError{"label", saying("told.no_label")}
		}
		return label, said.reason, nil
	})
}

// batchResult is what became of a batch.
type batchResult struct {
	queue    string
	label    string // the answer, as far as one was recorded
	recorded int
	others   []batchOther
	failed   int
	undo     *hitl.Batch // what can be taken back; nil: nothing can
}

// batchOther is a review that got no answer from this batch, and why.
type batchOther struct {
	rec screened // zero: it is not known
	why words
}

func (o *batchResult) add(r ref, res result) {
	switch res.outcome {
	case outcomeAccepted, outcomeCorrected:
		o.recorded++
		o.label = res.rec.Decision.Label
	case outcomeFailed:
		o.failed++
	default:
		other := batchOther{rec: res.rec, why: res.words}
		if other.rec.Review == nil {
			other.rec.Review = &hitl.Review{ID: r.Review}
		}
		o.others = append(o.others, other)
	}
}
