package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hitl"
	"hitl/bot/slacksim"
)

// planted is personal data; a leak of any piece shows.
var planted = []string{"ana.ruiz@example.com", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "+49 30 901820", "C-123456"}

const privateText = "I am C-123456, write to ana.ruiz@example.com or call +49 30 901820. Card 4111 1111 1111 1111, account DE89 3704 0044 0532 0130 00."

func hiding(s *setup) {
	q := s.bot.Queues["support"]
	q.Redact, q.RedactPatterns = []string{"email", "phone", "card", "iban"}, map[string]string{"customer": `\bC-\d{6}\b`}
	s.bot.Queues["support"] = q
}

// private is a record that is personal wherever it can be.
func private(r *hitl.Record) {
	r.Item.Text, r.Item.ExternalID, r.Item.Subject = privateText, "ana.ruiz@example.com", "C-123456"
	r.Item.Metadata = map[string]any{"card": "4111 1111 1111 1111"}
}

// seesNothing makes sure that none of the planted data is anywhere in the workspace, in any form in which it was sent.
func (w *world) seesNothing() {
	w.t.Helper()
	var all strings.Builder
	for _, c := range w.sim.Calls("") {
		fmt.Fprintln(&all, c.Method, c.Args)
	}
	for _, user := range []string{ana, ben, chloe, "U0EVE"} {
		fmt.Fprintf(&all, "%+v %+v\n", w.sim.Ephemerals(user), w.sim.Views(user))
	}
	fmt.Fprintf(&all, "%+v %+v %+v\n", w.sim.Messages(channel), w.sim.Responses(), w.sim.Deliveries())
	for _, p := range planted {
		for _, form := range []string{p, strings.ReplaceAll(p, "@", "%40"), p[:len(p)-2]} {
			if i := strings.Index(all.String(), form); i >= 0 {
				w.t.Errorf("Slack holds %q: …%s…", form, all.String()[max(0, i-200):i])
			}
		}
	}
}

// Whatever is done with a card, nothing that its queue hides gets out.
func TestNothingGetsOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hiding)
	_, m := w.posted(private)
	if text := m.AllText(); !strings.Contains(text, mask) || !strings.Contains(text, "6 parts are hidden.") || !strings.Contains(m.Text, "6 parts are hidden.") {
		t.Fatalf("card: %s", text)
	}
	for _, button := range []string{actionText, actionOther} {
		if v := w.opened(ana, m, button); !strings.Contains(v.AllText(), mask) {
			t.Errorf("modal: %s", v.AllText())
		}
	}
	w.submit(ana, "POSITIVE", "Sarcasm", "she is ana.ruiz@example.com, "+planted[1])
	after := w.message(m.TS)
	if !strings.Contains(after.AllText(), "she is "+mask+", "+mask) || !strings.Contains(after.AllText(), "8 parts are hidden.") {
		t.Errorf("decided card: %s", after.AllText())
	}
	_, m = w.posted(private)
	w.click(ben, m, actionAccept)
	if after := w.message(m.TS); !strings.Contains(after.AllText(), mask) || !strings.Contains(after.Text, mask) {
		t.Errorf("accepted card: %s", after.AllText())
	}
	_, m = w.posted(private)
	w.click(chloe, m, actionText)
	w.click(chloe, m, actionReveal)
	if got := w.store.revealed(); len(got) != 0 {
		t.Errorf("revealed: %+v", got)
	}
	w.seesNothing()
	w.clean()
}

func TestReveal(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		rec, m := w.posted(private)
		want := hitl.Reveal{
			ReviewID: rec.Review.ID, Round: 1, Reviewer: hitl.Reviewer{Team: "T0SLACKSIM", User: ana},
			Context: map[string]string{"surface": "button", "channel": channel, "message": m.TS},
		}
		reveals := func(n int) {
			t.Helper()
			got := w.store.revealed()
			if len(got) != n {
				t.Fatalf("%d reveals are kept, want %d", len(got), n)
			}
			want.At = got[n-1].At
			if diff := cmp.Diff(want, got[n-1]); diff != "" || want.At.IsZero() {
				t.Error(diff)
			}
		}
		shown := func(v slacksim.View) {
			t.Helper()
			for _, p := range planted {
				if !strings.Contains(v.AllText(), p) {
					t.Errorf("%q is not in the modal: %s", p, v.AllText())
				}
			}
		}
		shown(w.opened(ana, m, actionReveal))
		reveals(1)
		if len(w.sim.Views(ben)) != 0 || strings.Contains(w.message(m.TS).AllText(), "ruiz") {
			t.Error("others see it too")
		}
		w.closeViews(ana)

		// From the full text, in the same modal.
		v := w.opened(ana, m, actionText)
		w.clickView(ana, v, actionReveal)
		shown(w.top(ana))
		if n := len(w.sim.Views(ana)); n != 1 {
			t.Errorf("%d modals", n)
		}
		reveals(2)
		w.closeViews(ana)

		// Of a decided review, with the comment.
		w.opened(ben, m, actionOther)
		w.submit(ben, "POSITIVE", "", "ask ben@example.org")
		decided := w.message(m.TS)
		if n := len(decided.Elements()); n != 1 {
			t.Errorf("%d buttons on a decided card", n)
		}
		v = w.opened(ana, decided, actionReveal)
		shown(v)
		if !strings.Contains(v.AllText(), "ask ben@example.org") {
			t.Errorf("modal: %s", v.AllText())
		}
		reveals(3)
		if w.seen.count(&w.seen.clicked, "reveal revealed") != 3 {
			t.Errorf("counted: %v", w.seen.clicked)
		}
		w.clean()
	}, hiding)
}

