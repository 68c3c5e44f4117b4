package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"hitl"
	"hitl/audit"
	"hitl/classifier/learn"
)

// history writes n items of the service's own model, and what reviewers decided of those that a policy with a threshold of 0.85 and a sample of a fifth sends them.
// The model is right more often the surer it is, but not as often as it says.
func (w *world) history(store *audit.Store, n int, right func(confidence float64) float64) {
	w.t.Helper()
	first := w.post("first", unsureText, 202)
	models, err := store.Models(w.t.Context())
	if err != nil || len(models) != 1 {
		w.t.Fatalf("models: %+v, %v", models, err)
	}
	chance := rand.New(rand.NewPCG(1, 2))
	at := time.Now().UTC().Truncate(time.Microsecond).Add(-time.Hour)
	for i := range n {
		c := 0.5 + 0.5*chance.Float64()
		sure, sampled := c >= 0.85, chance.Float64() < 0.2
		labels := []string{"POSITIVE", "NEGATIVE"}
		if chance.IntN(2) == 0 {
			labels = []string{"NEGATIVE", "POSITIVE"}
		}
		rec := hitl.Record{
			Item:       hitl.Item{ID: hitl.NewID("itm", at), Source: "shop", ExternalID: fmt.Sprint("past-", i), Text: "past", ReceivedAt: at.Add(time.Duration(i) * time.Millisecond)},
			Classifier: "sentiment", Labels: models[0].Labels,
			Prediction: hitl.Prediction{
				Label: labels[0], Confidence: c, Model: models[0].Version,
				Scores: []hitl.Score{{Label: labels[0], Probability: c}, {Label: labels[1], Probability: 1 - c}},
			},
			Route: hitl.Route{Status: hitl.AIAccepted, Policy: first.Policy, Threshold: 0.85, Inclusion: 0.2},
		}
		if !sure || sampled {
			rec.Route.Status, rec.Route.Queue, rec.Route.Priority, rec.Route.Triggers = hitl.HumanReview, "support", hitl.PrioritySample, []hitl.Trigger{hitl.TriggerSample}
			if !sure {
				rec.Route.Inclusion, rec.Route.Triggers = 1, []hitl.Trigger{hitl.TriggerLowConfidence}
			}
			rec.Review = &hitl.Review{ID: hitl.NewID("rev", at), ItemID: rec.Item.ID, Round: 1, State: hitl.ReviewOpen, Queue: "support", Priority: rec.Route.Priority, OpenedAt: at, Panel: 1}
		}
		if _, _, err := store.Append(w.t.Context(), rec, nil); err != nil {
			w.t.Fatal(err)
		}
		if rec.Review == nil {
			continue
		}
		d := hitl.Decision{ReviewID: rec.Review.ID, Round: 1, Status: hitl.HumanAccepted, Label: labels[0], Reviewer: hitl.Reviewer{Team: "T0SLACKSIM", User: "U0ANA"}, At: rec.Item.ReceivedAt}
		if chance.Float64() >= right(c) {
			d.Status, d.Label = hitl.HumanCorrected, labels[1]
		}
		if _, _, err := store.Decide(w.t.Context(), d, nil); err != nil {
			w.t.Fatal(err)
		}
	}
}

