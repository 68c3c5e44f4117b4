package main

import (
	"net/http"
	"strings"
	"testing"

	"hitl"
)

// With a blind share of 1 the card shows what the model said only when somebody has decided.
func TestBlindReview(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Queue = "    blind_share: 1" })
	it := w.post("blind-1", unsureText, http.StatusAccepted)
	card := w.card(it)
	if text := card.AllText(); strings.Contains(text, "confidence") || strings.Contains(text, "Accept") || !strings.Contains(text, "not shown before the decision") {
		t.Errorf("card: %s", text)
	}
	if out := w.click("U0ANA", card, it.AILabel); out.Error != "" {
		t.Fatalf("Ana saw %+v", out)
	}
	w.shows(it, "U0ANA", it.AILabel)
	if now := w.get(it.ID); now.Status != hitl.HumanAccepted {
		t.Errorf("API says %+v", now)
	}
}
