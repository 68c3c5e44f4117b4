package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// unsettled counts what is not yet as it should be.
type unsettled struct {
	undecided, dead, uncalled, unbound int

	example string // a dead card's channel, time and text
}

// standsSince is how an item stands, and since when, as far as we know.
type standsSince struct {
	state
	since, asked time.Time // first and last
}

// final says whether nothing can change it any more: its time to be undone is over, too, with a second for the database's.
func (s standsSince) final(f feed) bool {
	return s.state != absent && (!s.isDecided() || !f.undoes() || s.asked.Sub(s.since) > f.UndoFor+time.Second)
}

func (u unsettled) none() bool { return u == unsettled{} }

// settle waits until every acknowledged item has its answer, every card says so, every callback arrived, and a checkpoint binds every entry of
// the log, while reviewers go on clicking; or until ctx ends.
func (w *world) settle(ctx context.Context, say func(string, ...any)) unsettled {
	final, bound := map[key]standsSince{}, map[key]bool{}
	var last unsettled
	for tick := 0; ; tick++ {
		w.refresh(ctx, final, bound)
		now := w.unsettled(final, bound)
		if now.none() {
			return now
		}
		if now != last || tick%10 == 0 {
			say("settling: %d undecided, %d dead cards, %d not called back, %d not under a checkpoint", now.undecided, now.dead, now.uncalled, now.unbound)
			if now.dead > 0 && now == last {
				say("settling: dead for a while: %s", now.example)
			}
		}
		last = now
		if sleep(ctx, time.Second) != nil {
			return now
		}
	}
}

// refresh asks the service for the state of those items that were not final, or not bound by a checkpoint, when last asked.
func (w *world) refresh(ctx context.Context, final map[key]standsSince, bound map[key]bool) {
	var mu sync.Mutex
	var asking sync.WaitGroup
	room := make(chan struct{}, 8)
	for _, it := range w.hist.acked() {
		mu.Lock()
		done := final[it.key].final(w.feed(it.source))
		whole := bound[it.key]
		mu.Unlock()
		if done && whole {
			continue
		}
		room <- struct{}{}
		asking.Go(func() {
			defer func() { <-room }()
			u, asked := w.upstreams[it.source], time.Now()
			v, status, err := u.look(ctx, it.ids[0])
			if err != nil || status != http.StatusOK || v.state().isPending() {
				return
			}
			log, err := u.log(ctx, it.ids[0]) // which is complete: the item is final
			mu.Lock()
			defer mu.Unlock()
			was := final[it.key]
			if was.state != v.state() {
				was = standsSince{state: v.state(), since: asked}
			}
			was.asked = asked
			final[it.key] = was
			bound[it.key] = err == nil && len(log.Entries) > 0 && len(log.Proof.Proofs) == len(log.Entries)
		})
	}
	asking.Wait()
}

func (w *world) unsettled(final map[key]standsSince, bound map[key]bool) unsettled {
	var u unsettled
	byReview := map[string]state{}
	for _, it := range w.hist.acked() {
		s := final[it.key]
		if !s.final(w.feed(it.source)) {
			u.undecided++
			continue
		}
		if !bound[it.key] {
			u.unbound++
		}
		byReview[it.review] = s.state
		if !w.sink.knows(it.ids[0], s.state) {
			u.uncalled++
		}
	}
	for _, f := range w.feeds {
		for _, c := range w.slack.cards(f.Channel) {
			if s := byReview[c.review]; s.isDecided() && !c.says(s) {
				u.dead++
				u.example = fmt.Sprintf("card %s in %s, %s: %.300q", c.ts, c.channel, s, c.text)
			}
		}
	}
	return u
}
