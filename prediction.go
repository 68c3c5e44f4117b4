package hitl

import (
	"context"
	"strings"
	"time"
)

// Score is the model's probability for one label.
type Score struct {
	Label       string  `json:"label"`
	Probability float64 `json:"probability"` // in [0, 1]
}

// Prediction is what a model said about one text. A failed prediction has a Model and no Label.
type Prediction struct {
	Label      string  // the most likely label; empty when the model failed
	Confidence float64 // how likely it is right, in [0, 1]
	Scores     []Score // every label, most likely first
	Model      string  // version: hash of the model's files
	// Calibration is the version of what made Confidence of the scores; empty: nothing, it is the highest of them. Scores are the model's own.
	Calibration string
	// Stage is the place of the model in a cascade, as Cascade has it; empty: it judges alone.
	Stage     string
	Latency   time.Duration // as the caller waited, queueing included
	Tokens    int           // that the model saw
	Truncated bool          // the text was longer than the model reads
	Labels    []string      // every label that the item can be given; nil: those of the classifier. Not to be changed
}

// Small says whether the small model of a cascade answered.
func (p Prediction) Small() bool { return strings.HasPrefix(p.Stage, beforeLarge) }

// Classifier answers texts with predictions. It is safe for concurrent use.
//
// Errors: ErrBusy when its queue is full, ErrUnavailable when it is closed, ErrModel when the model failed on this text, ErrNoModel when
// there is none yet; the context's own error when the caller gave up. With ErrModel and ErrNoModel the prediction still names the model.
type Classifier interface {
	Classify(ctx context.Context, text string) (Prediction, error)
	// Labels returns every label the model knows, in the model's order.
	Labels() []string
	// Version returns the content hash that predictions carry.
	Version() string
}
