package classifier_test

import (
	"context"
	"testing"

	"hitl"
	"hitl/classifier"
)

type saying struct {
	hitl.Classifier
	p   hitl.Prediction
	err error
}

func (s saying) Classify(context.Context, string) (hitl.Prediction, error) { return s.p, s.err }

type halving struct{}

func (halving) Apply(scores []hitl.Score) float64 { return scores[0].Probability / 2 }
func (halving) Version() string                   { return "sha256:half" }

func TestCalibrated(t *testing.T) {
	scores := []hitl.Score{{Label: "A", Probability: 0.9}, {Label: "B", Probability: 0.1}}
	c := classifier.NewCalibrated(saying{p: hitl.Prediction{Label: "A", Confidence: 0.9, Scores: scores}})
	for _, step := range []struct {
		calibration classifier.Calibration
		confidence  float64
		version     string
	}{{nil, 0.9, ""}, {halving{}, 0.45, "sha256:half"}, {nil, 0.9, ""}} {
		c.Set(step.calibration)
		p, err := c.Classify(t.Context(), "x")
		if err != nil || p.Confidence != step.confidence || p.Calibration != step.version || p.Label != "A" || p.Scores[0] != scores[0] || c.Calibration() != step.version {
			t.Errorf("with %v: %+v, %v", step.calibration, p, err)
		}
	}
	failing := classifier.NewCalibrated(saying{p: hitl.Prediction{Model: "m"}, err: hitl.ErrModel})
	failing.Set(halving{})
	if p, err := failing.Classify(t.Context(), "x"); err == nil || p.Calibration != "" || p.Model != "m" {
		t.Errorf("a failure: %+v, %v", p, err)
	}
}
