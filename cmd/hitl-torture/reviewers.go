package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"hitl/bot/slacksim"
)

// team clicks on cards as several reviewers.
type team struct {
	slack  *workspace
	feeds  []feed
	hist   *history
	probes atomic.Bool // click on the cards of probes, too: nobody waits for those any more
}

// run clicks until ctx ends: mostly one reviewer on one card, at times several on the same, or one twice.
func (t *team) run(ctx context.Context, rng *rand.Rand) {
	var clicking sync.WaitGroup
	defer clicking.Wait()
	room := make(chan struct{}, 16)
	for sleep(ctx, time.Duration(60+rng.IntN(240))*time.Millisecond) == nil {
		c, ok := t.choose(rng)
		if !ok {
			continue
		}
		for range 1 + max(0, rng.IntN(5)-2) {
			user, button := reviewers()[rng.IntN(len(reviewers()))], c.buttons[rng.IntN(len(c.buttons))]
			select {
			case room <- struct{}{}:
			case <-ctx.Done():
				return
			}
			clicking.Go(func() {
				defer func() { <-room }()
				t.click(ctx, c, user, button)
			})
		}
	}
}

// choose finds a card that can be clicked, one of the oldest or any; cards of probes are clicked by those who wait for them.
func (t *team) choose(rng *rand.Rand) (shownCard, bool) {
	f := t.feeds[rng.IntN(len(t.feeds))]
	if f.Name == probeFeed && !t.probes.Load() {
		return shownCard{}, false
	}
	var open []shownCard
	for _, c := range t.slack.cards(f.Channel) {
		if len(c.buttons) > 0 && !t.hist.isDone(c.review) {
			open = append(open, c)
		}
	}
	if len(open) == 0 {
		return shownCard{}, false
	}
	if rng.IntN(2) == 0 {
		return open[rng.IntN(len(open))], true
	}
	return open[rng.IntN(min(len(open), 3))], true
}

// click presses a button, records what the reviewer saw, and says whether it was ticked: answered, in time, with success.
func (t *team) click(ctx context.Context, c shownCard, user string, button slacksim.Element) (ticked bool) {
	call := t.hist.now()
	out, err := t.slack.sim.Click(ctx, slacksim.Click{User: user, Channel: c.channel, TS: c.ts, ActionID: button.ActionID, Value: button.Value})
	if err != nil {
		return false // the button is gone: nothing was sent
	}
	ticked = out.Status == http.StatusOK && out.Error == ""
	want := decided(label(button), t.slack.sim.Team().ID+"/"+user)
	if out.Error == slacksim.TimedOut {
		t.hist.timedOut()
	}
	t.hist.clickedOn(c.review, call, want, ticked, out.Took)
	return ticked
}
