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
// over i <= k against alpha·b^n. It takes time in the order of k·n.
func atMost(k, n int, p, alpha *big.Rat) bool {
	a, b := p.Num(), p.Denom()
	rest := new(big.Int).Sub(b, a)
	term := new(big.Int).Exp(rest, big.NewInt(int64(n)), nil)
	sum := new(big.Int).Set(term)
	limit := new(big.Int).Exp(b, big.NewInt(int64(n)), nil)
	limit.Mul(limit, alpha.Num())
	left := new(big.Int)
	over := func() bool { return left.Mul(sum, alpha.Denom()).Cmp(limit) > 0 }
	factor := new(big.Int)
	for i := range k {
		if i%16 == 0 && over() { // it only grows
			return false
		}
		// The next term is a whole number again, so the division leaves nothing.
		term.Mul(term, factor.Mul(a, factor.SetInt64(int64(n-i))))
		term.Quo(term, factor.Mul(rest, factor.SetInt64(int64(i+1))))
		sum.Add(sum, term)
	}
	return !over()
}

// fewestFor returns how many items without a single error it takes to pass the test.
func fewestFor(p, alpha *big.Rat) int {
	low, high := 0, 1
	for !atMost(0, high, p, alpha) {
		low, high = high, 2*high
	}
	for high-low > 1 {
		if mid := (low + high) / 2; atMost(0, mid, p, alpha) {
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
