package learn

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"hitl"
)

// The kinds of calibration.
const (
	Temperature = "temperature"
	Isotonic    = "isotonic"
)

// MinTemperature and MaxTemperature bound what a fit can come to: data without a wrong answer would have it fall for ever, and noise rise.
const (
	MinTemperature = 0.05
	MaxTemperature = 20
)

// least is the smallest probability that is told apart from none: the logarithm of a score needs one.
const least = 1e-12

// Calibration makes of a model's scores how likely its label is right. The label stays what it was. It is immutable once it is used and safe for concurrent
// use; the zero value is none that can be applied.
type Calibration struct {
	Kind string `json:"kind"`
	// Temperature divides the logarithms of the scores: above 1 confidences fall, below 1 they rise. Of kind temperature.
	Temperature float64 `json:"temperature,omitempty"`
	// Knots are joined by straight lines, and level beyond their ends: confidences rise, shares of right answers do not fall. Of kind isotonic.
	Knots []Knot `json:"knots,omitempty"`
}

// Knot is a confidence of the model and the share of answers with it that are right.
type Knot struct {
	Confidence float64 `json:"confidence"`
	Right      float64 `json:"right"`
}

// ParseCalibration reads what JSON wrote. Error: what is wrong with it.
func ParseCalibration(raw []byte) (*Calibration, error) {
	var c Calibration
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, fmt.Errorf("read calibration: %w", err)
	}
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("read calibration: %w", err)
	}
	return &c, nil
}

func (c *Calibration) validate() error {
	switch c.Kind {
	case Temperature:
		if !(c.Temperature >= MinTemperature && c.Temperature <= MaxTemperature) || len(c.Knots) > 0 {
			return fmt.Errorf("a temperature of %v, want one from %v to %v and nothing else", c.Temperature, MinTemperature, MaxTemperature)
		}
		return nil
	case Isotonic:
		if len(c.Knots) == 0 || c.Temperature != 0 {
			return fmt.Errorf("%d knots and a temperature of %v, want knots alone", len(c.Knots), c.Temperature)
		}
		for i, k := range c.Knots {
			if !share(k.Confidence) || !share(k.Right) || i > 0 && (k.Confidence <= c.Knots[i-1].Confidence || k.Right < c.Knots[i-1].Right) {
				return fmt.Errorf("knot %d (%v, %v) does not rise, or is no share", i, k.Confidence, k.Right)
			}
		}
		return nil
	}
	return fmt.Errorf("kind %q is none of %s and %s", c.Kind, Temperature, Isotonic)
}

func share(v float64) bool { return v >= 0 && v <= 1 }

// Version returns "sha256:" and the hash of the calibration's JSON in hex.
func (c *Calibration) Version() string {
	raw, err := json.Marshal(c)
	if err != nil {
		panic(fmt.Sprintf("learn: write calibration: %v", err)) // it holds a number that is none
	}
	sum := sha256.Sum256(raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Apply returns how likely the first of the scores, which is the highest, is right: in [0, 1], never NaN. It panics without scores.
func (c *Calibration) Apply(scores []hitl.Score) float64 {
	if c.Kind == Isotonic {
		return between(c.Knots, scores[0].Probability)
	}
	// p1^b / sum of p^b is 1 / sum of (p/p1)^b: no term is above 1, and the first is 1.
	b, top, sum := 1/c.Temperature, math.Max(scores[0].Probability, least), 0.0
	for _, s := range scores {
		sum += math.Exp(b * (math.Log(math.Max(s.Probability, least)) - math.Log(top)))
	}
	return clamp(1 / sum)
}

// between follows the lines between knots.
func between(knots []Knot, x float64) float64 {
	i, found := slices.BinarySearchFunc(knots, x, func(k Knot, x float64) int {
		switch {
		case k.Confidence < x:
			return -1
		case k.Confidence > x:
			return 1
		}
		return 0
	})
	switch {
	case found:
		return knots[i].Right
	case i == 0:
		return knots[0].Right
	case i == len(knots):
		return knots[i-1].Right
	}
	a, b := knots[i-1], knots[i]
	return clamp(a.Right + (b.Right-a.Right)*(x-a.Confidence)/(b.Confidence-a.Confidence))
}

func clamp(p float64) float64 { return min(max(p, 0), 1) }
