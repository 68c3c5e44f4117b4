package classifier

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hitl"
)

// Cascade has a small model answer the texts that it is sure of, and a large one the rest: P. Viola and M. Jones, Rapid Object Detection using a Boosted Cascade of
// Simple Features, CVPR 2001, with two stages. Texts that come together are a batch of the small model, and what it leaves of them is one of the large model. It is
// safe for concurrent use, and leaves the closing of its models to its caller.
type Cascade struct {
	small, large *Classifier
	threshold    float64
	name         hitl.Cascade
	answered     func(Stage)
}

var _ hitl.Classifier = (*Cascade)(nil)

// Stage says which model of a cascade a text came to.
type Stage string

// The stages.
const (
	StageSmall    Stage = "small"    // its answer stood
	StageLarge    Stage = "large"    // the small one was not sure
	StageFallback Stage = "fallback" // the small one failed, and the large one was asked
)

// Stages are all of them.
func Stages() []Stage { return []Stage{StageSmall, StageLarge, StageFallback} }

// NewCascade returns the cascade of two models, in which the small one's answer stands if its highest score is the threshold or more. Each text is told to answered,
// from many goroutines. It is an error if one model knows a label that the other does not, or if both are the same.
func NewCascade(small, large *Classifier, threshold float64, answered func(Stage)) (*Cascade, error) {
	if small.Version() == large.Version() {
		return nil, fmt.Errorf("both models of the cascade are the same, %s: leave the cascade out, or name a smaller model in it", small.Version())
	}
	if err := SameLabels(small.model.Labels, large.model.Labels); err != nil {
		return nil, err
	}
	return &Cascade{small, large, threshold, hitl.NewCascade(small.Version(), threshold, large.Version()), answered}, nil
}

// SameLabels says which labels of a cascade's models are those of one alone; in what order they stand is up to each.
func SameLabels(small, large []string) error {
	only := func(a, b []string) []string {
		return slices.DeleteFunc(slices.Clone(a), func(l string) bool { return slices.Contains(b, l) })
	}
	if s, l := only(small, large), only(large, small); len(s)+len(l) > 0 {
		return fmt.Errorf("the models of the cascade must have the same labels: the small one alone has %q, the large one alone %q", s, l)
	}
	return nil
}

// Classify implements hitl.Classifier. The prediction names the model that made it, and its stage. A text on which the small model fails, or for which it has no room,
// is the large one's; the error is the large one's, or ctx's.
func (c *Cascade) Classify(ctx context.Context, text string) (hitl.Prediction, error) {
	begin := time.Now()
	c.large.arriving.Add(1) // its batch waits a moment for what the small one may leave to it
	p, err := c.small.Classify(ctx, text)
	c.large.arriving.Add(-1)
	stage := StageLarge
	switch {
	case err == nil && p.Confidence >= c.threshold:
		c.answered(StageSmall)
		p.Stage = c.name.Before()
		return p, nil
	case ctx.Err() != nil:
		p.Stage = c.name.Before()
		return p, ctx.Err()
	case err != nil:
		stage = StageFallback
	}
	p, err = c.large.Classify(ctx, text)
	if !errors.Is(err, hitl.ErrUnavailable) { // else another cascade is asked, if there is one
		c.answered(stage)
	}
	p.Stage, p.Latency = c.name.After(), time.Since(begin)
	return p, err
}

// Labels implements hitl.Classifier: in the large model's order.
func (c *Cascade) Labels() []string { return c.large.Labels() }

// Version implements hitl.Classifier: the large model's.
func (c *Cascade) Version() string { return c.large.Version() }

// Judge names both models and the threshold between them.
func (c *Cascade) Judge() string { return c.name.String() }
