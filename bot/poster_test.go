package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hitl"
	"hitl/bot/slacksim"
)

func (w *world) cards() int { return len(w.sim.Messages(channel)) }

func TestPosterFillsTheChannelAndNoMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) {
		q := s.bot.Queues["support"]
		q.OpenLimit = 3
		s.bot.Queues["support"] = q
		s.bot.Poll = time.Hour // only a decision makes it look again
	})
	for range 7 {
		w.add()
	}
	stop := w.run()
	w.eventually("three cards", func() bool { return w.cards() == 3 && w.seen.count(&w.seen.posted, "support full") > 0 })
	if err := w.bot.Ready(); err != nil {
		t.Errorf("ready: %v", err)
	}
	for i := 0; w.cards() < 7; i++ {
		w.click(ana, w.sim.Messages(channel)[i], actionAccept)
		w.eventually(fmt.Sprint("card ", i+4), func() bool { return w.cards() == min(i+4, 7) })
	}
	w.eventually("empty queue", func() bool { ready, held := w.queue.state(); return ready+held == 0 })
	// A full channel is seen before a review is taken.
	var begun atomic.Int64
	w.store.failing("BeginCard", func(context.Context) error { begun.Add(1); return nil })
	for range 5 {
		w.add()
	}
	before := w.seen.count(&w.seen.posted, "support full")
	w.bot.wake("support")
	w.eventually("full again", func() bool { return w.seen.count(&w.seen.posted, "support full") > before })
	stop()
	if ready, held := w.queue.state(); ready != 5 || held != 0 || w.cards() != 7 || begun.Load() != 0 {
		t.Errorf("%d ready, %d held, %d cards, %d taken", ready, held, w.cards(), begun.Load())
	}
	// One that was taken all the same, as by a process that has just begun, is given back.
	before = w.seen.count(&w.seen.posted, "support full")
	stop = w.run()
	w.eventually("full for the next process", func() bool { return w.seen.count(&w.seen.posted, "support full") > before })
	stop()
	if ready, held := w.queue.state(); ready != 5 || held != 0 || w.cards() != 7 || begun.Load() != 1 {
		t.Errorf("%d ready, %d held, %d cards, %d taken", ready, held, w.cards(), begun.Load())
	}
	if len(w.queue.errs) > 0 {
		t.Error(w.queue.errs)
	}
	m := w.sim.Messages(channel)[0]
	if m.Metadata == nil || m.Metadata.EventType != "hitl_card" || m.Metadata.EventPayload["card"] == "" {
		t.Errorf("metadata: %+v", m.Metadata)
	}
	for _, c := range w.sim.Calls("chat.postMessage") {
		if c.Args["unfurl_links"] != "false" || c.Args["unfurl_media"] != "false" {
			t.Errorf("unfurls: %v", c.Args)
		}
	}
	w.clean()
}

// Whatever goes wrong with a post, there is one card in the end.
func TestOneCardWhateverHappens(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]slacksim.Fault{
		"reply cut":      {LoseReply: slacksim.LoseByCut},
		"reply 500":      {LoseReply: slacksim.LoseByStatus},
		"503 unposted":   {Status: 503, Times: 3},
		"rate limited":   {RetryAfter: time.Second},
		"not in channel": {Error: "not_in_channel", Times: 3},
		"invalid auth":   {Error: "invalid_auth", Times: 2},
		"fatal error":    {Error: "fatal_error", Times: 2},
		"invalid blocks": {Error: "invalid_blocks"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if err := w.sim.Fail("chat.postMessage", fault); err != nil {
				t.Fatal(err)
			}
			rec := w.add()
			stop := w.run()
			w.eventually("the card is known", func() bool {
				c := w.store.of(rec.Review.ID)
				return len(c) == 1 && c[0].State == hitl.CardPosted
			})
			w.eventually("empty queue", func() bool { ready, held := w.queue.state(); return ready+held == 0 })
			stop()
			if n := w.cards(); n != 1 {
				t.Errorf("%d cards", n)
			}
			w.click(ana, w.message(w.store.of(rec.Review.ID)[0].TS), actionOther)
			w.submit(ana, "POSITIVE", "", "")
			if _, ok := w.store.decision(rec.Review.ID); !ok {
				t.Error("card does not work")
			}
			w.clean()
		})
	}
}

