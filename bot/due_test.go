package bot

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hitl"
)

// due is a notice about reviews that wait.
func due(count int, data ...string) hitl.Notice {
	n := hitl.Notice{Queue: "support", Data: map[string]string{"count": strconv.Itoa(count)}}
	for i := 0; i < len(data); i += 2 {
		n.Data[data[i]] = data[i+1]
	}
	return n
}

func samplePolicy() Policy {
	return Policy{
		Name: "strict", Version: "sha256:0123456789abcdef", Classifier: "sentiment", Threshold: 0.9, SampleRate: 0.025, Queue: "support",
		LabelThresholds: map[string]float64{"NEGATIVE": 0.95, "POSITIVE": 0.875}, AlwaysReview: []string{"NEUTRAL"},
		Rules: []PolicyRule{
			{Name: "refunds", When: `item.text.contains("refund")`, Queue: "billing", Priority: "urgent", Description: "Money & <trust>"},
			{Name: "long", When: "size(item.text) > 1000", Priority: "normal"},
		},
	}
}

// manyRules is more than a message can hold.
func manyRules() Policy {
	p := samplePolicy()
	p.LabelThresholds = map[string]float64{}
	for i := range 60 {
		p.Rules = append(p.Rules, PolicyRule{Name: "rule" + strconv.Itoa(i), When: strings.Repeat("a > <b> && ", 60), Description: hostile})
		p.LabelThresholds[strings.Repeat("<&>", 40)+strconv.Itoa(i)] = 0.5
		p.AlwaysReview = append(p.AlwaysReview, hostile)
	}
	return p
}

func sampleTerms() hitl.QueueRules {
	hours, err := hitl.NewHours(time.UTC, map[string]string{"mon-fri": "09:00-17:00"}, nil)
	if err != nil {
		panic(err)
	}
	return hitl.QueueRules{
		ClaimFor: 15 * time.Minute, UndoFor: 2 * time.Minute, RemindAfter: 4 * time.Hour, EscalateAfter: 24 * time.Hour,
		EscalateTo: hitl.Escalation{Queue: "seniors"}, ExpireAfter: 7 * 24 * time.Hour, Hours: hours,
	}
}

// pauses are the pauses of a test.
type pauses struct {
	mu    sync.Mutex
	of    map[string]hitl.Pause
	asked atomic.Int64
}

func (p *pauses) set(of map[string]hitl.Pause) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of = of
}

func (p *pauses) Paused(context.Context) (map[string]hitl.Pause, error) {
	p.asked.Add(1)
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.of, nil
}

func (p *pauses) Pause(_ context.Context, want hitl.Pause) (hitl.Pause, bool, error) {
	if standing, ok := p.of[want.Queue]; ok {
		return standing, false, nil
	}
	p.set(map[string]hitl.Pause{want.Queue: want})
	return want, true, nil
}

func (p *pauses) Resume(_ context.Context, queue, _ string, _ hitl.Hours) (hitl.Pause, error) {
	standing, ok := p.of[queue]
	if !ok {
		return hitl.Pause{}, hitl.ErrNotFound
	}
	p.set(nil)
	return standing, nil
}

// Owners stop a queue and let it go on; others cannot, and each is told what became of it.
func TestPauseCommands(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) {
		q := s.bot.Queues["support"]
		q.Owners = Owners{Users: []string{ana}}
		s.bot.Queues["support"] = q
		s.bot.Desk.Pauses = &pauses{}
		s.bot.Desk.Queues = map[string]hitl.QueueRules{"support": sampleTerms()}
		s.bot.Policies = func() map[string]Policy { return map[string]Policy{"mail": samplePolicy()} }
	})
	for _, tc := range []struct{ user, ask, want string }{
		{ben, "pause support", "Only the owners of the queue `support` can do that."},
		{ana, "pause", "Please name one queue."},
		{ana, "pause nowhere", "Please name one queue."},
		{ana, "resume support", "`support` is not paused."},
		{ana, "pause support lunch", "`support` is paused."},
		{ana, "pause support again", "has been paused already, by <@U0ANA>"},
		{ben, "queue", "*paused*"},
		{ben, "resume support", "Only the owners of the queue `support` can do that."},
		{ana, "resume support", "`support` goes on."},
		{ana, "pause support " + strings.Repeat("long ", 100), "That reason is too long."},
		{ben, "policy", "a source's policy: `mail`"},
		{ben, "policy mail", "confidence of 90%"},
		{ben, "policy support", "moves to `seniors`"},
		{ben, "policy nothing", "Please name one source"},
	} {
		w.command(tc.user, tc.ask)
		if got := w.whispered(tc.user); !strings.Contains(got, tc.want) {
			t.Errorf("%s asks %q and reads %q, want %q", tc.user, tc.ask, got, tc.want)
		}
	}
	w.clean()
}

