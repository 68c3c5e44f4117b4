package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"hitl"
	"hitl/config"
)

// watcher is what watches promises in a service, beside that of a story.
func (w *world) watcher() *trust {
	w.t.Helper()
	cfg, err := config.Load(w.configFile(), os.LookupEnv)
	if err != nil {
		w.t.Fatal(err)
	}
	policies, err := buildPolicies(cfg, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	t := newTrust(cfg, w.ledger(), slog.New(slog.DiscardHandler), policies, nil, nil)
	if err := t.refresh(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return t
}

// checked answers n items that a policy's version accepted and chance gave to a person; the first of them were wrong.
func (w *world) checked(t *trust, version string, n, wrong int) {
	w.t.Helper()
	models, err := t.store.Models(w.t.Context())
	if err != nil || len(models) != 1 {
		w.t.Fatalf("models: %+v, %v", models, err)
	}
	at := time.Now().UTC().Truncate(time.Microsecond)
	for i := range n {
		id := hitl.NewID("itm", at)
		rec := hitl.Record{
			Item:       hitl.Item{ID: id, Source: "shop", ExternalID: id, Text: "checked", ReceivedAt: at},
			Classifier: "sentiment", Labels: []string{"NEGATIVE", "POSITIVE"},
			Prediction: hitl.Prediction{Label: "POSITIVE", Confidence: 0.9, Model: models[0].Version, Scores: []hitl.Score{{Label: "POSITIVE", Probability: 0.9}, {Label: "NEGATIVE", Probability: 0.1}}},
			Route: hitl.Route{
				Status: hitl.HumanReview, Triggers: []hitl.Trigger{hitl.TriggerSample}, Queue: "support", Priority: hitl.PrioritySample, Policy: version, Threshold: 0.5, Inclusion: 0.2,
			},
			Review: &hitl.Review{ID: hitl.NewID("rev", at), ItemID: id, Round: 1, State: hitl.ReviewOpen, Queue: "support", Priority: hitl.PrioritySample, OpenedAt: at, Panel: 1},
		}
		if _, _, err := t.store.Append(w.t.Context(), rec, nil); err != nil {
			w.t.Fatal(err)
		}
		d := hitl.Decision{ReviewID: rec.Review.ID, Round: 1, Status: hitl.HumanAccepted, Label: "POSITIVE", Reviewer: hitl.Reviewer{Team: "T0SLACKSIM", User: "U0ANA"}, At: at}
		if i < wrong {
			d.Status, d.Label = hitl.HumanCorrected, "NEGATIVE"
		}
		if _, _, err := t.store.Decide(w.t.Context(), d, nil); err != nil {
			w.t.Fatal(err)
		}
	}
}

// A promise that what reviewers say contradicts is told to the owners once, however many replicas watch; where the configuration wants it, stricter thresholds
// hold again, and the metrics tell.
func TestPromiseBroken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Rate = 0.2; s.Queue = "    owners: {users: [U0ANA]}" })
	w.stop()
	raw, err := os.ReadFile(w.configFile())
	if err == nil {
		err = os.WriteFile(w.configFile(), []byte(strings.Replace(string(raw), "    queue: support\n    rules:", "    queue: support\n    guarantee: {when_broken: restore}\n    rules:", 1)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.start()
	watch := w.watcher()
	configured := watch.configured["sentiment"]
	for _, threshold := range []float64{0.7, 0.5} { // 0.7 was accepted before, and is stricter
		p, err := newProposal(hitl.ProposeThresholds, "sentiment", hitl.ThresholdChange{
			Thresholds: hitl.Thresholds{Threshold: threshold}, From: configured.Thresholds(), Policy: configured.Version(), Classifier: "sentiment", Risk: "0.02", Confidence: "0.95",
		}, hitl.ThresholdEvidence{}, "cli/ana")
		if err != nil {
			t.Fatal(err)
		}
		if err := watch.store.Propose(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		w.mustHitl("proposals", "accept", p.ID)
	}
	if err := watch.refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	version := watch.policies["sentiment"].Version()
	w.checked(watch, version, 60, 1)
	if err := watch.watch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if k := watch.promises()["sentiment"]; k.answered != 60 || k.wrong != 1 || k.broken() {
		t.Errorf("one of sixty: %+v", k)
	}
	w.checked(watch, version, 60, 20)
	for range 2 {
		if err := watch.watch(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.eventually("the owners are told", func() bool { return strings.Contains(w.screen(), "A promise is broken: sentiment") })
	told := 0
	for _, m := range w.sim.Messages(reviewChannel) {
		if strings.Contains(m.Text, "Of 120 accepted items that people have checked since, 21 were wrong") {
			told++
		}
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
	if err := watch.refresh(t.Context()); err != nil || watch.policies["sentiment"].Now().Thresholds().Threshold < 0.7 {
		t.Errorf("restored: %+v, %v", watch.policies["sentiment"].Now().Thresholds(), err)
	}
	w.eventually("the service has stricter thresholds", func() bool {
		var it item
		w.request(http.MethodPost, "/v1/items", map[string]any{"id": fmt.Sprint("then-", time.Now().UnixNano()), "text": unsureText}, &it)
		return it.Status == hitl.HumanReview
	})
	if out := w.mustHitl("proposals", "list", "--json", "sentiment"); strings.Count(out, `"prp_restore_`) != 1 {
		t.Error(out)
	}
}

// What the configuration wants advised from time to time is proposed once, when there is something new to say.
func TestAdviseDue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Rate = 0.2; s.Queue = "    owners: {users: [U0ANA]}" })
	w.stop()
	raw, err := os.ReadFile(w.configFile())
	if err == nil {
		changed := strings.Replace(string(raw), "    queue: support\n    rules:", "    queue: support\n    guarantee: {risk: 0.05, confidence: 0.9, advise_every: 7d}\n    rules:", 1)
		changed = strings.Replace(changed, "timeout: 30s,", "timeout: 30s, calibrate_every: 7d,", 1)
		err = os.WriteFile(w.configFile(), []byte(changed), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.start()
	watch := w.watcher()
	s := &service{cfg: watch.cfg, store: watch.store, logger: slog.New(slog.DiscardHandler)}
	if err := s.adviseDue(t.Context()); err != nil { // of nothing
		t.Fatal(err)
	}
	w.history(watch.store, 1500, func(c float64) float64 { return min(1, 0.8+0.25*(c-0.5)/0.5) })
	for range 2 {
		if err := s.adviseDue(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var list []hitl.Proposal
	if err := json.Unmarshal([]byte(w.mustHitl("proposals", "list", "--json")), &list); err != nil {
		t.Fatal(err)
	}
	kinds := map[hitl.ProposalKind]int{}
	for _, p := range list {
		kinds[p.Kind]++
		if p.MadeBy != "system" || p.State != hitl.ProposalOpen || p.Queue != "support" {
			t.Errorf("%+v", p)
		}
	}
	if kinds[hitl.ProposeThresholds] != 1 || kinds[hitl.ProposeCalibration] > 1 {
		t.Errorf("proposed: %v", kinds)
	}
	w.eventually("it is posted", func() bool { return strings.Contains(w.screen(), "Proposal: other thresholds for sentiment") })
}
