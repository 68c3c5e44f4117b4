package classifier_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"hitl"
	"hitl/classifier"
)

type saying struct {
	labels []string
	p      hitl.Prediction
	err    error
}

func (s *saying) Classify(context.Context, string) (hitl.Prediction, error) { return s.p, s.err }
func (s *saying) Labels() []string                                          { return s.labels }
func (s *saying) Version() string                                           { return s.p.Model }

type halving struct{}

func (halving) Apply(scores []hitl.Score) float64 { return scores[0].Probability / 2 }
func (halving) Version() string                   { return "sha256:half" }

func TestCalibration(t *testing.T) {
	scores := []hitl.Score{{Label: "A", Probability: 0.9}, {Label: "B", Probability: 0.1}}
	c := classifier.NewLive(&saying{p: hitl.Prediction{Label: "A", Confidence: 0.9, Scores: scores}})
	for _, step := range []struct {
		calibration classifier.Calibration
		confidence  float64
		version     string
	}{{nil, 0.9, ""}, {halving{}, 0.45, "sha256:half"}, {nil, 0.9, ""}} {
		c.SetCalibration(step.calibration)
		p, err := c.Classify(t.Context(), "x")
		if err != nil || p.Confidence != step.confidence || p.Calibration != step.version || p.Label != "A" || p.Scores[0] != scores[0] || c.Calibration() != step.version {
			t.Errorf("with %v: %+v, %v", step.calibration, p, err)
		}
	}
	failing := classifier.NewLive(&saying{p: hitl.Prediction{Model: "m"}, err: hitl.ErrModel})
	failing.SetCalibration(halving{})
	if p, err := failing.Classify(t.Context(), "x"); err == nil || p.Calibration != "" || p.Model != "m" {
		t.Errorf("a failure: %+v, %v", p, err)
	}
}

// A model that takes another's place comes without the calibration of that, and with the labels that people know.
func TestModelReplaced(t *testing.T) {
	first := &saying{labels: []string{"A", "B"}, p: hitl.Prediction{Model: "1", Label: "A", Confidence: 0.9, Scores: []hitl.Score{{Label: "A", Probability: 0.9}, {Label: "B", Probability: 0.1}}}}
	second := &saying{labels: []string{"B", "C"}, p: hitl.Prediction{Model: "2", Label: "C", Confidence: 0.8, Scores: []hitl.Score{{Label: "C", Probability: 0.8}, {Label: "B", Probability: 0.2}}}}
	l := classifier.NewLive(first, "D", "B")
	l.SetCalibration(halving{})
	if got := l.Labels(); !slices.Equal(got, []string{"A", "B", "D"}) {
		t.Errorf("labels %q", got)
	}
	if before := l.SetModel(second); before != first {
		t.Errorf("before it: %v", before)
	}
	p, err := l.Classify(t.Context(), "x")
	if err != nil || p.Model != "2" || p.Confidence != 0.8 || p.Calibration != "" || !slices.Equal(p.Labels, []string{"B", "C", "D"}) || l.Version() != "2" {
		t.Errorf("after it: %+v, %v", p, err)
	}
}

// closing refuses texts once it is closed, as a classifier does.
type closing struct {
	saying
	mu     sync.RWMutex
	closed bool
}

func (c *closing) Classify(ctx context.Context, text string) (hitl.Prediction, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return hitl.Prediction{}, hitl.ErrUnavailable
	}
	return c.saying.Classify(ctx, text)
}

func (c *closing) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
}

// While models take each other's place and are closed, no text is refused, and each is judged by one model with its own labels.
func TestModelReplacedUnderLoad(t *testing.T) {
	model := func(name string) *closing {
		return &closing{saying: saying{labels: []string{name}, p: hitl.Prediction{Model: name, Label: name}}}
	}
	l := classifier.NewLive(model("m"))
	done := make(chan struct{})
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for {
				p, err := l.Classify(t.Context(), "x")
				if err != nil || p.Labels[0] != p.Model {
					t.Errorf("%+v, %v", p, err)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range 500 {
		l.SetModel(model(strings.Repeat("m", 1+i%7))).(*closing).close()
	}
	close(done)
	callers.Wait()
	l.SetModel(model("last")).(*closing).close()
	l.SetModel(&closing{closed: true})
	if _, err := l.Classify(t.Context(), "x"); !errors.Is(err, hitl.ErrUnavailable) {
		t.Errorf("a model that nothing replaced: %v", err)
	}
}

func TestUntrained(t *testing.T) {
	u := classifier.NewUntrained([]string{"a", "b"})
	p, err := u.Classify(t.Context(), "x")
	if !errors.Is(err, hitl.ErrNoModel) || errors.Is(err, hitl.ErrModel) || p.Label != "" || p.Model != u.Version() {
		t.Errorf("%+v, %v", p, err)
	}
	if classifier.NewUntrained([]string{"a", "b"}).Version() != u.Version() || classifier.NewUntrained([]string{"ab"}).Version() == u.Version() {
		t.Error("the version is not that of the labels")
	}
}
