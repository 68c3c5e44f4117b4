package hitl

import (
	"encoding/json"
	"fmt"
	"time"
)

// Callback tells an upstream what became of its item. It is written with the decision, in the same transaction, and sent until it is
// taken or dead. ID and Body never change, so the receiver can drop what it has already seen.
type Callback struct {
	ID     string // "msg_…": the webhook-id header of Standard Webhooks
	Source string
	ItemID string
	Body   []byte // JSON, signed as these very bytes
	Round  int    // of the decision that it tells of; 0: of none
	Hold   bool   // it is sent only when its decision cannot be undone any more
	Trace  string // its item's
}

// CallbackState is where a callback stands.
type CallbackState string

// The states of a callback.
const (
	CallbackPending   CallbackState = "pending"
	CallbackDelivered CallbackState = "delivered"
	CallbackDead      CallbackState = "dead"      // given up; `hitl callbacks retry` revives it
	CallbackWithdrawn CallbackState = "withdrawn" // its decision was undone before it was sent; it never will be
)

// What a callback's "type" field says.
const (
	eventDecided  = "item.decided"
	eventReopened = "item.reopened" // a decision that the upstream may have been told of was taken back
)

// CallbackItem is an item as callbacks and the API show it. The text is left out: the upstream has it.
type CallbackItem struct {
	ID         string         `json:"id"`
	Source     string         `json:"source"`
	ExternalID string         `json:"external_id"`
	Status     Status         `json:"status"`
	Label      string         `json:"label,omitempty"`
	AILabel    string         `json:"ai_label,omitempty"`
	Confidence float64        `json:"confidence"`
	Triggers   []Trigger      `json:"triggers"`
	Reviewer   string         `json:"reviewer,omitempty"`
	Reason     string         `json:"reason,omitempty"`
	Comment    string         `json:"comment,omitempty"`
	Round      int            `json:"round,omitempty"`
	Model      string         `json:"model"`
	Policy     string         `json:"policy"`
	ReceivedAt time.Time      `json:"received_at"`
	DecidedAt  time.Time      `json:"decided_at"`
	Metadata   map[string]any `json:"metadata"`
}

// newCallback builds the callback of a record that has its answer.
func newCallback(r Record) (Callback, error) {
	return newCallbackItem(r).callback(eventDecided)
}

func newCallbackItem(r Record) CallbackItem {
	c := CallbackItem{
		ID: r.Item.ID, Source: r.Item.Source, ExternalID: r.Item.ExternalID,
		Status: r.Status(), Label: r.Label(), AILabel: r.Prediction.Label, Confidence: r.Prediction.Confidence,
		Triggers: r.Route.Triggers, Model: r.Prediction.Model, Policy: r.Route.Policy,
		ReceivedAt: r.Item.ReceivedAt.UTC(), DecidedAt: r.DecidedAt().UTC(), Metadata: r.Item.Metadata,
	}
	if c.Triggers == nil {
		c.Triggers = []Trigger{}
	}
	if d := r.Decision; d != nil {
		c.Reviewer, c.Reason, c.Comment, c.Round = d.Reviewer.String(), d.Reason, d.Comment, d.Round
	}
	return c
}

// newReopened builds the callback that follows a decision which the upstream may know, and which was taken back. It has the round of that
// decision, and as the time of its own when it was taken back, so that round and time order all callbacks of an item.
func newReopened(r Record, taken Reopening) (Callback, error) {
	r.Decision = &Decision{Round: taken.Round, Status: HumanReview, Reviewer: taken.By, Reason: taken.Reason, At: taken.At}
	return newCallbackItem(r).callback(eventReopened)
}

// callback is what tells an upstream of an item.
func (c CallbackItem) callback(event string) (Callback, error) {
	body, err := json.Marshal(struct {
		Type      string       `json:"type"`
		Timestamp time.Time    `json:"timestamp"`
		Data      CallbackItem `json:"data"`
	}{event, c.DecidedAt, c})
	if err != nil {
		return Callback{}, fmt.Errorf("write callback body: %w", err)
	}
	return Callback{ID: NewID("msg", c.DecidedAt), Source: c.Source, ItemID: c.ID, Body: body, Round: c.Round}, nil
}
