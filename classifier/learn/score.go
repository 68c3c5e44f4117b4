package learn

import (
	"math"
	"slices"
)

// Outcome is what a model said of one item whose label is known.
type Outcome struct {
	Correct bool
	// Probability is what the model gave the right label; 0 if it does not know it.
	Probability float64
	Weight      float64 // 1/inclusion; above 0
}

// Outcome judges the head by an example.
func (h *Head) Outcome(e Example) Outcome {
	k, known := slices.BinarySearch(h.Labels, e.Label)
	if !known {
		return Outcome{Weight: e.Weight}
	}
	label, _ := h.Label(e.Features)
	return Outcome{Correct: label == e.Label, Probability: h.Probabilities(e.Features)[k], Weight: e.Weight}
}

// Score sums outcomes up.
type Score struct {
	Items    int      `json:"items"`
	Accuracy float64  `json:"accuracy"` // share that is right, by weight
	Interval Interval `json:"interval"` // of the accuracy
	LogLoss  float64  `json:"log_loss"` // weighted mean of -ln of the right label's probability, in nats
}

// leastProbability is what a probability of 0 counts as in the log loss, as scikit-learn's log_loss has it for double precision.
const leastProbability = 0x1p-52

// ScoreOf sums outcomes up. Of none, nothing is known: the interval is [0, 1].
//
// The interval is Wilson's, with the number of items where weights are equal. Where they are not, items of large weight say more than their share
// and the interval must be wider: it is taken at L. Kish's effective sample size, (Σw)²/Σw² (Survey Sampling, 1965), which is an approximation.
func ScoreOf(outcomes []Outcome) Score {
	s := Score{Items: len(outcomes), Interval: Interval{0, 1}}
	sum, squares := 0.0, 0.0
	for _, o := range outcomes {
		sum += o.Weight
		squares += o.Weight * o.Weight
		if o.Correct {
			s.Accuracy += o.Weight
		}
		s.LogLoss -= o.Weight * math.Log(max(o.Probability, leastProbability))
	}
	if len(outcomes) == 0 {
		return s
	}
	s.Accuracy = min(s.Accuracy/sum, 1)
	s.LogLoss /= sum
	s.Interval = wilson(s.Accuracy, sum*sum/squares)
	return s
}
