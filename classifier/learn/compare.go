package learn

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
)

// Verdict is what a comparison comes to.
type Verdict string

// A model is better or worse only where both the test and the interval say so, at 5%.
const (
	Better       Verdict = "better"
	Worse        Verdict = "worse"
	NotToldApart Verdict = "not told apart" // which is not the same as equal
)

// Comparison is of two models on the same items.
type Comparison struct {
	Items         int
	OnlyCandidate int // items that only the candidate has right
	OnlyIncumbent int
	Candidate     float64 // accuracy, by weight
	Incumbent     float64
	Difference    float64  // Candidate - Incumbent
	Interval      Interval // of the difference
	P             float64  // two-sided, that there is no difference
	Weighted      bool     // weights differ: P and Interval are what Compare says of that
	Verdict       Verdict
}

// String says the comparison in words.
func (c Comparison) String() string {
	test := "exact McNemar test"
	if c.Weighted {
		test = "weighted sign-flip test"
	}
	return fmt.Sprintf("%s: %.1f%% right, the incumbent %.1f%%; difference %+.1f points (%+.1f to %+.1f), %s p = %.2g, on %d items of which only the candidate has %d right and only the incumbent %d",
		c.Verdict, 100*c.Candidate, 100*c.Incumbent, 100*c.Difference, 100*c.Interval.Low, 100*c.Interval.High, test, c.P, c.Items, c.OnlyCandidate, c.OnlyIncumbent)
}

// significance is below which a two-sided probability is taken as a difference.
const significance = 0.05

// Compare compares what two models said of the same items, in the same order. It panics if there are not as many outcomes of one as of the other, or
// if an item's weights differ.
//
// With equal weights, the test is Q. McNemar's in its exact form (Note on the sampling error of the difference between correlated proportions or
// percentages, Psychometrika 12, 1947): twice the tail of a fair coin's throws, one for each item that only one of them has right. The interval of
// the difference is T. Tango's score interval for paired proportions (Equivalence test and confidence interval for the difference in proportions for
// the paired-sample design, Statistics in Medicine 17, 1998).
//
// With unequal weights, the test throws the coin for the same items, and adds up their weights, which is exact for the hypothesis that it does not
// matter which model is which; from 2^16 ways on it draws 100,000 of them from the seed. The interval is Tango's for the weighted shares at Kish's
// effective sample size, an approximation: a few heavy items among those that differ make it too narrow.
func Compare(candidate, incumbent []Outcome, seed uint64) Comparison {
	if len(candidate) != len(incumbent) {
		panic("learn: models are compared on different items")
	}
	c := Comparison{Items: len(candidate), Interval: Interval{-1, 1}, P: 1, Verdict: NotToldApart}
	if c.Items == 0 {
		return c
	}
	sum, squares := 0.0, 0.0
	var differ []float64 // weights of the items that one model has right; below 0 those of the incumbent
	only := [2]float64{}
	for i, a := range candidate {
		b := incumbent[i]
		if a.Weight != b.Weight {
			panic("learn: an item has two weights")
		}
		c.Weighted = c.Weighted || a.Weight != candidate[0].Weight
		sum += a.Weight
		squares += a.Weight * a.Weight
		if a.Correct {
			c.Candidate += a.Weight
		}
		if b.Correct {
			c.Incumbent += a.Weight
		}
		switch {
		case a.Correct && !b.Correct:
			c.OnlyCandidate++
			only[0] += a.Weight
			differ = append(differ, a.Weight)
		case b.Correct && !a.Correct:
			c.OnlyIncumbent++
			only[1] += a.Weight
			differ = append(differ, -a.Weight)
		}
	}
	c.Candidate, c.Incumbent = c.Candidate/sum, c.Incumbent/sum
	c.Difference = (only[0] - only[1]) / sum
	effective := sum * sum / squares
	c.Interval = tango(only[0]/sum*effective, only[1]/sum*effective, effective)
	if c.Weighted {
		c.P = signFlip(differ, seed)
	} else {
		c.P = mcnemar(c.OnlyCandidate, c.OnlyIncumbent)
	}
	switch {
	case c.P < significance && c.Interval.Low > 0:
		c.Verdict = Better
	case c.P < significance && c.Interval.High < 0:
		c.Verdict = Worse
	}
	return c
}

// mcnemar is the exact two-sided probability of throws as uneven as b and c, of a fair coin.
func mcnemar(b, c int) float64 {
	n, few := int64(b+c), int64(min(b, c))
	tail, term := new(big.Int), big.NewInt(1)
	for k := int64(0); k <= few; k++ {
		tail.Add(tail, term)
		term.Mul(term, big.NewInt(n-k)).Quo(term, big.NewInt(k+1))
	}
	p, _ := new(big.Rat).SetFrac(tail.Lsh(tail, 1), new(big.Int).Lsh(big.NewInt(1), uint(n))).Float64() //nolint:gosec // not negative
	return min(p, 1)
}

const (
	exhaustive = 16 // so many signs are tried in all ways
	flips      = 100_000
)

// signFlip is the share of all ways to give signs to values in which their sum is as far from 0 as it is, or farther.
func signFlip(values []float64, seed uint64) float64 {
	sum, size := 0.0, 0.0
	for _, v := range values {
		sum += v
		size += math.Abs(v)
	}
	least := math.Abs(sum) - 1e-9*size // sums in another order round otherwise
	far := func(signs func(i int) bool) bool {
		s := 0.0
		for i, v := range values {
			if signs(i) {
				s += v
			} else {
				s -= v
			}
		}
		return math.Abs(s) >= least
	}
	count := 0
	if n := len(values); n <= exhaustive {
		for way := range 1 << n {
			if far(func(i int) bool { return way>>i&1 == 1 }) {
				count++
			}
		}
		return float64(count) / float64(int(1)<<n)
	}
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // repeatable
	for range flips {
		var bits uint64
		if far(func(i int) bool {
			if i%64 == 0 {
				bits = random.Uint64()
			}
			return bits>>(i%64)&1 == 1
		}) {
			count++
		}
	}
	return float64(count+1) / (flips + 1) // what was seen is one of the ways, so that no probability is 0
}

// tango solves for the differences that lie z standard errors, as they would be there, from (b - c)/n. The numbers need not be whole.
func tango(b, c, n float64) Interval {
	distance := func(d float64) float64 { // falls as d grows
		B, C := -b-c+(2*n-b+c)*d, -c*d*(1-d)
		q := (math.Sqrt(max(B*B-8*n*C, 0)) - B) / (4 * n) // the likeliest share of c there
		variance := n * (2*q + d*(1-d))
		if variance <= 0 {
			return math.Copysign(math.Inf(1), b-c-n*d)
		}
		return (b - c - n*d) / math.Sqrt(variance)
	}
	solve := func(low, high, want float64) float64 {
		for range 100 {
			if middle := (low + high) / 2; distance(middle) > want {
				low = middle
			} else {
				high = middle
			}
		}
		return (low + high) / 2
	}
	d := (b - c) / n
	return Interval{Low: solve(-1, d, z), High: solve(d, 1, -z)}
}
