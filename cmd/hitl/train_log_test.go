package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hitl"
	"hitl/classifier/learn"
)

// What reviewers decided becomes a model that knows their labels, and is held against what the present one said.
func TestTrainFromDecisions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	if _, err := w.hitl("train", "--classifier", "sentiment", "--out", filepath.Join(w.dir, "none")); err == nil || !strings.Contains(err.Error(), "nobody has decided") {
		t.Errorf("without decisions: %v", err)
	}
	store := w.ledger()
	examples, err := exampleFile(tickets).examples(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().UTC().Truncate(time.Microsecond).Add(-time.Hour)
	held := 0
	for i, e := range examples {
		id := hitl.NewID("itm", at)
		if learn.HeldOut(id) {
			held++
		}
		rec := hitl.Record{
			Item:       hitl.Item{ID: id, Source: "shop", ExternalID: fmt.Sprint("t-", i), Text: e.Text, ReceivedAt: at},
			Classifier: "sentiment", Labels: []string{"NEGATIVE", "POSITIVE"},
			Prediction: hitl.Prediction{Label: "NEGATIVE", Confidence: 0.6, Model: "m", Scores: []hitl.Score{{Label: "NEGATIVE", Probability: 0.6}, {Label: "POSITIVE", Probability: 0.4}}},
			Route:      hitl.Route{Status: hitl.HumanReview, Triggers: []hitl.Trigger{hitl.TriggerLowConfidence}, Queue: "support", Priority: hitl.PriorityNormal, Policy: "p", Threshold: 0.85, Inclusion: 1},
			Review:     &hitl.Review{ID: hitl.NewID("rev", at), ItemID: id, Round: 1, State: hitl.ReviewOpen, Queue: "support", Priority: hitl.PriorityNormal, OpenedAt: at, Panel: 1},
		}
		if _, _, err := store.Append(t.Context(), rec, nil); err != nil {
			t.Fatal(err)
		}
		d := hitl.Decision{ReviewID: rec.Review.ID, Round: 1, Status: hitl.HumanCorrected, Label: e.Label, Reviewer: hitl.Reviewer{Team: "T0SLACKSIM", User: "U0ANA"}, At: at}
		if _, _, err := store.Decide(t.Context(), d, nil); err != nil {
			t.Fatal(err)
		}
	}
	var card modelCard
	folder := filepath.Join(w.dir, "model")
	if err := json.Unmarshal([]byte(w.mustHitl("train", "--classifier", "sentiment", "--out", folder, "--json")), &card); err != nil {
		t.Fatal(err)
	}
	if len(card.Labels) != 4 || card.Validated.Items != len(examples)-held || !strings.Contains(card.Source, "classifier sentiment since") || card.From == nil {
		t.Errorf("%+v", card)
	}
	c := card.Comparison
	if c == nil || c.Items != held || c.Incumbent != 0 || c.OnlyCandidate == 0 || held > 8 && c.Verdict != learn.Better {
		t.Errorf("of %d held out: %+v", held, c)
	}
	if out := w.mustHitl("classify", "--model", folder, "The parcel never came."); !strings.Contains(out, "delivery") {
		t.Error(out)
	}
}
