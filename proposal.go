package hitl

import (
	"context"
	"encoding/json"
	"maps"
	"time"
)

// ProposalKind says what a proposal changes.
type ProposalKind string

// The kinds of proposal.
const (
	ProposeThresholds  ProposalKind = "thresholds"  // of a policy; the body is a ThresholdChange
	ProposeCalibration ProposalKind = "calibration" // of a classifier; the body is a CalibrationChange
	ProposeModel       ProposalKind = "model"       // of a classifier; the body is a ModelChange
	ProposeSample      ProposalKind = "sample"      // of a policy; the body is a SampleChange
)

// ProposalState is what became of a proposal.
type ProposalState string

// The states of a proposal.
const (
	ProposalOpen     ProposalState = "open"
	ProposalAccepted ProposalState = "accepted"
	ProposalDeclined ProposalState = "declined"
	ProposalReplaced ProposalState = "replaced" // by a later one, before anybody answered
)

// NoticeProposal tells the owners of a queue of a proposal: its id stands in the data under "proposal".
const NoticeProposal NoticeKind = "proposal"

// NoticeBroken tells the owners of a queue that what reviewers said contradicts a promise: in the data are "policy", "proposal", "n" and "wrong" (answers since, and
// those that say the model was wrong), "lower" (bound of the error rate), "risk" and "restored" ("true": other thresholds were put in force).
const NoticeBroken NoticeKind = "promise_broken"

// Proposal is a change of how far the model is trusted. It is in force once somebody who may has accepted it, in every replica within seconds, and
// until the next of its kind and name is accepted.
type Proposal struct {
	ID        string          `json:"id"` // "prp_…"
	Kind      ProposalKind    `json:"kind"`
	Name      string          `json:"name"` // of the policy or the classifier
	Body      json.RawMessage `json:"body"`
	Evidence  json.RawMessage `json:"evidence"` // what it was concluded from, for people
	State     ProposalState   `json:"state"`
	MadeAt    time.Time       `json:"made_at"`
	MadeBy    string          `json:"made_by"`         // a reviewer as the log writes them, who ran the command, or what periodic task
	Queue     string          `json:"queue,omitempty"` // whose owners are asked in Slack; empty: nobody is
	DecidedAt time.Time       `json:"decided_at,omitzero"`
	DecidedBy string          `json:"decided_by,omitempty"`
}

// ThresholdChange replaces the thresholds of a policy. It was concluded from one model and one calibration and holds for them; under others, and
// when another part of the policy was configured anew, the stricter of its thresholds and the configured ones hold. When the configured
// thresholds are no longer those it was to replace, it is void.
type ThresholdChange struct {
	Thresholds
	// Off takes an accepted change back: the configured thresholds hold again.
	Off bool `json:"off,omitempty"`

	From        Thresholds `json:"from"`        // as configured when it was made
	Policy      string     `json:"policy"`      // version that was configured then
	Classifier  string     `json:"classifier"`  // name
	Model       string     `json:"model"`       // version
	Calibration string     `json:"calibration"` // version; empty: none

	Risk       string    `json:"risk,omitempty"`       // the error rate that is promised not to be exceeded, as a decimal
	Confidence string    `json:"confidence,omitempty"` // with which it is promised, as a decimal
	Since      time.Time `json:"since,omitzero"`       // the evidence's period
	Until      time.Time `json:"until,omitzero"`
}

// Thresholds are the confidences from which on a policy accepts items.
type Thresholds struct {
	Threshold float64            `json:"threshold"`
	Labels    map[string]float64 `json:"label_thresholds,omitempty"` // replace Threshold for their labels; above 1 is never
}

// CalibrationChange replaces what makes confidences of a classifier's scores.
type CalibrationChange struct {
	Model       string          `json:"model"`       // version it was fitted for; under another it is void
	Calibration json.RawMessage `json:"calibration"` // as classifier/learn writes it; null: none
}

