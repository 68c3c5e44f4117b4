package learn

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Example is one text that a head learns from, as its embedding.
type Example struct {
	Features []float32
	Label    string
	Weight   float64 // counts as so many examples, 1/inclusion for reviewed items; above 0
}

// Head is a softmax head: multinomial logistic regression on embeddings. It is safe for concurrent use.
type Head struct {
	Labels  []string    // ascending, two or more
	Weights [][]float64 // a row for each label, a column for each feature
	Bias    []float64   // by label
}

// Probabilities returns the probability of each label, in their order. It panics unless there are as many features as weights.
func (h *Head) Probabilities(features []float32) []float64 {
	out := make([]float64, len(h.Labels))
	for k, row := range h.Weights {
		if len(row) != len(features) {
			panic("learn: the head was fitted to other features")
		}
		z := h.Bias[k]
		for j, w := range row {
			z += w * float64(features[j])
		}
		out[k] = z
	}
	softmax(out)
	return out
}

// Label returns the most probable label and its probability; of equals, the first.
func (h *Head) Label(features []float32) (string, float64) {
	p := h.Probabilities(features)
	best := 0
	for k := range p {
		if p[k] > p[best] {
			best = k
		}
	}
	return h.Labels[best], p[best]
}

// FitHead fits a head to examples of two labels or more. It minimises the weighted mean log loss plus l2/2 times the sum of squares of the weights
// of standardised features (weighted mean 0, variance 1; constant ones stay 0), not of the biases. The head that it returns takes features as they
// are. scikit-learn's LogisticRegression behind its StandardScaler minimises the same with C = 1/(l2 · sum of the examples' weights).
//
// l2 is above 0, which makes the minimum unique. The error is ctx's when it ends, and else says what is wrong with the examples.
func FitHead(ctx context.Context, examples []Example, l2 float64) (*Head, error) {
	if l2 <= 0 || math.IsInf(l2, 0) || math.IsNaN(l2) {
		return nil, fmt.Errorf("fit head: L2 strength %v is not above 0", l2)
	}
	labels, err := checkExamples(examples)
	if err != nil {
		return nil, fmt.Errorf("fit head: %w", err)
	}
	if len(labels) < 2 {
		return nil, fmt.Errorf("fit head: examples have %d labels, want two or more", len(labels))
	}
	p := newProblem(examples, labels)
	theta := p.start()
	if err := p.minimize(ctx, theta, l2, exact); err != nil {
		return nil, fmt.Errorf("fit head: %w", err)
	}
	return p.head(theta), nil
}

// checkExamples returns the labels of examples, ascending.
func checkExamples(examples []Example) ([]string, error) {
	if len(examples) == 0 {
		return nil, errors.New("there are no examples")
	}
	var labels []string
	width := len(examples[0].Features)
	for i, e := range examples {
		switch {
		case len(e.Features) != width || width == 0:
			return nil, fmt.Errorf("example %d has %d features, the first has %d", i+1, len(e.Features), width)
		case e.Label == "":
			return nil, fmt.Errorf("example %d has no label", i+1)
		case e.Weight <= 0 || math.IsInf(e.Weight, 0) || math.IsNaN(e.Weight):
			return nil, fmt.Errorf("example %d has weight %v, want a number above 0", i+1, e.Weight)
		}
		for _, v := range e.Features {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return nil, fmt.Errorf("example %d has a feature that is no finite number", i+1)
			}
		}
		labels = append(labels, e.Label)
	}
	slices.Sort(labels)
	return slices.Compact(labels), nil
}

// softmax makes probabilities of logits, in place, and returns the logarithm of the sum of their exponentials.
func softmax(z []float64) float64 {
	largest, sum := slices.Max(z), 0.0
	for k, v := range z {
		z[k] = math.Exp(v - largest)
		sum += z[k]
	}
	for k := range z {
		z[k] /= sum
	}
	return largest + math.Log(sum)
}
