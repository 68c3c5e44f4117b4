package learn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

func certifyOptions(t interface{ Fatal(...any) }, days float64) CertifyOptions {
	return CertifyOptions{Risk: mustShare(t, "0.02"), Confidence: mustShare(t, "0.95"), Days: days, Min: 0.005, Max: 0.2}
}

func TestCertify(t *testing.T) {
	// A sample that forgives five errors takes 523 items, one that forgives none 149, and each two standard deviations more.
	for name, c := range map[string]struct {
		stocks []Stock
		days   float64
		want   Course
	}{
		"from nothing":         {[]Stock{{PerDay: 400}}, 30, Course{Rate: 569.0 / 12_000, Reviews: 569, Risk: 1}},
		"half way":             {[]Stock{{Sampled: 285, PerDay: 400}}, 15, Course{Rate: 284.0 / 6000, Reviews: 569, Sampled: 285, Risk: 1}},
		"enough":               {[]Stock{{Sampled: 569, PerDay: 400}}, 30, Course{Rate: 0.005, Complete: true, Risk: 1}},
		"nearly, much time":    {[]Stock{{Sampled: 568, PerDay: 400}}, 30, Course{Rate: 0.005, Reviews: 569, Sampled: 568, Risk: 1}},
		"time for fewer":       {[]Stock{{PerDay: 50}}, 30, Course{Rate: 267.0 / 1500, Reviews: 267, Risk: 1}},
		"the time is over":     {[]Stock{{Sampled: 267, PerDay: 50}}, 0, Course{Rate: 0.005, Complete: true, Risk: 1}},
		"the slowest of two":   {[]Stock{{Label: "A", Sampled: 700, PerDay: 400}, {Label: "B", PerDay: 400}}, 30, Course{Rate: 630.0 / 12_000, Reviews: 630, Risk: 1}},
		"both have enough":     {[]Stock{{Label: "A", Sampled: 700, PerDay: 400}, {Label: "B", Sampled: 700, PerDay: 400}}, 30, Course{Rate: 0.005, Complete: true, Risk: 1}},
		"nothing to certify":   {nil, 30, Course{Rate: 0.005, Risk: 1}},
		"too few come":         {[]Stock{{PerDay: 20}}, 30, Course{Rate: 0.2, Reviews: 174, Late: true, Days: 43.5, Risk: 1 - math.Pow(0.05, 1/math.Pow(math.Sqrt(121)-1, 2))}},
		"none come":            {[]Stock{{}}, 30, Course{Rate: 0.2, Reviews: 174, Late: true, Days: math.Inf(1), Risk: 1}},
		"late, and time is up": {[]Stock{{Sampled: 100, PerDay: 20}}, -1, Course{Rate: 0.2, Reviews: 174, Sampled: 100, Late: true, Days: 18.5, Risk: 1 - math.Pow(0.05, 1/math.Pow(math.Sqrt(101)-1, 2))}},
	} {
		got := Certify(c.stocks, certifyOptions(t, c.days))
		if math.Abs(got.Rate-c.want.Rate) < 1e-12 && math.Abs(got.Risk-c.want.Risk) < 1e-12 && math.Abs(got.Days-c.want.Days) < 1e-9 {
			got.Rate, got.Risk, got.Days = c.want.Rate, c.want.Risk, c.want.Days
		}
		if got != c.want {
			t.Errorf("%s:\n%+v, want\n%+v", name, got, c.want)
		}
	}
	for _, k := range forgiven {
		if got, want := sizeFor(k, 0.02, 0.05), fewestFor(k, mustShare(t, "0.02").rat, mustShare(t, "0.05").rat); got != want {
			t.Errorf("%d wrong ones take %d, want %d", k, got, want)
		}
	}
}

func TestCertifyProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := certifyOptions(t, rapid.Float64Range(-1, 100).Draw(t, "days"))
		s := Stock{Sampled: rapid.IntRange(0, 700).Draw(t, "sampled"), PerDay: rapid.Float64Range(0, 2000).Draw(t, "per day")}
		got := Certify([]Stock{s}, o)
		if got.Rate < o.Min || got.Rate > o.Max || got.Complete && got.Rate != o.Min || got.Late && got.Rate != o.Max {
			t.Errorf("%+v", got)
		}
		if got.Late && got.Risk < o.Risk.Float() {
			t.Errorf("late for %v, and %v can be certified: %+v", o.Risk, got.Risk, got)
		}
		if !got.Complete && !got.Late && float64(got.Sampled)+got.Rate*s.PerDay*o.Days < float64(got.Reviews)-1e-6 {
			t.Errorf("that does not bring %d: %+v", got.Reviews, got)
		}
	})
}

// certifying is a month in which the rate is chosen anew three times a day, for items that come in waves.
type certifying struct {
	w    truth
	most float64                                        // rate
	rate func(sampled, wrong int, days float64) float64 // by the items above the threshold that people have seen
}

