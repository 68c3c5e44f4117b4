package learn

import (
	_ "embed"
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

//go:embed testdata/hochberg/recorded.json
var recordedHochberg []byte

// scipy adjusts the same way.
func TestBenjaminiHochbergAgainstSciPy(t *testing.T) {
	t.Parallel()
	var recorded []struct{ P, Adjusted []float64 }
	if err := json.Unmarshal(recordedHochberg, &recorded); err != nil {
		t.Fatal(err)
	}
	if len(recorded) < 20 {
		t.Fatalf("%d sets are recorded", len(recorded))
	}
	for i, r := range recorded {
		for j, q := range BenjaminiHochberg(r.P) {
			if !within(q, r.Adjusted[j], 1e-12) {
				t.Errorf("set %d: %v of %v, recorded %v", i, q, r.P[j], r.Adjusted[j])
			}
		}
	}
	if got := BenjaminiHochberg(nil); len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

func rateOf(weights []float64, hits []bool) Rate {
	var s weighted
	for i, w := range weights {
		s.add(w, hits[i])
	}
	return s.rate()
}

// By hand: weights 1, 1, 4, of which the last hits: 4/6, Kish (6²)/18 = 2. Linearized: (16/9 + 4/9 + 4/9)/36 = 2/27, so (2/9)/(2/27) = 3, which is more.
func TestRateByHand(t *testing.T) {
	t.Parallel()
	got := rateOf([]float64{1, 1, 4}, []bool{false, false, true})
	if got.Items != 3 || got.Hits != 1 || got.Whole != 6 || !within(got.Value, 2.0/3, 1e-15) || !within(got.effective, 2, 1e-12) {
		t.Errorf("%+v", got)
	}
	// Where the one that stands for many differs from the rest by more, the linearized variance is the larger: weights 1 (hit), 1 (hit), 1, 1, 4:
	// p = 1/4, Kish 64/20 = 3.2, linearized (9/16·2 + 1/16·2 + 1)/64 = 2.25/64, (3/16)/(2.25/64) = 5.33.
	if got := rateOf([]float64{1, 1, 1, 1, 4}, []bool{true, true, false, false, false}); !within(got.effective, 3.2, 1e-12) {
		t.Errorf("%+v", got)
	}
	// Weights 1×6 (none), 3 (hit), 3 (not): p = 1/4, Kish 144/24 = 6, linearized (9·9/16 + (6 + 9)/16)/144 = 6/144, (3/16)/(6/144) = 4.5.
	if got := rateOf([]float64{1, 1, 1, 1, 1, 1, 3, 3}, []bool{false, false, false, false, false, false, true, false}); !within(got.effective, 4.5, 1e-12) {
		t.Errorf("%+v", got)
	}
	if got := rateOf(nil, nil); got.Interval != (Interval{0, 1}) || got.Value != 0 {
		t.Errorf("of nothing: %+v", got)
	}
}

// With weights that are all the same, rates, differences and their intervals are those of counts; the scale of weights means nothing.
func TestRateProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		hits := rapid.SliceOfN(rapid.Bool(), 1, 60).Draw(t, "hits")
		weight := rapid.Float64Range(0.5, 40).Draw(t, "weight")
		k := 0
		same, weights, scaled := make([]float64, len(hits)), make([]float64, len(hits)), make([]float64, len(hits))
		for i, hit := range hits {
			if hit {
				k++
			}
			same[i], weights[i] = weight, rapid.Float64Range(1, 50).Draw(t, "w")
			scaled[i] = 3 * weights[i]
		}
		got, want := rateOf(same, hits), Wilson(k, len(hits))
		if !within(got.Value, float64(k)/float64(len(hits)), 1e-12) || !within(got.Low, want.Low, 1e-9) || !within(got.High, want.High, 1e-9) {
			t.Errorf("%+v, of counts %v", got, want)
		}
		a, b := rateOf(weights, hits), rateOf(scaled, hits)
		if !within(a.Value, b.Value, 1e-12) || !within(a.Low, b.Low, 1e-9) || !within(a.High, b.High, 1e-9) {
			t.Errorf("%+v, scaled %+v", a, b)
		}
		if a.Low > a.Value+1e-12 || a.High < a.Value-1e-12 || a.effective > float64(len(hits))+1e-9 {
			t.Errorf("%+v", a)
		}
		if p := differ(a, got); p < 0 || p > 1 || math.IsNaN(p) || differ(a, a) != 1 {
			t.Errorf("p %v", p)
		}
	})
}

// As hitl draws: unsure items always, sure ones one in ten. The interval of the share of errors in the stream holds it as often as it says.
func TestRateCovers(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(2, 0)) //nolint:gosec // repeatable
	const rounds, truth = 400, 0.25*0.3 + 0.75*0.04
	covered := 0
	for range rounds {
		var s weighted
		for range 2000 {
			switch {
			case random.Float64() < 0.25:
				s.add(1, random.Float64() < 0.3)
			case random.Float64() < 0.1:
				s.add(10, random.Float64() < 0.04)
			}
		}
		if r := s.rate(); r.Low <= truth && truth <= r.High {
			covered++
		}
	}
	if covered < rounds*92/100 {
		t.Errorf("%d of %d intervals hold the truth", covered, rounds)
	}
}