// What reviewers decided becomes thresholds with a promise: too few answers say what is missing, enough give a threshold that is put in force; and what
// would have gone the other way is told.
func TestAdvise(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Rate = 0.2; s.Queue = "    owners: {users: [U0ANA]}" })
	store := w.ledger()
	w.history(store, 2500, func(c float64) float64 { return min(1, 0.75+0.3*(c-0.5)/0.5) })

	var r struct {
		Advised  hitl.Thresholds
		Promises []learn.Promise
		Evidence hitl.ThresholdEvidence
		Costs    []costPoint
		Replay   *learn.Replayed
		Proposal string
	}
	ask := func(args ...string) {
		t.Helper()
		r.Proposal, r.Replay = "", nil
		if err := json.Unmarshal([]byte(w.mustHitl(append([]string{"advise", "--json"}, args...)...)), &r); err != nil {
			t.Fatal(err)
		}
	}
	ask("--risk", "0.05", "--confidence", "0.9")
	p := r.Promises[0]
	if !p.Found || p.Threshold <= 0.7 || p.Threshold >= 0.97 || p.Upper > 0.05 || p.Rate != 0.2 || r.Evidence.Items < 2500 {
		t.Errorf("promise: %+v of %d items", p, r.Evidence.Items)
	}
	if e := r.Evidence; len(e.Curve) < 10 || len(r.Costs) != len(e.Curve) || e.LoadAfter <= 0 || e.LoadAfter >= 1 {
		t.Errorf("evidence: %+v", e)
	}
	if out := w.mustHitl("advise", "--risk", "0.05", "--confidence", "0.9"); !strings.Contains(out, "at most 0.05 of what is accepted is wrong, with 0.9 confidence") ||
		!strings.Contains(out, "Nothing was changed") {
		t.Error(out)
	}
	if _, err := w.hitl("advise", "--risk", "0.0001", "--propose"); err == nil || !strings.Contains(err.Error(), "it takes about") {
		t.Errorf("a promise that cannot be made: %v", err)
	}
	if out := w.mustHitl("advise", "--risk", "0.004", "--within", "30d"); !strings.Contains(out, "reviews above") || !strings.Contains(out, "within 30d0h") {
		t.Errorf("a plan: %s", out)
	}
	ask("--replay", "--threshold", "0.6")
	if r.Replay == nil || r.Replay.Accepted.Wrong == 0 || r.Replay.Accepted.Right <= r.Replay.Accepted.Wrong || len(r.Replay.Reviewed.IDs) != 0 {
		t.Errorf("replay: %+v", r.Replay)
	}

	ask("--risk", "0.05", "--confidence", "0.9", "--per-label", "--accept")
	if len(r.Promises) != 2 || r.Advised.Threshold != hitl.NoConfidence || r.Proposal == "" {
		t.Errorf("per label: %+v", r)
	}
	w.eventually("the service routes by them", func() bool {
		out := w.mustHitl("policy", "history", "--text")
		return strings.Contains(out, fmt.Sprintf(`"POSITIVE": %v`, r.Advised.Labels["POSITIVE"]))
	})
}

// A calibration is fitted to what reviewers decided, judged on what it has not seen, and in force once it is accepted: predictions name it, scores stay.
func TestCalibrate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Rate = 0.2; s.Queue = "    owners: {users: [U0ANA]}" })
	store := w.ledger()
	if _, err := w.hitl("calibrate"); err == nil || !strings.Contains(err.Error(), "no items since") {
		t.Errorf("without items: %v", err)
	}
	before := w.post("before", unsureText, 202)
	w.history(store, 1200, func(c float64) float64 { return 0.5 + (c-0.5)/3 }) // far too sure
	out := w.mustHitl("calibrate", "--isotonic-from", "100000")
	for _, want := range []string{"temperature ", "That is more than chance", "Nothing was changed", "% right ("} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	if out := w.mustHitl("calibrate", "--isotonic-from", "100"); !strings.Contains(out, "isotonic regression with") {
		t.Error(out)
	}
	var r calibrateReport
	if err := json.Unmarshal([]byte(w.mustHitl("calibrate", "--isotonic-from", "100000", "--accept", "--json")), &r); err != nil || !r.Accepted || !r.Better {
		t.Fatalf("%+v, %v", r, err)
	}
	n := 0
	var now item
	w.eventually("predictions are calibrated", func() bool {
		n++
		now = w.post(fmt.Sprint("after-", n), unsureText, 202)
		return now.Confidence < before.Confidence-0.001
	})
	got := labelledOf(t, store)[now.ID]
	if got.Calibration != r.Version || got.Confidence != r.Calibration.Apply(got.Scores) || got.Scores[0].Probability != before.Confidence {
		t.Errorf("%+v, before %v", got, before.Confidence)
	}
	if _, err := w.hitl("calibrate", "--isotonic-from", "100000", "--accept"); err == nil || !strings.Contains(err.Error(), "not shown to be better") {
		t.Errorf("the same again: %v", err)
	}
	w.mustHitl("calibrate", "--off", "--accept")
	w.eventually("the model's own confidences are back", func() bool {
		n++
		return w.post(fmt.Sprint("after-", n), unsureText, 202).Confidence == before.Confidence
	})
}

func labelledOf(t *testing.T, store *audit.Store) map[string]hitl.Labelled {
	t.Helper()
	out := map[string]hitl.Labelled{}
	if err := store.Labelled(t.Context(), hitl.LabelledQuery{}, func(l hitl.Labelled) error { out[l.ItemID] = l; return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}
