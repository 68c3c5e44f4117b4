package policy

import (
	"slices"
	"testing"
	"time"

	"hitl"
)

var key = []byte("a key for the tests")

// shop is a policy with one of everything.
func shop() Spec {
	return Spec{
		Name:            "shop",
		LabelThresholds: map[string]float64{"NEGATIVE": 0.7, "POSITIVE": 0.95},
		AlwaysReview:    []string{"THREAT"},
		Rules: []Rule{
			{Name: "refund", When: `item.text.lowerAscii().contains("refund")`, Queue: "billing", Description: "Money is at stake"},
			{Name: "big-order", When: `item.metadata.total > 100`, Queue: "care", Priority: hitl.PriorityUrgent},
			{Name: "torn", When: `prediction.scores["NEGATIVE"] > 0.3`, Priority: hitl.PrioritySample},
		},
		Sample: Sample{Rate: 0.25, Key: slices.Clone(key), Queue: "quality"},
		Queue:  "default",
	}
}

func mustNew(tb testing.TB, s Spec) *Policy {
	tb.Helper()
	p, err := New(s)
	if err != nil {
		tb.Fatalf("New: %v", err)
	}
	return p
}

// withRule is a policy of one rule.
func withRule(tb testing.TB, when string) *Policy {
	tb.Helper()
	return mustNew(tb, Spec{Name: "p", Queue: "default", Rules: []Rule{{Name: "r", When: when}}})
}

// dull is an item that no rule of shop stops, and that is not sampled.
func dull() hitl.Item {
	return hitl.Item{
		ID: "itm_1", Source: "orders", ExternalID: "7", Text: "Nice lamp", Metadata: map[string]any{"total": 20.0},
		ReceivedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
}

func says(label string, confidence float64) hitl.Prediction {
	return hitl.Prediction{
		Label: label, Confidence: confidence, Model: "m1", Tokens: 4,
		Scores: []hitl.Score{{Label: label, Probability: confidence}, {Label: "NEGATIVE", Probability: 1 - confidence}},
	}
}