func TestTimeoutWhilePosting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bot.api.http.Timeout = 100 * time.Millisecond
	if err := w.sim.Fail("chat.postMessage", slacksim.Fault{Delay: 300 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	w.add()
	stop := w.run()
	w.eventually("empty queue", func() bool { ready, held := w.queue.state(); return ready+held == 0 })
	stop()
	if n := w.cards(); n != 1 {
		t.Errorf("%d cards", n)
	}
}

// The store is away after the post: nothing is posted twice when it is back.
func TestPostedButNotRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tries := 0
	w.store.failing("CardPosted", func(context.Context) error {
		if tries++; tries <= settleTries+1 {
			return errors.New("connection reset")
		}
		return nil
	})
	rec := w.add()
	stop := w.run()
	w.eventually("empty queue", func() bool { ready, held := w.queue.state(); return ready+held == 0 })
	stop()
	if c := w.store.of(rec.Review.ID); w.cards() != 1 || len(c) != 1 || c[0].State != hitl.CardPosted || c[0].Attempt < 2 {
		t.Errorf("%d cards: %+v", w.cards(), c)
	}
	w.clean()
}

func TestTroubleShowsInReady(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if w.bot.Ready() == nil {
		t.Error("ready before it has begun")
	}
	if err := w.sim.Fail("auth.test", slacksim.Fault{Error: "invalid_auth", Times: 3}); err != nil {
		t.Fatal(err)
	}
	if err := w.sim.SetMember(channel, "U0HITL", false); err != nil {
		t.Fatal(err)
	}
	w.add()
	w.run()
	w.eventually("channel trouble", func() bool {
		err := w.bot.Ready()
		return err != nil && strings.Contains(err.Error(), "not_in_channel")
	})
	if ready, held := w.queue.state(); ready+held != 1 {
		t.Error("the delivery is lost")
	}
	if err := w.sim.SetMember(channel, "U0HITL", true); err != nil {
		t.Fatal(err)
	}
	w.eventually("ready", func() bool { return w.bot.Ready() == nil && w.cards() == 1 })
}

func TestChannelsDoNotHoldUpEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) {
		s.bot.Queues["broken"] = Queue{Channel: "C0GENERAL", Reviewers: Reviewers{Users: []string{ana}}}
	})
	for range 5 {
		w.add(func(r *hitl.Record) { r.Review.Queue = "broken" })
	}
	for range 5 {
		w.add()
	}
	w.run()
	w.eventually("five cards", func() bool { return w.cards() == 5 })
	// What cannot be posted stays in the queue, and takes one slot, not all.
	w.eventually("five reviews wait with one intent", func() bool {
		w.store.mu.Lock()
		intents := w.store.list(func(c *hitl.Card) bool { return c.State == hitl.CardIntent })
		w.store.mu.Unlock()
		ready, held := w.queue.state()
		return ready+held == 5 && len(intents) == 1
	})
}

func TestNeedlessDeliveries(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	decided := w.add()
	w.store.expire(decided.Review.ID)
	carded, _ := w.posted()
	w.queue.add("support", carded.Review.ID)
	w.queue.add("support", "rev_unknown")
	w.run()
	w.eventually("empty queue", func() bool { ready, held := w.queue.state(); return ready+held == 0 })
	if w.cards() != 1 {
		t.Errorf("%d cards", w.cards())
	}
}

