package hitl

import (
	"fmt"
	"strconv"
	"strings"
)

// Cascade is a small model that answers what it is sure of, before a large one that answers the rest. The zero value is none.
//
// It judges as a whole: what was concluded from a large model that saw every text does not hold for one that sees the hard ones alone, and what is accepted was
// said by either. So promises are made for a cascade, by its name, and hold for no other, and for neither of its models alone.
type Cascade struct {
	Small     string // version
	Threshold string // score from which on the small model's answer stands, as a decimal
	Large     string // version
}

// NewCascade returns the cascade of models with these versions.
func NewCascade(small string, threshold float64, large string) Cascade {
	return Cascade{Small: small, Threshold: strconv.FormatFloat(threshold, 'g', -1, 64), Large: large}
}

// String names the cascade; empty for none.
func (c Cascade) String() string {
	if c == (Cascade{}) {
		return ""
	}
	return fmt.Sprintf("%s at %s, then %s", c.Small, c.Threshold, c.Large)
}

// A stage begins with one of these, and goes on with the version of the other model and " at " the threshold.
const beforeLarge, afterSmall = "before ", "after "

// Before is the stage of the small model, as predictions and the log have it.
func (c Cascade) Before() string { return fmt.Sprintf("%s%s at %s", beforeLarge, c.Large, c.Threshold) }

// After is the stage of the large model.
func (c Cascade) After() string { return fmt.Sprintf("%s%s at %s", afterSmall, c.Small, c.Threshold) }

// cascadeOf undoes Before and After, for an answer of the model; no stage is no cascade.
func cascadeOf(model, stage string) Cascade {
	if rest, ok := strings.CutPrefix(stage, beforeLarge); ok {
		large, threshold, _ := strings.Cut(rest, " at ")
		return Cascade{Small: model, Threshold: threshold, Large: large}
	}
	if rest, ok := strings.CutPrefix(stage, afterSmall); ok {
		small, threshold, _ := strings.Cut(rest, " at ")
		return Cascade{Small: small, Threshold: threshold, Large: model}
	}
	return Cascade{}
}
