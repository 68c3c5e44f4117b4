package bot

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hitl"
)

// blind makes a record one whose reviewers are not shown what the model said, for every reason that could tell it.
func blind(r *hitl.Record) {
	r.Review.Blind = true
	r.Route.Triggers = []hitl.Trigger{hitl.TriggerLowConfidence, hitl.TriggerAlwaysReview, hitl.RuleTrigger("sure-of-negative")}
}

// Before the decision nothing that Slack gets depends on what the model said: whatever it is, card, plain card and forms are the same to the byte.
func TestBlindTellsNothing(t *testing.T) {
	t.Parallel()
	states := map[string]func(*hitl.Record){
		"open":       func(*hitl.Record) {},
		"round 2":    func(r *hitl.Record) { r.Review.Round = 2 },
		"long":       func(r *hitl.Record) { r.Item.Text = hostile + hostile },
		"no labels":  func(r *hitl.Record) { r.Labels = nil },
		"panel":      func(r *hitl.Record) { r.Review.Panel = 3 },
		"tied panel": func(r *hitl.Record) { r.Review.Panel, r.Voices = 2, voices("POSITIVE", "NEGATIVE") },
		"expired":    func(r *hitl.Record) { r.Review.State = hitl.ReviewExpired },
	}
	for _, l := range every(t).all {
		for name, state := range states {
			shown := func(label string, confidence float64) string {
				s := asIs("rev_1", func(r *hitl.Record) {
					r.Prediction.Label, r.Prediction.Confidence = label, confidence
					r.Prediction.Scores = []hitl.Score{{Label: label, Probability: confidence}}
				}, blind, state)
				b, err := json.Marshal([]any{
					card(l, s), plainCard(l, s), correctModal(l, s, form{reasons: []string{"Sarcasm"}}, viewData{}), voteModal(l, s, form{}, viewData{}), detailsModal(l, details{screened: s, rules: map[string]string{"refunds": "why"}}),
				})
				if err != nil {
					t.Fatal(err)
				}
				return string(b)
			}
			want := shown("POSITIVE", 0.51)
			for label, confidence := range map[string]float64{"NEGATIVE": 0.1234, "POSITIVE": 0.987} {
				if diff := cmp.Diff(want, shown(label, confidence)); diff != "" {
					t.Errorf("%s: %s differs: %s", name, fmt.Sprint(label, confidence), diff)
				}
			}
		}
	}
}

// A click on the model's label accepts, though nobody was told that it is the model's.
func TestBlindClickAccepts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec, m := w.posted(blind)
	for i, label := range rec.Labels {
		if label == rec.Prediction.Label {
			w.click(ana, m, fmt.Sprint(actionLabel, i))
		}
	}
	if d, ok := w.store.decision(rec.Review.ID); !ok || d.Status != hitl.HumanAccepted || d.Label != rec.Prediction.Label {
		t.Errorf("decided: %v, %+v", ok, d)
	}
	w.clean()
}
