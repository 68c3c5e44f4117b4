package main

import (
	"fmt"
	"sync/atomic"
	"time"

	"hitl"
)

// recorded counts the records that were made, so that each text is another.
var recorded atomic.Int64

// newRecord is an item as intake records it: accepted, or, with review, waiting for people.
func newRecord(review bool) hitl.Record {
	now := time.Now().UTC().Truncate(time.Microsecond)
	id, n := hitl.NewID("itm", now), recorded.Add(1)
	const hash = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	rec := hitl.Record{
		Item: hitl.Item{
			ID: id, Source: "bench", ExternalID: id, Text: fmt.Sprint("The parcel came late again and nobody answered my calls, order ", n),
			Metadata: map[string]any{"order": n, "channel": "mail"}, ReceivedAt: now,
		},
		Classifier: "bench", Labels: []string{"NEGATIVE", "POSITIVE"},
		Prediction: hitl.Prediction{
			Label: "NEGATIVE", Confidence: 0.9, Scores: []hitl.Score{{Label: "NEGATIVE", Probability: 0.9}, {Label: "POSITIVE", Probability: 0.1}},
			Model: hash, Latency: time.Millisecond, Tokens: 17,
		},
		Route: hitl.Route{Status: hitl.AIAccepted, Policy: hash, Threshold: 0.85, Inclusion: 0.01},
	}
	if review {
		rec.Route.Status, rec.Route.Queue, rec.Route.Triggers = hitl.HumanReview, queueName(0), []hitl.Trigger{hitl.TriggerSample}
		rec.Route.Priority = hitl.PriorityNormal
		rec.Review = &hitl.Review{
			ID: hitl.NewID("rev", now), ItemID: id, Round: 1, State: hitl.ReviewOpen, Queue: queueName(0), Priority: hitl.PriorityNormal, OpenedAt: now, Panel: 1,
		}
	}
	return rec
}