// Without an entry in the log nothing is shown, and the person reads so; the next try may succeed.
func TestRevealThatCannotBeRecorded(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(context.Context) error{
		"fails": func(context.Context) error { return errors.New("connection refused") },
		"hangs": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, hiding)
			rec, m := w.posted(private)
			w.store.failing("Reveal", fail)
			ctx, cancel := context.WithCancel(t.Context())
			if name == "hangs" {
				cancel()
			}
			defer cancel()
			s, err := w.bot.state(t.Context(), rec.Review.ID)
			if err != nil {
				t.Fatal(err)
			}
			if v := w.bot.revealView(ctx, inEnglish, hitl.Reviewer{Team: "T0SLACKSIM", User: ana}, s, viewData{}); v.CallbackID != viewNotice {
				t.Errorf("modal: %+v", v)
			}
			if name == "fails" {
				if v := w.opened(ana, m, actionReveal); !strings.Contains(v.AllText(), "Not shown") {
					t.Errorf("modal: %s", v.AllText())
				}
			}
			w.seesNothing()
			w.store.failing("Reveal", nil)
			w.closeViews(ana)
			if v := w.opened(ana, m, actionReveal); !strings.Contains(v.AllText(), planted[0]) {
				t.Errorf("second try: %s", v.AllText())
			}
			w.clean()
		})
	}
}

// The rights are those of the moment of the click, on the card and in the modal.
func TestRevealIsForReviewers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hiding, func(s *setup) { s.bot.MembersFor = 1 })
	_, m := w.posted(private)
	v := w.opened(ben, m, actionText)
	if err := w.sim.SetGroupMembers("S0REVIEWERS", ana); err != nil {
		t.Fatal(err)
	}
	w.clickView(ben, v, actionReveal)
	if text := w.top(ben).AllText(); !strings.Contains(text, "not a reviewer") {
		t.Errorf("modal: %s", text)
	}
	for _, user := range []string{ben, chloe, "U0EVE"} {
		w.closeViews(user)
		if text := w.opened(user, m, actionReveal).AllText(); !strings.Contains(text, "not a reviewer") && !strings.Contains(text, "members of this workspace") {
			t.Errorf("%s: %s", user, text)
		}
	}
	if got := w.store.revealed(); len(got) != 0 {
		t.Errorf("revealed: %+v", got)
	}
	w.seesNothing()
	w.clean()
}

// A queue that hides nothing has no such button, and a forged one shows no more than everybody sees and leaves no entry.
func TestNothingToReveal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, m := w.posted()
	if _, ok := m.Element(actionReveal); ok {
		t.Error("there is a button")
	}
	s, err := w.bot.state(t.Context(), w.store.list(func(*hitl.Card) bool { return true })[0].ReviewID)
	if err != nil {
		t.Fatal(err)
	}
	if v := w.bot.revealView(t.Context(), inEnglish, hitl.Reviewer{User: ana}, s, viewData{}); v.CallbackID != viewText || len(w.store.revealed()) != 0 {
		t.Errorf("modal: %+v", v)
	}
	w.clean()
}

// The card of a queue that has left the configuration hides what any queue hides.
func TestScreenOfAnUnknownQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hiding, func(s *setup) {
		s.bot.Queues["open"] = Queue{Channel: channel, Reviewers: Reviewers{Users: []string{ana}}}
	})
	for queue, want := range map[string]int{"support": 6, "gone": 6, "open": 0} {
		s := w.bot.screen(newRecord("rev_1", private, func(r *hitl.Record) { r.Review.Queue = queue }))
		if s.hidden != want || strings.Contains(s.Item.Text, mask) != (want > 0) || s.Item.Subject != "" || s.Item.Metadata != nil {
			t.Errorf("%s: %d hidden, %+v", queue, s.hidden, s.Item)
		}
	}
}
