package learn

import (
	"cmp"
	"math"
	"slices"
)

// Rate is the share of a stream's items that something is true of, estimated from those that were looked at, each of which stands for as many as its
// weight, the inverse of its inclusion probability (J. Hájek's ratio estimator).
//
// The interval is Wilson's for the effective number of items: L. Kish's, (Σw)²/Σw² (Survey Sampling, 1965), or what the linearized variance gives if that
// is less (E. L. Korn and B. I. Graubard, Confidence intervals for proportions with small expected number of positive counts estimated from survey data,
// Survey Methodology 24, 1998). With equal weights it is Wilson's own. Of nothing it is [0, 1].
type Rate struct {
	Items int     // looked at
	Hits  int     // of those, the ones that it is true of
	Whole float64 // items of the stream that they stand for: the sum of the weights
	Value float64
	Interval
	effective float64
}

// weighted adds up what a rate is made of.
type weighted struct {
	items, hits        int
	w, w2, hitW, hitW2 float64
}

func (s *weighted) add(weight float64, hit bool) {
	s.items++
	s.w, s.w2 = s.w+weight, s.w2+weight*weight
	if hit {
		s.hits++
		s.hitW, s.hitW2 = s.hitW+weight, s.hitW2+weight*weight
	}
}

// less returns the sums of what is in s and not in part. Rounding makes none of them negative.
func (s weighted) less(part weighted) weighted {
	return weighted{
		items: s.items - part.items, hits: s.hits - part.hits,
		w: max(s.w-part.w, 0), w2: max(s.w2-part.w2, 0), hitW: max(s.hitW-part.hitW, 0), hitW2: max(s.hitW2-part.hitW2, 0),
	}
}

func (s weighted) rate() Rate {
	r := Rate{Items: s.items, Hits: s.hits, Interval: Interval{0, 1}}
	if s.items == 0 {
		return r
	}
	r.Whole, r.effective = s.w, s.w*s.w/s.w2
	switch s.hits {
	case 0:
		r.Interval = wilson(0, r.effective)
		r.Low = 0
	case s.items:
		r.Value, r.Interval = 1, wilson(1, r.effective)
		r.High = 1
	default:
		p := min(s.hitW/s.w, 1)
		variance := (s.hitW2*(1-p)*(1-p) + max(s.w2-s.hitW2, 0)*p*p) / (s.w * s.w)
		if variance > 0 {
			r.effective = min(r.effective, p*(1-p)/variance)
		}
		r.Value, r.Interval = p, wilson(p, r.effective)
	}
	return r
}

// differ is the probability of a difference of two rates this large or larger when there is none: the two-sided score test of two proportions, of the
// effective numbers of items.
func differ(a, b Rate) float64 {
	n, m := a.effective, b.effective
	if n == 0 || m == 0 {
		return 1
	}
	p := (a.Value*n + b.Value*m) / (n + m)
	variance := p * (1 - p) * (1/n + 1/m)
	if variance <= 0 {
		return 1
	}
	return math.Erfc(math.Abs(a.Value-b.Value) / math.Sqrt(2*variance))
}

// BenjaminiHochberg returns the adjusted p-values of several tests, in their order. Of those at most q, a share of q at most is expected to be there by
// chance: Y. Benjamini and Y. Hochberg, Controlling the false discovery rate, Journal of the Royal Statistical Society B 57, 1995.
func BenjaminiHochberg(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(p[b], p[a]) })
	out, least := make([]float64, len(p)), 1.0
	for i, at := range order {
		least = min(least, p[at]*float64(len(p))/float64(len(p)-i))
		out[at] = least
	}
	return out
}
