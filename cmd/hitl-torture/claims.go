package main

import (
	"context"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"hitl"
	"hitl/bot/slacksim"
)

// claim is what a card said: that somebody has a round of a review for themselves until a time, a second's fraction dropped.
type claim struct {
	round
	by    string // Slack's id
	until int64  // as operations have it
}

// claims is what was seen of claims on cards, and when first: after their commit. A claim ends with its time, with the decision of who has it, or
// when that person gives it back, which is remembered, too.
type claims struct {
	hist *history

	mu       sync.Mutex
	seen     map[claim]int64
	returned map[string]bool // by review and person: maybe
}

func newClaims(hist *history) *claims {
	return &claims{hist: hist, seen: map[claim]int64{}, returned: map[string]bool{}}
}

var claimLine = regexp.MustCompile(`Claimed by <@(\w+)> until <!date\^(\d+)\^`)

// claimed reads from a card who has it; false when nobody has, or no more.
func (cs *claims) claimed(c shownCard) (claim, bool) {
	m := claimLine.FindStringSubmatch(c.text)
	if m == nil || c.open() == 0 {
		return claim{}, false
	}
	unix, _ := strconv.ParseInt(m[2], 10, 64) // the pattern has digits only
	until := int64(time.Unix(unix, 0).Sub(cs.hist.start))
	return claim{round{c.review, c.open()}, m[1], until}, until > cs.hist.now()
}

// sight remembers the claims that cards show.
func (cs *claims) sight(cards []shownCard) {
	now := cs.hist.now()
	for _, c := range cards {
		if seen, ok := cs.claimed(c); ok {
			cs.mu.Lock()
			if _, before := cs.seen[seen]; !before {
				cs.seen[seen] = now
			}
			cs.mu.Unlock()
		}
	}
}

// withClaim is what somebody does who works on a queue where one claims first: claim a card, or take the next; decide what they have, give it
// back, or leave it lying. Others try to decide it meanwhile. Without only, the card is clicked as everywhere.
func (t *team) withClaim(f feed, c shownCard, rng *rand.Rand) (do func(context.Context), only bool) {
	now, taken := t.claims.claimed(c)
	user, chance := reviewers()[rng.IntN(len(reviewers()))], rng.IntN(10)
	press := func(action, user string) func(context.Context) {
		return func(ctx context.Context) { // what came of it the card shows
			if b, ok := c.button(action); ok {
				_, _ = t.slack.sim.Click(ctx, slacksim.Click{User: user, Channel: c.channel, TS: c.ts, ActionID: action, Value: b.Value}) // as above
			}
		}
	}
	switch {
	case taken && chance == 0:
		t.claims.giveBack(c.review, now.by)
		return press("hitl_release", now.by), true
	case taken && chance < 4 && len(c.buttons) > 0:
		button := c.buttons[rng.IntN(len(c.buttons))]
		return func(ctx context.Context) { t.decide(ctx, c, now.by, button, false) }, true
	case taken && chance < 7 || t.settling.Load():
		return nil, false // anybody
	case taken:
		return func(context.Context) {}, true // it is left lying
	case chance < 5:
		return press("hitl_claim", user), true
	case chance < 8:
		return func(ctx context.Context) {
			_, _ = t.slack.sim.Command(ctx, user, f.Channel, "/hitl", "next "+f.Name) // as above
		}, true
	}
	return nil, false
}

func (cs *claims) giveBack(review, by string) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.returned[review+" "+by] = true
}

// check holds every claim that was seen against who decided, and when. Its proof is only what nobody can doubt: a decision whose request came after
// the claim was seen, and which somebody saw before the claim's end.
func (cs *claims) check(byReview map[string]*finalItem, r *Report) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	r.Claims = len(cs.seen)
	for c, seen := range cs.seen {
		f := byReview[c.review]
		if f == nil {
			continue
		}
		for _, e := range f.Entries {
			if e.Status != hitl.HumanAccepted && e.Status != hitl.HumanCorrected || entryRound(e) != c.n || strings.HasSuffix(e.Reviewer, "/"+c.by) {
				continue
			}
			at, known := int64(e.At.Sub(cs.hist.start)), f.knownBy(decided(c.n, e.Label, e.Reviewer))
			switch {
			case at > c.until:
				r.ClaimsAbandoned++
			case at > seen && known < c.until && !cs.returned[c.review+" "+c.by]:
				r.DecidedOverClaims++
				r.problem("item %s: %s decided while %s had claimed it, as a card said before", f.id, e.Reviewer, c.by)
			}
		}
	}
}

// knownBy is when somebody first knew that an item stands so; never when nobody did.
func (f *finalItem) knownBy(s state) int64 {
	known := int64(never)
	for _, op := range f.ops {
		if (op.do == read || op.do == told) && op.out == s {
			known = min(known, op.end)
		}
	}
	return known
}
