package learn

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

//go:embed testdata/drift/recorded.json
var recordedDrift []byte

type recordedPSI struct {
	Index    float64
	ByChance float64 `json:"by_chance"`
	P        float64
}

func within(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance*max(1, math.Abs(b)) }

func (r recordedPSI) check(t *testing.T, name string, got Stability) {
	t.Helper()
	if !within(got.Index, r.Index, 1e-10) || !within(got.ByChance, r.ByChance, 1e-8) || !within(got.P, r.P, 1e-8) {
		t.Errorf("%s: %+v, recorded %+v", name, got, r)
	}
}

// numpy and scipy come to the same figures.
func TestDriftAgainstOthers(t *testing.T) {
	t.Parallel()
	var recorded struct {
		Values []struct {
			Reference, Current []float64
			D                  float64
			Exact              *float64
			Limit, Asymptotic  float64
			Counts             [2][]int
			PSI                *recordedPSI
		}
		Labels []struct {
			Counts [2][]int
			PSI    recordedPSI
		}
	}
	if err := json.Unmarshal(recordedDrift, &recorded); err != nil {
		t.Fatal(err)
	}
	if len(recorded.Values) < 40 || len(recorded.Labels) < 30 {
		t.Fatalf("%d and %d pairs of windows are recorded", len(recorded.Values), len(recorded.Labels))
	}
	limits := 0
	for i, v := range recorded.Values {
		got := KolmogorovSmirnov(v.Reference, v.Current)
		if !within(got.D, v.D, 1e-12) {
			t.Errorf("windows %d: D %v, recorded %v", i, got.D, v.D)
		}
		if got.Exact != (v.Exact != nil) {
			t.Errorf("windows %d: exact is %v", i, got.Exact)
		}
		if v.Exact != nil && !within(got.P, *v.Exact, 1e-9) {
			t.Errorf("windows %d: P %v, recorded %v", i, got.P, *v.Exact)
		}
		if v.Exact == nil {
			limits++
			// scipy's own asymptotic P minds the sizes, and is not far away.
			if !within(got.P, v.Limit, 1e-12) || math.Abs(got.P-v.Asymptotic) > 0.02 {
				t.Errorf("windows %d: P %v, recorded %v and %v", i, got.P, v.Limit, v.Asymptotic)
			}
		}
		r, c := CountValues(v.Reference, v.Current)
		if !slices.Equal(r, v.Counts[0]) || !slices.Equal(c, v.Counts[1]) {
			t.Errorf("windows %d: bins %v and %v, recorded %v", i, r, c, v.Counts)
		}
		if v.PSI != nil {
			v.PSI.check(t, fmt.Sprint("values ", i), PSI(r, c))
		}
	}
	if limits == 0 {
		t.Error("no recorded windows are too large for an exact P")
	}
	for i, l := range recorded.Labels {
		l.PSI.check(t, fmt.Sprint("labels ", i), PSI(l.Counts[0], l.Counts[1]))
	}
}

