package learn

import "math"

// z is the 0.975 quantile of the standard normal distribution: two-sided, it makes intervals of 95%.
const z = 1.959963984540054

// Interval is what a figure lies in with a confidence of 95%.
type Interval struct{ Low, High float64 }

// Wilson returns the score interval of a proportion, k of n, without continuity correction: E. B. Wilson, Probable Inference, the Law of
// Succession, and Statistical Inference, Journal of the American Statistical Association 22, 1927. It holds its level well from small n on,
// and never leaves [0, 1]. Of nothing (n = 0) nothing is known: [0, 1]. It panics unless 0 <= k <= n.
func Wilson(k, n int) Interval {
	if k < 0 || k > n {
		panic("learn: a part is no part of its whole")
	}
	if n == 0 {
		return Interval{0, 1}
	}
	return wilson(float64(k)/float64(n), float64(n))
}

// wilson is Wilson's interval of the proportion p of n, which need not be whole.
func wilson(p, n float64) Interval {
	middle, half := p+z*z/(2*n), z*math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	i := Interval{Low: max((middle-half)/(1+z*z/n), 0), High: min((middle+half)/(1+z*z/n), 1)}
	// The ends are exact there; rounding would miss them.
	if p == 0 {
		i.Low = 0
	}
	if p == 1 {
		i.High = 1
	}
	return i
}

// Newcombe returns the interval of the difference k1/n1 - k2/n2 of two independent proportions, from their score intervals: method 10 of
// R. G. Newcombe, Interval estimation for the difference between independent proportions, Statistics in Medicine 17, 1998. It is [-1, 1] where
// one of them is of nothing, and panics as Wilson does.
func Newcombe(k1, n1, k2, n2 int) Interval {
	a, b := Wilson(k1, n1), Wilson(k2, n2)
	if n1 == 0 || n2 == 0 {
		return Interval{-1, 1}
	}
	return newcombe(float64(k1)/float64(n1), a, float64(k2)/float64(n2), b)
}

// newcombe is Newcombe's interval of p - q, whose own are a and b.
func newcombe(p float64, a Interval, q float64, b Interval) Interval {
	return Interval{
		Low:  max(p-q-math.Hypot(p-a.Low, b.High-q), -1),
		High: min(p-q+math.Hypot(a.High-p, q-b.Low), 1),
	}
}
