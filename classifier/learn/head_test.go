package learn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"gonum.org/v1/gonum/optimize"
	"pgregory.net/rapid"
)

// scikit-learn minimises the same function, and comes to the same minimum.
func TestFitHeadAgainstScikitLearn(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/head/fits.json")
	if err != nil {
		t.Fatal(err)
	}
	var fits []struct {
		Name          string
		Features      [][]float32
		Labels        []int
		Weights       []float64
		L2            float64
		Coefficients  [][]float64
		Intercepts    []float64
		Probabilities [][]float64
		Objective     float64
	}
	if err := json.Unmarshal(data, &fits); err != nil || len(fits) != 13 {
		t.Fatalf("%d fits, %v", len(fits), err)
	}
	for _, f := range fits {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			examples := make([]Example, len(f.Labels))
			for i := range examples {
				examples[i] = Example{f.Features[i], fmt.Sprint(f.Labels[i]), f.Weights[i]}
			}
			h, err := FitHead(t.Context(), examples, f.L2)
			if err != nil {
				t.Fatal(err)
			}
			for k, row := range f.Coefficients {
				for j, want := range row {
					if got := h.Weights[k][j]; math.Abs(got-want) > 1e-4*max(1, math.Abs(want)) {
						t.Errorf("label %d, feature %d: coefficient %v, theirs %v", k, j, got, want)
					}
				}
				if got, want := h.Bias[k], f.Intercepts[k]; math.Abs(got-want) > 1e-4*max(1, math.Abs(want)) {
					t.Errorf("label %d: bias %v, theirs %v", k, got, want)
				}
			}
			for i, row := range f.Probabilities {
				got := h.Probabilities(f.Features[i])
				for k, want := range row {
					if math.Abs(got[k]-want) > 1e-6 {
						t.Errorf("example %d: probabilities %v, theirs %v", i, got, row)
					}
				}
			}
			if got := objective(h, examples, f.L2); got > f.Objective+1e-9 {
				t.Errorf("objective %v, theirs %v", got, f.Objective)
			}
		})
	}
}

// objective is what FitHead says that it minimises, written down once more.
func objective(h *Head, examples []Example, l2 float64) float64 {
	loss, sum, squares := 0.0, 0.0, 0.0
	for _, e := range examples {
		loss -= e.Weight * math.Log(h.Outcome(e).Probability)
		sum += e.Weight
	}
	for j := range h.Weights[0] {
		mean, variance := 0.0, 0.0
		for _, e := range examples {
			mean += e.Weight * float64(e.Features[j]) / sum
		}
		for _, e := range examples {
			variance += e.Weight * math.Pow(float64(e.Features[j])-mean, 2) / sum
		}
		for _, row := range h.Weights {
			squares += row[j] * row[j] * variance
		}
	}
	return loss/sum + l2/2*squares
}

// An example of weight 3 is three examples; the unit of weights and of features and the order do not matter.
func TestFitHeadProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var weighted, repeated, scaled []Example
		for i := range rapid.IntRange(6, 40).Draw(t, "n") {
			e := Example{Label: fmt.Sprint(i % 3), Weight: float64(rapid.IntRange(1, 3).Draw(t, "weight"))}
			for range 3 {
				e.Features = append(e.Features, float32(rapid.IntRange(-8, 8).Draw(t, "feature")))
			}
			weighted = append(weighted, e)
			one := e
			one.Weight = 1
			for range int(e.Weight) {
				repeated = append(repeated, one)
			}
			e.Weight *= 7
			e.Features = append([]float32{}, e.Features...)
			for j := range e.Features {
				e.Features[j] = 4*e.Features[j] + 16
			}
			scaled = append([]Example{e}, scaled...)
		}
		var heads [3]*Head
		for i, examples := range [][]Example{weighted, repeated, scaled} {
			h, err := FitHead(context.Background(), examples, 0.01)
			if err != nil {
				t.Fatal(err)
			}
			heads[i] = h
		}
		for i, e := range weighted {
			a, b, c := heads[0].Probabilities(e.Features), heads[1].Probabilities(e.Features), heads[2].Probabilities(scaled[len(scaled)-1-i].Features)
			for k := range a {
				if math.Abs(a[k]-b[k]) > 1e-5 || math.Abs(a[k]-c[k]) > 1e-5 {
					t.Fatalf("weighted %v, repeated %v, scaled %v", a, b, c)
				}
			}
		}
	})
}

// What has no information changes nothing: constant features, and one label's examples on top of each other.
func TestFitHeadDegenerate(t *testing.T) {
	t.Parallel()
	var examples []Example
	for i := range 40 {
		examples = append(examples, Example{[]float32{0.1, 7}, fmt.Sprint(min(i%4, 1)), 1})
	}
	h, err := FitHead(t.Context(), examples, 1e-4)
	if err != nil {
		t.Fatal(err)
	}
	if p := h.Probabilities([]float32{9, -9}); math.Abs(p[1]-0.75) > 1e-6 {
		t.Errorf("constant features give %v, want the shares of labels", p)
	}
	for i := range examples { // separable: without L2 the weights would grow for ever
		examples[i].Features = []float32{float32(min(i%4, 1)), 1e20}
	}
	if h, err = FitHead(t.Context(), examples, 1e-4); err != nil {
		t.Fatal(err)
	}
	if label, p := h.Label([]float32{1, 1e20}); label != "1" || p < 0.99 {
		t.Errorf("%s, %v", label, p)
	}
}

func TestFitHeadExplains(t *testing.T) {
	t.Parallel()
	nan := float32(math.NaN())
	for want, examples := range map[string][]Example{
		"no examples":             nil,
		"have 1 labels":           {{[]float32{1}, "a", 1}},
		"has 0 features":          {{nil, "a", 1}},
		"2 has 2 features":        {{[]float32{1}, "a", 1}, {[]float32{1, 2}, "b", 1}},
		"1 has no label":          {{[]float32{1}, "", 1}},
		"2 has weight 0":          {{[]float32{1}, "a", 1}, {[]float32{1}, "b", 0}},
		"that is no finite numbe": {{[]float32{nan}, "a", 1}},
	} {
		if h, err := FitHead(t.Context(), examples, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, %v; want %q", h, err, want)
		}
	}
	for _, l2 := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		if _, err := FitHead(t.Context(), clusters(20, 2, 2, 1, 1), l2); err == nil {
			t.Errorf("L2 strength %v is taken", l2)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := FitHead(ctx, clusters(20, 2, 2, 1, 1), 1); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// circling is a line search that finds nothing, and looks on.
type circling struct{ optimize.Linesearcher }

func (circling) Iterate(float64, float64) (optimize.Operation, float64, error) {
	return optimize.FuncEvaluation | optimize.GradEvaluation, 1, nil
}

func TestLineSearchEnds(t *testing.T) {
	t.Parallel()
	b := &boundedSearch{Linesearcher: circling{&optimize.MoreThuente{}}}
	for range 2 { // each search has its own bound
		b.Init(1, -1, 1)
		for range maxProbes {
			if _, _, err := b.Iterate(1, -1); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := b.Iterate(1, -1); !errors.Is(err, optimize.ErrLinesearcherFailure) {
			t.Errorf("after %d probes: %v", maxProbes, err)
		}
	}
}
