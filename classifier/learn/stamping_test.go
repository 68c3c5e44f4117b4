package learn

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"
)

// The first two are the examples of R's fisher.test, with its values: Fisher's tea and his convictions. The third is Wikipedia's.
func TestFisher(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		k1, n1, k2, n2 int
		want           float64
	}{
		{3, 4, 1, 4, 0.4857143},
		{2, 17, 10, 13, 0.0005367241},
		{1, 10, 11, 14, 0.002759456},
		{0, 0, 3, 9, 1},
		{5, 5, 7, 7, 1},
	} {
		if got := Fisher(c.k1, c.n1, c.k2, c.n2); math.Abs(got-c.want) > 1e-7 {
			t.Errorf("%+v: %.9f", c, got)
		}
		if got := Fisher(c.k2, c.n2, c.k1, c.n1); math.Abs(got-c.want) > 1e-7 {
			t.Errorf("%+v, the other way round: %.9f", c, got)
		}
	}
}

// All small tables, against whole numbers.
func TestFisherExhaustively(t *testing.T) {
	t.Parallel()
	choose := func(n, k int) *big.Int { return new(big.Int).Binomial(int64(n), int64(k)) }
	for n1 := range 12 {
		for n2 := range 9 {
			for k1 := range n1 + 1 {
				for k2 := range n2 + 1 {
					ways := func(k int) *big.Int { return new(big.Int).Mul(choose(n1, k), choose(n2, k1+k2-k)) }
					mine, sum := ways(k1), new(big.Int)
					for k := max(0, k1+k2-n2); k <= min(n1, k1+k2); k++ {
						if w := ways(k); w.Cmp(mine) <= 0 {
							sum.Add(sum, w)
						}
					}
					want, _ := new(big.Rat).SetFrac(sum, choose(n1+n2, k1+k2)).Float64()
					if got := Fisher(k1, n1, k2, n2); math.Abs(got-want) > 1e-9 {
						t.Fatalf("%d of %d, %d of %d: %v, want %v", k1, n1, k2, n2, got, want)
					}
				}
			}
		}
	}
}

func TestSigns(t *testing.T) {
	t.Parallel()
	stamper := Pattern{
		Judged: 120, OthersJudged: 300, OthersCorrected: 45, Known: 6, Missed: 4, OthersKnown: 40, OthersMissed: 2, Gaps: 119, MedianGap: 1400 * time.Millisecond,
	}
	with := func(change func(*Pattern)) Pattern {
		p := stamper
		change(&p)
		return p
	}
	for name, c := range map[string]struct {
		p                             Pattern
		quick, agrees, misses, stamps bool
	}{
		"all signs":                {stamper, true, true, true, true},
		"slow":                     {with(func(p *Pattern) { p.MedianGap = StampingPace }), false, true, true, false},
		"too few gaps":             {with(func(p *Pattern) { p.Gaps = 29 }), false, true, true, false},
		"corrects, misses":         {with(func(p *Pattern) { p.Corrected = 18 }), true, false, true, true},
		"corrects, misses nothing": {with(func(p *Pattern) { p.Corrected, p.Missed = 18, 0 }), true, false, false, false},
		"nobody corrects":          {with(func(p *Pattern) { p.OthersCorrected, p.Known = 0, 0 }), true, false, false, false},
		"corrects more":            {with(func(p *Pattern) { p.Corrected, p.Missed = 100, 0 }), true, false, false, false},
		"nobody else":              {with(func(p *Pattern) { p.OthersJudged, p.OthersCorrected, p.OthersKnown, p.OthersMissed = 0, 0, 0, 0 }), true, false, false, false},
		"too few":                  {with(func(p *Pattern) { p.Judged, p.Known, p.Missed = 29, 0, 0 }), true, false, false, false},
		"too few others":           {with(func(p *Pattern) { p.OthersJudged, p.OthersCorrected, p.Missed = 29, 29, 0 }), true, false, false, false},
		"many, hardly fewer": {
			Pattern{Judged: 100000, Corrected: 9000, OthersJudged: 100000, OthersCorrected: 10000, Gaps: 99999, MedianGap: time.Second}, true, false, false, false,
		},
		"nothing": {Pattern{}, false, false, false, false},
	} {
		s := c.p.Signs()
		if s.Quick != c.quick || s.Agrees != c.agrees || s.Misses != c.misses || s.Stamping() != c.stamps {
			t.Errorf("%s: %+v, stamping %v", name, s, s.Stamping())
		}
	}
}

// week simulates one: what somebody and four others decide, each of whom corrects and misses known answers with some probability.
func week(random *rand.Rand, corrects, misses, othersCorrect, othersMiss float64) (p Pattern) {
	hits := func(n int, share float64) (k int) {
		for range n {
			if random.Float64() < share {
				k++
			}
		}
		return k
	}
	p.Judged, p.Known = StampingFewest+random.IntN(270), random.IntN(12)
	p.OthersJudged, p.OthersKnown = 4*(StampingFewest+random.IntN(270)), 4*random.IntN(12)
	p.Corrected, p.Missed = hits(p.Judged, corrects), hits(p.Known, misses)
	p.OthersCorrected, p.OthersMissed = hits(p.OthersJudged, othersCorrect), hits(p.OthersKnown, othersMiss)
	p.Gaps, p.MedianGap = p.Judged, StampingPace/2
	return p
}

// Of people who are as quick as rubber-stampers but decide as the others do, chance alone flags fewer than one in 100 weeks, whatever the rates are;
// those who take their time are never flagged, and nearly all who accept everything where every seventh is wrong.
func TestChanceRarelyFlags(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 11)) //nolint:gosec // a simulation that can be repeated
	const weeks = 4000
	for _, rate := range []float64{0.01, 0.03, 0.1, 0.3} {
		flagged := 0
		for range weeks {
			p := week(random, rate, 0.1, rate, 0.1)
			if p.Signs().Stamping() {
				flagged++
			}
			p.MedianGap = StampingPace
			if p.Signs().Stamping() {
				t.Fatalf("flagged though not quick: %+v", p)
			}
		}
		share := float64(flagged) / weeks
		t.Logf("everybody corrects %.0f%%, everybody is quick: %.2f%% of weeks flagged", 100*rate, 100*share)
		if share > StampingLevel {
			t.Errorf("corrections of %v: %.4f flagged", rate, share)
		}
	}
	flagged := 0
	for range weeks {
		if week(random, 0, 1.0/7, 1.0/7, 0.1).Signs().Stamping() {
			flagged++
		}
	}
	share := float64(flagged) / weeks
	t.Logf("accepts everything, the others correct every seventh: %.1f%% of weeks flagged", 100*share)
	if share < 0.85 {
		t.Errorf("only %.3f found", share)
	}
}
