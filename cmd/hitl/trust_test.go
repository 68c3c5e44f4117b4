package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"hitl"
	"hitl/audit"
)

// ledger opens the store of a story beside its service.
func (w *world) ledger() *audit.Store {
	w.t.Helper()
	dsn, err := withUser(w.owner, "hitl_service", "service")
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := audit.Open(w.t.Context(), audit.Config{DSN: dsn, MaxConns: 2})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(s.Close)
	return s
}

// An owner accepts other thresholds in Slack: the running service routes by them, says so, and goes on when it starts anew; taken back, what is
// configured holds again. Every item names the version that it was routed by, and the log is whole.
func TestAcceptedThresholds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Queue = "    owners: {users: [U0ANA]}" })
	keys := strings.Fields(w.mustHitl("log", "key", "log.example.org"))
	w.appendConfig("audit: {key: \"" + keys[0] + "\", checkpoint_every: 1s}\n")
	store := w.ledger()
	before := w.post("before", unsureText, http.StatusAccepted)
	models, err := store.Models(t.Context())
	if err != nil || len(models) != 1 {
		t.Fatalf("models: %+v, %v", models, err)
	}
	change := hitl.ThresholdChange{
		Thresholds: hitl.Thresholds{Threshold: 0.5}, From: hitl.Thresholds{Threshold: 0.85}, Policy: w.get(before.ID).Policy, Classifier: "sentiment",
		Model: models[0].Version, Risk: "0.1", Confidence: "0.95",
	}
	p, err := newProposal(hitl.ProposeThresholds, "sentiment", change, hitl.ThresholdEvidence{Items: 10, Sampled: 5, LoadBefore: 0.5}, "cli/ana")
	if err != nil {
		t.Fatal(err)
	}
	p.Queue = "support"
	if err := store.Propose(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	var ts string
	w.eventually("the proposal is posted", func() bool {
		for _, m := range w.sim.Messages(reviewChannel) {
			if strings.Contains(m.Text, "Proposal: other thresholds for sentiment") {
				ts = m.TS
				w.click("U0BEN", m, "Accept")
				return true
			}
		}
		return false
	})
	w.told("U0BEN", "Only the owners")
	for _, m := range w.sim.Messages(reviewChannel) {
		if m.TS == ts {
			w.click("U0ANA", m, "Accept")
		}
	}
	n := 0
	accepted := func() bool {
		n++
		var it item
		w.request(http.MethodPost, "/v1/items", map[string]any{"id": fmt.Sprint("now-", n), "text": unsureText}, &it)
		return it.Status == hitl.AIAccepted && it.Policy != before.Policy
	}
	w.eventually("the service accepts what it was unsure of", accepted)
	w.asks("U0CHLOE", "policy shop")
	w.told("U0CHLOE", "accepted by <@U0ANA>")
	w.told("U0CHLOE", "at most 10% wrong answers")
	if out := w.mustHitl("policy", "history"); strings.Count(out, "sha256:") != 2 {
		t.Errorf("history: %s", out)
	}
	w.stop()
	w.start()
	if !accepted() { // from the first item on
		t.Error("what was accepted does not hold after a new start")
	}

	if out := w.mustHitl("proposals", "list", "sentiment"); !strings.Contains(out, "accepted") || !strings.Contains(out, "T0SLACKSIM/U0ANA") {
		t.Errorf("list: %s", out)
	}
	if _, err := w.hitl("proposals", "decline", p.ID); err == nil || !strings.Contains(err.Error(), "is accepted already, by T0SLACKSIM/U0ANA") {
		t.Errorf("declined after it was accepted: %v", err)
	}
	w.mustHitl("proposals", "revert", "sentiment", "--by", "cli/ben")
	w.eventually("the configured threshold holds", func() bool { return !accepted() })
	if _, err := w.hitl("proposals", "revert", "sentiment"); err == nil {
		t.Error("taken back twice")
	}
	if out := w.mustHitl("verify"); !strings.Contains(out, "nothing was altered") {
		t.Errorf("verify: %s", out)
	}
}

// What was concluded of another model, or under other rules, lets nothing through that the configuration would not.
func TestThresholdsOfAnotherModel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	store := w.ledger()
	for _, c := range []struct {
		threshold float64
		want      hitl.Status
	}{{0.5, hitl.HumanReview}, {hitl.NoConfidence, hitl.HumanReview}} {
		p, err := newProposal(hitl.ProposeThresholds, "sentiment", hitl.ThresholdChange{
			Thresholds: hitl.Thresholds{Threshold: c.threshold}, From: hitl.Thresholds{Threshold: 0.85}, Policy: "sha256:other", Classifier: "sentiment", Model: "sha256:other",
		}, hitl.ThresholdEvidence{}, "cli/ana")
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Propose(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		w.mustHitl("proposals", "accept", p.ID)
	}
	w.eventually("nothing is sure any more", func() bool {
		var it item
		w.request(http.MethodPost, "/v1/items", map[string]any{"id": fmt.Sprint("sure-", time.Now().UnixNano()), "text": sureText}, &it)
		return it.Status == hitl.HumanReview
	})
}
