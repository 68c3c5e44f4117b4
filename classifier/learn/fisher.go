package learn

import "math"

// Fisher returns the two-sided p-value of Fisher's exact test that two parts of two wholes, k1 of n1 and k2 of n2, come from one proportion: the
// probability, given all four margins, of a table that is no more probable than this one. R. A. Fisher, Statistical Methods for Research Workers,
// 5th edition, Oliver and Boyd 1934, section 21.02; the two-sided rule is the one of R's fisher.test. The test is exact: however small the numbers
// are, and however near to 0 the proportion is, it is below a level at most as often as the level says. It panics unless each part is one of its whole.
func Fisher(k1, n1, k2, n2 int) float64 {
	if k1 < 0 || k1 > n1 || k2 < 0 || k2 > n2 {
		panic("learn: a part is no part of its whole")
	}
	parts := k1 + k2
	whole := logChoose(n1+n2, parts)
	probability := func(k int) float64 { return logChoose(n1, k) + logChoose(n2, parts-k) - whole }
	const slack = 1e-7 // tables that are equally probable differ by rounding
	limit, p := probability(k1)+slack, 0.0
	for k := max(0, parts-n2); k <= min(n1, parts); k++ {
		if q := probability(k); q <= limit {
			p += math.Exp(q)
		}
	}
	return min(p, 1)
}

// logChoose is the logarithm of the number of ways to choose k of n.
func logChoose(n, k int) float64 {
	gamma := func(x int) float64 {
		v, _ := math.Lgamma(float64(x) + 1)
		return v
	}
	return gamma(n) - gamma(k) - gamma(n-k)
}
