package main

import (
	"strings"
	"testing"

	"hitl"
)

// A sample is not thinned to an old, low rate where leaving the old items out leaves more.
func TestLargestSample(t *testing.T) {
	items := func(parts ...float64) (out []hitl.Labelled) { // so many at such a rate
		for i := 0; i < len(parts); i += 2 {
			for range int(parts[i]) {
				out = append(out, hitl.Labelled{AILabel: "A", Inclusion: parts[i+1]})
			}
		}
		return out
	}
	other := items(100, 0.1)
	other[0].Triggers = []hitl.Trigger{hitl.RuleTrigger("r")}
	for name, c := range map[string]struct {
		items []hitl.Labelled
		want  int
	}{
		"none":                         {nil, 0},
		"one rate":                     {items(100, 0.1), 0},
		"raised, much came before":     {items(1000, 0.1, 50, 0.2), 0},
		"raised, little came before":   {items(100, 0.1, 500, 0.2), 100},
		"raised twice":                 {items(100, 0.1, 500, 0.2, 900, 0.5), 600},
		"lowered":                      {items(100, 0.5, 500, 0.1), 0},
		"a rule's item at the begin":   {other, 0},
		"below the threshold, all see": {items(500, 1, 100, 0.5), 0},
	} {
		if got := largestSample(c.items); got != c.want {
			t.Errorf("%s: from %d on, want %d", name, got, c.want)
		}
	}
}

func TestPlanWords(t *testing.T) {
	for want, p := range map[string]plan{
		"to have 600 reviews above 0.85 within 30d0h, set policies.*.sample.rate to 0.05 (20.0 reviews a day). At the present 2.0% it takes about 75 days.": {
			Above: 0.85, Within: "30d0h", Reviews: 600, PerDay: 400, Rate: 0.05, Present: 0.02, Days: 75,
		},
		"A: 600 reviews above 0.9 are more than come within 3d0h (10.0 a day).": {Label: "A", Above: 0.9, Within: "3d0h", Reviews: 600, PerDay: 10},
		"too many are wrong above 0.9":                                          {Above: 0.9},
	} {
		if got := p.words(); !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
