package main

import (
	"strings"
	"testing"

	"hitl/bot/slacksim"
)

// Chloe sends a message of Ben's to the desk out of its menu; it becomes an item whose card leads back to it, and Ben is told so when he tries.
func TestSendMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Shortcut = "desk" })
	ts, err := w.sim.Post("U0BEN", "C0REVIEW", unsureText, "")
	if err != nil {
		t.Fatal(err)
	}
	send := func(user, words string) {
		t.Helper()
		out, err := w.sim.Shortcut(t.Context(), slacksim.UseShortcut{User: user, CallbackID: "hitl_send", Channel: "C0REVIEW", TS: ts})
		if err != nil || out.Error != "" {
			t.Fatalf("shortcut: %+v, %v", out, err)
		}
		w.modal(user, func(v slacksim.View) bool { return strings.Contains(v.AllText(), unsureText) })
		if out, err := w.sim.SubmitView(t.Context(), slacksim.Submit{User: user}); err != nil || out.Error != "" || len(out.Errors) > 0 {
			t.Fatalf("submit: %+v, %v", out, err)
		}
		w.modal(user, func(v slacksim.View) bool { return strings.Contains(v.AllText(), words) })
	}
	send("U0CHLOE", "A review is open in `support`")
	var card slacksim.Message
	w.eventually("card", func() bool {
		for _, m := range w.sim.Messages("C0REVIEW") {
			if m.User == "U0HITL" && strings.Contains(m.AllText(), "Open the message") {
				card = m
				return true
			}
		}
		return false
	})
	if !strings.Contains(card.AllText(), "slack:T0SLACKSIM/C0REVIEW/"+ts) {
		t.Errorf("card: %s", card.AllText())
	}
	send("U0BEN", "was sent before")
}
