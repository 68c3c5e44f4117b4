package bot

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"hitl"
)

// withUndo gives who decides two minutes to think again.
func withUndo(s *setup) {
	s.bot.Desk.Reopens, _ = s.bot.Desk.Decisions.(hitl.Reopens)
	rules := s.bot.Desk.Queues["support"]
	rules.UndoFor = 2 * time.Minute
	s.bot.Desk.Queues["support"] = rules
}

// tooLate ends the time in which a review's first decision can be undone.
func (s *store) tooLate(reviewID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.decisions[reviewID+"1"]
	d.UndoUntil = time.Now().Add(-time.Second)
	s.decisions[reviewID+"1"] = d
}

// A decision can be taken back on its card, by who made it, and the review decided anew.
func TestUndoOnACard(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		rec, m := w.posted()
		w.click(ana, m, actionAccept)
		old := m
		m = w.message(m.TS)
		wants(t, "card", m.AllText(), "Accepted", "Can be undone until <!date^", "Undo")
		wants(t, "card's words", m.Text, "Can be undone until <!date^")

		w.click(ben, m, actionUndo)
		wants(t, "another", w.whispered(ben), "Only <@U0ANA>, who decided this, can undo it, until <!date^")
		w.click(chloe, m, actionUndo)
		wants(t, "no reviewer", w.whispered(chloe), "not a reviewer")
		if _, ok := w.message(m.TS).Element(actionUndo); !ok {
			t.Error("the button is gone after a refusal")
		}

		w.click(ana, m, actionUndo)
		again := w.message(m.TS)
		wants(t, "opened again", again.AllText(), "round 2", "✓ Accept NEGATIVE")
		if strings.Contains(again.AllText(), "undone") || w.seen.count(&w.seen.clicked, "button undone") != 1 {
			t.Errorf("card: %s; clicks: %v", again.AllText(), w.seen.clicked)
		}
		w.forged(ana, m, actionUndo, rec.Review.ID+".1") // twice
		wants(t, "taken back twice", w.whispered(ana), "taken back already")
		w.forged(ana, m, actionUndo, rec.Review.ID+".2")
		wants(t, "open", w.whispered(ana), "no decision to undo")
		w.forged(ana, m, actionUndo, rec.Review.ID+".7")
		wants(t, "no such round", w.whispered(ana), "moved on")

		accept, _ := old.Element(actionAccept)
		w.forged(ben, m, actionAccept, accept.Value)
		wants(t, "a button of the first round", w.whispered(ben), "opened again")
		w.forged(ben, m, actionClaim, rec.Review.ID+".1")
		if w.holder(rec) != "" {
			t.Error("claimed by a button of the first round")
		}

		w.click(ben, again, actionLabel+"0")
		wants(t, "decided anew", w.message(m.TS).AllText(), "Corrected", "<@U0BEN>")
		w.clean()
	}, withUndo)
}

// What became of the time, the text or the connection is told, and the card follows.
func TestUndoRefused(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		rec, m := w.posted()
		w.click(ana, m, actionAccept)
		w.store.failing("Reopen", func(context.Context) error { return errors.New("connection reset") })
		w.click(ana, w.message(m.TS), actionUndo)
		wants(t, "failure", w.whispered(ana), "Not done")
		w.store.failing("Reopen", nil)
		offered := w.message(m.TS)
		w.store.tooLate(rec.Review.ID)
		w.click(ana, offered, actionUndo)
		wants(t, "too late", w.whispered(ana), "too late")
		if text := w.message(m.TS).AllText(); strings.Contains(text, "undone") || !strings.Contains(text, "Accepted") {
			t.Errorf("card: %s", text)
		}
		w.forged(ben, offered, actionUndo, rec.Review.ID+".1")
		wants(t, "another's, too late", w.whispered(ben), "<@U0ANA> decided this, and it cannot be undone here")

		gone, card := w.posted()
		w.click(ana, card, actionAccept)
		offered = w.message(card.TS)
		kept, _ := w.store.Review(t.Context(), gone.Review.ID)
		kept.Decision = nil
		kept.Item.ErasedAt, kept.Review.State = testTime, hitl.ReviewOpen
		w.store.put(kept)
		w.click(ana, offered, actionUndo)
		wants(t, "erased", w.whispered(ana), "The text was erased")

		w.forged(ana, offered, actionUndo, "rev_none.1")
		wants(t, "unknown", w.whispered(ana), "no review that I know")
		w.clean()
	}, withUndo)
}

// Somebody who loses a race leaves the winner the way back.
func TestUndoAfterALostClick(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withUndo)
	rec, m := w.posted()
	w.store.failing("Decide", func(context.Context) error { // Ana is faster
		w.store.mu.Lock()
		defer w.store.mu.Unlock()
		w.store.decisions[rec.Review.ID+"1"] = hitl.Decision{
			ReviewID: rec.Review.ID, Round: 1, Status: hitl.HumanAccepted, Label: "NEGATIVE", At: testTime,
			Reviewer: hitl.Reviewer{Team: "T0SLACKSIM", User: ana}, UndoUntil: time.Now().Add(time.Minute),
		}
		return nil
	})
	w.click(ben, m, actionLabel+"0")
	wants(t, "loser", w.whispered(ben), "Already accepted")
	if _, ok := w.message(m.TS).Element(actionUndo); !ok {
		t.Errorf("card: %s", w.message(m.TS).AllText())
	}
	w.clean()
}

// A decision that nobody made, or one of a queue without undo, has no way back.
func TestNothingToUndo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec, m := w.posted()
	w.click(ana, m, actionAccept)
	if _, ok := w.message(m.TS).Element(actionUndo); ok {
		t.Error("a queue without undo offers it")
	}
	w.forged(ana, m, actionUndo, rec.Review.ID+".1")
	wants(t, "no undo", w.whispered(ana), "Not done")
	w.clean()
}

// In the flow of next the way back stands beside the way on.
func TestUndoInTheFlow(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		rec, m := w.posted()
		w.command(ana, "next support")
		w.click(ana, w.alone(ana), actionAccept)
		wants(t, "recorded", w.alone(ana).AllText(), "Recorded: ✓ *Accepted* `NEGATIVE`", "Can be undone until <!date^", "Next review", "Undo")
		offered := w.alone(ana)
		w.click(ana, offered, actionUndo)
		wants(t, "opened again", w.alone(ana).AllText(), "round 2", "✓ Accept NEGATIVE")
		wants(t, "the channel's card", w.message(m.TS).AllText(), "round 2")
		w.opened(ana, w.alone(ana), actionOther)
		w.submit(ana, "POSITIVE", "", "")
		wants(t, "after the form", w.alone(ana).AllText(), "Recorded: ✎ *Corrected*", "Undo", "Next review")
		second := w.store.decisions[rec.Review.ID+"2"]
		second.UndoUntil = time.Now().Add(-time.Second)
		w.store.mu.Lock()
		w.store.decisions[rec.Review.ID+"2"] = second
		w.store.mu.Unlock()
		w.click(ana, w.alone(ana), actionUndo)
		wants(t, "too late", w.alone(ana).AllText(), "too late", "Next review")
		w.click(ana, w.alone(ana), actionNext)
		wants(t, "the scope is kept", w.alone(ana).AllText(), "Nothing is left for you in `support`")
		if n := len(w.sim.Ephemerals(ana)); n != 1 {
			t.Errorf("%d messages for one person, want the one", n)
		}
		w.clean()
	}, withUndo)
}
