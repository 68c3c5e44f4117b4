package learn

import (
	"fmt"
	"math/big"
	"regexp"

	"gonum.org/v1/gonum/mathext"
)

// Share is an exact decimal share above 0 and below 1, like the risk or the confidence of a promise. Its zero value is none.
type Share struct {
	text string
	rat  *big.Rat
}

var decimal = regexp.MustCompile(`^0?\.[0-9]{1,9}$`)

// ParseShare reads a decimal like 0.02, with at most nine places.
func ParseShare(text string) (Share, error) {
	r, ok := new(big.Rat).SetString(text)
	if !decimal.MatchString(text) || !ok || r.Sign() <= 0 {
		return Share{}, fmt.Errorf("%q is no share: write a decimal above 0 and below 1, like 0.02", text)
	}
	return Share{text, r}, nil
}

// String returns the decimal as it was written.
func (s Share) String() string { return s.text }

// Float returns the nearest float64.
func (s Share) Float() float64 {
	f, _ := s.rat.Float64()
	return f
}

// over returns the share divided by n.
func (s Share) over(n int) *big.Rat { return new(big.Rat).Quo(s.rat, new(big.Rat).SetInt64(int64(n))) }

// complement returns 1 less the share.
func (s Share) complement() Share {
	return Share{rat: new(big.Rat).Sub(big.NewRat(1, 1), s.rat)}
}

// atMost says whether k successes or fewer, of n with probability p each, have a probability of alpha or less: the exact one-sided binomial test that
// the probability is below p. It is computed in integers, since a promise must not depend on rounding: with p = a/b, the sum of C(n,i)·a^i·(b-a)^(n-i)
// over i <= k against alpha·b^n. The factor (b-a)^(n-k), which all terms share, waits until the end, and Horner's rule adds up the rest: its numbers
// start small, where those of the plain sum have all their digits from the first term on.
func atMost(k, n int, p, alpha *big.Rat) bool {
	a, b := p.Num(), p.Denom()
	factor, left, right := new(big.Int), new(big.Int), new(big.Int)
	// From the mean, rounded up, on the sum is a half at least, since no median lies above it: R. Kaas and J. M. Buhrman, Mean, Median and Mode in Binomial
	// Distributions, Statistica Neerlandica 34, 1980.
	if left.Mul(b, factor.SetInt64(int64(k))).Cmp(right.Mul(a, factor.SetInt64(int64(n)))) >= 0 && alpha.Cmp(half) < 0 {
		return false
	}
	rest := new(big.Int).Sub(b, a)
	term, sum := big.NewInt(1), big.NewInt(1)
	for i := 1; i <= k; i++ {
		// term is C(n,i)·a^i. C(n,i-1)·(n-i+1) is divisible by i, so the division leaves nothing.
		term.Mul(term, factor.SetInt64(int64(n-i+1)))
		term.Quo(term, factor.SetInt64(int64(i)))
		term.Mul(term, a)
		sum.Mul(sum, rest)
		sum.Add(sum, term)
	}
	left.Mul(sum, right.Exp(rest, factor.SetInt64(int64(n-k)), nil))
	right.Exp(b, factor.SetInt64(int64(n)), nil)
	return left.Mul(left, alpha.Denom()).Cmp(right.Mul(right, alpha.Num())) <= 0
}

var half = big.NewRat(1, 2)

// fewestFor returns how many items of which k are wrong it takes to pass the test.
func fewestFor(k int, p, alpha *big.Rat) int {
	low, high := k, k+1
	for !atMost(k, high, p, alpha) {
		low, high = high, 2*high
	}
	for high-low > 1 {
		if mid := (low + high) / 2; atMost(k, mid, p, alpha) {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}

// Upper returns the upper bound of a proportion, k of n, with one-sided confidence 1-alpha: C. J. Clopper and E. S. Pearson, The Use of Confidence or Fiducial
// Limits Illustrated in the Case of the Binomial, Biometrika 26, 1934. It is for people to read; promises are decided by whole numbers.
func Upper(k, n int, alpha float64) float64 {
	if k >= n {
		return 1
	}
	return mathext.InvRegIncBeta(float64(k+1), float64(n-k), 1-alpha)
}

// Lower returns the lower bound, as Upper does.
func Lower(k, n int, alpha float64) float64 {
	if k == 0 {
		return 0
	}
	return mathext.InvRegIncBeta(float64(k), float64(n-k+1), alpha)
}

// binomialCDF is the probability of k successes or fewer of n.
func binomialCDF(k, n int, p float64) float64 {
	switch {
	case k < 0:
		return 0
	case k >= n:
		return 1
	}
	return mathext.RegIncBeta(float64(n-k), float64(k+1), 1-p)
}
