package learn

import "math"

// Stock is what there is for one promise: of the items of a label, or of all, from the threshold on that it is for.
type Stock struct {
	Label   string  // empty: all
	Sampled int     // that count, see [SampledAbove], with or without an answer
	PerDay  float64 // that come, sampled or not
}

// CertifyOptions say what a sample is to suffice for, and by when.
type CertifyOptions struct {
	Risk       Share
	Confidence Share
	Together   int     // promises that hold together with the confidence; 0: as many as there are stocks
	Days       float64 // that are left to draw
	Min, Max   float64 // of the rate
}

// Course is at which rate sure items are to be sampled now.
type Course struct {
	Rate     float64 // from Min to Max
	Complete bool    // enough were drawn: Rate is Min
	Reviews  int     // that are to be drawn in all, of the stock that lacks most days
	Sampled  int     // of these
	Late     bool    // the highest rate does not suffice in that time
	Label    string  // then: of the stock that takes longest
	Days     float64 // then: what it takes at the highest rate; +Inf: for ever
	Risk     float64 // then: the least risk that can be certified in the time that is left; 1: none
}

// Certify says at which rate sure items are to be sampled so that promises can be certified in time. It aims at samples in which the first test of a walk forgives five
// wrong answers, or as many fewer as the highest rate leaves time for.
//
// It knows counts and nothing of answers, so that the promise is worth what it says. Given what came before, whether an item is drawn depends on the rate and on chance,
// and the rate on how many items came and how many of them were drawn. None of these depends on whether the model was wrong. So how many are drawn says nothing of how
// many of them are wrong, and the exact test of [Advise] holds for each number of them: drawing fast or slowly, early or late, changes no probability in it. That ends
// where somebody changes the rate, or the thresholds that are counted from, because of what the answers were; each promise that is then made holds on its own.
func Certify(stocks []Stock, o CertifyOptions) Course {
	together := max(o.Together, len(stocks), 1)
	alpha := (1 - o.Confidence.Float()) / float64(together)
	sizes := make([]int, len(forgiven))
	for i, k := range forgiven {
		n := float64(sizeFor(k, o.Risk.Float(), alpha))
		sizes[i] = int(math.Ceil(n + 2*math.Sqrt(n)))
	}
	out := Course{Rate: o.Min, Complete: len(stocks) > 0, Risk: 1}
	slowest := -1.0
	for _, s := range stocks {
		var p Plan
		reviews := 0
		for _, n := range sizes {
			reviews, p = n, PlanSample(max(n-s.Sampled, 0), s.PerDay, o.Days, o.Max)
			if p.Reviews == 0 || p.Rate <= o.Max {
				break
			}
		}
		if p.Reviews == 0 {
			continue
		}
		out.Complete = false
		out.Rate = max(out.Rate, min(p.Rate, o.Max))
		if p.Days > slowest {
			slowest, out.Reviews, out.Sampled = p.Days, reviews, s.Sampled
			if out.Late = p.Rate > o.Max; out.Late {
				out.Label, out.Days = s.Label, p.Days
				out.Risk = max(certifiable(float64(s.Sampled)+s.PerDay*max(o.Days, 0)*o.Max, alpha), o.Risk.Float())
			}
		}
	}
	return out
}

// sizeFor returns how many items, of which k are wrong, pass the test: nearly enough for planning.
func sizeFor(k int, risk, alpha float64) int {
	low, high := k, k+1
	for binomialCDF(k, high, risk) > alpha {
		low, high = high, 2*high
	}
	for high-low > 1 {
		if mid := (low + high) / 2; binomialCDF(k, mid, risk) > alpha {
			low = mid
		} else {
			high = mid
		}
	}
	return high
}

// certifiable returns the least risk that the test can pass for where a sample of so many is expected, without an error.
func certifiable(expected, alpha float64) float64 {
	root := math.Sqrt(expected+1) - 1 // n + 2·√n is what is expected where n are needed
	if n := root * root; n > 0 {
		return 1 - math.Pow(alpha, 1/n)
	}
	return 1
}

// SampledAbove counts the items that a promise at the threshold of their label would be tested on. It looks at no answer.
func SampledAbove(items []Evidence, threshold func(label string) float64) int {
	n := 0
	for _, it := range draw(items, "").kept {
		if it.Confidence >= threshold(it.Label) {
			n++
		}
	}
	return n
}
