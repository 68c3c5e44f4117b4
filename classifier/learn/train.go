package learn

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// TrainOptions say how a head is trained. The zero value is what is meant for a few hundred to a few thousand examples.
type TrainOptions struct {
	// Folds is in how many parts cross-validation divides the examples. Default: 5.
	Folds int
	// MinExamples is how many examples a label needs; one with fewer is left out, with its examples. Default: 5, at least 2.
	MinExamples int
	// L2 are the strengths to choose from, strongest first. Default: 10, 3.16, 1, … 0.0001: powers of the square root of ten.
	L2 []float64
	// Seed deals the examples out to the folds.
	Seed uint64
	// Progress is told after each fit how many were done, of how many at most. Default: nobody.
	Progress func(done, most int)
}

func (o TrainOptions) withDefaults() TrainOptions {
	if o.Folds == 0 {
		o.Folds = 5
	}
	if o.MinExamples == 0 {
		o.MinExamples = 5
	}
	if o.L2 == nil {
		for e := 2; e >= -8; e-- {
			o.L2 = append(o.L2, math.Pow(10, float64(e)/2))
		}
	}
	if o.Progress == nil {
		o.Progress = func(int, int) {}
	}
	return o
}

// LabelCount is how often a label is among examples.
type LabelCount struct {
	Label    string  `json:"label"`
	Examples int     `json:"examples"`
	Weight   float64 `json:"weight"`
	LeftOut  bool    `json:"left_out,omitempty"` // too few examples to be learned
}

// L2Score is what cross-validation says of an L2 strength.
type L2Score struct {
	L2      float64 `json:"l2"`
	LogLoss float64 `json:"log_loss"` // weighted mean, in nats
}

// Trained is a head, and how it came about.
type Trained struct {
	Head   *Head
	Counts []LabelCount // of all labels, ascending
	L2     float64      // chosen: the one of Grid with the smallest log loss
	Grid   []L2Score    // as tried, strongest first
	// Validated is how well heads of the chosen strength do on the examples of the fold that they were not fitted to. It is a little too good,
	// since the strength was chosen by the same examples.
	Validated Score
	// Baseline is the share, by weight, of the commonest label: what always answering it would get.
	Baseline float64
}

// maxWorse is after how many strengths in a row that were worse than the best the search ends: weaker ones take longest, and overfit more.
const maxWorse = 2

// TrainHead fits a head to examples, with the L2 strength whose weighted log loss is the smallest in stratified cross-validation. The same
// examples in the same order, options and seed give the same head.
//
// Strengths are tried from the strongest on, each fit beginning where the fold's last one ended, until two in a row were worse than the best.
func TrainHead(ctx context.Context, examples []Example, o TrainOptions) (*Trained, error) {
	o = o.withDefaults()
	if o.Folds < 2 || o.MinExamples < 2 {
		return nil, fmt.Errorf("train head: %d folds and %d examples for a label, want 2 or more of each", o.Folds, o.MinExamples)
	}
	for i, l2 := range o.L2 {
		if l2 <= 0 || i > 0 && l2 >= o.L2[i-1] {
			return nil, fmt.Errorf("train head: L2 strengths %v are not positive and falling", o.L2)
		}
	}
	if _, err := checkExamples(examples); err != nil {
		return nil, fmt.Errorf("train head: %w", err)
	}
	t := &Trained{Counts: countLabels(examples, o.MinExamples)}
	var labels []string
	for _, c := range t.Counts {
		if !c.LeftOut {
			labels = append(labels, c.Label)
		}
	}
	if len(labels) < 2 {
		return nil, fmt.Errorf("train head: %d labels have %d examples or more, want two labels at least", len(labels), o.MinExamples)
	}
	examples = slices.DeleteFunc(slices.Clone(examples), func(e Example) bool { return !slices.Contains(labels, e.Label) })
	t.Baseline = commonest(t.Counts)

	folds := stratify(examples, o.Folds, o.Seed)
	parts := make([]*part, o.Folds)
	for f := range parts {
		parts[f] = newPart(examples, labels, folds, f)
	}
	done, most, worse := 0, o.Folds*len(o.L2)+1, 0
	for _, l2 := range o.L2 {
		var outcomes []Outcome
		for _, part := range parts {
			if err := part.p.minimize(ctx, part.theta, l2, rough); err != nil {
				return nil, fmt.Errorf("train head: %w", err)
			}
			outcomes = append(outcomes, judge(part.p.head(part.theta), part.test)...)
			done++
			o.Progress(done, most)
		}
		score := ScoreOf(outcomes)
		t.Grid = append(t.Grid, L2Score{L2: l2, LogLoss: score.LogLoss})
		if len(t.Grid) == 1 || score.LogLoss < t.Validated.LogLoss {
			t.L2, t.Validated, worse = l2, score, 0
		} else if worse++; worse == maxWorse {
			break
		}
	}
	p := newProblem(examples, labels)
	theta := p.start()
	if err := p.minimize(ctx, theta, t.L2, exact); err != nil {
		return nil, fmt.Errorf("train head: %w", err)
	}
	o.Progress(most, most)
	t.Head = p.head(theta)
	return t, nil
}

// part is a fold's problem: fitted to the others' examples, judged on its own.
type part struct {
	p     *problem
	theta []float64
	test  []Example
}

func newPart(examples []Example, labels []string, folds []int, fold int) *part {
	var train, test []Example
	for i, e := range examples {
		if folds[i] == fold {
			test = append(test, e)
		} else {
			train = append(train, e)
		}
	}
	p := newProblem(train, labels)
	return &part{p: p, theta: p.start(), test: test}
}

func countLabels(examples []Example, least int) []LabelCount {
	byLabel := map[string]LabelCount{}
	for _, e := range examples {
		c := byLabel[e.Label]
		byLabel[e.Label] = LabelCount{Label: e.Label, Examples: c.Examples + 1, Weight: c.Weight + e.Weight}
	}
	out := make([]LabelCount, 0, len(byLabel))
	for _, c := range byLabel {
		c.LeftOut = c.Examples < least
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b LabelCount) int {
		if a.Label < b.Label {
			return -1
		}
		return 1
	})
	return out
}

func commonest(counts []LabelCount) float64 {
	most, sum := 0.0, 0.0
	for _, c := range counts {
		if !c.LeftOut {
			most, sum = max(most, c.Weight), sum+c.Weight
		}
	}
	return most / sum
}

// stratify returns a fold for each example: every label's examples, shuffled, are dealt out in turn, so that folds differ by one at most in how many
// of a label they have, and in how many they have at all.
func stratify(examples []Example, folds int, seed uint64) []int {
	byLabel := map[string][]int{}
	var labels []string
	for i, e := range examples {
		if byLabel[e.Label] == nil {
			labels = append(labels, e.Label)
		}
		byLabel[e.Label] = append(byLabel[e.Label], i)
	}
	slices.Sort(labels)
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // repeatable
	out, next := make([]int, len(examples)), 0
	for _, label := range labels {
		of := byLabel[label]
		random.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
		for _, i := range of {
			out[i] = next % folds
			next++
		}
	}
	return out
}

// judge says what a head makes of examples.
func judge(h *Head, examples []Example) []Outcome {
	out := make([]Outcome, len(examples))
	for i, e := range examples {
		out[i] = h.Outcome(e)
	}
	return out
}
