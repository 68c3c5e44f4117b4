package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"hitl/bot/slacksim"
)

// team are the reviewers. They work on each queue in its own way: see votes.go for panels, claims.go for claims, undo.go for what is undone.
type team struct {
	slack    *workspace
	hist     *history
	claims   *claims
	settling atomic.Bool // nobody waits for probes any more, and nothing more is undone or left lying
	screens  map[string]*sync.Mutex
}

func newTeam(slack *workspace, hist *history) *team {
	t := &team{slack: slack, hist: hist, claims: newClaims(hist), screens: map[string]*sync.Mutex{}}
	for _, user := range reviewers() {
		t.screens[user] = &sync.Mutex{}
	}
	return t
}

// run works on one queue until ctx ends: mostly one reviewer on one card, at times several on the same, or one twice.
func (t *team) run(ctx context.Context, f feed, rng *rand.Rand) {
	var working sync.WaitGroup
	defer working.Wait()
	room := make(chan struct{}, 8)
	for sleep(ctx, time.Duration(200+rng.IntN(500))*time.Millisecond) == nil {
		cards := t.slack.cards(f.Channel)
		t.claims.sight(cards)
		for _, do := range t.turn(f, cards, rng) {
			select {
			case room <- struct{}{}:
			case <-ctx.Done():
				return
			}
			working.Go(func() {
				defer func() { <-room }()
				do(ctx)
			})
		}
	}
}

// turn decides what is done next, all of it at once. Cards of probes are clicked by those who wait for them.
func (t *team) turn(f feed, cards []shownCard, rng *rand.Rand) (all []func(context.Context)) {
	if f.Name == probeFeed && !t.settling.Load() {
		return nil
	}
	if f.UndoFor > 0 && !t.settling.Load() && rng.IntN(3) == 0 {
		if undo := t.changeOfMind(cards, rng); undo != nil {
			return append(all, undo)
		}
	}
	c, ok := t.choose(cards, rng)
	if !ok {
		return nil
	}
	if f.ClaimFor > 0 {
		if do, only := t.withClaim(f, c, rng); only {
			return append(all, do)
		}
	}
	for range 1 + max(0, rng.IntN(5)-2) {
		user := reviewers()[rng.IntN(len(reviewers()))]
		if len(c.buttons) == 0 {
			label := labels[rng.IntN(len(labels))]
			all = append(all, func(ctx context.Context) { t.vote(ctx, c, user, label) })
			continue
		}
		if f.Panel > 0 && rng.IntN(2) == 0 {
			user = reviewers()[0] // for who else clicks there may be no majority to decide on
		}
		button := c.buttons[rng.IntN(len(c.buttons))]
		// Where a click may be refused a tick does not say that there is a decision.
		all = append(all, func(ctx context.Context) { t.decide(ctx, c, user, button, f.ClaimFor == 0 && f.Panel == 0) })
	}
	return all
}

// choose finds a card that waits for people, one of the oldest or any.
func (t *team) choose(cards []shownCard, rng *rand.Rand) (shownCard, bool) {
	open := slices.DeleteFunc(slices.Clone(cards), func(c shownCard) bool { return c.open() == 0 || t.hist.isDone(c.review, c.open()) })
	if len(open) == 0 {
		return shownCard{}, false
	}
	if rng.IntN(2) == 0 {
		return open[rng.IntN(len(open))], true
	}
	return open[rng.IntN(min(len(open), 3))], true
}

// decide presses a button that decides, records what the reviewer saw, and says whether it was ticked.
func (t *team) decide(ctx context.Context, c shownCard, user string, button slacksim.Element, decides bool) (ticked bool) {
	return t.press(ctx, c, user, button, operation{do: clicked, label: label(button)}, decides)
}

// press clicks on a button of a card, records it as an operation, and says whether it was ticked: answered, in time, with success.
func (t *team) press(ctx context.Context, c shownCard, user string, button slacksim.Element, op operation, decides bool) (ticked bool) {
	op.call, op.round, op.by = t.hist.now(), roundOf(button), t.slack.id(user)
	out, err := t.slack.sim.Click(ctx, slacksim.Click{User: user, Channel: c.channel, TS: c.ts, ActionID: button.ActionID, Value: button.Value})
	if err != nil {
		return false // the button is gone: nothing was sent
	}
	op.known = t.ticked(out)
	t.hist.did(c.review, op, decides, out.Took)
	return op.known
}

// ticked says whether what somebody did was answered, in time, with success.
func (t *team) ticked(out slacksim.Outcome) bool {
	if out.Error == slacksim.TimedOut {
		t.hist.timedOut()
	}
	return out.Status == http.StatusOK && out.Error == "" && len(out.Errors) == 0
}
