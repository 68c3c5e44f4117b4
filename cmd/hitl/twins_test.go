package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"hitl"
	"hitl/bot/slacksim"
)

// Five posts of the same text, as people type it, make one card; one click answers them all, each for itself.
func TestIdenticalItems(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Merge = true })
	w.appendConfig("audit: {key: \"" + strings.Fields(w.mustHitl("log", "key", "log.example.org"))[0] + "\", checkpoint_every: 1s}\n")
	var items []item
	for i, text := range []string{unsureText, strings.ToUpper(unsureText), "  " + unsureText + "\n", strings.ReplaceAll(unsureText, " ", "\u00a0 "), unsureText + "\u200b"} {
		items = append(items, w.post(fmt.Sprint("same-", i), text, http.StatusAccepted))
	}
	other := w.post("other", "I want a refund.", http.StatusAccepted)
	w.card(other) // which the queue brings after the five
	if n := len(w.sim.Messages(reviewChannel)); n != 2 {
		t.Fatalf("%d cards: %s", n, w.screen())
	}
	card := w.card(items[0])
	w.click("U0ANA", card, "Details")
	w.modal("U0ANA", func(v slacksim.View) bool {
		return strings.Contains(v.AllText(), "+ 4 identical items are decided with this one") && strings.Contains(v.AllText(), "same-4")
	})
	if out := w.click("U0ANA", card, "Accept"); out.Error != "" {
		t.Fatalf("Ana saw %+v", out)
	}
	told := map[string]bool{}
	for i, it := range items {
		got := w.calledBack(it)
		if got.ExternalID != fmt.Sprint("same-", i) || got.ID != it.ID || !got.Status.Final() || got.Label != items[0].AILabel || !strings.HasSuffix(got.Reviewer, "/U0ANA") {
			t.Errorf("upstream was told %+v", got)
		}
		told[got.ID] = true
		entries := w.log(it.ID)
		if len(entries) != 2 || !strings.HasSuffix(entries[1].Reviewer, "/U0ANA") {
			t.Fatalf("entries: %+v", entries)
		}
		where, _ := entries[1].Context["where"].(map[string]any)
		if with := where[hitl.DecidedWith]; (with != nil) != (i > 0) || i > 0 && with != items[0].Review.ID {
			t.Errorf("entry of item %d: %+v", i, entries[1].Context)
		}
	}
	if len(told) != 5 {
		t.Errorf("%d items were told of", len(told))
	}
	w.shows(items[0], "U0ANA")
	if w.get(other.ID).Status.Final() {
		t.Error("another text was decided, too")
	}
	if n := len(w.sim.Messages(reviewChannel)); n != 2 {
		t.Errorf("%d cards: %s", n, w.screen())
	}
	if out := w.mustHitl("verify"); !strings.Contains(out, "nothing was altered") {
		t.Errorf("verify printed %q", out)
	}
	// A later one is not decided by what was said before, and its details say what that was.
	late := w.post("same-5", unsureText, http.StatusAccepted)
	w.click("U0ANA", w.card(late), "Details")
	w.modal("U0ANA", func(v slacksim.View) bool { return strings.Count(v.AllText(), "same text") == 5 })
}

// A sensitive text is nowhere in Slack but in the modal of the reviewer who asked for it.
func TestSensitiveQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Queue = "    sensitive: true\n    distressing: [NEGATIVE]" })
	it := w.post("secret", unsureText, http.StatusAccepted)
	card := w.card(it)
	if out := w.click("U0EVE", card, "Show"); out.Error != "" {
		t.Fatalf("Eve saw %+v", out)
	}
	w.modal("U0EVE", func(v slacksim.View) bool { return strings.Contains(v.AllText(), "members of this workspace") })
	w.click("U0BEN", card, "Other")
	w.modal("U0BEN", func(v slacksim.View) bool { return strings.Contains(v.AllText(), "Content warning") })
	if strings.Contains(w.slackHolds(), unsureText) {
		t.Error("Slack holds the text")
	}
	w.click("U0ANA", card, "Show")
	v := w.modal("U0ANA", func(v slacksim.View) bool { return strings.Contains(v.AllText(), "Content warning") })
	if out, err := w.sim.Click(t.Context(), slacksim.Click{User: "U0ANA", ViewID: v.ID, ActionID: "hitl_show"}); err != nil || out.Error != "" {
		t.Fatalf("Ana saw %+v, %v", out, err)
	}
	w.modal("U0ANA", func(v slacksim.View) bool { return strings.Contains(v.AllText(), unsureText) })
	entries := w.log(it.ID)
	if len(entries) != 2 || entries[1].Status != hitl.Revealed || !strings.HasSuffix(entries[1].Reviewer, "/U0ANA") {
		t.Errorf("entries: %+v", entries)
	}
	if strings.Contains(w.screen(), unsureText) {
		t.Error("the channel shows the text")
	}
}

// A label to warn of that no model has would warn of nothing: the service does not start.
func TestDistressingLabelsAreKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.stop()
	w.settings.Queue = "    distressing: [NEGATIV]"
	w.writeConfig()
	if out, err := w.hitl("serve"); err == nil || !strings.Contains(err.Error(), `queues.support.distressing: no classifier has a label "NEGATIV"`) {
		t.Errorf("%v, %s", err, out)
	}
}
