package audit_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"hitl"
	"hitl/audit"
)

// expected is what a test believes of one item of the store.
type expected struct {
	rec      hitl.Record
	body     string
	decision *hitl.Decision
	card     *hitl.Card  // the one that is not gone
	stale    []hitl.Card // what earlier attempts saw of cards
	entries  int
}

// believer applies operations to the store and to a model of it, and compares the answers.
type believer struct {
	ctx   context.Context
	s     *audit.Store
	run   string // names this run's keys and its channel
	room  int
	items map[string]*expected
}

func (b *believer) append(t *rapid.T, name, body string) {
	rec := unsure(b.run+name, body)
	_, replayed, err := b.s.Append(b.ctx, rec, nil)
	x := b.items[name]
	switch {
	case x == nil && (err != nil || replayed):
		t.Fatalf("new item: replayed %v, error %v", replayed, err)
	case x == nil:
		b.items[name] = &expected{rec: rec, body: body, entries: 1}
	case x.body == body && (err != nil || !replayed):
		t.Fatalf("same item: replayed %v, error %v", replayed, err)
	case x.body != body && !errors.Is(err, hitl.ErrConflict):
		t.Fatalf("another body: %v", err)
	}
}

func (b *believer) decide(t *rapid.T, x *expected, d hitl.Decision) {
	standing, won, err := b.s.Decide(b.ctx, d, nil)
	var invalid *hitl.InvalidError
	switch {
	case x.decision == nil && d.Round != 1:
		if won || !errors.As(err, &invalid) {
			t.Fatalf("round %d: won %v, error %v", d.Round, won, err)
		}
	case x.decision == nil:
		if !won || err != nil {
			t.Fatalf("first decision: won %v, error %v", won, err)
		}
		x.decision = &d
		x.entries++
	case won || err != nil || !standing.Same(*x.decision):
		t.Fatalf("later decision: %+v, won %v, error %v", standing, won, err)
	}
}

func (b *believer) begin(t *rapid.T, x *expected) {
	taken := 0
	for _, o := range b.items {
		if o.card != nil && o.decision == nil {
			taken++
		}
	}
	var want error
	switch {
	case x.decision != nil:
		want = hitl.ErrAlreadyDecided
	case x.card != nil && x.card.State == hitl.CardPosted:
		want = hitl.ErrPosted
	case x.card == nil && taken >= b.room:
		want = hitl.ErrNoRoom
	}
	card, err := b.s.BeginCard(b.ctx, x.rec.Review.ID, "T1", b.run, b.room)
	if !errors.Is(err, want) {
		t.Fatalf("begin card: %v, not %v", err, want)
	}
	if want != nil {
		return
	}
	if x.card == nil && card.Attempt != 1 || x.card != nil && (card.Attempt != x.card.Attempt+1 || card.ID != x.card.ID) {
		t.Fatalf("intent %+v after %+v", card, x.card)
	}
	if x.card != nil {
		x.stale = append(x.stale, *x.card)
	}
	x.card = &card
}

func (b *believer) posted(t *rapid.T, x *expected) {
	if x.card == nil {
		return
	}
	if err := b.s.CardPosted(b.ctx, x.card.ID, b.run, "1.2"); err != nil {
		t.Fatal(err)
	}
	if x.card.State == hitl.CardIntent {
		x.stale = append(x.stale, *x.card)
	}
	x.card.State, x.card.TS = hitl.CardPosted, "1.2"
}

func (b *believer) gone(t *rapid.T, x *expected) {
	if x.card == nil {
		return
	}
	if err := b.s.CardGone(b.ctx, *x.card); err != nil {
		t.Fatal(err)
	}
	x.stale = append(x.stale, *x.card)
	x.card = nil
}

// late is what earlier attempts say after others came: nothing changes.
func (b *believer) late(t *rapid.T, x *expected) {
	for _, c := range x.stale {
		if err := b.s.CardGone(b.ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	if x.card == nil || x.card.State != hitl.CardPosted {
		return
	}
	if err := b.s.CardPosted(b.ctx, x.card.ID, b.run, "1.1"); !errors.Is(err, hitl.ErrPosted) {
		t.Fatalf("another message of a posted card: %v", err)
	}
}

// compare reads everything back.
func (b *believer) compare(t *rapid.T) {
	live := 0
	for name, x := range b.items {
		rec, err := b.s.Find(b.ctx, "mail", b.run+name)
		if err != nil || rec.Item.ID != x.rec.Item.ID || (rec.Decision == nil) != (x.decision == nil) {
			t.Fatalf("record %+v, error %v", rec, err)
		}
		if rec.Decision != nil && !rec.Decision.Same(*x.decision) {
			t.Fatalf("decision %+v, not %+v", rec.Decision, x.decision)
		}
		entries, err := b.s.Log(b.ctx, x.rec.Item.ID)
		if err != nil || len(entries) != x.entries || entries[len(entries)-1].Status != rec.Status() {
			t.Fatalf("%d entries, not %d, error %v", len(entries), x.entries, err)
		}
		if x.card != nil && x.decision == nil {
			live++
		}
	}
	if n, err := b.s.OpenCards(b.ctx, b.run); err != nil || n != live {
		t.Fatalf("%d open cards, not %d, error %v", n, live, err)
	}
}

func TestStoreAgainstModel(t *testing.T) {
	t.Parallel()
	s, _ := open(t, func(c *audit.Config) { c.BatchWait = -1 })
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		b := &believer{ctx: t.Context(), s: s, run: fmt.Sprintf("run %d ", runs), room: rapid.IntRange(1, 2).Draw(rt, "room"), items: map[string]*expected{}}
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "item")
			op := rapid.SampledFrom([]string{"append", "decide", "begin", "posted", "gone", "late"}).Draw(rt, "operation")
			x := b.items[name]
			if x == nil {
				op = "append"
			}
			switch op {
			case "append":
				b.append(rt, name, rapid.SampledFrom([]string{"one", "two"}).Draw(rt, "body"))
			case "decide":
				d := corrected(x.rec, rapid.SampledFrom([]string{"U1", "U2"}).Draw(rt, "reviewer"))
				d.Round = rapid.SampledFrom([]int{1, 1, 1, 2}).Draw(rt, "round")
				b.decide(rt, x, d)
			case "begin":
				b.begin(rt, x)
			case "posted":
				b.posted(rt, x)
			case "gone":
				b.gone(rt, x)
			case "late":
				b.late(rt, x)
			}
		}
		b.compare(rt)
	})
}