func (c certifying) run(chance *rand.Rand) []Evidence {
	const days, perDay, threshold, steps = 30, 50, 0.85, 90
	var items []Evidence
	sampled, wrong, above := 0, 0, 0
	rate := 0.02
	for step := range steps {
		for range 5 + chance.IntN(2*perDay*days/steps-9) {
			confidence, right := c.w.draw(chance)
			e := Evidence{ItemID: strconv.Itoa(len(items)), Confidence: confidence, Inclusion: 1, Rate: rate, Reviewed: true}
			if confidence >= threshold {
				above++
				e.Inclusion, e.Reviewed = rate, chance.Float64() < rate
			}
			correct := chance.Float64() < right
			e.Answered, e.Correct = e.Reviewed, e.Reviewed && correct
			items = append(items, e)
			if confidence >= threshold && e.Reviewed {
				sampled++
				if !correct {
					wrong++
				}
			}
		}
		if step >= 2 { // a day has passed
			left := float64(days) * float64(steps-step-1) / steps
			rate = c.rate(sampled, wrong, left)
			if perDay := float64(above) / (float64(days) * float64(step+1) / steps); rate < 0 {
				rate = Certify([]Stock{{Sampled: sampled, PerDay: perDay}}, CertifyOptions{
					Risk: mustShare(nil, "0.05"), Confidence: mustShare(nil, "0.9"), Days: left, Min: 0.01, Max: c.most,
				}).Rate
			}
		}
	}
	return items
}

// TestCertifiedHolds: a promise on a sample whose rate rose and fell to have enough in time is broken in no more than the promised share of 2,000 runs. A rate that
// follows the answers, high until they pass the test, breaks it far more often.
func TestCertifiedHolds(t *testing.T) {
	const runs = 2000
	o := AdviseOptions{Risk: mustShare(t, "0.05"), Confidence: mustShare(t, "0.9")}
	most := 0
	for binomialCDF(most, runs, 0.1) < 0.9999 {
		most++
	}
	broken := func(chance *rand.Rand, c certifying) (found, broken int, sample float64) {
		for range runs {
			s := draw(c.run(chance), "")
			p := s.promise("", 1, o)
			n, _, _ := s.at(0.85, false)
			sample += float64(n) / runs
			if p.Found {
				found++
				if c.w.risk(p.Threshold) > 0.05 {
					broken++
				}
			}
		}
		return found, broken, sample
	}
	blind := func(int, int, float64) float64 { return -1 }
	peeking := func(sampled, wrong int, _ float64) float64 {
		if binomialCDF(wrong, sampled, 0.05) <= 0.1 {
			return 0.01
		}
		return 0.6
	}
	models := truths(t)
	edge := truth{ // its risk is just above that promised, wherever one looks
		"barely too bad", func(*rand.Rand) (float64, float64) { return 0.9, 0.9495 }, func(float64) float64 { return 0.0505 },
	}
	for i, c := range []struct {
		w    truth
		most float64
	}{{models[0], 0.6}, {models[2], 0.2}, {models[3], 0.6}, {edge, 0.6}} {
		t.Run(fmt.Sprintf("%s, at most %v", c.w.name, c.most), func(t *testing.T) {
			t.Parallel()
			chance := rand.New(rand.NewPCG(uint64(i), 7))
			found, wrong, sample := broken(chance, certifying{c.w, c.most, blind})
			t.Logf("promised in %d runs on %.0f items, exceeded in %d of %d", found, sample, wrong, runs)
			if wrong > most {
				t.Errorf("the risk is exceeded in %d of %d runs, promised are %d", wrong, runs, runs/10)
			}
			if c.w.name == edge.name {
				_, peeked, _ := broken(chance, certifying{c.w, c.most, peeking})
				t.Logf("with a rate that follows the answers in %d", peeked)
				if peeked <= most {
					t.Errorf("a rate that follows the answers breaks its word in %d of %d runs only: this test would not see much", peeked, runs)
				}
			}
		})
	}
}

// The sample of a time when little was sampled does not cost that of a time when much was.
func TestDrawAtChangingRates(t *testing.T) {
	chance := rand.New(rand.NewPCG(5, 5))
	var items []Evidence
	for i, rate := range []float64{0.5, 0.01, 0.2} {
		for j := range 4000 {
			e := Evidence{ItemID: fmt.Sprint(i, " ", j), Confidence: chance.Float64(), Inclusion: 1, Rate: rate, Reviewed: true}
			if e.Confidence >= 0.7 {
				e.Inclusion, e.Reviewed = rate, chance.Float64() < rate
			}
			items = append(items, e)
		}
	}
	s := draw(items, "")
	if want := 4000 * 0.71; math.Abs(float64(len(s.kept))-want) > 4*math.Sqrt(want) {
		t.Errorf("%d are kept, want about %.0f", len(s.kept), want)
	}
	nearly(t, "mean rate", s.rate, 0.71/3, 1e-9)
	// Alike on both sides of the threshold.
	if n := SampledAbove(items, func(string) float64 { return 0.7 }); math.Abs(float64(n)/float64(len(s.kept))-0.3) > 0.035 {
		t.Errorf("%d of %d are above 0.7, want 30%%", n, len(s.kept))
	}
	if s := draw(items[:0], ""); len(s.kept) != 0 || s.rate != 0 {
		t.Errorf("of nothing: %+v", s)
	}
}
