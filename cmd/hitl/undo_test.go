package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"hitl"
	"hitl/bot/slacksim"
)

// toldOf returns the events about an item that its upstream took, in their order, as "type label".
func (w *world) toldOf(it item) (events []string) {
	w.t.Helper()
	for _, d := range w.upstream.of(it) {
		var e struct{ Type string }
		if err := json.Unmarshal([]byte(d.body), &e); err != nil {
			w.t.Fatal(err)
		}
		if d.ok {
			events = append(events, strings.TrimSpace(e.Type+" "+d.item.Label))
		}
	}
	return events
}

// signedLog gives the log a key, and checkpoints soon.
func (w *world) signedLog() {
	w.t.Helper()
	keys := strings.Fields(w.mustHitl("log", "key", "log.example.org"))
	w.appendConfig("audit: {key: \"" + keys[0] + "\", checkpoint_every: 1s}\n")
}

// reopened waits until an item's card is that of the second round.
func (w *world) reopened(it item) slacksim.Message {
	w.t.Helper()
	w.eventually("the second round", func() bool { return strings.Contains(w.cardNow(it).AllText(), "round 2") })
	return w.cardNow(it)
}

// changesHerMind has Ana accept an item, take that back, and correct it instead.
func (w *world) changesHerMind(it item) (right string) {
	w.t.Helper()
	right = other(it.AILabel)
	w.click("U0ANA", w.card(it), "Accept")
	w.shows(it, "Accepted", "Can be undone until")
	w.click("U0BEN", w.cardNow(it), "Undo")
	w.told("U0BEN", "Only <@U0ANA>, who decided this, can undo it")
	w.click("U0ANA", w.cardNow(it), "Undo")
	w.click("U0ANA", w.reopened(it), right)
	w.shows(it, "Corrected", "Can be undone until")
	return right
}

// Ana accepts, thinks again and corrects; Ben explains it in the thread. An upstream that waits hears of the decision that stands, once; the card loses
// its button, and the log has it all.
func TestUndoStory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Undo = 12 * time.Second })
	if err := w.sim.Subscribe(slacksim.AllEvents()...); err != nil {
		t.Fatal(err)
	}
	w.signedLog()
	it := w.post("undo-1", unsureText, http.StatusAccepted)
	right := w.changesHerMind(it)
	if _, err := w.sim.Post("U0BEN", reviewChannel, "I expected > is a complaint", w.card(it).TS); err != nil {
		t.Fatal(err)
	}
	if err := w.sim.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	var seen struct {
		Notes []struct{ Author, Text string } `json:"notes"`
	}
	w.request(http.MethodGet, "/v1/items/"+it.ID, nil, &seen)
	if len(seen.Notes) != 1 || seen.Notes[0].Author != "T0SLACKSIM/U0BEN" || seen.Notes[0].Text != "I expected > is a complaint" {
		t.Errorf("notes: %+v", seen.Notes)
	}
	w.shows(it, "1 note in the thread")
	if got := w.calledBack(it); got.Label != right || got.Status != hitl.HumanCorrected {
		t.Errorf("upstream was told %+v", got)
	}
	w.eventually("the button is gone", func() bool { return !strings.Contains(w.cardNow(it).AllText(), "undone") })
	if got, want := w.toldOf(it), []string{"item.decided " + right}; !slices.Equal(got, want) {
		t.Errorf("upstream was told %v, want %v", got, want)
	}
	want := []hitl.Status{hitl.HumanReview, hitl.HumanAccepted, hitl.Reopened, hitl.HumanCorrected, hitl.Noted}
	if got := statuses(w.log(it.ID)); !slices.Equal(got, want) {
		t.Errorf("log: %v, want %v", got, want)
	}
	w.verifies("5 entries, 5 of them bound by")
}

// An upstream that is told at once is told again.
func TestUndoAmends(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Undo, s.Amend, s.Socket = time.Hour, true, true })
	w.signedLog()
	it := w.post("undo-2", unsureText, http.StatusAccepted)
	right := other(it.AILabel)
	w.click("U0ANA", w.card(it), "Accept")
	w.calledBack(it)
	w.shows(it, "Can be undone until")
	w.click("U0ANA", w.cardNow(it), "Undo")
	w.click("U0ANA", w.reopened(it), right)
	want := []string{"item.decided " + it.AILabel, "item.reopened", "item.decided " + right}
	w.eventually("three events", func() bool { return len(w.toldOf(it)) >= len(want) })
	if got := w.toldOf(it); !slices.Equal(got, want) {
		t.Errorf("upstream was told %v, want %v", got, want)
	}
	w.verifies("4 entries, 4 of them bound by")
}
