package classifier

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"hitl"
)

// Untrained stands where there is no model yet: it knows which labels there are, and says of every text that it does not know.
type Untrained struct {
	labels  []string
	version string
}

var _ hitl.Classifier = (*Untrained)(nil)

// NewUntrained returns one for these labels.
func NewUntrained(labels []string) *Untrained {
	h := sha256.New()
	for _, l := range labels {
		_, _ = fmt.Fprintf(h, "%d:%s", len(l), l) // no two lists share a form
	}
	return &Untrained{labels: slices.Clone(labels), version: "untrained:" + hex.EncodeToString(h.Sum(nil))}
}

// Classify implements hitl.Classifier. Its error is always hitl.ErrNoModel.
func (u *Untrained) Classify(context.Context, string) (hitl.Prediction, error) {
	return hitl.Prediction{Model: u.version}, hitl.ErrNoModel
}

// Labels implements hitl.Classifier.
func (u *Untrained) Labels() []string { return slices.Clone(u.labels) }

// Version implements hitl.Classifier: "untrained:" and a hash of the labels.
func (u *Untrained) Version() string { return u.version }