// In a paused queue nothing is posted, and what waits is posted when it goes on.
func TestPausedQueueIsNotFilled(t *testing.T) {
	t.Parallel()
	held := &pauses{of: map[string]hitl.Pause{"support": {Queue: "support"}}}
	w := newWorld(t, func(s *setup) { s.bot.Desk.Pauses = held })
	rec := w.add()
	if what, _, err := w.bot.show(t.Context(), "other", rec.Review.ID, 0, false); what != needless || err != nil {
		t.Errorf("a review of another queue: %s, %v", what, err)
	}
	stop := w.run()
	w.eventually("the queue has been looked at", func() bool { return held.asked.Load() > 3 })
	if got := w.cards(); got != 0 {
		t.Errorf("%d cards of a paused queue", got)
	}
	held.set(nil)
	w.eventually("a card", func() bool { return w.cards() == 1 })
	stop()
}

// However many queues are looked at, the store is asked once in a while; who resumes one does not wait for the next look.
func TestQueuesShareTheLookForPauses(t *testing.T) {
	t.Parallel()
	held := &pauses{of: map[string]hitl.Pause{"support": {Queue: "support"}}}
	w := newWorld(t, func(s *setup) { s.bot.Desk.Pauses, s.bot.Poll = held, time.Hour })
	for range 100 {
		if !w.bot.pausedLately(t.Context(), "support") || w.bot.pausedLately(t.Context(), "other") {
			t.Fatal("not the one queue that is paused")
		}
	}
	if got := held.asked.Load(); got != 1 {
		t.Errorf("asked %d times", got)
	}
	held.set(nil)
	w.bot.pauses.forget()
	if w.bot.pausedLately(t.Context(), "support") {
		t.Error("paused still")
	}
}

// A card that was only intended when its review moved is posted where it was meant to be and then given up, and the review gets one in its new
// channel.
func TestIntendedCardOfMovedReview(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) {
		s.bot.Queues["seniors"] = Queue{Channel: "C0ESCALATE", Reviewers: Reviewers{Users: []string{ana}}}
	})
	rec := w.add()
	if _, err := w.store.BeginCard(t.Context(), rec.Review.ID, "T0SLACKSIM", channel, 10); err != nil {
		t.Fatal(err)
	}
	moved := rec
	review := *rec.Review
	review.Queue = "seniors"
	moved.Review = &review
	w.store.put(moved)
	for range 2 {
		if _, _, err := w.bot.show(t.Context(), "seniors", rec.Review.ID, 0, false); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.sim.Messages("C0ESCALATE"); len(got) != 1 || !strings.Contains(got[0].AllText(), "Accept") {
		t.Errorf("in the new channel: %+v", got)
	}
	for _, m := range w.sim.Messages(channel) {
		if !strings.Contains(m.Text, "moved to `seniors`") {
			t.Errorf("in the old channel: %q", m.Text)
		}
	}
	w.clean()
}

// A card whose review has moved to another queue's channel says so, has no buttons, and is given up.
func TestMovedCard(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) {
		s.bot.Queues["seniors"] = Queue{Channel: "C0ESCALATE", Reviewers: Reviewers{Users: []string{ana}}}
	})
	rec, _ := w.posted()
	moved := rec
	review := *rec.Review
	review.Queue = "seniors"
	moved.Review = &review
	w.store.put(moved)
	if err := w.bot.RefreshCard(t.Context(), rec.Review.ID); err != nil {
		t.Fatal(err)
	}
	got := w.sim.Messages(channel)
	if len(got) != 1 || !strings.Contains(got[0].Text, "moved to `seniors` in <#C0ESCALATE>") || strings.Contains(got[0].AllText(), "Accept") {
		t.Errorf("%+v", got)
	}
	cards, err := w.store.Cards(t.Context(), rec.Review.ID)
	if err != nil || len(cards) != 1 || cards[0].State != hitl.CardGone {
		t.Errorf("%+v, %v", cards, err)
	}
	w.clean()
}