// By hand: of two and two without ties, the paths that reach the corner are 2 of 6, those half way there all.
func TestKolmogorovSmirnovByHand(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		a, b []float64
		want KS
	}{
		"apart":       {[]float64{1, 2}, []float64{3, 4}, KS{D: 1, P: 2.0 / 6, Exact: true}},
		"interleaved": {[]float64{1, 3}, []float64{2, 4}, KS{D: 0.5, P: 1, Exact: true}},
		"equal":       {[]float64{1, 1, 1}, []float64{1, 1}, KS{D: 0, P: 1, Exact: true}},
		"nothing":     {nil, []float64{1}, KS{P: 1}},
	} {
		if got := KolmogorovSmirnov(tc.a, tc.b); got.D != tc.want.D || !within(got.P, tc.want.P, 1e-15) || got.Exact != tc.want.Exact {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
	if got := KSInterval(nil, []float64{1}, 1); got != (Interval{0, 1}) {
		t.Errorf("interval of nothing: %v", got)
	}
}

func TestPSIOfLittle(t *testing.T) {
	t.Parallel()
	for name, windows := range map[string][2][]int{
		"nothing": {}, "one bin": {{5}, {9}}, "one bin in use": {{5, 0}, {9, 0}}, "no reference": {{0, 0}, {1, 2}}, "nothing now": {{1, 2}, {0, 0}},
	} {
		if got := PSI(windows[0], windows[1]); got.Index != 0 || got.P != 1 {
			t.Errorf("%s: %+v", name, got)
		}
	}
	r, c := CountLabels([]string{"b", "a", "b"}, []string{"c", "b"})
	if !slices.Equal(r, []int{1, 2, 0}) || !slices.Equal(c, []int{0, 1, 1}) {
		t.Errorf("labels are counted as %v and %v", r, c)
	}
}

// Windows in any order, in either direction, differ the same; a window does not differ from itself.
func TestDriftProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		window := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 12), func(i int) float64 { return float64(i) / 12 }), 1, 40)
		a, b := window.Draw(t, "a"), window.Draw(t, "b")
		k := KolmogorovSmirnov(a, b)
		if k.D < 0 || k.D > 1 || k.P < 0 || k.P > 1+1e-12 {
			t.Fatalf("%+v", k)
		}
		if other := KolmogorovSmirnov(rapid.Permutation(b).Draw(t, "b again"), a); other.D != k.D || !within(other.P, k.P, 1e-12) {
			t.Errorf("%+v, the other way round %+v", k, other)
		}
		if same := KolmogorovSmirnov(a, a); same.D != 0 || same.P != 1 {
			t.Errorf("of itself: %+v", same)
		}
		r, c := CountValues(a, b)
		if totalOf(r) != len(a) || totalOf(c) != len(b) || len(r) > maxBins {
			t.Errorf("%d and %d values are counted as %v and %v", len(a), len(b), r, c)
		}
		if x, y := PSI(r, c), PSI(c, r); x.Index < 0 || !within(x.Index, y.Index, 1e-12) || PSI(r, r).Index != 0 {
			t.Errorf("%+v, the other way round %+v", x, y)
		}
		if i := KSInterval(a, b, 3); i.Low > i.High || i.Low < 0 || i.High > 1 || i != KSInterval(a, b, 3) {
			t.Errorf("interval %v", i)
		}
	})
}

func totalOf(counts []int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// When nothing has changed, about one in twenty pairs of windows is called changed; when something has, nearly all are.
func TestDriftLevels(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 0)) //nolint:gosec // repeatable
	const rounds = 1000
	shares := []float64{0.5, 0.3, 0.15, 0.05}
	draw := func(shares []float64, n int) []int {
		out := make([]int, len(shares))
		for range n {
			x, i := random.Float64(), 0
			for i < len(shares)-1 && x >= shares[i] {
				x, i = x-shares[i], i+1
			}
			out[i]++
		}
		return out
	}
	values := func(n int, power float64) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = math.Pow(random.Float64(), power)
		}
		return out
	}
	var psi, above, ks, changedPSI, changedKS int
	for range rounds {
		s := PSI(draw(shares, 400), draw(shares, 300))
		if s.P < 0.05 {
			psi++
		}
		if s.Index > s.ByChance {
			above++
		}
		if KolmogorovSmirnov(values(120, 1), values(150, 1)).P < 0.05 {
			ks++
		}
		if PSI(draw(shares, 400), draw([]float64{0.35, 0.35, 0.2, 0.1}, 300)).P < 0.05 {
			changedPSI++
		}
		if KolmogorovSmirnov(values(120, 1), values(150, 2)).P < 0.05 {
			changedKS++
		}
	}
	if psi < 30 || psi > 75 || above != psi || ks < 25 || ks > 70 {
		t.Errorf("of %d unchanged pairs, %d (%d above) and %d are called changed", rounds, psi, above, ks)
	}
	if changedPSI < 950 || changedKS < 950 {
		t.Errorf("of %d changed pairs, %d and %d are called changed", rounds, changedPSI, changedKS)
	}
}

// The interval of a difference that is there holds it about as often as it says.
func TestKSIntervalCovers(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(9, 0)) //nolint:gosec // repeatable
	covered, rounds := 0, 200
	for seed := range rounds {
		a, b := make([]float64, 250), make([]float64, 250)
		for i := range a {
			a[i], b[i] = random.Float64(), math.Sqrt(random.Float64()) // x against x²: D is 1/4
		}
		if in := KSInterval(a, b, uint64(seed)); in.Low <= 0.25 && 0.25 <= in.High {
			covered++
		}
	}
	if covered < 170 {
		t.Errorf("%d of %d intervals hold the truth", covered, rounds)
	}
}
