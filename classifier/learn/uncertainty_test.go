package learn

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"hitl"
)

func distribution(probabilities ...float64) []hitl.Score {
	out := make([]hitl.Score, len(probabilities))
	for i, p := range probabilities {
		out[i] = hitl.Score{Label: fmt.Sprint(i), Probability: p}
	}
	return out
}

// Values worked out by hand.
func TestUncertainty(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		scores          []float64
		margin, entropy float64
	}{
		"failed":             {nil, 1, 1},
		"one label":          {[]float64{1}, 0, 0},
		"certain":            {[]float64{0, 1, 0}, 0, 0},
		"two alike":          {[]float64{0.5, 0.5}, 1, 1},
		"two alike of four":  {[]float64{0.5, 0.5, 0, 0}, 1, 0.5},
		"four alike":         {[]float64{0.25, 0.25, 0.25, 0.25}, 1, 1},
		"eighths":            {[]float64{0.125, 0.5, 0.125, 0.25}, 0.75, 0.875},
		"no number":          {[]float64{math.NaN(), 0.5}, 1, 1},
		"no probability":     {[]float64{1.5, 0}, 1, 1},
		"negative":           {[]float64{-0.5, 1}, 1, 1},
		"nothing at all":     {[]float64{0, 0}, 1, 1},
		"sum of two, scaled": {[]float64{1, 1, 1, 1}, 1, 1},
	} {
		s := distribution(c.scores...)
		if m, e := MarginUncertainty(s), EntropyUncertainty(s); math.Abs(m-c.margin) > 1e-12 || math.Abs(e-c.entropy) > 1e-12 {
			t.Errorf("%s: margin %v, entropy %v; want %v, %v", name, m, e, c.margin, c.entropy)
		}
	}
}

// simplex draws probabilities that add up to 1.
func simplex(rt *rapid.T, labels int) []float64 {
	weights := rapid.SliceOfN(rapid.Float64Range(1e-6, 1), labels, labels).Draw(rt, "weights")
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	for i := range weights {
		weights[i] /= sum
	}
	return weights
}

func TestUncertaintyProperties(t *testing.T) {
	t.Parallel()
	const slack = 1e-9
	measures := map[string]func([]hitl.Score) float64{"margin": MarginUncertainty, "entropy": EntropyUncertainty}
	rapid.Check(t, func(rt *rapid.T) {
		p := simplex(rt, rapid.IntRange(2, 12).Draw(rt, "labels"))
		shuffled := rapid.Permutation(p).Draw(rt, "shuffled")
		toward := rapid.Float64Range(0, 1).Draw(rt, "toward")
		best := slices.Index(p, slices.Max(p))
		surer := slices.Clone(p) // moved straight toward certainty of its most likely label
		for i := range surer {
			surer[i] *= 1 - toward
		}
		surer[best] += toward
		for name, u := range measures {
			got := u(distribution(p...))
			if got < 0 || got > 1 {
				rt.Fatalf("%s is %v", name, got)
			}
			if math.Abs(got-u(distribution(shuffled...))) > slack {
				rt.Fatalf("%s depends on the order", name)
			}
			if u(distribution(surer...)) > got+slack {
				rt.Fatalf("%s grows as the model gets surer", name)
			}
		}
	})
	// Of two labels both say the same of which is less sure.
	rapid.Check(t, func(rt *rapid.T) {
		a, b := distribution(simplex(rt, 2)...), distribution(simplex(rt, 2)...)
		if m, e := MarginUncertainty(a)-MarginUncertainty(b), EntropyUncertainty(a)-EntropyUncertainty(b); m*e < 0 && math.Abs(m) > slack && math.Abs(e) > slack {
			rt.Fatalf("margins differ by %v, entropies by %v", m, e)
		}
	})
}