// ModelChange replaces the model of a classifier by one of the registry. While it is proposed and nobody has answered, that model can run in its shadow.
type ModelChange struct {
	Version string `json:"version"` // in the registry; empty: the configured model runs again
	From    string `json:"from"`    // what was configured when it was made; when that is another now, the change is void
	Parent  string `json:"parent"`  // of the registry, that ran when it was made; empty: the configured one did
}

// Resolve returns the version that runs for a classifier with that configured model, once the change was accepted; empty: the configured one.
func (c ModelChange) Resolve(configured string) string {
	if c.From != configured {
		return ""
	}
	return c.Version
}

// Proposals is the part of the system of record that holds proposals.
type Proposals interface {
	// Propose commits a proposal and has the owners of its queue told. The open one of the same kind and name is replaced.
	Propose(ctx context.Context, p Proposal) error
	// Answer commits the answer to a proposal, with its entry in the log, unless it has one; it returns the proposal as it then is, and whether
	// this call answered it. Error: ErrNotFound.
	Answer(ctx context.Context, id string, accept bool, by string, at time.Time) (p Proposal, fresh bool, err error)
	// Proposal returns one, or ErrNotFound.
	Proposal(ctx context.Context, id string) (Proposal, error)
}

// NoConfidence is a threshold that no confidence reaches: all of it goes to people.
const NoConfidence = 2

// Standing says how a threshold change stands to what runs now.
type Standing string

// The standings.
const (
	StandingFull    Standing = "in force" // everything is as when it was concluded
	StandingGuarded Standing = "guarded"  // something else changed: of its thresholds and the configured ones the stricter hold
	StandingVoid    Standing = "void"     // the configured thresholds are others now: they hold
	StandingOff     Standing = "off"      // it was taken back: the configured thresholds hold
)

// Resolve returns the thresholds that hold for a policy that was configured as version policy with those thresholds and judges what a model says under a
// calibration, once the change was accepted.
func (c ThresholdChange) Resolve(configured Thresholds, policy, model, calibration string) (Thresholds, Standing) {
	switch {
	case c.Off:
		return configured, StandingOff
	case !c.From.Equal(configured):
		return configured, StandingVoid
	case c.Policy == policy && c.Model == model && c.Calibration == calibration:
		return c.Thresholds, StandingFull
	}
	return c.stricter(configured), StandingGuarded
}

// For returns the threshold of a label.
func (t Thresholds) For(label string) float64 {
	if v, ok := t.Labels[label]; ok {
		return v
	}
	return t.Threshold
}

// Equal says whether both are the same.
func (t Thresholds) Equal(u Thresholds) bool {
	return t.Threshold == u.Threshold && maps.Equal(t.Labels, u.Labels)
}

// StricterThan says whether they accept less than others do, and nothing that those do not.
func (t Thresholds) StricterThan(u Thresholds) bool {
	same := true
	for _, pair := range t.pairs(u) {
		if pair[0] < pair[1] {
			return false
		}
		same = same && pair[0] == pair[1]
	}
	return !same
}

// pairs are both thresholds of every label that either names, and of all others.
func (t Thresholds) pairs(u Thresholds) [][2]float64 {
	out := [][2]float64{{t.Threshold, u.Threshold}}
	for _, labels := range []map[string]float64{t.Labels, u.Labels} {
		for l := range labels {
			out = append(out, [2]float64{t.For(l), u.For(l)})
		}
	}
	return out
}

// stricter accepts what both would.
func (t Thresholds) stricter(u Thresholds) Thresholds {
	out := Thresholds{Threshold: max(t.Threshold, u.Threshold)}
	for _, labels := range []map[string]float64{t.Labels, u.Labels} {
		for l := range labels {
			if out.Labels == nil {
				out.Labels = map[string]float64{}
			}
			out.Labels[l] = max(t.For(l), u.For(l))
		}
	}
	return out
}

