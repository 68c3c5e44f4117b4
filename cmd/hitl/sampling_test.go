package main

import (
	"strings"
	"testing"
)

func TestPlanWords(t *testing.T) {
	for want, p := range map[string]plan{
		"to have 600 reviews above 0.85 within 30d0h, of which 200 are there, set policies.*.sample.rate to 0.05 (20.0 reviews a day). At the present 2.0% it takes about 75 days.": {
			Above: 0.85, Within: "30d0h", Reviews: 600, Sampled: 200, PerDay: 400, Rate: 0.05, Present: 0.02, Days: 75,
		},
		"A: 600 reviews above 0.9 are more than come within 3d0h (10.0 a day).": {Label: "A", Above: 0.9, Within: "3d0h", Reviews: 600, PerDay: 10},
		"too many are wrong above 0.9":                                          {Above: 0.9},
	} {
		if got := p.words(); !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
