package classifier

import (
	"context"
	"errors"
	"slices"
	"sync"
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

// Live is a classifier whose model, and the calibration that makes its confidences, can be replaced while it runs. Each text is judged by one model with
// its own calibration, which the prediction names: in a cascade it is that of the large model, and the small one's scores are left alone. It is safe for
// concurrent use.
type Live struct {
	more []string   // labels that people may answer beyond the model's
	mu   sync.Mutex // held while now is replaced
	now  atomic.Pointer[judge]
}

var _ hitl.Classifier = (*Live)(nil)

// judge is a model with its calibration.
type judge struct {
	model       hitl.Classifier
	labels      []string
	calibration Calibration // nil: none
}

// NewLive returns a classifier that judges as c does, without a calibration. People may answer more labels than c knows.
func NewLive(c hitl.Classifier, more ...string) *Live {
	l := &Live{more: more}
	l.SetModel(c)
	return l
}

// SetModel has c judge from now on, without a calibration, and returns what did so before. That may be closed: texts that it refuses then are judged by c.
func (l *Live) SetModel(c hitl.Classifier) (before hitl.Classifier) {
	next := &judge{model: c, labels: c.Labels()}
	for _, label := range l.more {
		if !slices.Contains(next.labels, label) {
			next.labels = append(next.labels, label)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if old := l.now.Swap(next); old != nil {
		return old.model
	}
	return nil
}

// SetCalibration has a calibration make the confidences from now on; nil: none does.
func (l *Live) SetCalibration(c Calibration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := *l.now.Load()
	next.calibration = c
	l.now.Store(&next)
}

// Calibration returns the version of the calibration that is in use; empty: none.
func (l *Live) Calibration() string { return l.now.Load().version() }

func (j *judge) version() string {
	if j.calibration == nil {
		return ""
	}
	return j.calibration.Version()
}

// Classify implements hitl.Classifier.
func (l *Live) Classify(ctx context.Context, text string) (hitl.Prediction, error) {
	for {
		j := l.now.Load()
		p, err := j.model.Classify(ctx, text)
		if errors.Is(err, hitl.ErrUnavailable) && l.now.Load().model != j.model {
			continue // it was replaced, and closed, before it could judge
		}
		p.Labels = j.labels
		if j.calibration != nil && err == nil && len(p.Scores) > 0 && p.Model == j.model.Version() {
			p.Confidence, p.Calibration = j.calibration.Apply(p.Scores), j.version()
		}
		return p, err
	}
}

// Labels implements hitl.Classifier: the model's labels, then those that only people know.
func (l *Live) Labels() []string { return slices.Clone(l.now.Load().labels) }

// Judge names what judges: the model, by version, or a cascade.
func (l *Live) Judge() string {
	if c, ok := l.now.Load().model.(*Cascade); ok {
		return c.Judge()
	}
	return l.Version()
}

// Version implements hitl.Classifier; of a cascade it is the large model's.
func (l *Live) Version() string { return l.now.Load().model.Version() }
