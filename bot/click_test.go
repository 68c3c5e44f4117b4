package bot

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"hitl"
	"hitl/bot/slacksim"
)

func TestAccept(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		rec, m := w.posted()
		out := w.click(ana, m, actionAccept)
		if out.Status != 200 || out.Error != "" || out.Answer != "" {
			t.Errorf("answer: %+v", out)
		}
		d, ok := w.store.decision(rec.Review.ID)
		if !ok || d.Status != hitl.HumanAccepted || d.Label != "NEGATIVE" || d.Reviewer != (hitl.Reviewer{Team: "T0SLACKSIM", User: ana}) {
			t.Errorf("decision: %+v", d)
		}
		if d.Context["surface"] != "button" || d.Context["channel"] != channel || d.Context["message"] != m.TS {
			t.Errorf("context: %v", d.Context)
		}
		after := w.message(m.TS)
		if len(after.Elements()) != 0 || !strings.Contains(after.AllText(), "*Accepted* `NEGATIVE` by <@U0ANA>") ||
			!strings.Contains(after.AllText(), rec.Item.Text) {
			t.Errorf("card: %s", after.AllText())
		}
		if !strings.Contains(after.Text, "Accepted") || !strings.Contains(after.Text, rec.Item.Text) {
			t.Errorf("text: %s", after.Text)
		}
		if after.Metadata == nil || after.Metadata.EventPayload["review"] != rec.Review.ID {
			t.Errorf("metadata: %+v", after.Metadata)
		}
		if got := w.sim.Ephemerals(ana); len(got) != 0 {
			t.Errorf("whispered: %v", got)
		}
		// The effect that follows finds the card drawn.
		if err := w.bot.RefreshCard(t.Context(), rec.Review.ID); err != nil {
			t.Error(err)
		}
		if n := len(w.sim.Calls("chat.update")); n != 0 {
			t.Errorf("%d updates spent", n)
		}
		w.clean()
	})
}

func TestCorrectByButton(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		rec, m := w.posted()
		e, ok := m.Element(actionLabel + "0")
		if !ok || e.Text != "NEUTRAL" {
			t.Fatalf("next most likely label: %+v", m.Elements())
		}
		w.click(ben, m, e.ActionID)
		d, _ := w.store.decision(rec.Review.ID)
		if d.Status != hitl.HumanCorrected || d.Label != "NEUTRAL" || d.Reviewer.User != ben {
			t.Errorf("decision: %+v", d)
		}
		if text := w.message(m.TS).AllText(); !strings.Contains(text, "*Corrected* `NEGATIVE` → `NEUTRAL` by <@U0BEN>") {
			t.Errorf("card: %s", text)
		}
		w.clean()
	})
}

func TestRace(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		rec, m := w.posted()
		// Both load the open review before either decides.
		var both sync.WaitGroup
		both.Add(2)
		w.store.failing("Decide", func(context.Context) error {
			both.Done()
			both.Wait()
			return nil
		})
		var wg sync.WaitGroup
		for user, button := range map[string]string{ana: actionAccept, ben: actionLabel + "1"} {
			wg.Go(func() {
				out, err := w.sim.Click(t.Context(), slacksim.Click{User: user, Channel: channel, TS: m.TS, ActionID: button})
				if err != nil || out.Status != 200 {
					t.Errorf("%s: %+v %v", user, out, err)
				}
			})
		}
		wg.Wait()
		w.bot.Wait()
		d, _ := w.store.decision(rec.Review.ID)
		loser := map[string]string{ana: ben, ben: ana}[d.Reviewer.User]
		if words := w.whispered(loser); !strings.Contains(words, "Already") || !strings.Contains(words, "<@"+d.Reviewer.User+">") || !strings.Contains(words, "<!date^") {
			t.Errorf("loser %s was told %q", loser, words)
		}
		if words := w.whispered(d.Reviewer.User); words != "" {
			t.Errorf("winner was told %q", words)
		}
		if text := w.message(m.TS).AllText(); !strings.Contains(text, "by <@"+d.Reviewer.User+">") {
			t.Errorf("card: %s", text)
		}
		if w.seen.count(&w.seen.clicked, "button lost") != 1 {
			t.Errorf("clicks: %v", w.seen.clicked)
		}
		w.clean()
	})
}

