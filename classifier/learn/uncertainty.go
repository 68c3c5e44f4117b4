package learn

import (
	"math"

	"hitl"
)

// This file says how much the answer to an item is expected to teach, by how unsure the model is of it: uncertainty sampling, D. D. Lewis and W. A. Gale,
// A Sequential Algorithm for Training Text Classifiers, SIGIR 1994. Both measures are those of B. Settles, Active Learning Literature Survey, University
// of Wisconsin–Madison, Computer Sciences Technical Report 1648, 2009, section 3.1, turned so that 1 is the most unsure and 0 certain. They take the
// model's scores in any order, uncalibrated. Of two labels both give the same order; of more, the margin looks at the two most likely alone, and the
// entropy at all of them. Without scores, or with one that is no probability, an item is as unsure as can be: the model failed there.

// MarginUncertainty is 1 less the difference of the two highest scores. The only score of a model that knows one label is certain.
func MarginUncertainty(scores []hitl.Score) float64 {
	first, second := 0.0, 0.0
	for _, s := range scores {
		switch p := s.Probability; {
		case !probability(p):
			return 1
		case p > first:
			first, second = p, first
		case p > second:
			second = p
		}
	}
	switch len(scores) {
	case 0:
		return 1
	case 1:
		return 0
	}
	return 1 - (first - second)
}

// EntropyUncertainty is Shannon's entropy of the scores, divided by that of as many equal ones. Scores that do not add up to 1 are scaled to.
func EntropyUncertainty(scores []hitl.Score) float64 {
	sum := 0.0
	for _, s := range scores {
		if !probability(s.Probability) {
			return 1
		}
		sum += s.Probability
	}
	switch {
	case sum <= 0:
		return 1
	case len(scores) == 1:
		return 0
	}
	entropy := 0.0
	for _, s := range scores {
		if p := s.Probability / sum; p > 0 { // its limit at 0 is 0
			entropy -= p * math.Log(p)
		}
	}
	return min(max(entropy/math.Log(float64(len(scores))), 0), 1)
}

func probability(p float64) bool { return p >= 0 && p <= 1 }
