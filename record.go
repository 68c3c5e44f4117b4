package hitl

import "time"

// Record is all that is stored of one item: the item with what the model, the policy and, if one was needed, the reviewer said.
type Record struct {
	Item       Item
	Classifier string   // its configured name
	Labels     []string // every label the model knew, in its order
	Prediction Prediction
	Failure    string // why the model failed, in safe words; empty when it did not
	Route      Route
	Review     *Review   // nil when accepted at once; else the latest round
	Decision   *Decision // nil while open
	Twins      int       // how many other open reviews a decision on this one decides too, MaxTwins at most, claimed ones left out; 0 when it is closed
	// Voices are the verdicts of the review's round, if it has a panel, the oldest first. Before there is a decision nobody may be shown who said
	// what, and before the panel is complete not even what was said.
	Voices []Voice
	Gold   *Gold  // nil, unless it is the copy of a text whose answer is known; nobody may be shown that it is
	Notes  []Note // on the review, the oldest first; none of an erased item
}

// MaxTwins is how far twins are counted.
const MaxTwins = 1000

// Status is where the item stands now.
func (r Record) Status() Status {
	if r.Decision != nil {
		return r.Decision.Status
	}
	return r.Route.Status
}

// Label is the item's answer: the reviewer's, or the model's when it was accepted at once; empty while open or undecided.
func (r Record) Label() string {
	switch {
	case r.Decision != nil:
		return r.Decision.Label
	case r.Route.Status == AIAccepted:
		return r.Prediction.Label
	}
	return ""
}

// DecidedAt is when the item got its answer; zero while open.
func (r Record) DecidedAt() time.Time {
	switch {
	case r.Decision != nil:
		return r.Decision.At
	case r.Route.Status == AIAccepted:
		return r.Item.ReceivedAt
	}
	return time.Time{}
}

// Entry is one line of the append-only log.
type Entry struct {
	ID         int64          `json:"id"` // order of insertion, not gapless
	ItemID     string         `json:"item_id"`
	At         time.Time      `json:"at"`
	Status     Status         `json:"status"`
	TextRef    string         `json:"text_ref"` // commitment to the text: "hmac-sha256:" + hex under the item's erasable key
	AILabel    string         `json:"ai_label"`
	Confidence float64        `json:"confidence"`
	Label      string         `json:"label,omitempty"` // the final label, when the entry gives one
	Reviewer   string         `json:"reviewer,omitempty"`
	Model      string         `json:"model"`
	Policy     string         `json:"policy"`
	Context    map[string]any `json:"context"` // triggers, source, queue, round, reason, comment_ref (a commitment as text_ref), …
}