func TestDoubleClickAndSecondThoughts(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		rec, m := w.posted()
		stale := func(actionID string) slacksim.Outcome { // a card on a screen that has not been redrawn yet
			e, _ := m.Element(actionID)
			fresh, err := w.bot.api.slack().PostEphemeralContext(t.Context(), channel, ana, blocksOf(card(inEnglish, screened{Record: rec}))...)
			if err != nil {
				t.Fatal(err)
			}
			out, err := w.sim.Click(t.Context(), slacksim.Click{User: ana, Channel: channel, TS: fresh, ActionID: e.ActionID})
			if err != nil {
				t.Fatal(err)
			}
			w.bot.Wait()
			return out
		}
		w.click(ana, m, actionAccept)
		before := len(w.sim.Ephemerals(ana))
		stale(actionAccept)
		if d, _ := w.store.decision(rec.Review.ID); d.Status != hitl.HumanAccepted {
			t.Errorf("decision: %+v", d)
		}
		if got := len(w.sim.Ephemerals(ana)) - before; got != 1 { // the card alone
			t.Errorf("a double click was answered: %q", w.whispered(ana))
		}
		stale(actionLabel + "0")
		if words := w.whispered(ana); !strings.Contains(words, "by you") {
			t.Errorf("told %q", words)
		}
		w.clean()
	})
}

func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		rec, m := w.posted()
		for _, user := range []string{chloe, "U0EVE"} {
			for _, button := range []string{actionAccept, actionLabel + "0"} {
				if out := w.click(user, m, button); out.Status != 200 {
					t.Errorf("%s: %+v", user, out)
				}
				if words := w.whispered(user); !strings.Contains(words, "not a reviewer") && !strings.Contains(words, "members of this workspace") {
					t.Errorf("%s was told %q", user, words)
				}
			}
			for _, button := range []string{actionOther, actionText} {
				w.click(user, m, button)
				views := w.sim.Views(user)
				if len(views) == 0 || strings.Contains(views[len(views)-1].AllText(), "parcel") {
					t.Errorf("%s sees %v", user, views)
				}
			}
		}
		if _, ok := w.store.decision(rec.Review.ID); ok {
			t.Error("decided")
		}
		w.clean()
	})
}

func TestRightsFollowTheGroup(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var mu sync.Mutex
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	w := newWorld(t, func(s *setup) { s.bot.Now, s.sim.Now = clock, clock })
	_, first := w.posted()
	w.click(ana, first, actionAccept)
	second, m := w.posted()
	if err := w.sim.SetGroupMembers("S0REVIEWERS", ben, chloe); err != nil {
		t.Fatal(err)
	}
	pass := func(d time.Duration) { mu.Lock(); now = now.Add(d); mu.Unlock() }
	pass(6 * time.Minute)
	w.click(ana, m, actionAccept)
	if _, ok := w.store.decision(second.Review.ID); ok {
		t.Fatal("a former reviewer decided")
	}
	// While Slack does not answer, what it said last counts, but not for ever.
	pass(6 * time.Minute)
	if err := w.sim.Fail("usergroups.users.list", slacksim.Fault{Times: -1, Status: 503}); err != nil {
		t.Fatal(err)
	}
	if out := w.click(chloe, m, actionAccept); out.Status != 200 {
		t.Errorf("stale rights: %+v", out)
	}
	if d, ok := w.store.decision(second.Review.ID); !ok || d.Reviewer.User != chloe {
		t.Fatalf("decision: %+v", d)
	}
	third, m := w.posted()
	pass(31 * time.Minute)
	if out := w.click(chloe, m, actionAccept); out.Status != 503 {
		t.Errorf("rights unknown: %+v", out)
	}
	if words := w.whispered(chloe); !strings.Contains(words, "Not recorded") {
		t.Errorf("told %q", words)
	}
	if _, ok := w.store.decision(third.Review.ID); ok {
		t.Error("decided without rights")
	}
	w.clean()
}

func TestManyClicksShareOneLookup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, m := w.posted()
	if err := w.sim.Fail("usergroups.users.list", slacksim.Fault{Delay: 50 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			_, _ = w.sim.Click(t.Context(), slacksim.Click{User: ana, Channel: channel, TS: m.TS, ActionID: actionText})
		})
	}
	wg.Wait()
	w.bot.Wait()
	if n := len(w.sim.Calls("usergroups.users.list")); n != 1 {
		t.Errorf("%d calls", n)
	}
}

