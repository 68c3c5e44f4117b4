package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"hitl/bot/slacksim"
)

// orderTexts are texts that the starter model is more or less sure of.
var orderTexts = []string{
	"Good screen, bad battery.", "The food was fine, the service slow.", "I do not know what to think of it.", "It is okay I guess.",
	"Not what I wanted, yet it does its job.", "Could be better, could be worse.", unsureText, "The staff were kind but the room was cold.",
	"It works, mostly.", "Nice colour, poor quality.", "I liked the first half only.", "Cheap, and it shows, but useful.",
}

// A channel with room for one card: each time it is free, an urgent review gets it first, then whichever comes first of those that wait, by what the model
// is least sure of or, if it is of the uniform part, by age. No card is posted twice.
func TestOrderStory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) {
		s.OpenLimit, s.Queue = 1, "    order: margin\n    order_uniform: 0.2"
	})
	type waiting struct {
		item
		teaches float64 // below 0: by age
	}
	first := w.post("first", unsureText, http.StatusAccepted)
	open := w.card(first)
	var backlog []waiting
	for i, text := range orderTexts {
		var it item
		w.request(http.MethodPost, "/v1/items", map[string]any{"id": fmt.Sprint("o", i), "text": text}, &it)
		if it.Review == nil {
			continue // the model is sure of it
		}
		context := w.log(it.ID)[0].Context
		if context["order"] != "margin" || context["order_uniform"] != 0.2 || context["inclusion"] != 1.0 {
			t.Fatalf("%s: the log says %v", text, context)
		}
		b := waiting{it, -1}
		if teaches, ok := context["teaches"].(float64); ok {
			b.teaches = teaches
		}
		backlog = append(backlog, b)
	}
	if len(backlog) < 5 {
		t.Fatalf("only %d texts are unsure", len(backlog))
	}
	urgent := w.post("urgent", "Where is my refund? I expected more.", http.StatusAccepted)
	decide := func(m slacksim.Message) {
		t.Helper()
		if out := w.click("U0ANA", m, "Accept"); out.Error != "" {
			t.Fatalf("Ana saw %+v", out)
		}
	}
	decide(open)
	decide(w.card(urgent))
	for len(backlog) > 0 {
		var next int
		w.eventually("one more card", func() bool {
			next = slices.IndexFunc(backlog, func(b waiting) bool { return w.cardNow(b.item).TS != "" })
			return next >= 0
		})
		got := backlog[next]
		for _, b := range backlog {
			sooner := b.teaches > got.teaches || b.teaches == got.teaches && b.Review.ID < got.Review.ID
			if (b.teaches < 0) == (got.teaches < 0) && sooner {
				t.Errorf("%s (%.4f) got a card before %s (%.4f)", got.ExternalID, got.teaches, b.ExternalID, b.teaches)
			}
		}
		backlog = slices.Delete(backlog, next, next+1)
		decide(w.card(got.item))
	}
	seen := map[string]int{}
	for _, m := range w.sim.Messages(reviewChannel) {
		if m.Metadata != nil {
			seen[fmt.Sprint(m.Metadata.EventPayload["review"])]++
		}
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("review %s has %d cards", id, n)
		}
	}
	if out := w.mustHitl("config", "check"); strings.Contains(out, "warning") {
		t.Errorf("nothing expires, and yet: %s", out)
	}
}
