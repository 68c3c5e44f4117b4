package ingest

import (
	"net/http"
	"time"

	"hitl"
)

// item is an item as the API shows it. Text and metadata are left out: the upstream has them.
type item struct {
	ID         string         `json:"id" example:"itm_01k2q8r7w3v5x9z1a4c6e8g0jm" doc:"Ours; sortable by time."`
	ExternalID string         `json:"external_id" example:"ticket-4711" doc:"Yours: the idempotency key. Ours when you gave none."`
	Source     string         `json:"source" example:"helpdesk"`
	Status     hitl.Status    `json:"status" enum:"AI_ACCEPTED,HUMAN_REVIEW,HUMAN_ACCEPTED,HUMAN_CORRECTED,EXPIRED,CANCELLED" doc:"Where the item stands now."`
	Label      string         `json:"label,omitempty" example:"NEGATIVE" doc:"The answer; missing while a review is open."`
	AILabel    string         `json:"ai_label,omitempty" example:"NEGATIVE" doc:"What the model says; missing when it failed."`
	Confidence float64        `json:"confidence" example:"0.97" doc:"The model's probability of ai_label."`
	Scores     []hitl.Score   `json:"scores" nullable:"false" doc:"The probability of every label, the most likely first."`
	Triggers   []hitl.Trigger `json:"triggers" nullable:"false" example:"[\"low_confidence\"]" doc:"Every reason for a review: low_confidence, sample, always_review, model_error, no_model, truncated, rule:NAME."`
	Review     *review        `json:"review,omitempty" doc:"The latest round; missing when the item was accepted at once."`
	Decision   *decision      `json:"decision,omitempty" doc:"Missing while open, and when accepted at once."`
	Notes      []note         `json:"notes,omitempty" doc:"What people wrote in the thread of the review's card, the oldest first."`
	Model      string         `json:"model" doc:"Version of the model that answered."`
	Policy     string         `json:"policy" doc:"Version of the policy that routed."`
	Threshold  float64        `json:"threshold" example:"0.85" doc:"What the confidence was compared with."`
	Truncated  bool           `json:"truncated,omitempty" doc:"The text was longer than the model reads."`
	ReceivedAt time.Time      `json:"received_at"`
	DecidedAt  *time.Time     `json:"decided_at,omitempty" doc:"When the item got its answer; missing while open."`
	ErasedAt   *time.Time     `json:"erased_at,omitempty" doc:"When text, metadata, subject, comments and notes were erased; missing while they are kept."`
}

// review is a wait for a person.
type review struct {
	ID        string           `json:"id"`
	Round     int              `json:"round"`
	Queue     string           `json:"queue"`
	Priority  hitl.Priority    `json:"priority" enum:"urgent,normal,sample"`
	State     hitl.ReviewState `json:"state" enum:"open,decided,expired,cancelled"`
	OpenedAt  time.Time        `json:"opened_at"`
	ExpiresAt *time.Time       `json:"expires_at,omitempty"`
	Panel     int              `json:"panel,omitempty" example:"3" doc:"How many independent verdicts the review takes; missing where one decides."`
	Verdicts  []verdict        `json:"verdicts,omitempty" doc:"What each reviewer of the panel said, once there is a decision; not before, so that verdicts stay independent."`
}

// verdict is what one reviewer of a panel said.
type verdict struct {
	Reviewer string    `json:"reviewer" example:"T0HELP/U0ALICE" doc:"Slack team and user."`
	Label    string    `json:"label" example:"NEGATIVE"`
	Reason   string    `json:"reason,omitempty"`
	Comment  string    `json:"comment,omitempty"`
	At       time.Time `json:"at"`
}

// decision is the final answer of a review round.
type decision struct {
	Status   hitl.Status `json:"status" enum:"HUMAN_ACCEPTED,HUMAN_CORRECTED,EXPIRED,CANCELLED"`
	Label    string      `json:"label,omitempty"`
	Reviewer string      `json:"reviewer" example:"T0HELP/U0ALICE" doc:"Slack team and user; panel for what the majority of several said; or system."`
	Reason   string      `json:"reason,omitempty"`
	Comment  string      `json:"comment,omitempty"`
	Round    int         `json:"round"`
	At       time.Time   `json:"at"`
}

// note is what a person wrote in the thread of a review's card.
type note struct {
	Author string    `json:"author" example:"T0HELP/U0ALICE" doc:"Slack team and user."`
	At     time.Time `json:"at"`
	Text   string    `json:"text" example:"The same customer wrote yesterday." doc:"As Slack writes it: mentions and links are in angle brackets."`
}

func view(r hitl.Record) item {
	v := item{
		ID: r.Item.ID, ExternalID: r.Item.ExternalID, Source: r.Item.Source, Status: r.Status(), Label: r.Label(),
		AILabel: r.Prediction.Label, Confidence: r.Prediction.Confidence, Scores: r.Prediction.Scores, Triggers: r.Route.Triggers,
		Model: r.Prediction.Model, Policy: r.Route.Policy, Threshold: r.Route.Threshold, Truncated: r.Prediction.Truncated,
		ReceivedAt: r.Item.ReceivedAt.UTC(), DecidedAt: timeOrNil(r.DecidedAt()), ErasedAt: timeOrNil(r.Item.ErasedAt),
	}
	if v.Scores == nil {
		v.Scores = []hitl.Score{}
	}
	if v.Triggers == nil {
		v.Triggers = []hitl.Trigger{}
	}
	if rev := r.Review; rev != nil {
		v.Review = &review{
			ID: rev.ID, Round: rev.Round, Queue: rev.Queue, Priority: rev.Priority, State: rev.State,
			OpenedAt: rev.OpenedAt.UTC(), ExpiresAt: timeOrNil(rev.ExpiresAt),
		}
	}
	if rev := r.Review; rev != nil && rev.Panel > 1 {
		v.Review.Panel = rev.Panel
	}
	for _, n := range r.Notes {
		v.Notes = append(v.Notes, note{n.Author.String(), n.At.UTC(), n.Text})
	}
	if d := r.Decision; d != nil {
		for _, voice := range r.Voices {
			v.Review.Verdicts = append(v.Review.Verdicts, verdict{
				Reviewer: voice.Reviewer.String(), Label: voice.Label, Reason: voice.Reason, Comment: voice.Comment, At: voice.At.UTC(),
			})
		}
		v.Decision = &decision{
			Status: d.Status, Label: d.Label, Reviewer: d.Reviewer.String(), Reason: d.Reason, Comment: d.Comment, Round: d.Round,
			At: d.At.UTC(),
		}
	}
	return v
}

// submitStatus is the status that answers a submission: by the item's route, so that a replay is answered as the first time.
func submitStatus(r hitl.Record) int {
	if r.Route.Status == hitl.AIAccepted {
		return http.StatusOK
	}
	return http.StatusAccepted
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
