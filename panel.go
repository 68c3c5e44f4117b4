package hitl

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Bounds of a panel.
const (
	MinPanel = 2
	MaxPanel = 15
)

// panelReviewer is the reviewer of what the majority of a panel decided.
var panelReviewer = Reviewer{User: "panel"}

// NoticeAdjudicate tells the adjudicators of a queue that a panel has come to no majority. Its data is empty: the review says all.
const NoticeAdjudicate NoticeKind = "adjudicate"

// ErrPanel says that a review takes the verdicts of a panel, and that these are not all in: nobody decides it alone.
var ErrPanel = errors.New("a panel decides this review")

// ErrPanelComplete says that all verdicts of a panel are in: one more does not count.
var ErrPanelComplete = errors.New("the panel is complete")

// VotedError answers who has spoken in this round already, and says something else now: the voice that stands. A review passed on by its
// reviewer has one without a label.
type VotedError struct{ Standing Voice }

func (e *VotedError) Error() string {
	return fmt.Sprintf("%s has spoken at %s", e.Standing.Reviewer, e.Standing.At.UTC().Format(time.RFC3339))
}

// PanelRules are which reviews of a queue are put before a panel.
type PanelRules struct {
	Reviewers int     // independent verdicts that it takes, MinPanel to MaxPanel; 0: no panels
	Share     float64 // of the queue's reviews that get one, in [0, 1]
}

// size is how many verdicts a review takes. It is drawn from the review's id, which the server made: nobody who sends items can choose it, and
// whoever knows the id can repeat the draw.
func (p PanelRules) size(reviewID string) int {
	if p.Reviewers < MinPanel || !(uniform("panel", reviewID) < p.Share) {
		return 1
	}
	return p.Reviewers
}

// uniform draws from [0, 1), evenly and for each purpose anew, by an id.
func uniform(purpose, id string) float64 {
	sum := sha256.Sum256([]byte(purpose + "\x00" + id))
	return float64(binary.BigEndian.Uint64(sum[:8])>>11) / (1 << 53)
}

// Voice is one reviewer's verdict in a panel.
type Voice struct {
	Reviewer Reviewer
	Label    string // the right one, as this reviewer says
	Reason   string
	Comment  string
	At       time.Time
}

// Vote is a voice on its way into the record.
type Vote struct {
	ReviewID string
	Round    int
	Kind     VerdictKind // Accept or Correct
	Voice
	Context map[string]string // where it was said
}

// Ballot is where a panel stands after a voice.
type Ballot struct {
	Voices   []Voice   // of the round, the oldest first
	Decision *Decision // of the round; nil: there is none yet
	Decided  bool      // by this very voice
}

// Conclude says what the voices of a complete panel decide; nil when they have no majority.
type Conclude func(voices []Voice) (*Decision, *Callback, error)

// Panels is the part of the system of record that keeps the verdicts of panels.
type Panels interface {
	// Vote commits a voice with its log entry, under the lock of its review. When it completes the panel, what conclude makes of all voices is
	// committed with it, as Decisions.Decide would; without a majority it is a notice to the adjudicators. The same voice again changes
	// nothing and is no error. Claims are not looked at: a panel is for several.
	//
	// Errors: *VotedError, ErrPanelComplete, *AlreadyDecidedError, *InvalidError for a round that never was or a review without a panel,
	// ErrNotFound; after any other the outcome is unknown.
	Vote(ctx context.Context, vote Vote, conclude Conclude) (Ballot, error)
}

// Gathering says whether an open review waits for more verdicts of its panel.
func (r Record) Gathering() bool {
	return r.Decision == nil && r.Review != nil && r.Review.State == ReviewOpen && r.Review.Panel > 1 && len(r.Voices) < r.Review.Panel
}

// Adjudicated says whether the panel of an open review has come to no majority: one of the queue's adjudicators decides it.
func (r Record) Adjudicated() bool {
	return r.Decision == nil && r.Review != nil && r.Review.State == ReviewOpen && r.Review.Panel > 1 && len(r.Voices) >= r.Review.Panel
}

// ByPanel says whether the majority of a panel made a decision: it belongs to no single person.
func (d Decision) ByPanel() bool { return d.Reviewer == panelReviewer }

