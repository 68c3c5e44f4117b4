package bot

import (
	"strings"
	"testing"

	"hitl"
	"hitl/bot/slacksim"
)

// erase erases a review's item, as the system of record does.
func (s *store) erase(reviewID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec := s.records[reviewID]
	erase(&rec)
	s.records[reviewID] = rec
}

// A click's own answer, drawn from what was read before, may come after the erasure's refresh, from another process: the refresh that follows
// draws again, though this process has drawn the same before.
func TestRefreshOfErasedTrustsNoMemory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec, m := w.posted()
	w.store.expire(rec.Review.ID)
	old, err := w.store.Review(t.Context(), rec.Review.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.store.erase(rec.Review.ID)
	for range 2 {
		if err := w.bot.RefreshCard(t.Context(), rec.Review.ID); err != nil {
			t.Fatal(err)
		}
		got := w.message(m.TS)
		if all := got.AllText() + got.Text; strings.Contains(all, rec.Item.Text) || !strings.Contains(all, "Text erased") || len(got.Elements()) != 0 {
			t.Errorf("card shows %s", all)
		}
		if err := w.bot.api.update(t.Context(), channel, m.TS, card(inEnglish, w.bot.screen(old))); err != nil { // by another process
			t.Fatal(err)
		}
		if !strings.Contains(w.message(m.TS).AllText(), rec.Item.Text) {
			t.Fatal("the other process drew nothing")
		}
	}
	w.clean()
}

// An erased text that Slack does not let us edit away is deleted; where it lets us do neither, the operator is told, and the card let go.
func TestErasedCardThatCannotBeChanged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		remove string // what chat.delete answers; empty: it deletes
		stays  bool
	}{
		"deleted": {}, "gone already": {remove: "message_not_found", stays: true}, "archived": {remove: "is_archived", stays: true},
	} {
		w := newWorld(t)
		rec, m := w.posted()
		w.store.expire(rec.Review.ID)
		w.store.erase(rec.Review.ID)
		if err := w.sim.Fail("chat.update", slacksim.Fault{Error: "edit_window_closed"}); err != nil {
			t.Fatal(err)
		}
		if c.remove != "" {
			if err := w.sim.Fail("chat.delete", slacksim.Fault{Error: c.remove}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.bot.RefreshCard(t.Context(), rec.Review.ID); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, there := w.sim.Message(channel, m.TS); there != c.stays {
			t.Errorf("%s: message there %v", name, there)
		}
		if got := w.store.of(rec.Review.ID)[0]; got.State != hitl.CardGone {
			t.Errorf("%s: card is %s", name, got.State)
		}
		w.clean()
	}

	// What may pass is tried again, and the card not let go.
	w := newWorld(t)
	rec, _ := w.posted()
	w.store.expire(rec.Review.ID)
	w.store.erase(rec.Review.ID)
	for method, f := range map[string]slacksim.Fault{"chat.update": {Error: "edit_window_closed"}, "chat.delete": {Status: 503}} {
		if err := w.sim.Fail(method, f); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.bot.RefreshCard(t.Context(), rec.Review.ID); err == nil {
		t.Error("no error though the text stands")
	}
	if got := w.store.of(rec.Review.ID)[0]; got.State != hitl.CardPosted {
		t.Errorf("card is %s", got.State)
	}
	w.clean()
}
