package learn

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"hitl"
)

// Answer is a prediction whose right label people gave.
type Answer struct {
	Scores []hitl.Score // of the model, most likely first, at least one
	Label  string       // the right one; the model may not know it
	Weight float64      // one over the probability with which such an item is reviewed; above 0
}

func (a Answer) right() bool { return a.Label == a.Scores[0].Label }

// FitOptions say how a calibration is fitted.
type FitOptions struct {
	// IsotonicFrom is from how many answers on an isotonic regression is fitted. It follows any shape, and takes many to do so; a temperature is one
	// number, and takes few. Default: 1000.
	IsotonicFrom int
}

// What a fit needs at least, and how many of them right and wrong: fewer say nothing of how often the model is wrong.
const (
	MinAnswers = 50
	MinOfEach  = 5
)

// TooFewError says that answers do not suffice for a calibration.
type TooFewError struct{ Answers, Wrong int }

// Error implements error.
func (e *TooFewError) Error() string {
	if e.Answers < MinAnswers {
		return fmt.Sprintf("%d answers of people are too few to calibrate with, it takes %d", e.Answers, MinAnswers)
	}
	return fmt.Sprintf("of %d answers %d say that the model was wrong: to calibrate it takes %d that do, and as many that do not", e.Answers, e.Wrong, MinOfEach)
}

// Fit fits a calibration to answers. Error: *TooFewError. Answers in another order, or weights on another scale, make no difference beyond rounding.
func Fit(answers []Answer, o FitOptions) (*Calibration, error) {
	if o.IsotonicFrom == 0 {
		o.IsotonicFrom = 1000
	}
	wrong := 0
	for _, a := range answers {
		if !a.right() {
			wrong++
		}
	}
	if len(answers) < MinAnswers || wrong < MinOfEach || len(answers)-wrong < MinOfEach {
		return nil, &TooFewError{len(answers), wrong}
	}
	if len(answers) >= o.IsotonicFrom {
		return &Calibration{Kind: Isotonic, Knots: knots(blocks(answers))}, nil
	}
	return &Calibration{Kind: Temperature, Temperature: fitTemperature(answers)}, nil
}

// fitTemperature minimises the weighted log loss of the right labels over the temperature T. The loss is convex in b = 1/T, so its slope is followed to where
// it is zero, by Newton's steps inside a bracket that halves where they leave it. Answers with a label that the model does not know say nothing of T and are
// left out; without any other the temperature is 1.
func fitTemperature(answers []Answer) float64 {
	type row struct {
		logs   []float64
		right  float64
		weight float64
	}
	var rows []row
	for _, a := range answers {
		i := slices.IndexFunc(a.Scores, func(s hitl.Score) bool { return s.Label == a.Label })
		if i < 0 {
			continue
		}
		logs := make([]float64, len(a.Scores))
		for j, s := range a.Scores {
			logs[j] = math.Log(math.Max(s.Probability, least))
		}
		rows = append(rows, row{logs, logs[i], a.Weight})
	}
	if len(rows) == 0 {
		return 1
	}
	// The loss of one is log(sum of exp(b·l)) - b·l_right: its slope is the mean of l under exp(b·l) less l_right, its curvature their variance.
	slope := func(b float64) (g, h float64) {
		for _, r := range rows {
			top := b * slices.Max(r.logs)
			var sum, first, second float64
			for _, l := range r.logs {
				e := math.Exp(b*l - top)
				sum, first, second = sum+e, first+e*l, second+e*l*l
			}
			mean := first / sum
			g += r.weight * (mean - r.right)
			h += r.weight * (second/sum - mean*mean)
		}
		return g, h
	}
	low, high := 1/float64(MaxTemperature), 1/float64(MinTemperature)
	if g, _ := slope(low); g >= 0 {
		return MaxTemperature
	}
	if g, _ := slope(high); g <= 0 {
		return MinTemperature
	}
	b := 1.0
	for range 200 {
		g, h := slope(b)
		if g < 0 {
			low = b
		} else {
			high = b
		}
		next := b - g/h
		if !(next > low && next < high) { // NaN, too
			next = (low + high) / 2
		}
		if math.Abs(next-b) <= 1e-13*b {
			break
		}
		b = next
	}
	return min(max(1/b, MinTemperature), MaxTemperature)
}

// block is a run of confidences that share one share of right answers.
type block struct {
	from, to      float64
	weight, right float64
	items         int
}

func (b block) share() float64 { return b.right / b.weight }

// blocks is the weighted isotonic regression of being right on the confidence, by pooling adjacent violators: M. Ayer et al., An Empirical Distribution Function
// for Sampling with Incomplete Information, Annals of Mathematical Statistics 26, 1955; to calibrate classifiers, B. Zadrozny and C. Elkan, Transforming
// Classifier Scores into Accurate Multiclass Probability Estimates, KDD 2002. Equal confidences are one to begin with.
func blocks(answers []Answer) []block {
	sorted := slices.Clone(answers)
	slices.SortStableFunc(sorted, func(a, b Answer) int { return cmp.Compare(a.Scores[0].Probability, b.Scores[0].Probability) })
	var out []block
	for i := 0; i < len(sorted); {
		b := block{from: sorted[i].Scores[0].Probability}
		b.to = b.from
		for ; i < len(sorted) && sorted[i].Scores[0].Probability == b.from; i++ {
			b.items++
			b.weight += sorted[i].Weight
			if sorted[i].right() {
				b.right += sorted[i].Weight
			}
		}
		for len(out) > 0 && out[len(out)-1].share() >= b.share() {
			last := out[len(out)-1]
			b.from, b.weight, b.right, b.items = last.from, b.weight+last.weight, b.right+last.right, b.items+last.items
			out = out[:len(out)-1]
		}
		out = append(out, b)
	}
	return out
}

// knots are the ends of blocks. A block in which all are right, or none, says (n+1)/(n+2) or 1/(n+2), by the rule of succession: no number of right answers shows
// that the next one must be.
func knots(all []block) []Knot {
	shares := make([]float64, len(all))
	for i, b := range all {
		shares[i] = b.share()
	}
	if i := len(all) - 1; shares[i] >= 1 {
		n := float64(all[i].items)
		shares[i] = (n + 1) / (n + 2)
		if i > 0 {
			shares[i] = max(shares[i], shares[i-1])
		}
	}
	if shares[0] <= 0 {
		shares[0] = 1 / float64(all[0].items+2)
		if len(all) > 1 {
			shares[0] = min(shares[0], shares[1])
		}
	}
	var out []Knot
	for i, b := range all {
		out = append(out, Knot{b.from, shares[i]})
		if b.to > b.from {
			out = append(out, Knot{b.to, shares[i]})
		}
	}
	return out
}
