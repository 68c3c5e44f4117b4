package hitl

import "strings"

// Status is where an item stands, or what an entry of the log tells of. The first two are routes, the next four end a review round; the
// others stand in the log only and leave an item where it is.
type Status string

// The statuses, as they stand in the log, in the API and in callbacks.
const (
	AIAccepted     Status = "AI_ACCEPTED"
	HumanReview    Status = "HUMAN_REVIEW"
	HumanAccepted  Status = "HUMAN_ACCEPTED"
	HumanCorrected Status = "HUMAN_CORRECTED"
	Expired        Status = "EXPIRED"
	Cancelled      Status = "CANCELLED"
	// Revealed: a reviewer looked at what is hidden from Slack.
	Revealed Status = "REVEALED"
	// Erased: an item whose text was erased keeps the status it had.
	Erased Status = "ERASED"
	// Voted: one reviewer of a panel gave a verdict.
	Voted Status = "VERDICT"
	// SkippedByOne: a reviewer passed a review on without a verdict.
	SkippedByOne Status = "SKIPPED"
	// Reopened: a decision was taken back, and the review's next round began.
	Reopened Status = "REOPENED"
	// Escalated: a review waited too long and was given to others, perhaps in another queue.
	Escalated Status = "ESCALATED"
	// Noted: somebody wrote a note on a review.
	Noted Status = "NOTED"
	// ChangeAccepted and ChangeDeclined answer a proposal of how far the model is trusted. Their entries are about no item.
	ChangeAccepted Status = "PROPOSAL_ACCEPTED"
	ChangeDeclined Status = "PROPOSAL_DECLINED"
	// Detached: the entries of a month were taken out of the log's tables. The tree keeps their hashes. It is about no item.
	Detached Status = "DETACHED"
)

// Final says whether the item has its answer.
func (s Status) Final() bool { return s != HumanReview && s != "" }

// Trigger is a reason why an item needs a person: one of the constants, or RuleTrigger(name).
type Trigger string

// The triggers. A rule's is "rule:NAME".
const (
	TriggerLowConfidence Trigger = "low_confidence"
	TriggerSample        Trigger = "sample"
	TriggerAlwaysReview  Trigger = "always_review"
	TriggerModelError    Trigger = "model_error"
	TriggerNoModel       Trigger = "no_model"
	TriggerTruncated     Trigger = "truncated"
)

const rulePrefix = "rule:"

// RuleTrigger returns the trigger of the rule with that name.
func RuleTrigger(name string) Trigger { return Trigger(rulePrefix + name) }

// Rule returns the rule's name, if the trigger is a rule's.
func (t Trigger) Rule() (name string, ok bool) { return strings.CutPrefix(string(t), rulePrefix) }

// Priority orders the reviews of a queue.
type Priority string

// The priorities, the first goes first.
const (
	PriorityUrgent Priority = "urgent"
	PriorityNormal Priority = "normal"
	PrioritySample Priority = "sample"
)

// Priorities returns all priorities, the most urgent first.
func Priorities() []Priority { return []Priority{PriorityUrgent, PriorityNormal, PrioritySample} }

// Route is what the policy made of an item and its prediction.
type Route struct {
	Status   Status    // AIAccepted or HumanReview
	Triggers []Trigger // every reason for a review, in a fixed order; empty when accepted
	Queue    string    // where the review goes; set when Status is HumanReview
	Priority Priority  // set when Status is HumanReview
	Policy   string    // version of the policy: hash of its text
	// Threshold is the one the confidence was compared with.
	Threshold float64
	// Inclusion is the probability with which an item like this one is reviewed: 1 when any trigger but the sample holds, the
	// sampling rate otherwise, whether or not this item was drawn. Statistics weigh by its inverse.
	Inclusion float64
}

// Policy routes an item. It is pure: the same item and prediction give the same route. failure is the classifier's error, nil when
// the prediction stands.
type Policy interface {
	Route(item Item, prediction Prediction, failure error) Route
	// Version returns the content hash that routes carry.
	Version() string
}