// Vote gives one reviewer's verdict in a panel and returns the record after the commit: with the decision, if it was the verdict that made one.
// Verdicts are independent: all of them are waited for, even when the majority is clear before. A claim has no meaning here, a panel is for
// several. Whether the person may vote is the caller's to check.
//
// Errors: ErrNotFound; *InvalidError as for Decide, and for a review without a panel; *VotedError, ErrPanelComplete, *AlreadyDecidedError.
// After any other error the outcome is unknown and the same verdict may be given again.
func (d *Desk) Vote(ctx context.Context, v Verdict) (rec Record, err error) {
	ctx, end := begin(ctx, d.Tracer, StepDecide)
	defer func() { end(rec, err) }()
	rec, err = d.Decisions.Review(ctx, v.ReviewID)
	if err != nil {
		return Record{}, fmt.Errorf("load review: %w", err)
	}
	said, err := d.decision(rec, v)
	if err != nil {
		return rec, err
	}
	vote := Vote{
		ReviewID: said.ReviewID, Round: said.Round, Kind: Correct, Context: said.Context,
		Voice: Voice{Reviewer: said.Reviewer, Label: said.Label, Reason: said.Reason, Comment: said.Comment, At: said.At},
	}
	if said.Status == HumanAccepted {
		vote.Kind = Accept
	}
	switch {
	case d.Panels == nil:
		return rec, fmt.Errorf("record verdict: %w", ErrUnavailable)
	case rec.Review.Panel <= 1:
		return rec, &InvalidError{"review", "takes one verdict, not those of a panel"}
	}
	ballot, err := d.Panels.Vote(ctx, vote, func(voices []Voice) (*Decision, *Callback, error) { return d.conclude(rec, vote.Round, voices) })
	if err != nil {
		return rec, fmt.Errorf("record verdict: %w", err)
	}
	next := rec
	next.Voices = ballot.Voices
	if ballot.Decision == nil {
		return next, nil
	}
	review := *rec.Review
	review.State = closedState(ballot.Decision.Status)
	next.Review, next.Decision = &review, ballot.Decision
	if ballot.Decided && d.Observer != nil {
		d.Observer.Decided(ctx, next)
	}
	return next, nil
}

// conclude makes the decision of a complete panel, with its callback, if more than half of its voices agree. It is of the moment of the last one.
func (d *Desk) conclude(rec Record, round int, voices []Voice) (*Decision, *Callback, error) {
	label, count := majority(voices)
	if 2*count <= len(voices) {
		return nil, nil, nil
	}
	dec := Decision{
		ReviewID: rec.Review.ID, Round: round, Status: HumanCorrected, Label: label, Reviewer: panelReviewer,
		At:      slices.MaxFunc(voices, func(a, b Voice) int { return a.At.Compare(b.At) }).At,
		Context: map[string]string{"panel": strconv.Itoa(count) + "/" + strconv.Itoa(len(voices))},
	}
	if label == rec.Prediction.Label {
		dec.Status = HumanAccepted
	}
	rec.Decision = &dec
	callback, err := d.callback(rec)
	return &dec, callback, err
}

// majority returns the label that most voices give, and how many do.
func majority(voices []Voice) (label string, count int) {
	for _, t := range Tally(voices) {
		return t.Label, t.Voices
	}
	return "", 0
}

// LabelCount is how many voices gave a label.
type LabelCount struct {
	Label  string
	Voices int
}

// Tally counts voices by label, most first, then by name: who said what, and in which order, is not in it.
func Tally(voices []Voice) []LabelCount {
	var counts []LabelCount
	for _, v := range voices {
		i := slices.IndexFunc(counts, func(c LabelCount) bool { return c.Label == v.Label })
		if i < 0 {
			i, counts = len(counts), append(counts, LabelCount{Label: v.Label})
		}
		counts[i].Voices++
	}
	slices.SortFunc(counts, func(a, b LabelCount) int {
		if a.Voices != b.Voices {
			return b.Voices - a.Voices
		}
		if a.Label < b.Label {
			return -1
		}
		return 1
	})
	return counts
}
