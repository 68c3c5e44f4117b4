package learn

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// LowerAlways returns a lower bound of an error rate, of which k wrong of n are known, that holds with confidence 1-alpha at all times together: however often one
// looks, and whenever one stops, the chance that it was ever above the true rate is alpha at most. So an alarm may ring when it exceeds a promised risk.
//
// Which items are known may depend on the past in any way, as long as each is drawn without a look at its own answer: a share of them that rises and falls, even
// because of what was wrong before, changes nothing. Each that is drawn is wrong with the same probability, given what came before.
//
// It inverts a mixture of likelihood ratios (H. Robbins, Statistical Methods Related to the Law of the Iterated Logarithm, Annals of Mathematical Statistics 41,
// 1970): against the rate r it bets on rates between r and 5r, all alike. Under r or less what the bet has won is a supermartingale, which J. Ville's
// inequality keeps below 1/alpha. The bet depends on k and n alone, and not on their order, so it goes on where a restart left it. At alpha 0.05 it takes three wrong ones at least to rise above 0.
func LowerAlways(k, n int, alpha float64) float64 {
	if k == 0 || n == 0 {
		return 0
	}
	limit := -math.Log(alpha)
	low, high := 0.0, float64(k)/float64(n)
	for range 60 {
		mid := (low + high) / 2
		if mixture(k, n, mid) >= limit {
			low = mid
		} else {
			high = mid
		}
	}
	return low
}

// mixture is the logarithm of what a bet against the rate r has won after k of n were wrong.
func mixture(k, n int, r float64) float64 {
	if r <= 0 {
		return math.Inf(1)
	}
	top := min(5*r, 1)
	if r >= 1 {
		return math.Inf(-1)
	}
	a, b := float64(k+1), float64(n-k+1)
	// The mean of (t/r)^k ((1-t)/(1-r))^(n-k) over t in [r, top] is a beta integral. Of two tails the shorter is taken, so that little is lost.
	part := mathext.RegIncBeta(a, b, top) - mathext.RegIncBeta(a, b, r)
	if r > a/(a+b) {
		part = mathext.RegIncBeta(b, a, 1-r) - mathext.RegIncBeta(b, a, 1-top)
	}
	if part <= 0 {
		return math.Inf(-1)
	}
	return math.Log(part) + mathext.Lbeta(a, b) - math.Log(top-r) - float64(k)*math.Log(r) - float64(n-k)*math.Log1p(-r)
}