// ThresholdEvidence is what a change of thresholds was concluded from.
type ThresholdEvidence struct {
	Items      int            `json:"items"`       // of the period
	Sampled    int            `json:"sampled"`     // checked by people, of those that would be accepted
	Wrong      int            `json:"wrong"`       // of these, Unanswered included
	Unanswered int            `json:"unanswered"`  // counted as wrong
	Upper      float64        `json:"upper"`       // bound of the error rate among what would be accepted
	LoadBefore float64        `json:"load_before"` // share of the items that people see
	LoadAfter  float64        `json:"load_after"`
	Labels     []LabelPromise `json:"labels,omitempty"` // where each label has a promise of its own
	Curve      []CurvePoint   `json:"curve"`            // by falling threshold
}

// LabelPromise is the evidence of one label.
type LabelPromise struct {
	Label     string  `json:"label"`
	Threshold float64 `json:"threshold"` // NoConfidence: nothing can be promised
	Sampled   int     `json:"sampled"`
	Wrong     int     `json:"wrong"`
	Upper     float64 `json:"upper"`
}

// CurvePoint is what a threshold would bring.
type CurvePoint struct {
	Threshold float64 `json:"threshold"`
	Load      float64 `json:"load"`       // share of the items that people would see
	Errors    float64 `json:"errors"`     // estimated error rate among the accepted
	ErrorsLow float64 `json:"errors_low"` // and its interval of 95%
	ErrorsTop float64 `json:"errors_top"`
}

// CalibrationEvidence is what a calibration was concluded from.
type CalibrationEvidence struct {
	Kind    string           `json:"kind"`  // temperature or isotonic
	Items   int              `json:"items"` // that people answered and it was fitted to
	Held    int              `json:"held"`  // that it was not fitted to, and is judged on
	Before  CalibrationScore `json:"before"`
	After   CalibrationScore `json:"after"`
	Gain    float64          `json:"gain"`     // by how much the Brier score falls
	GainLow float64          `json:"gain_low"` // and its interval of 95%
	GainTop float64          `json:"gain_high"`
	Diagram []ReliabilityBin `json:"diagram"` // by rising confidence
}

// CalibrationScore says how well confidences tell how often the model is right; the less, the better.
type CalibrationScore struct {
	Brier   float64 `json:"brier"`
	LogLoss float64 `json:"log_loss"`
	Error   float64 `json:"error"` // expected calibration error
}

// ReliabilityBin compares confidences of about one height with how often the model was right.
type ReliabilityBin struct {
	Items      int     `json:"items"`
	Confidence float64 `json:"confidence"` // mean
	Right      float64 `json:"right"`      // share
}

// ModelEvidence is what a proposed model is judged by.
type ModelEvidence struct {
	Source     string           `json:"source"`         // of what it learned from
	Until      time.Time        `json:"until,omitzero"` // when the last label was given that it learned from or was judged by
	Learned    int              `json:"learned"`
	Labels     []string         `json:"labels"`
	HeldOut    *ModelScore      `json:"held_out,omitempty"`   // on items that it has not learned from; nil: none were held out
	Comparison *ModelComparison `json:"comparison,omitempty"` // with what ran then; nil: it is not known, or there was none
}

// ModelScore says how often a model is right.
type ModelScore struct {
	Items    int     `json:"items"`
	Accuracy float64 `json:"accuracy"`
	Low      float64 `json:"low"` // of the accuracy's interval of 95%
	High     float64 `json:"high"`
}

// ModelComparison is of a candidate and the model that runs, on the same items.
type ModelComparison struct {
	Items      int     `json:"items"`
	Candidate  float64 `json:"candidate"` // accuracy
	Incumbent  float64 `json:"incumbent"`
	Difference float64 `json:"difference"`
	Low        float64 `json:"low"` // of the difference's interval of 95%
	High       float64 `json:"high"`
	P          float64 `json:"p"`       // two-sided, that there is no difference
	Verdict    string  `json:"verdict"` // better, worse, not told apart
}
