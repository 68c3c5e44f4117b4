package main

import "testing"

func TestLinearizable(t *testing.T) {
	t.Parallel()
	const anaID, benID, chloeID = "T/UANA", "T/UBEN", "T/UCHLOE"
	pend, pend2 := pending(1), pending(2)
	ana, ben, ana2 := decided(1, "POSITIVE", anaID), decided(1, "NEGATIVE", benID), decided(2, "NEGATIVE", anaID)
	panel := decided(1, "POSITIVE", "panel")
	submit := func(out state, call, end int64) operation {
		return operation{do: submitted, out: out, known: true, call: call, end: end}
	}
	by := func(do action, want state, call, end int64) operation {
		label, who := want.parts()
		return operation{do: do, round: want.round(), label: label, by: who, known: end != never, call: call, end: end}
	}
	tick := func(want state, call, end int64) operation { return by(clicked, want, call, end) }
	undo := func(want state, call, end int64) operation { return by(undone, want, call, end) }
	vote := func(who, label string, call, end int64) operation {
		return by(voted, decided(1, label, who), call, end)
	}
	failed := func(want state, call int64) operation { return tick(want, call, never) }
	look := func(out state, call, end int64) operation {
		return operation{do: read, out: out, known: true, call: call, end: end}
	}
	callback := func(out state, end int64) operation { return operation{do: told, out: out, known: true, end: end} }
	undoing, claiming := rules{undo: true}, rules{claims: true}
	two := rules{panel: 2, adjudicator: chloeID}
	lost := operation{do: submitted, call: 1, end: never}
	for name, c := range map[string]struct {
		of   rules
		ops  []operation
		want bool
	}{
		"accepted at once":                   {rules{}, []operation{submit("sure:POSITIVE", 1, 2), look("sure:POSITIVE", 3, 4)}, true},
		"decided":                            {rules{}, []operation{submit(pend, 1, 2), tick(ana, 3, 4), look(ana, 5, 6)}, true},
		"the answer of the first post lost":  {rules{}, []operation{lost, look(pend, 5, 6), submit(pend, 7, 8)}, true},
		"a replay after the decision":        {rules{}, []operation{lost, tick(ana, 3, 4), submit(ana, 7, 8)}, true},
		"two race, the second wins":          {rules{}, []operation{submit(pend, 1, 2), tick(ana, 3, 9), tick(ben, 4, 8), look(ben, 10, 11)}, true},
		"one after the other, first wins":    {rules{}, []operation{submit(pend, 1, 2), tick(ana, 3, 4), tick(ben, 5, 6), look(ana, 7, 8)}, true},
		"a click nobody answered, effective": {rules{}, []operation{submit(pend, 1, 2), failed(ana, 3), look(pend, 4, 5), look(ana, 6, 7)}, true},
		"a click nobody answered, without":   {rules{}, []operation{submit(pend, 1, 2), failed(ana, 3), look(pend, 4, 5), look(pend, 6, 7)}, true},

		"the item is gone":                {rules{}, []operation{submit(pend, 1, 2), look(absent, 3, 4)}, false},
		"a ticked click is lost":          {rules{}, []operation{submit(pend, 1, 2), tick(ana, 3, 4), look(pend, 5, 6)}, false},
		"a later click wins":              {rules{}, []operation{submit(pend, 1, 2), tick(ana, 3, 4), tick(ben, 5, 6), look(ben, 7, 8)}, false},
		"the decision changes":            {rules{}, []operation{submit(pend, 1, 2), failed(ana, 3), failed(ben, 3), look(ana, 5, 6), look(ben, 7, 8)}, false},
		"a decision that nobody made":     {rules{}, []operation{submit(pend, 1, 2), tick(ana, 3, 4), look(ben, 5, 6)}, false},
		"a read goes back in time":        {rules{}, []operation{submit(pend, 1, 2), failed(ana, 3), look(ana, 5, 6), look(pend, 7, 8)}, false},
		"a replay that answers otherwise": {rules{}, []operation{submit(pend, 1, 2), submit("sure:POSITIVE", 3, 4)}, false},
		"a tick for an item without one":  {rules{}, []operation{submit("sure:POSITIVE", 1, 2), tick(ana, 3, 4)}, false},

		"undone and decided anew":              {undoing, []operation{submit(pend, 1, 2), tick(ana, 3, 4), undo(ana, 5, 6), look(pend2, 7, 8), tick(ana2, 9, 10), look(ana2, 11, 12)}, true},
		"undone too late":                      {undoing, []operation{submit(pend, 1, 2), tick(ana, 3, 4), undo(ana, 5, 6), look(ana, 7, 8)}, true},
		"a late click on the round before":     {undoing, []operation{submit(pend, 1, 2), tick(ana, 3, 4), undo(ana, 5, 6), look(pend2, 7, 8), tick(ben, 9, 10), look(pend2, 11, 12)}, true},
		"told of each":                         {undoing, []operation{submit(pend, 1, 2), tick(ana, 3, 4), undo(ana, 5, 6), tick(ana2, 7, 8), callback(ana, 9), callback(pend2, 9), callback(ana2, 9)}, true},
		"told before it stood so":              {undoing, []operation{submit(pend, 1, 2), tick(ana, 3, 4), undo(ana, 5, 6), callback(ana2, 7), tick(ana2, 8, 9)}, false},
		"undone by another":                    {undoing, []operation{submit(pend, 1, 2), tick(ana, 3, 4), undo(ben, 5, 6), look(pend2, 7, 8)}, false},
		"undone where nothing can be":          {rules{}, []operation{submit(pend, 1, 2), tick(ana, 3, 4), undo(ana, 5, 6), look(pend2, 7, 8)}, false},
		"undone, and the round before is back": {undoing, []operation{submit(pend, 1, 2), tick(ana, 3, 4), undo(ana, 5, 6), look(pend2, 7, 8), look(ana, 9, 10)}, false},
		"a round that nobody opened":           {undoing, []operation{submit(pend, 1, 2), tick(ana, 3, 4), tick(ana2, 5, 6), look(ana2, 7, 8)}, false},

		"refused since claimed":    {claiming, []operation{submit(pend, 1, 2), tick(ana, 3, 4), look(pend, 5, 6), tick(ben, 7, 8), look(ben, 9, 10)}, true},
		"refused without a reason": {rules{}, []operation{submit(pend, 1, 2), tick(ana, 3, 4), look(pend, 5, 6), tick(ben, 7, 8), look(ben, 9, 10)}, false},

		"a panel agrees":            {two, []operation{submit(pend, 1, 2), vote(anaID, "POSITIVE", 3, 4), look(pend, 5, 6), vote(benID, "POSITIVE", 7, 8), look(panel, 9, 10)}, true},
		"one verdict each":          {two, []operation{submit(pend, 1, 2), vote(anaID, "POSITIVE", 3, 4), vote(anaID, "POSITIVE", 5, 6), look(pend, 7, 8)}, true},
		"an adjudicator":            {two, []operation{submit(pend, 1, 2), vote(anaID, "POSITIVE", 3, 4), vote(benID, "NEGATIVE", 5, 6), tick(ben, 7, 8), look(pend, 9, 10), tick(decided(1, "NEGATIVE", chloeID), 11, 12), look(decided(1, "NEGATIVE", chloeID), 13, 14)}, true},
		"one counted twice":         {two, []operation{submit(pend, 1, 2), vote(anaID, "POSITIVE", 3, 4), vote(anaID, "POSITIVE", 5, 6), look(panel, 7, 8)}, false},
		"a verdict is lost":         {two, []operation{submit(pend, 1, 2), vote(anaID, "POSITIVE", 3, 4), vote(benID, "POSITIVE", 5, 6), look(pend, 7, 8)}, false},
		"one decides for a panel":   {two, []operation{submit(pend, 1, 2), vote(anaID, "POSITIVE", 3, 4), tick(ben, 5, 6), look(ben, 7, 8)}, false},
		"no adjudicator, all alone": {two, []operation{submit(pend, 1, 2), vote(anaID, "POSITIVE", 3, 4), vote(benID, "NEGATIVE", 5, 6), tick(ben, 7, 8), look(ben, 9, 10)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.of.route = routeOf(c.ops)
			if got := linearizable(c.ops, c.of); got != c.want {
				t.Errorf("linearizable: %v, want %v: %s", got, c.want, describe(c.ops))
			}
		})
	}
}
