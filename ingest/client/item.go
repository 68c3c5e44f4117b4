package client

import (
	"slices"
	"time"
)

// Status is where an item stands.
type Status string

// The statuses of an item.
const (
	AIAccepted     Status = "AI_ACCEPTED"     // the model was sure
	HumanReview    Status = "HUMAN_REVIEW"    // a person is asked; the only one that is not final
	HumanAccepted  Status = "HUMAN_ACCEPTED"  // a person agreed with the model
	HumanCorrected Status = "HUMAN_CORRECTED" // a person gave another label, or the first one where the model had none
	Expired        Status = "EXPIRED"         // nobody decided in time; the label, if there is one, is what the queue's expire_as says
	Cancelled      Status = "CANCELLED"       // nobody needs to decide any more
)

// Item is an item as the service shows it. The text is left out: you have it.
type Item struct {
	ID         string     `json:"id"`          // the service's: "itm_…"
	ExternalID string     `json:"external_id"` // yours: Submission.ID
	Source     string     `json:"source"`
	Status     Status     `json:"status"`
	Label      string     `json:"label"`      // the answer; empty while a review is open, and when nobody gave one
	AILabel    string     `json:"ai_label"`   // what the model says; empty when it failed or there is none
	Confidence float64    `json:"confidence"` // the model's probability of AILabel, from 0 to 1
	Scores     []Score    `json:"scores"`     // the probability of every label, the most likely first
	Triggers   []string   `json:"triggers"`   // every reason for a review: "low_confidence", "rule:NAME" …
	Review     *Review    `json:"review"`     // the latest round; nil when the item was accepted at once
	Decision   *Decision  `json:"decision"`   // nil while open, and when accepted at once
	Notes      []Note     `json:"notes"`      // what people wrote in the thread of the review's card, the oldest first
	Model      string     `json:"model"`      // version of the model that answered
	Policy     string     `json:"policy"`     // version of the policy that routed
	Threshold  float64    `json:"threshold"`  // what Confidence was compared with
	Truncated  bool       `json:"truncated"`  // the text was longer than the model reads
	ReceivedAt time.Time  `json:"received_at"`
	DecidedAt  *time.Time `json:"decided_at"` // when the item got its answer; nil while open
	ErasedAt   *time.Time `json:"erased_at"`  // when text, metadata and comments were erased; nil while they are kept

	Replayed bool `json:"-"` // set by Submit: the id was used before, and this is the stored item
}

// Final says whether nobody is asked any more. Statuses that this package does not know are taken for final.
func (i Item) Final() bool { return i.Status != "" && i.Status != HumanReview }

// Answered says whether a person gave one of the labels: not the model, not the end of the time, not a cancelled review.
func (i Item) Answered(labels ...string) bool {
	return (i.Status == HumanAccepted || i.Status == HumanCorrected) && slices.Contains(labels, i.Label)
}

// Score is the probability of a label, from 0 to 1.
type Score struct {
	Label       string  `json:"label"`
	Probability float64 `json:"probability"`
}

// Review is a wait for a person.
type Review struct {
	ID        string     `json:"id"`
	Round     int        `json:"round"` // from 1 on; a review that is opened again is the next round
	Queue     string     `json:"queue"`
	Priority  string     `json:"priority"` // "urgent", "normal" or "sample"
	State     string     `json:"state"`    // "open", "decided", "expired" or "cancelled"
	OpenedAt  time.Time  `json:"opened_at"`
	ExpiresAt *time.Time `json:"expires_at"` // nil: never
	Panel     int        `json:"panel"`      // how many independent verdicts it takes; 0 where one decides
	Verdicts  []Verdict  `json:"verdicts"`   // of a panel, once there is a decision
}

// Verdict is what one reviewer of a panel said.
type Verdict struct {
	Reviewer string    `json:"reviewer"` // "TEAM/USER" of Slack
	Label    string    `json:"label"`
	Reason   string    `json:"reason"`
	Comment  string    `json:"comment"`
	At       time.Time `json:"at"`
}

// Decision is the answer of a review.
type Decision struct {
	Status   Status    `json:"status"`
	Label    string    `json:"label"`
	Reviewer string    `json:"reviewer"` // "TEAM/USER" of Slack, "panel" or "system"
	Reason   string    `json:"reason"`
	Comment  string    `json:"comment"`
	Round    int       `json:"round"`
	At       time.Time `json:"at"`
}

// Note is what a person wrote in the thread of a review's card.
type Note struct {
	Author string    `json:"author"` // "TEAM/USER" of Slack
	At     time.Time `json:"at"`
	Text   string    `json:"text"` // as Slack writes it: mentions and links are in angle brackets
}

// ItemLog is what the append-only log holds of an item.
type ItemLog struct {
	Entries []Entry  `json:"entries"`
	Proof   LogProof `json:"proof"`
}

// Entry is one entry of the log.
type Entry struct {
	ID         int64          `json:"id"`
	ItemID     string         `json:"item_id"`
	At         time.Time      `json:"at"`
	Status     Status         `json:"status"`
	TextRef    string         `json:"text_ref"`
	Label      string         `json:"label"`
	AILabel    string         `json:"ai_label"`
	Confidence float64        `json:"confidence"`
	Reviewer   string         `json:"reviewer"`
	Model      string         `json:"model"`
	Policy     string         `json:"policy"`
	Context    map[string]any `json:"context"`
}

// LogProof says that entries are in the log of a signed checkpoint; `hitl verify --proof` checks it.
type LogProof struct {
	Checkpoint string       `json:"checkpoint"` // a signed note (c2sp.org/tlog-checkpoint); empty: nothing is signed yet
	Proofs     []EntryProof `json:"proofs"`
}

// EntryProof is the inclusion proof (RFC 6962, 2.1.1) of one entry.
type EntryProof struct {
	Entry    int64    `json:"entry"`
	Position int64    `json:"position"`
	Leaf     []byte   `json:"leaf"`
	Hashes   [][]byte `json:"hashes"`
}
