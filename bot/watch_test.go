package bot

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"hitl"
	"hitl/bot/slacksim"
)

// remove deletes a message, as a person or a retention rule does.
func (w *world) remove(m slacksim.Message) {
	w.t.Helper()
	if _, _, err := w.bot.api.slack().DeleteMessageContext(w.t.Context(), m.Channel, m.TS); err != nil {
		w.t.Fatal(err)
	}
}

func TestWatchReplacesCardsThatAreGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) {
		q := s.bot.Queues["support"]
		q.OpenLimit = 2 // both taken by the two open reviews
		s.bot.Queues["support"] = q
	})
	over, overMsg := w.posted()
	w.store.expire(over.Review.ID)
	lost, lostMsg := w.posted()
	kept, _ := w.posted()
	w.remove(overMsg)
	w.remove(lostMsg)
	for range 2 { // the second time there is nothing left to do
		if err := w.bot.watchOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	cards := w.store.of(lost.Review.ID)
	if len(cards) != 2 || cards[0].State != hitl.CardGone || cards[1].State != hitl.CardPosted {
		t.Fatalf("cards of the lost one: %+v", cards)
	}
	if len(w.message(cards[1].TS).Elements()) == 0 {
		t.Error("its new card has no buttons")
	}
	if n := len(w.store.of(kept.Review.ID)) + len(w.store.of(over.Review.ID)); n != 2 || w.cards() != 2 {
		t.Errorf("%d cards of the others, %d messages", n, w.cards())
	}
	if n := len(w.sim.Calls("chat.update")); n != 1 {
		t.Errorf("%d edits, want one, of the message that is gone", n)
	}
	w.clean()
}

// forgetful is a Slack whose history shows no messages.
type forgetful struct{ *http.Transport }

func (f forgetful) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "/conversations.history") {
		return f.Transport.RoundTrip(r)
	}
	_ = r.Body.Close()
	answer := httptest.NewRecorder()
	_, _ = answer.WriteString(`{"ok":true,"messages":[],"has_more":false}`)
	return answer.Result(), nil
}

// What the history does not show is there as long as it can be edited.
func TestWatchDoesNotBelieveTheHistoryAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec, m := w.posted()
	w.bot.cfg.HTTPClient.Transport = forgetful{w.bot.cfg.HTTPClient.Transport.(*http.Transport)}
	if err := w.bot.watchOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c := w.store.of(rec.Review.ID); len(c) != 1 || c[0].State != hitl.CardPosted || w.cards() != 1 {
		t.Errorf("cards %+v, %d messages", c, w.cards())
	}
	if len(w.message(m.TS).Elements()) == 0 {
		t.Error("the card lost its buttons")
	}
	w.clean()
}

func TestWatchInTrouble(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		method string
		fault  slacksim.Fault
		again  bool // worth another round soon
	}{
		{"conversations.history", slacksim.Fault{Status: 503}, true},
		{"conversations.history", slacksim.Fault{RetryAfter: time.Second}, true},
		{"conversations.history", slacksim.Fault{Error: "channel_not_found"}, false},
		{"conversations.history", slacksim.Fault{Error: "missing_scope"}, false},
		{"chat.update", slacksim.Fault{Status: 503}, true},
		{"chat.update", slacksim.Fault{Error: "is_archived"}, false},
	} {
		w := newWorld(t)
		rec, m := w.posted()
		w.remove(m)
		if err := w.sim.Fail(test.method, test.fault); err != nil {
			t.Fatal(err)
		}
		err := w.bot.watchOnce(t.Context())
		if again := uncertain(err) || rateLimited(err) > 0; err == nil || again != test.again {
			t.Errorf("%s %+v: %v", test.method, test.fault, err)
		}
		if cards := w.store.of(rec.Review.ID); len(cards) != 1 || cards[0].State != hitl.CardPosted {
			t.Errorf("%s %+v: %+v", test.method, test.fault, cards)
		}
	}
}

// A card in a channel that its queue has left, and that the app cannot see any more, is as good as gone.
func TestWatchAfterTheChannelChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.add()
	c, err := w.store.BeginCard(t.Context(), rec.Review.ID, "T0SLACKSIM", "C0GENERAL", 10) // the app is not in there
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.CardPosted(t.Context(), c.ID, c.Channel, "1795000000.000100"); err != nil {
		t.Fatal(err)
	}
	w.run()
	w.eventually("the card in the new channel", func() bool { return w.cards() == 1 })
	w.clean()
}

func TestWatchNeedsTheStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.posted()
	broken := errors.New("postgres is away")
	w.store.failing("PostedCards", func(context.Context) error { return broken })
	if err := w.bot.watchOnce(t.Context()); !errors.Is(err, broken) {
		t.Errorf("list: %v", err)
	}
	w.store.failing("PostedCards", nil)
	w.store.failing("Review", func(context.Context) error { return broken })
	if err := w.bot.watchOnce(t.Context()); !errors.Is(err, broken) {
		t.Errorf("load: %v", err)
	}
}
