package main

import "testing"

func TestLinearizable(t *testing.T) {
	t.Parallel()
	const ana, ben = state("decided:POSITIVE:T/UANA"), state("decided:NEGATIVE:T/UBEN")
	submit := func(out state, call, end int64) operation {
		return operation{do: submitted, out: out, known: true, call: call, end: end}
	}
	tick := func(want state, call, end int64) operation {
		return operation{do: clicked, want: want, known: true, call: call, end: end}
	}
	failed := func(want state, call int64) operation {
		return operation{do: clicked, want: want, call: call, end: never}
	}
	look := func(out state, call, end int64) operation {
		return operation{do: read, out: out, known: true, call: call, end: end}
	}
	lost := operation{do: submitted, call: 1, end: never}
	for name, c := range map[string]struct {
		ops  []operation
		want bool
	}{
		"accepted at once":                   {[]operation{submit("sure:POSITIVE", 1, 2), look("sure:POSITIVE", 3, 4)}, true},
		"decided":                            {[]operation{submit(pending, 1, 2), tick(ana, 3, 4), look(ana, 5, 6)}, true},
		"the answer of the first post lost":  {[]operation{lost, look(pending, 5, 6), submit(pending, 7, 8)}, true},
		"a replay after the decision":        {[]operation{lost, tick(ana, 3, 4), submit(ana, 7, 8)}, true},
		"two race, the second wins":          {[]operation{submit(pending, 1, 2), tick(ana, 3, 9), tick(ben, 4, 8), look(ben, 10, 11)}, true},
		"one after the other, first wins":    {[]operation{submit(pending, 1, 2), tick(ana, 3, 4), tick(ben, 5, 6), look(ana, 7, 8)}, true},
		"a click nobody answered, effective": {[]operation{submit(pending, 1, 2), failed(ana, 3), look(pending, 4, 5), look(ana, 6, 7)}, true},
		"a click nobody answered, without":   {[]operation{submit(pending, 1, 2), failed(ana, 3), look(pending, 4, 5), look(pending, 6, 7)}, true},

		"the item is gone":                {[]operation{submit(pending, 1, 2), look(absent, 3, 4)}, false},
		"a ticked click is lost":          {[]operation{submit(pending, 1, 2), tick(ana, 3, 4), look(pending, 5, 6)}, false},
		"a later click wins":              {[]operation{submit(pending, 1, 2), tick(ana, 3, 4), tick(ben, 5, 6), look(ben, 7, 8)}, false},
		"the decision changes":            {[]operation{submit(pending, 1, 2), failed(ana, 3), failed(ben, 3), look(ana, 5, 6), look(ben, 7, 8)}, false},
		"a decision that nobody made":     {[]operation{submit(pending, 1, 2), tick(ana, 3, 4), look(ben, 5, 6)}, false},
		"a read goes back in time":        {[]operation{submit(pending, 1, 2), failed(ana, 3), look(ana, 5, 6), look(pending, 7, 8)}, false},
		"a replay that answers otherwise": {[]operation{submit(pending, 1, 2), submit("sure:POSITIVE", 3, 4)}, false},
		"a tick for an item without one":  {[]operation{submit("sure:POSITIVE", 1, 2), tick(ana, 3, 4)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := linearizable(c.ops, routeOf(c.ops)); got != c.want {
				t.Errorf("linearizable: %v, want %v: %s", got, c.want, describe(c.ops))
			}
		})
	}
}