// A decision while the card is being posted: its refresh comes before the card is known, so the poster redraws.
func TestDecidedWhilePosting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.add()
	w.store.failing("CardPosted", func(ctx context.Context) error {
		w.store.expire(rec.Review.ID)
		return w.bot.RefreshCard(ctx, rec.Review.ID)
	})
	if what, _, err := w.bot.show(t.Context(), "support", rec.Review.ID, 0, true); what != posted || err != nil {
		t.Fatal(what, err)
	}
	if m := w.sim.Messages(channel)[0]; len(m.Elements()) != 0 {
		t.Error("a dead card has buttons")
	}
	w.clean()
}

func TestSweep(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.bot.StaleAfter = time.Nanosecond })
	// A process died after the post, one before it, and one whose review was decided meanwhile.
	after, before, over, overUnposted := w.add(), w.add(), w.add(), w.add()
	for _, rec := range []hitl.Record{after, before, over, overUnposted} {
		c, err := w.store.BeginCard(t.Context(), rec.Review.ID, "T0SLACKSIM", channel, 10)
		if err != nil {
			t.Fatal(err)
		}
		if rec.Review.ID == after.Review.ID || rec.Review.ID == over.Review.ID {
			if _, _, err := w.bot.api.post(t.Context(), c, card(inEnglish, screened{Record: rec})); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.store.expire(over.Review.ID)
	w.store.expire(overUnposted.Review.ID)
	if err := w.bot.sweepOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	state := func(rec hitl.Record) hitl.CardState { return w.store.of(rec.Review.ID)[0].State }
	if state(after) != hitl.CardPosted || state(before) != hitl.CardPosted || state(over) != hitl.CardPosted || state(overUnposted) != hitl.CardGone {
		t.Errorf("%s %s %s %s", state(after), state(before), state(over), state(overUnposted))
	}
	if w.cards() != 3 {
		t.Errorf("%d cards", w.cards())
	}
	if m := w.message(w.store.of(over.Review.ID)[0].TS); len(m.Elements()) != 0 {
		t.Error("the decided review's card has buttons")
	}
	w.clean()
}

// What a sweep found out counts only as long as nobody else has brought the card to its end.
func TestSweepLeavesWhatWasPostedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.bot.StaleAfter = time.Nanosecond })
	rec := w.add()
	c, err := w.store.BeginCard(t.Context(), rec.Review.ID, "T0SLACKSIM", channel, 10)
	if err != nil {
		t.Fatal(err)
	}
	w.store.expire(rec.Review.ID)
	w.store.failing("CardGone", func(ctx context.Context) error { return w.store.CardPosted(ctx, c.ID, channel, "1795000000.000100") })
	if err := w.bot.sweepOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if cards := w.store.of(rec.Review.ID); cards[0].State != hitl.CardPosted {
		t.Errorf("card: %+v", cards[0])
	}
}

// A post that was refused is no reason to wait for a late history, also when the history cannot be read for a while after it.
func TestRefusedPostLeavesNoDoubt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.bot.LookAgain = time.Hour })
	for _, method := range []string{"chat.postMessage", "conversations.history"} {
		if err := w.sim.Fail(method, slacksim.Fault{Error: "invalid_auth"}); err != nil {
			t.Fatal(err)
		}
	}
	w.add()
	w.run()
	w.eventually("the card", func() bool { return w.cards() == 1 })
	w.clean()
}

// A poster that is held up tells the queue that it is alive, until it is through.
func TestPosterHoldsItsReview(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.bot.HoldEvery = time.Millisecond })
	broken := errors.New("postgres is away")
	w.store.failing("BeginCard", func(context.Context) error { return broken })
	rec := w.add()
	w.run()
	holds := func() int {
		w.queue.mu.Lock()
		defer w.queue.mu.Unlock()
		return w.queue.holds[rec.Review.ID]
	}
	w.eventually("some holds", func() bool { return holds() > 3 })
	w.store.failing("BeginCard", nil)
	w.eventually("the card", func() bool { return w.cards() == 1 })
	w.clean()
}