func TestNotRecorded(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(*world){
		"database down": func(w *world) {
			w.store.failing("Review", func(context.Context) error { return errors.New("connection refused") })
		},
		"commit fails": func(w *world) {
			w.store.failing("Decide", func(context.Context) error { return errors.New("serialization failure") })
		},
		"commit hangs": func(w *world) {
			w.store.failing("Decide", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(s *setup) { s.bot.AnswerWithin = 300 * time.Millisecond })
			rec, m := w.posted()
			w.click(ana, m, actionText) // rights are known from here on
			fail(w)
			out := w.click(ana, m, actionAccept)
			if out.Status != 503 || out.Took > 2*time.Second {
				t.Errorf("answer: %+v", out)
			}
			if words := w.whispered(ana); !strings.Contains(words, "Not recorded") {
				t.Errorf("told %q", words)
			}
			if after := w.message(m.TS); len(after.Elements()) == 0 || after.Trouble[ana] == "" {
				t.Error("the card shows success")
			}
			w.store.failing("Review", nil)
			w.store.failing("Decide", nil)
			if out := w.click(ana, m, actionAccept); out.Status != 200 {
				t.Errorf("second try: %+v", out)
			}
			if _, ok := w.store.decision(rec.Review.ID); !ok {
				t.Error("second try not recorded")
			}
			w.clean()
		})
	}
}

func TestExpired(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		rec, m := w.posted()
		w.store.expire(rec.Review.ID)
		w.click(ana, m, actionAccept)
		if words := w.whispered(ana); !strings.Contains(words, "expired") || !strings.Contains(words, "not recorded") {
			t.Errorf("told %q", words)
		}
		if after := w.message(m.TS); len(after.Elements()) != 0 || !strings.Contains(after.Text, "Expired") {
			t.Errorf("card: %s", after.AllText())
		}
		w.clean()
	})
}

func TestUnknownButtons(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		foreign := card(inEnglish, asIs("rev_elsewhere"))
		odd := plainCard(inEnglish, asIs("rev_elsewhere"))
		for _, m := range []message{foreign, odd} {
			_, ts, err := w.bot.api.slack().PostMessageContext(t.Context(), channel, blocksOf(m)...)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range w.message(ts).Elements() {
				before := len(w.sim.Ephemerals(ana))
				out := w.click(ana, w.message(ts), e.ActionID)
				if out.Status != 200 {
					t.Errorf("%s: %+v", e.ActionID, out)
				}
				views := w.sim.Views(ana)
				told := len(w.sim.Ephemerals(ana)) > before && strings.Contains(w.whispered(ana), "no review")
				shown := len(views) > 0 && strings.Contains(views[len(views)-1].AllText(), "no review")
				if !told && !shown {
					t.Errorf("%s was not answered", e.ActionID)
				}
			}
		}
		w.clean()
	})
}

func TestWhisperFallsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, m := w.posted()
	if err := w.sim.Fail(slacksim.ResponseURL, slacksim.Fault{Error: "used_url"}); err != nil {
		t.Fatal(err)
	}
	w.click(chloe, m, actionAccept)
	if n := len(w.sim.Calls("chat.postEphemeral")); n != 1 || !strings.Contains(w.whispered(chloe), "not a reviewer") {
		t.Errorf("%d calls, told %q", n, w.whispered(chloe))
	}
	w.clean()
}

func TestClickWhoseCardIsNotRedrawnAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec, m := w.posted()
	if err := w.sim.Fail(slacksim.ResponseURL, slacksim.Fault{Status: 500}); err != nil {
		t.Fatal(err)
	}
	if out := w.click(ana, m, actionAccept); out.Status != 200 {
		t.Errorf("answer: %+v", out)
	}
	if len(w.message(m.TS).Elements()) == 0 {
		t.Fatal("redrawn; the test tests nothing")
	}
	if err := w.bot.RefreshCard(t.Context(), rec.Review.ID); err != nil {
		t.Error(err)
	}
	if len(w.message(m.TS).Elements()) != 0 {
		t.Error("not redrawn by the effect")
	}
	w.clean()
}

// Who clicks a card whose post was never answered shows that it is there: from then on it is redrawn as all others are.
func TestClickOnACardThatNobodyKnows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.add()
	c, err := w.store.BeginCard(t.Context(), rec.Review.ID, "T0SLACKSIM", channel, 10)
	if err != nil {
		t.Fatal(err)
	}
	_, ts, err := w.bot.api.post(t.Context(), c, card(inEnglish, screened{Record: rec}))
	if err != nil {
		t.Fatal(err)
	}
	if known := w.store.of(rec.Review.ID); len(known) != 1 || known[0].State != hitl.CardIntent {
		t.Fatalf("cards: %+v", known)
	}
	w.click(ana, w.message(ts), actionAccept)
	if known := w.store.of(rec.Review.ID); len(known) != 1 || known[0].State != hitl.CardPosted || known[0].TS != ts {
		t.Errorf("cards: %+v, the one that was clicked stands at %s", known, ts)
	}
	if m := w.message(ts); len(m.Elements()) != 0 {
		t.Errorf("it can still be clicked: %+v", m.Elements())
	}
	w.clean()
}
