package learn

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

func mustShare(t interface{ Fatal(...any) }, text string) Share {
	s, err := ParseShare(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func readFixture(t *testing.T, name string, into any) {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestParseShare(t *testing.T) {
	for _, bad := range []string{"", "0", "1", "0.0", "1.0", "-0.1", "2%", "1/50", "2e-2", "0.0000000001", "0,02", "NaN", " 0.1"} {
		if s, err := ParseShare(bad); err == nil {
			t.Errorf("%q is %v", bad, s)
		}
	}
	if s := mustShare(t, "0.02"); s.String() != "0.02" || s.Float() != 0.02 || s.complement().Float() != 0.98 {
		t.Error(s)
	}
}

// TestThresholdFixtures holds tests, bounds and walks against exact fractions, SciPy, a second implementation, and MAPIE: see testdata/threshold/make.py.
func TestThresholdFixtures(t *testing.T) {
	var f struct {
		Tests  [][]any
		Bounds [][]float64
		Walks  []struct {
			Confidences      []float64
			Right            []int
			Risk, Confidence string
			Threshold, MAPIE *float64
		}
	}
	readFixture(t, "threshold/fixtures.json", &f)
	if len(f.Tests) < 200 || len(f.Bounds) < 50 || len(f.Walks) < 40 {
		t.Fatalf("%d tests, %d bounds, %d walks", len(f.Tests), len(f.Bounds), len(f.Walks))
	}
	for _, c := range f.Tests {
		k, n := int(c[0].(float64)), int(c[1].(float64))
		risk, alpha := mustShare(t, c[2].(string)), mustShare(t, c[3].(string))
		if got := atMost(k, n, risk.rat, alpha.rat); got != c[4].(bool) {
			t.Errorf("%d of %d at %s, %s: %v", k, n, risk, alpha, got)
		}
	}
	for _, b := range f.Bounds {
		k, n, alpha := int(b[0]), int(b[1]), b[2]
		nearly(t, fmt.Sprintf("lower bound of %d of %d", k, n), Lower(k, n, alpha), b[3], 1e-9)
		nearly(t, fmt.Sprintf("upper bound of %d of %d", k, n), Upper(k, n, alpha), b[4], 1e-9)
	}
	compared, found := 0, 0
	for i, w := range f.Walks {
		var kept []Evidence
		for j, c := range w.Confidences {
			kept = append(kept, Evidence{ItemID: fmt.Sprint(j), Confidence: c, Inclusion: 1, Reviewed: true, Answered: true, Correct: w.Right[j] == 1})
		}
		s := newSample(kept, nil, 1)
		risk, confidence := mustShare(t, w.Risk), mustShare(t, w.Confidence)
		alpha := confidence.complement().rat
		fewest := fewestFor(0, risk.rat, alpha)
		got := walk(s, risk.rat, alpha, false, func(threshold float64) bool { n, _, _ := s.at(threshold, false); return n >= fewest })
		want := float64(NoThreshold)
		if w.Threshold != nil {
			want = *w.Threshold
			found++
		}
		if got.threshold != want {
			t.Errorf("walk %d ends at %v, want %v", i, got.threshold, want)
		}
		if w.MAPIE != nil {
			compared++
			if *w.MAPIE < got.threshold {
				t.Errorf("walk %d ends at %v, and MAPIE's looser test allows %v", i, got.threshold, *w.MAPIE)
			}
		}
	}
	if compared < 20 || found < 30 {
		t.Errorf("%d walks found a threshold, %d were compared with MAPIE", found, compared)
	}
}

// TestExactTestOfSmallSamples holds the test against the sum as the definition has it, for all samples up to 40 and levels on both sides of a half.
func TestExactTestOfSmallSamples(t *testing.T) {
	for _, risk := range []string{"0.001", "0.05", "0.3", "0.5", "0.77", "0.999"} {
		p := mustShare(t, risk).rat
		rest := new(big.Rat).Sub(big.NewRat(1, 1), p)
		for n := 1; n <= 40; n++ {
			sum := new(big.Rat)
			for k := 0; k <= n; k++ {
				term := new(big.Rat).SetInt(new(big.Int).Binomial(int64(n), int64(k)))
				for i := range n {
					if i < k {
						term.Mul(term, p)
					} else {
						term.Mul(term, rest)
					}
				}
				sum.Add(sum, term)
				for _, level := range []string{"0.001", "0.05", "0.49", "0.5", "0.9"} {
					alpha := mustShare(t, level).rat
					if got, want := atMost(k, n, p, alpha), sum.Cmp(alpha) <= 0; got != want {
						t.Fatalf("%d of %d at %s, %s: %v", k, n, risk, level, got)
					}
				}
				// Its own probability is the limit exactly, and passes.
				if k < n && !atMost(k, n, p, sum) {
					t.Fatalf("%d of %d at %s, and its own probability", k, n, risk)
				}
			}
		}
	}
}

func TestFewestFor(t *testing.T) {
	for _, c := range []struct {
		risk, confidence string
		want             int
	}{{"0.02", "0.95", 149}, {"0.05", "0.95", 59}, {"0.01", "0.99", 459}, {"0.5", "0.5", 1}} {
		if got := fewestFor(0, mustShare(t, c.risk).rat, mustShare(t, c.confidence).complement().rat); got != c.want {
			t.Errorf("%s with %s: %d, want %d", c.risk, c.confidence, got, c.want)
		}
	}
}

// world is where items come from: what the model says, and how likely it is right.
type truth struct {
	name string
	draw func(chance *rand.Rand) (confidence, right float64)
	risk func(threshold float64) float64 // the error rate at or above it; NaN where nothing is
}

// truths are models that are good, that are far too sure, whose confidences are few, and the starter on sentences that it never saw.
func truths(t *testing.T) []truth {
	power := func(name string, sure func(u float64) float64, right func(c float64) float64) truth {
		// The true risk by the mean over a fine grid of u: the confidence rises with it.
		const steps = 200_000
		c, wrong := make([]float64, steps), make([]float64, steps+1)
		for i := steps - 1; i >= 0; i-- {
			c[i] = sure((float64(i) + 0.5) / steps)
			wrong[i] = wrong[i+1] + 1 - right(c[i])
		}
		return truth{
			name, func(chance *rand.Rand) (float64, float64) { s := sure(chance.Float64()); return s, right(s) },
			func(threshold float64) float64 {
				i, _ := slices.BinarySearch(c, threshold)
				return wrong[i] / float64(steps-i)
			},
		}
	}
	var recorded [][2]float64
	readFixture(t, "threshold/starter.json", &recorded)
	starter := truth{
		"the starter on 600 sentences", func(chance *rand.Rand) (float64, float64) {
			r := recorded[chance.IntN(len(recorded))]
			return r[0], r[1]
		},
		func(threshold float64) float64 {
			n, wrong := 0, 0.0
			for _, r := range recorded {
				if r[0] >= threshold {
					n, wrong = n+1, wrong+1-r[1]
				}
			}
			return wrong / float64(n)
		},
	}
	identity := func(c float64) float64 { return c }
	return []truth{
		power("calibrated", func(u float64) float64 { return 0.5 + 0.5*math.Sqrt(u) }, identity),
		power("overconfident", func(u float64) float64 { return 0.5 + 0.5*math.Sqrt(u) }, func(c float64) float64 { return 0.6 + 0.39*math.Pow(2*c-1, 6) }),
		power("few confidences", func(u float64) float64 { return 0.5 + math.Floor(u*6)/10*0.999 }, func(c float64) float64 { return 0.7 + 0.3*(2*c-1) }),
		starter,
	}
}

// TestPromiseHolds: over 2,000 runs the promised risk is exceeded in no more than the promised share of them, whatever the model is like and however few the
// reviews. The bound of the count is the 99.99% quantile of a binomial; a naive rule on the same runs goes far beyond it, so the test can fail.
func TestPromiseHolds(t *testing.T) {
	const runs = 2000
	var naiveBroke atomic.Int32
	t.Run("runs", func(t *testing.T) {
		for i, w := range truths(t) {
			for j, c := range []struct {
				n                int
				rate             float64 // of sure items that are sampled
				risk, confidence string
			}{{120, 1, "0.05", "0.9"}, {300, 1, "0.05", "0.9"}, {1000, 0.2, "0.1", "0.95"}} {
				t.Run(fmt.Sprintf("%s, %d at %v", w.name, c.n, c.rate), func(t *testing.T) {
					t.Parallel()
					o := AdviseOptions{Risk: mustShare(t, c.risk), Confidence: mustShare(t, c.confidence)}
					chance := rand.New(rand.NewPCG(uint64(i), uint64(j)))
					broken, found, naive := 0, 0, 0
					for range runs {
						items := history(chance, w, c.n, c.rate)
						s := draw(items, "")
						if p := s.promise("", 1, o); p.Found {
							found++
							if w.risk(p.Threshold) > o.Risk.Float() {
								broken++
							}
						}
						if n := naiveThreshold(s, o); n != NoThreshold && w.risk(n) > o.Risk.Float() {
							naive++
						}
					}
					allowed := 1 - o.Confidence.Float()
					most := 0
					for binomialCDF(most, runs, allowed) < 0.9999 {
						most++
					}
					if broken > most {
						t.Errorf("the risk of %s is exceeded in %d of %d runs, promised are %.0f", c.risk, broken, runs, allowed*runs)
					}
					if naive > most {
						naiveBroke.Add(1)
					}
					t.Logf("risk %s with %s: promised in %d runs, exceeded in %d of %d; by the naive rule in %d", c.risk, c.confidence, found, broken, runs, naive)
				})
			}
		}
	})
	naive := naiveBroke.Load()
	if naive < 6 {
		t.Errorf("the naive rule breaks its word in %d settings only: this test would not see much", naive)
	}
}

// history is what a service with a threshold of 0.85 would know of n items.
func history(chance *rand.Rand, w truth, n int, rate float64) []Evidence {
	items := make([]Evidence, n)
	for i := range items {
		c, right := w.draw(chance)
		e := Evidence{ItemID: strconv.Itoa(i), Confidence: c, Inclusion: 1, Rate: rate, Reviewed: true}
		if c >= 0.85 {
			e.Inclusion, e.Reviewed = rate, chance.Float64() < rate
		}
		correct := chance.Float64() < right
		e.Answered, e.Correct = e.Reviewed, e.Reviewed && correct
		items[i] = e
	}
	return items
}

// naiveThreshold is what looks reasonable: the lowest threshold above which the observed error rate is the risk or less.
func naiveThreshold(s sample, o AdviseOptions) float64 {
	best := float64(NoThreshold)
	for _, t := range Thresholds() {
		if n, wrong, _ := s.at(t, false); n > 0 && float64(wrong)/float64(n) <= o.Risk.Float() {
			best = t
		}
	}
	return best
}

// With enough reviews a threshold is found, and it is near the best there is.
func TestPromisePower(t *testing.T) {
	w := truths(t)[0]
	o := AdviseOptions{Risk: mustShare(t, "0.05"), Confidence: mustShare(t, "0.95")}
	best := slices.MinFunc(slices.DeleteFunc(Thresholds(), func(t float64) bool { return w.risk(t) > 0.05 }), func(a, b float64) int { return int(math.Copysign(1, a-b)) })
	chance := rand.New(rand.NewPCG(9, 9))
	found := 0
	for range 200 {
		p := draw(history(chance, w, 20_000, 0.2), "").promise("", 1, o)
		if p.Found && p.Threshold <= best+0.03 {
			found++
		}
	}
	t.Logf("within 0.03 of %v in %d of 200 runs", best, found)
	if found < 130 {
		t.Errorf("a threshold near %v is found in %d of 200 runs", best, found)
	}
}

func drawEvidence(t *rapid.T) []Evidence {
	chance := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	n := rapid.IntRange(0, 3000).Draw(t, "n")
	rate := rapid.SampledFrom([]float64{0, 0.1, 0.5, 1}).Draw(t, "rate")
	right := rapid.Float64Range(0.5, 1).Draw(t, "right")
	items := make([]Evidence, n)
	for i := range items {
		c := 1 - 0.5*chance.Float64()*chance.Float64()
		e := Evidence{ItemID: fmt.Sprint(i), Label: label(chance.IntN(3)), Confidence: math.Round(c*1000) / 1000, Inclusion: 1, Rate: rate, Reviewed: true, Other: chance.IntN(10) == 0}
		if e.Confidence >= 0.9 && !e.Other {
			e.Inclusion, e.Reviewed = rate, chance.Float64() < rate
		}
		e.Answered = e.Reviewed && chance.IntN(50) > 0
		e.Correct = e.Answered && chance.Float64() < right+(1-right)*c
		items[i] = e
	}
	return items
}

func TestAdviseProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		items := drawEvidence(rt)
		o := AdviseOptions{Risk: mustShare(t, "0.05"), Confidence: mustShare(t, "0.9"), SampleRate: 0.1}
		if rapid.Bool().Draw(rt, "per label") {
			o.Labels = []string{"A", "B", "C"}
		}
		a := Advise(items, o)
		shuffled := slices.Clone(items)
		rand.New(rand.NewPCG(1, 1)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if b := Advise(shuffled, o); fmt.Sprint(a.Promises) != fmt.Sprint(b.Promises) {
			rt.Errorf("%+v, and %+v in another order", a.Promises, b.Promises)
		}
		strict, sure := o, o
		strict.Risk, sure.Confidence = mustShare(t, "0.03"), mustShare(t, "0.99")
		lenient := o
		lenient.LeaveOut = true
		for i, p := range a.Promises {
			if p.Found && (p.Upper > 0.05+1e-9 || p.Wrong > p.Sampled || p.Sampled > p.Sample || p.Threshold > 1) {
				rt.Errorf("%+v", p)
			}
			if !p.Found && p.Threshold != NoThreshold {
				rt.Errorf("%+v", p)
			}
			if q := Advise(items, lenient).Promises[i]; q.Unanswered != 0 {
				rt.Errorf("left out, and there: %+v", q)
			}
		}
		if a.Load < -1e-12 || a.Load > 1+1e-12 {
			rt.Errorf("load %v", a.Load)
		}
		for i, pt := range a.Curve {
			if i > 0 && (pt.Load > a.Curve[i-1].Load+1e-12 || pt.Sampled < a.Curve[i-1].Sampled) {
				rt.Errorf("load %v at %v, %v at %v", a.Curve[i-1].Load, a.Curve[i-1].Threshold, pt.Load, pt.Threshold)
			}
		}
		more := slices.Clone(items)
		for i := range 20 {
			more = append(more, Evidence{ItemID: fmt.Sprint("more", i), Label: "A", Confidence: 0.95, Inclusion: 1, Rate: 0.5, Reviewed: true, Other: true})
		}
		if b := Advise(more, o); fmt.Sprint(a.Promises) != fmt.Sprint(b.Promises) {
			rt.Error("items that always go to people change a promise")
		}
		// From the same start, a stricter wish never ends lower.
		s := draw(items, "")
		alpha := o.Confidence.complement().rat
		from := func(float64) bool { return true }
		base := walk(s, o.Risk.rat, alpha, false, from).threshold
		if got := walk(s, strict.Risk.rat, alpha, false, from).threshold; got < base {
			rt.Errorf("a risk of 0.03 allows %v, one of 0.05 %v", got, base)
		}
		if got := walk(s, o.Risk.rat, sure.Confidence.complement().rat, false, from).threshold; got < base {
			rt.Errorf("more confidence allows %v, less %v", got, base)
		}
	})
}

func TestNeed(t *testing.T) {
	o := AdviseOptions{Risk: mustShare(t, "0.02"), Confidence: mustShare(t, "0.95")}
	items := func(n, wrong int, inclusion float64) []Evidence {
		out := make([]Evidence, n)
		for i := range out {
			out[i] = Evidence{ItemID: fmt.Sprint(i), Confidence: 0.99, Inclusion: inclusion, Rate: inclusion, Reviewed: true, Answered: true, Correct: i >= wrong}
		}
		return out
	}
	for name, c := range map[string]struct {
		items []Evidence
		check func(Promise) bool
	}{
		"nothing":                 {nil, func(p Promise) bool { return !p.Found && p.Need.Reviews == 149 && p.Need.Above == NoThreshold }},
		"sampling is off":         {items(500, 0, 0), func(p Promise) bool { return !p.Found && p.Rate == 0 && p.Sample == 0 }},
		"too few":                 {items(100, 0, 1), func(p Promise) bool { return !p.Found && p.Need.Reviews == 149 }},
		"enough without an error": {items(500, 0, 1), func(p Promise) bool { return p.Found && p.Wrong == 0 && p.Threshold == 0.05 }},
		"a few errors": {items(500, 6, 1), func(p Promise) bool {
			return !p.Found && p.Need.Reviews > 1000 && p.Need.Reviews < 10_000 && p.Need.Above == 0.99
		}},
		"too many errors": {items(500, 20, 1), func(p Promise) bool { return !p.Found && p.Need.Reviews == 0 && p.Need.Wrong > 0 }},
	} {
		if p := draw(c.items, "").promise("", 1, o); !c.check(p) {
			t.Errorf("%s: %+v", name, p)
		}
	}
	unanswered := items(500, 0, 1)
	for i := range unanswered[:30] {
		unanswered[i].Answered = false
	}
	if p := draw(unanswered, "").promise("", 1, o); p.Found {
		t.Errorf("thirty without an answer count for nothing: %+v", p)
	}
	o.LeaveOut = true
	if p := draw(unanswered, "").promise("", 1, o); !p.Found {
		t.Errorf("left out, they count: %+v", p)
	}
}

// Looking after every answer, the bound is above the true rate in no more than the promised share of runs; a bound for one look is far more often.
func TestLowerAlways(t *testing.T) {
	const runs, looks, alpha = 2000, 1500, 0.05
	for _, rate := range []float64{0.01, 0.02, 0.1} {
		chance := rand.New(rand.NewPCG(uint64(1000*rate), 3))
		always, once := 0, 0
		for range runs {
			k, brokeAlways, brokeOnce := 0, false, false
			for n := 1; n <= looks; n++ {
				if chance.Float64() >= rate {
					continue // without an error no bound rises
				}
				k++
				brokeAlways = brokeAlways || mixture(k, n, rate) >= -math.Log(alpha)
				brokeOnce = brokeOnce || Lower(k, n, alpha) > rate
			}
			if brokeAlways {
				always++
			}
			if brokeOnce {
				once++
			}
		}
		most := 0
		for binomialCDF(most, runs, alpha) < 0.9999 {
			most++
		}
		if always > most {
			t.Errorf("at %v the bound is above the rate in %d of %d runs", rate, always, runs)
		}
		if once < 3*most/2 {
			t.Errorf("at %v a bound for one look is above it in %d runs: this test would see little", rate, once)
		}
		t.Logf("rate %v: %d of %d, and %d with a bound for one look", rate, always, runs, once)
	}
	// It finds out: at three times the risk soon, and it agrees with its mixture.
	if low := LowerAlways(30, 500, 0.05); low <= 0.02 || low >= 0.06 {
		t.Errorf("30 of 500: %v", low)
	}
	for _, c := range [][2]int{{0, 0}, {0, 1000}, {1, 1}, {1000, 1000}, {5, 100_000}, {40_000, 100_000}} {
		low := LowerAlways(c[0], c[1], 0.05)
		if !(low >= 0 && low <= 1) || c[1] > 0 && low > float64(c[0])/float64(c[1]) {
			t.Errorf("%v: %v", c, low)
		}
		if low > 0 && low < 1 && math.Abs(mixture(c[0], c[1], low)+math.Log(0.05)) > 1e-3 {
			t.Errorf("%v: the bet at %v has won %v", c, low, mixture(c[0], c[1], low))
		}
	}
}

func TestReplay(t *testing.T) {
	items := []Evidence{
		{ItemID: "below, right", Confidence: 0.8, Reviewed: true, Answered: true, Correct: true},
		{ItemID: "below, wrong", Confidence: 0.8, Reviewed: true, Answered: true},
		{ItemID: "below, open", Confidence: 0.8, Reviewed: true},
		{ItemID: "below, a rule", Confidence: 0.8, Reviewed: true, Other: true},
		{ItemID: "far below", Confidence: 0.5, Reviewed: true, Answered: true},
		{ItemID: "sure", Confidence: 0.9},
		{ItemID: "sure of B", Label: "B", Confidence: 0.9},
		{ItemID: "sure of B, sampled", Label: "B", Confidence: 0.9, Reviewed: true, Answered: true},
	}
	r := Replay(items, func(l string) float64 {
		if l == "B" {
			return 0.95
		}
		return 0.7
	}, func(e Evidence) bool { return e.Confidence >= 0.85 })
	if a := r.Accepted; a.Right != 1 || a.Wrong != 1 || a.Unknown != 1 || !slices.Equal(a.IDs, []string{"below, right", "below, wrong", "below, open"}) {
		t.Errorf("accepted: %+v", a)
	}
	if b := r.Reviewed; b.Unknown != 1 || !slices.Equal(b.IDs, []string{"sure of B"}) || r.Items != len(items) {
		t.Errorf("reviewed: %+v", b)
	}
}

func BenchmarkExactTest(b *testing.B) {
	risk, alpha := mustShare(b, "0.02"), mustShare(b, "0.05")
	for _, n := range []int{1000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				atMost(n/50-n/1000, n, risk.rat, alpha.rat) // just below the mean, where nothing is settled early
			}
		})
	}
}
