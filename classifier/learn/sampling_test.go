package learn

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

func TestPlanSample(t *testing.T) {
	p := PlanSample(600, 400, 30, 0.02)
	nearly(t, "rate", p.Rate, 0.05, 1e-12)
	nearly(t, "days", p.Days, 75, 1e-12)
	if !p.Possible() || PlanSample(600, 10, 30, 0.02).Possible() || PlanSample(600, 0, 30, 0.02).Possible() || PlanSample(600, 10, 0, 0).Days != math.Inf(1) {
		t.Error("what is possible")
	}
	rapid.Check(t, func(t *rapid.T) {
		n, perDay, days := rapid.IntRange(1, 10_000).Draw(t, "reviews"), rapid.Float64Range(0.1, 1e6).Draw(t, "per day"), rapid.Float64Range(0.1, 1000).Draw(t, "days")
		p := PlanSample(n, perDay, days, 0.1)
		if q := PlanSample(n, perDay, 2*days, 0.1); q.Rate > p.Rate {
			t.Errorf("more time takes %v, less %v", q.Rate, p.Rate)
		}
		if q := PlanSample(2*n, perDay, days, 0.1); q.Rate < p.Rate {
			t.Errorf("more reviews take %v, fewer %v", q.Rate, p.Rate)
		}
	})
}

// What a plan says suffices does, four times in five.
func TestPlanSuffices(t *testing.T) {
	o := AdviseOptions{Risk: mustShare(t, "0.05"), Confidence: mustShare(t, "0.9")}
	alpha := o.Confidence.complement().rat
	const seen = 0.02
	n := need(200, 4, 0.85, 0.05, 0.1, fewestFor(0, o.Risk.rat, alpha)).Reviews
	chance := rand.New(rand.NewPCG(4, 4))
	passed := 0
	const runs = 1000
	for range runs {
		kept := make([]Evidence, n)
		for i := range kept {
			kept[i] = Evidence{ItemID: strconv.Itoa(i), Confidence: 0.9, Inclusion: 1, Reviewed: true, Answered: true, Correct: chance.Float64() >= seen}
		}
		s := newSample(kept, nil, 1)
		if w := walk(s, o.Risk.rat, alpha, false, func(t float64) bool { return t <= 0.9 }); w.threshold != NoThreshold {
			passed++
		}
	}
	if passed < 750 || passed > 950 {
		t.Errorf("%d reviews pass in %d of %d runs, planned for 800", n, passed, runs)
	}
	t.Logf("%d reviews at an error rate of %v: %d of %d", n, seen, passed, runs)
}
