package hitl

import "time"

// ReviewState is where a review stands.
type ReviewState string

// The states of a review.
const (
	ReviewOpen      ReviewState = "open"
	ReviewDecided   ReviewState = "decided"
	ReviewExpired   ReviewState = "expired"
	ReviewCancelled ReviewState = "cancelled"
)

// Review is an item waiting for a person.
type Review struct {
	ID        string // "rev_…", opaque: the value of every button
	ItemID    string
	Round     int // 1 for the first; reopening starts the next
	State     ReviewState
	Queue     string
	Priority  Priority
	OpenedAt  time.Time
	ExpiresAt time.Time // zero: never

	ClaimedBy    Reviewer  // zero: nobody
	ClaimedUntil time.Time // a claim is over by itself; zero: there was none
	UndoUntil    time.Time // of a closed review: until when its decision can be taken back; zero: it cannot, or not any more
	RemindAt     time.Time // zero: no reminder is to come
	EscalateAt   time.Time // zero: no escalation is to come
	Panel        int       // how many independent verdicts it takes; 1: the first one decides
	Blind        bool      // reviewers are not shown what the model said
	Twin         []byte    // equal for near-identical texts; nil: none is looked for

	// Order is the measure by which its queue's reviews were given out when it came in, and OrderUniform the share of the places that went by age all the
	// same; empty: all went by age, or reviews of its priority do. Teaches is its place by that measure, from 0 to 1 (the first); nil: it goes by age.
	// They are for the ledger and its log: a review that is read has none of them.
	Order        string
	OrderUniform float64
	Teaches      *float64
}

// Claimed says whether somebody has the review for themselves at a time.
func (r Review) Claimed(now time.Time) bool {
	return r.ClaimedBy.User != "" && r.ClaimedUntil.After(now)
}

// Reviewer is a person, by Slack's ids; never a display name.
type Reviewer struct {
	Team string `json:"team"` // T…, or E… on Enterprise Grid
	User string `json:"user"` // U… or W…
}

// systemReviewer is the reviewer of decisions that no person made.
var systemReviewer = Reviewer{User: "system"}

// String returns "T123/U456", the form the log keeps.
func (r Reviewer) String() string {
	if r.Team == "" {
		return r.User
	}
	return r.Team + "/" + r.User
}

// VerdictKind is what a reviewer said.
type VerdictKind string

// The verdicts.
const (
	Accept  VerdictKind = "accepted"
	Correct VerdictKind = "corrected"
	Skip    VerdictKind = "skipped" // leaves the review to others
)

// Verdict is what one reviewer said of one review.
type Verdict struct {
	ReviewID string
	Round    int // the round the reviewer saw; 0: whichever is open
	Kind     VerdictKind
	Label    string // the right label; only when corrected
	Reason   string // canned reason, may be empty
	Comment  string // free text, may be empty
	Reviewer Reviewer
	Context  map[string]string // where it was said: channel, message, surface; for the log
}

// Decision is the one final answer of a review round.
type Decision struct {
	ReviewID string
	Round    int
	Status   Status   // HumanAccepted, HumanCorrected, Expired or Cancelled
	Label    string   // the answer; empty when cancelled, and when expired without one
	Reviewer Reviewer // User "system" when no person decided
	Reason   string
	Comment  string
	At       time.Time
	Context  map[string]string

	// UndoFor is how long the decision can be undone from its commit on, and UndoUntil when that ends, as the commit found by the database's
	// clock. They stand with the review and not with the decision: one that is read with its record has neither.
	UndoFor   time.Duration
	UndoUntil time.Time
}

// Same says whether two decisions give the same answer by the same reviewer: a double click, not a race lost.
func (d Decision) Same(o Decision) bool {
	return d.ReviewID == o.ReviewID && d.Round == o.Round && d.Status == o.Status && d.Label == o.Label && d.Reviewer == o.Reviewer
}

// CardState is where a card stands.
type CardState string

// The states of a card.
const (
	CardIntent CardState = "intent" // written before the call to Slack; the message may exist or not
	CardPosted CardState = "posted"
	CardGone   CardState = "gone" // deleted, or in a channel that is gone; harmless
)

// Card is a Slack message that shows a review. The card is a view; the review's row is the truth.
type Card struct {
	ID        string // "crd_…": stands in the message's metadata, so that a lost reply can be found again
	ReviewID  string
	Team      string // Slack team of the bot
	Channel   string // C… or D…, as chat.postMessage returned it
	TS        string // message timestamp; empty while State is CardIntent
	State     CardState
	Attempt   int       // how many times a post was begun, from 1
	CreatedAt time.Time // of the first intent
	BegunAt   time.Time // of the last attempt
}

// Delivery is one review taken from the queue by a consumer, which must finish or release it.
type Delivery struct {
	ReviewID string
	Queue    string
	Priority Priority
	Attempts int // deliveries so far, this one included
}
