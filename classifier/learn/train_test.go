package learn

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// clusters draws examples around a centre for each of k labels.
func clusters(n, d, k int, spread float64, seed uint64) []Example {
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // repeatable
	centres := make([][]float64, k)
	for c := range centres {
		centres[c] = make([]float64, d)
		for j := range centres[c] {
			centres[c][j] = random.NormFloat64()
		}
	}
	out := make([]Example, n)
	for i := range out {
		c := i % k
		out[i] = Example{Features: make([]float32, d), Label: fmt.Sprintf("label%04d", c), Weight: 1 + 9*float64(random.IntN(2))}
		for j := range out[i].Features {
			out[i].Features[j] = float32(0.05 * (centres[c][j] + spread*random.NormFloat64()))
		}
	}
	return out
}

// A trained head is the fit of the strength that it names, does on new examples as cross-validation says, and is repeatable.
func TestTrainHead(t *testing.T) {
	t.Parallel()
	all := clusters(3000, 20, 4, 2, 3) // the centres are the seed's, so new examples are the rest of one draw
	examples, fresh := all[:800], all[800:]
	last := 0
	o := TrainOptions{Seed: 7, Progress: func(done, most int) {
		if done <= last || done > most {
			t.Errorf("progress %d of %d after %d", done, most, last)
		}
		last = done
	}}
	trained, err := TrainHead(t.Context(), examples, o)
	if err != nil {
		t.Fatal(err)
	}
	if last != 5*11+1 {
		t.Errorf("progress ended at %d", last)
	}
	same, err := FitHead(t.Context(), examples, trained.L2)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(same, trained.Head); diff != "" {
		t.Errorf("(-fit +trained):\n%s", diff)
	}
	for _, g := range trained.Grid {
		if g.LogLoss < trained.Validated.LogLoss || g.L2 == trained.L2 && g.LogLoss != trained.Validated.LogLoss {
			t.Errorf("chosen %v with %v, though %+v", trained.L2, trained.Validated.LogLoss, g)
		}
	}
	if len(trained.Grid) >= 11 || trained.L2 == trained.Grid[0].L2 {
		t.Errorf("the search did not end by itself: %v", trained.Grid)
	}
	if trained.Validated.Items != len(examples) || trained.Baseline > 0.3 {
		t.Errorf("%+v", trained)
	}
	truth := ScoreOf(judge(trained.Head, fresh))
	if i := trained.Validated.Interval; truth.Accuracy < i.Low || truth.Accuracy > i.High || math.Abs(truth.LogLoss-trained.Validated.LogLoss) > 0.1 || truth.Accuracy < 0.8 {
		t.Errorf("on new examples %+v, cross-validated %+v", truth, trained.Validated)
	}
	o.Progress = nil
	again, err := TrainHead(t.Context(), examples, o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(trained, again); diff != "" {
		t.Errorf("again (-first +second):\n%s", diff)
	}
}

// Labels that say nothing about the features are not learned: the strongest L2 wins, and nothing is promised.
func TestTrainHeadOnNoise(t *testing.T) {
	t.Parallel()
	examples := clusters(300, 30, 3, 1, 5)
	random := rand.New(rand.NewPCG(9, 0)) //nolint:gosec // repeatable
	for i := range examples {
		examples[i].Label = []string{"a", "b"}[random.IntN(2)]
	}
	trained, err := TrainHead(t.Context(), examples, TrainOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if trained.L2 < 1 || trained.Validated.Interval.Low > 0.5 || math.Abs(trained.Validated.LogLoss-math.Ln2) > 0.03 {
		t.Errorf("L2 %v, %+v", trained.L2, trained.Validated)
	}
}

func TestTrainHeadLeavesRareLabelsOut(t *testing.T) {
	t.Parallel()
	examples := clusters(60, 5, 3, 0.1, 5)
	for i := range examples {
		if examples[i].Weight = 1; i < 4*3 && examples[i].Label == "label0002" {
			examples[i].Label = "rare"
		}
	}
	trained, err := TrainHead(t.Context(), examples, TrainOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := []LabelCount{{"label0000", 20, 20, false}, {"label0001", 20, 20, false}, {"label0002", 16, 16, false}, {"rare", 4, 4, true}}
	if diff := cmp.Diff(want, trained.Counts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if want := []string{"label0000", "label0001", "label0002"}; !slices.Equal(trained.Head.Labels, want) || trained.Validated.Items != 56 || trained.Baseline != 20./56 {
		t.Errorf("labels %q, %+v", trained.Head.Labels, trained)
	}
}

func TestTrainHeadWithAThousandLabels(t *testing.T) {
	t.Parallel()
	examples := clusters(2000, 4, 1000, 0.05, 2)
	trained, err := TrainHead(t.Context(), examples, TrainOptions{Folds: 2, MinExamples: 2, L2: []float64{0.03}})
	if err != nil {
		t.Fatal(err)
	}
	if len(trained.Head.Labels) != 1000 || trained.Validated.Accuracy < 0.02 { // one of two examples is learned from; chance is 0.001
		t.Errorf("%d labels, %+v", len(trained.Head.Labels), trained.Validated)
	}
}

func TestTrainHeadExplains(t *testing.T) {
	t.Parallel()
	examples := clusters(40, 3, 2, 1, 1)
	for want, o := range map[string]TrainOptions{
		"1 folds":              {Folds: 1},
		"1 examples for a lab": {MinExamples: 1},
		"not positive and fal": {L2: []float64{1, 2}},
		"0 labels have 30":     {MinExamples: 30},
	} {
		if trained, err := TrainHead(t.Context(), examples, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, %v; want %q", trained, err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := TrainHead(ctx, examples, TrainOptions{Progress: func(int, int) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled in the middle: %v", err)
	}
}

func TestStratify(t *testing.T) {
	t.Parallel()
	var examples []Example
	for i, n := range []int{7, 23, 5, 11} {
		for range n {
			examples = append(examples, Example{Label: fmt.Sprint(i)})
		}
	}
	folds := stratify(examples, 5, 1)
	all, byLabel := map[int]int{}, map[string]map[int]int{}
	for i, f := range folds {
		all[f]++
		if byLabel[examples[i].Label] == nil {
			byLabel[examples[i].Label] = map[int]int{}
		}
		byLabel[examples[i].Label][f]++
	}
	for name, counts := range map[string]map[int]int{"all": all, "0": byLabel["0"], "1": byLabel["1"], "2": byLabel["2"], "3": byLabel["3"]} {
		least, most := len(examples), 0
		for f := range 5 {
			least, most = min(least, counts[f]), max(most, counts[f])
		}
		if most-least > 1 {
			t.Errorf("%s: folds have %v", name, counts)
		}
	}
	if slices.Equal(folds, stratify(examples, 5, 2)) || !slices.Equal(folds, stratify(examples, 5, 1)) {
		t.Error("folds do not come of the seed")
	}
}

// Equal weights are Wilson's interval; unequal ones widen it.
func TestScoreOf(t *testing.T) {
	t.Parallel()
	even, uneven := make([]Outcome, 100), make([]Outcome, 100)
	for i := range even {
		even[i] = Outcome{Correct: i%5 > 0, Probability: 0.5, Weight: 2}
		uneven[i] = even[i]
		uneven[i].Weight = 1 + float64(9*(i%2))
	}
	a, b := ScoreOf(even), ScoreOf(uneven)
	want := Wilson(80, 100)
	if a.Accuracy != 0.8 || math.Abs(a.LogLoss-math.Ln2) > 1e-12 || math.Abs(a.Interval.Low-want.Low) > 1e-12 || math.Abs(a.Interval.High-want.High) > 1e-12 {
		t.Errorf("%+v, want interval %v", a, want)
	}
	if math.Abs(b.Accuracy-0.8) > 1e-12 || b.Interval.High-b.Interval.Low < 1.2*(want.High-want.Low) {
		t.Errorf("uneven weights: %+v", b)
	}
	if none := ScoreOf(nil); none.Interval != (Interval{0, 1}) || math.IsNaN(none.LogLoss) {
		t.Errorf("of nothing: %+v", none)
	}
	if s := ScoreOf([]Outcome{{Weight: 1}}); math.IsInf(s.LogLoss, 0) || s.Interval.Low != 0 {
		t.Errorf("an unknown label: %+v", s)
	}
}

// BenchmarkTrainHead is training with cross-validation as `hitl train` does it, for embeddings of MiniLM's width. Run it with GOMAXPROCS=1.
func BenchmarkTrainHead(b *testing.B) {
	for _, c := range []struct{ n, d, k int }{{1000, 384, 4}, {3000, 384, 6}, {5000, 384, 20}} {
		b.Run(fmt.Sprintf("%dx%d, %d labels", c.n, c.d, c.k), func(b *testing.B) {
			examples := clusters(c.n, c.d, c.k, 6, 1)
			for b.Loop() {
				if _, err := TrainHead(b.Context(), examples, TrainOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
