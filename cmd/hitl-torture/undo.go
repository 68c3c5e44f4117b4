package main

import (
	"context"
	"math/rand/v2"
	"strings"
)

// maxRounds is how often one review is decided at most: who looks for work finds others, too.
const maxRounds = 4

// changeOfMind presses Undo on one of the cards that offer it: mostly as who decided, at times twice at once, at times as somebody else, which must
// change nothing. Nil when there is none.
func (t *team) changeOfMind(cards []shownCard, rng *rand.Rand) func(context.Context) {
	for _, i := range rng.Perm(len(cards)) {
		c := cards[i]
		button, ok := c.button("hitl_undo")
		if !ok || roundOf(button) >= maxRounds {
			continue
		}
		user := reviewers()[rng.IntN(len(reviewers()))]
		if rng.IntN(5) > 0 {
			for _, u := range reviewers() {
				if strings.Contains(c.text, "by <@"+u+">") {
					user = u
				}
			}
		}
		return func(ctx context.Context) { t.press(ctx, c, user, button, operation{do: undone}, false) }
	}
	return nil
}