func TestFindIgnoresForgeriesAndReadsAllPages(t *testing.T) {
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
	for i := range historyPage + 50 {
		if _, err := w.sim.Post(ben, channel, fmt.Sprint("chatter ", i), ""); err != nil {
			t.Fatal(err)
		}
	}
	if got, found, err := w.bot.find(t.Context(), c); err != nil || !found || got != ts {
		t.Errorf("found %v %q %v, want %q", found, got, err, ts)
	}
	if n := len(w.sim.Calls("conversations.history")); n != 2 {
		t.Errorf("%d pages read", n)
	}
	c.ID = "crd_other"
	if _, found, err := w.bot.find(t.Context(), c); err != nil || found {
		t.Errorf("found what is not there: %v", err)
	}
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec, m := w.posted()
	if err := w.bot.RefreshCard(t.Context(), "rev_unknown"); !errors.Is(err, hitl.ErrPermanent) {
		t.Errorf("unknown review: %v", err)
	}
	w.store.expire(rec.Review.ID)
	if err := w.sim.Fail("chat.update", slacksim.Fault{RetryAfter: 7 * time.Second}); err != nil {
		t.Fatal(err)
	}
	var retry *hitl.RetryError
	if err := w.bot.RefreshCard(t.Context(), rec.Review.ID); !errors.As(err, &retry) || retry.After != 7*time.Second {
		t.Errorf("429: %v", err)
	}
	// As long as Slack asked, it is not asked again.
	calls := len(w.sim.Calls("chat.update"))
	if err := w.bot.RefreshCard(t.Context(), rec.Review.ID); !errors.As(err, &retry) || retry.After > 7*time.Second {
		t.Errorf("out of turn: %v", err)
	}
	if len(w.sim.Calls("chat.update")) != calls {
		t.Error("called in spite of Retry-After")
	}
	w.bot.api.pace = newPacer(time.Now)
	for range 2 {
		if err := w.bot.RefreshCard(t.Context(), rec.Review.ID); err != nil {
			t.Errorf("refresh: %v", err)
		}
	}
	after := w.message(m.TS)
	if len(after.Elements()) != 0 || !strings.Contains(after.AllText(), "Expired") || after.Metadata == nil {
		t.Errorf("card: %+v", after)
	}
	w.clean()
}

func TestRefreshOfAMessageThatIsGone(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"message_not_found", "channel_not_found", "cant_update_message"} {
		w := newWorld(t)
		rec, _ := w.posted()
		w.store.expire(rec.Review.ID)
		if err := w.sim.Fail("chat.update", slacksim.Fault{Error: code}); err != nil {
			t.Fatal(err)
		}
		if err := w.bot.RefreshCard(t.Context(), rec.Review.ID); err != nil {
			t.Errorf("%s: %v", code, err)
		}
		if c := w.store.of(rec.Review.ID)[0]; c.State != hitl.CardGone {
			t.Errorf("%s: card is %s", code, c.State)
		}
		w.clean()
	}
}

func TestRefreshReportsOtherTrouble(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec, _ := w.posted()
	w.store.expire(rec.Review.ID)
	if err := w.sim.Fail("chat.update", slacksim.Fault{Error: "invalid_auth"}); err != nil {
		t.Fatal(err)
	}
	err := w.bot.RefreshCard(t.Context(), rec.Review.ID)
	var retry *hitl.RetryError
	if err == nil || errors.As(err, &retry) || errors.Is(err, hitl.ErrPermanent) {
		t.Errorf("got %v", err)
	}
	if err := w.bot.RefreshCard(t.Context(), rec.Review.ID); err != nil {
		t.Error(err)
	}
}

