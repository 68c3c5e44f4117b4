package hitl

import "time"

// StatsQuery asks for the figures of a period.
type StatsQuery struct {
	Since time.Time
	Until time.Time
	Queue string // only this queue's reviews; empty: all
}

// Stats are the figures of a period. Rates are shares in [0, 1] and 0 where nothing happened.
type Stats struct {
	Since      time.Time `json:"since"`
	Until      time.Time `json:"until"`
	Queue      string    `json:"queue,omitempty"`
	Items      int       `json:"items"`       // received in the period
	AIAccepted int       `json:"ai_accepted"` // of those, accepted at once
	Reviewed   int       `json:"reviewed"`    // of those, sent to a person
	ReviewRate float64   `json:"review_rate"` // Reviewed / Items

	Decisions      int           `json:"decisions"` // accepted + corrected + expired in the period
	Accepted       int           `json:"accepted"`
	Corrected      int           `json:"corrected"`
	Expired        int           `json:"expired"`
	AcceptanceRate float64       `json:"acceptance_rate"` // Accepted / (Accepted + Corrected)
	CorrectionRate float64       `json:"correction_rate"` // Corrected / (Accepted + Corrected)
	MedianToDecide time.Duration `json:"median_to_decide_ns"`
	P95ToDecide    time.Duration `json:"p95_to_decide_ns"`

	Open      int           `json:"open"`      // reviews open now
	OldestAge time.Duration `json:"oldest_ns"` // of the oldest open review now

	Triggers   []TriggerCount  `json:"triggers"`
	ByReviewer []ReviewerStats `json:"by_reviewer"`
	ByLabel    []LabelStats    `json:"by_label"`
	Buckets    []StatsBucket   `json:"buckets"` // at most 20, equal in width but for the last, which may be shorter, oldest first

	// Panels say how far the verdicts of panels that were decided in the period agree, queue by queue; empty without any.
	Panels []Agreement `json:"panels,omitempty"`
}

// TriggerCount says how many items of the period had a trigger.
type TriggerCount struct {
	Trigger Trigger `json:"trigger"`
	Items   int     `json:"items"`
}

// ReviewerStats are one reviewer's decisions in the period.
type ReviewerStats struct {
	Reviewer       Reviewer      `json:"reviewer"`
	Accepted       int           `json:"accepted"`
	Corrected      int           `json:"corrected"`
	MedianToDecide time.Duration `json:"median_to_decide_ns"`
}

// LabelStats are the human decisions of the period by the model's label.
type LabelStats struct {
	AILabel   string `json:"ai_label"`
	Accepted  int    `json:"accepted"`
	Corrected int    `json:"corrected"`
}

// StatsBucket is one slice of the period.
type StatsBucket struct {
	Start      time.Time `json:"start"`
	AIAccepted int       `json:"ai_accepted"`
	Accepted   int       `json:"accepted"`
	Corrected  int       `json:"corrected"`
	Expired    int       `json:"expired"`
	Reviewed   int       `json:"reviewed"` // items sent to a person
}
