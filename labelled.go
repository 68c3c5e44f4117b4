package hitl

import "time"

// Labelled is an item as statistics see it: what the model said, how likely a person was to be asked, and what people answered. Items whose answer
// was known before (gold) are never among them.
type Labelled struct {
	ItemID      string
	Source      string
	ReceivedAt  time.Time
	Model       string    // version of the model
	Stage       string    // place of the model in a cascade; empty: it judged alone
	Calibration string    // version of the calibration that made Confidence of Scores; empty: none, Confidence is the highest of Scores
	AILabel     string    // empty when the model failed
	Confidence  float64   // as the policy saw it
	Scores      []Score   // of the model, uncalibrated, most likely first
	Tokens      int       // that the model saw
	Triggers    []Trigger // empty for what was accepted at once
	Queue       string    // of the review; empty: accepted at once
	Policy      string    // version
	Threshold   float64
	Inclusion   float64 // see Route; weigh by its inverse

	Text      string    // only where it was asked for, and not erased
	Reviewed  bool      // a person was asked
	Open      bool      // and has not answered yet
	Label     string    // what people answered; empty: nothing (open, expired, cancelled)
	DecidedAt time.Time // zero without a label
}

// Answered says whether people gave the item's label.
func (l Labelled) Answered() bool { return l.Label != "" }

// Correct says whether people gave the label that the model gave.
func (l Labelled) Correct() bool { return l.Label != "" && l.Label == l.AILabel }

// Sure says whether the item would be accepted if the threshold allowed it: nothing but its confidence, or chance, sends it to a person.
func (l Labelled) Sure() bool {
	for _, t := range l.Triggers {
		if t != TriggerLowConfidence && t != TriggerSample {
			return false
		}
	}
	return l.AILabel != ""
}

// Judge names what judged the item: its model, by version, or the cascade that the model is of.
func (l Labelled) Judge() string {
	if c := cascadeOf(l.Model, l.Stage); c != (Cascade{}) {
		return c.String()
	}
	return l.Model
}

// Small says whether the small model of a cascade answered.
func (l Labelled) Small() bool { return Prediction{Stage: l.Stage}.Small() }

// LargeModel returns the version of the model that judges, or in a cascade would have judged, what no small one is sure of.
func (l Labelled) LargeModel() string {
	if c := cascadeOf(l.Model, l.Stage); c != (Cascade{}) {
		return c.Large
	}
	return l.Model
}

// LabelledQuery asks for items received in [Since, Until); a zero time is no bound. Empty names are no condition.
type LabelledQuery struct {
	Classifier string // its configured name
	Model      string // version
	Policies   []string
	Since      time.Time
	Until      time.Time
	// Texts asks for items that people answered alone, and for their texts.
	Texts bool
	// Unanswered asks for the other items and their texts too, with Texts.
	Unanswered bool
}