// With Slack's real rates on both sides, a burst of reviews gets its cards without a single 429.
func TestPacingStaysBelowSlacksRates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) {
		s.sim.Rates = slacksim.RatesStrict
		s.bot.PostRate = Rate{}
	})
	for range 6 {
		w.add()
	}
	start := time.Now()
	w.run()
	w.eventually("six cards", func() bool { return w.cards() == 6 })
	if took := time.Since(start); took < 2500*time.Millisecond {
		t.Errorf("six cards in %s", took)
	}
	if w.seen.count(&w.seen.called, "chat.postMessage ratelimited") > 0 {
		t.Error("rate limited")
	}
	w.clean()
}

// A channel that Slack holds up holds up nothing else, and 429 is honoured to the second.
func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.sim.Fail("chat.postMessage", slacksim.Fault{RetryAfter: time.Second}); err != nil {
		t.Fatal(err)
	}
	w.add()
	w.add()
	w.run()
	w.eventually("two cards", func() bool { return w.cards() == 2 })
	w.eventually("three calls", func() bool { return len(w.sim.Calls("chat.postMessage")) == 3 }) // calls are recorded after their effect
	calls := w.sim.Calls("chat.postMessage")
	if waited := calls[1].At.Sub(calls[0].At); waited < time.Second {
		t.Errorf("called again after %s", waited)
	}
}

func TestTwoProcessesShareTheWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other, err := New(w.bot.cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- other.Run(ctx) }()
	w.run()
	for range 8 {
		w.add()
	}
	w.eventually("eight cards", func() bool { return w.cards() == 8 })
	w.eventually("empty queue", func() bool { ready, held := w.queue.state(); return ready+held == 0 })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	w.clean()
}

// Two processes hold the same review: one posts, the other sees that it is not alone.
func TestBusy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.add()
	first, err := w.store.BeginCard(t.Context(), rec.Review.ID, "T0SLACKSIM", channel, 10)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.BeginCard(t.Context(), rec.Review.ID, "T0SLACKSIM", channel, 10); err != nil { // the other one
		t.Fatal(err)
	}
	if what, _, err := w.bot.show(t.Context(), "support", rec.Review.ID, first.Attempt+1, true); what != busy || err != nil {
		t.Errorf("%s %v", what, err)
	}
	if w.cards() != 0 {
		t.Error("posted")
	}
	if what, _, err := w.bot.show(t.Context(), "support", rec.Review.ID, 0, true); what != posted || err != nil {
		t.Errorf("%s %v", what, err)
	}
	w.clean()
}

// A card that was given up for gone and came after all, when the review had another one: it loses its buttons.
func TestSecondCardIsRetired(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.add()
	w.store.failing("CardPosted", func(context.Context) error { return fmt.Errorf("change card: %w", hitl.ErrPosted) })
	if what, _, err := w.bot.show(t.Context(), "support", rec.Review.ID, 0, true); what != posted || err != nil {
		t.Fatal(what, err)
	}
	if m := w.sim.Messages(channel)[0]; len(m.Elements()) != 0 || !strings.Contains(m.Text, "another card") {
		t.Errorf("card: %s", m.AllText())
	}
	w.clean()
}

// The channel of a queue was changed while a card waited for the old one, which is out of reach: it goes to the new one.
func TestChannelChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.add()
	if _, err := w.store.BeginCard(t.Context(), rec.Review.ID, "T0SLACKSIM", "C0GENERAL", 10); err != nil { // the app is not in there
		t.Fatal(err)
	}
	w.run()
	w.eventually("the card in the new channel", func() bool { return w.cards() == 1 })
	w.clean()
}

// A full queue of needless deliveries costs no turns: pacing is for posts.
func TestNeedlessDeliveriesAreNotPaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.bot.PostRate = Rate{Every: time.Hour, Burst: 1} })
	carded, _ := w.posted()
	w.bot.api.pace = newPacer(time.Now)
	for range 50 {
		w.queue.add("support", carded.Review.ID)
	}
	w.run()
	w.eventually("empty queue", func() bool { ready, held := w.queue.state(); return ready+held == 0 })
}
