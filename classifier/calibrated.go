package classifier

import (
	"context"
	"sync/atomic"

	"hitl"
)

// Calibration makes a confidence of what a model says.
type Calibration interface {
	// Apply returns how likely the label of the first score is right, in [0, 1]. The scores are all of a prediction's, most likely first, at least one.
	Apply(scores []hitl.Score) float64
	// Version returns the content hash that predictions carry.
	Version() string
}

// Calibrated is a classifier whose confidences a calibration makes, which can be replaced while it runs. Labels and scores stay the model's own. It is
// safe for concurrent use; the zero calibration is none.
type Calibrated struct {
	hitl.Classifier
	now atomic.Pointer[Calibration]
}

// NewCalibrated returns c without a calibration.
func NewCalibrated(c hitl.Classifier) *Calibrated { return &Calibrated{Classifier: c} }

// Set has a calibration make the confidences from now on; nil: none does.
func (c *Calibrated) Set(calibration Calibration) {
	if calibration == nil {
		c.now.Store(nil)
		return
	}
	c.now.Store(&calibration)
}

// Calibration returns the version of the calibration that is in use; empty: none.
func (c *Calibrated) Calibration() string {
	if now := c.now.Load(); now != nil {
		return (*now).Version()
	}
	return ""
}

// Classify implements hitl.Classifier.
func (c *Calibrated) Classify(ctx context.Context, text string) (hitl.Prediction, error) {
	p, err := c.Classifier.Classify(ctx, text)
	if now := c.now.Load(); now != nil && err == nil && len(p.Scores) > 0 {
		p.Confidence, p.Calibration = (*now).Apply(p.Scores), (*now).Version()
	}
	return p, err
}
