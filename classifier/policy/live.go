package policy

import (
	"fmt"
	"sync/atomic"

	"hitl"
)

// Live is a policy that can be replaced while it routes. It is safe for concurrent use: each item is routed by one version, which its route names.
type Live struct{ now atomic.Pointer[Policy] }

var _ hitl.Policy = (*Live)(nil)

// NewLive returns a Live that routes as p does.
func NewLive(p *Policy) *Live {
	var l Live
	l.now.Store(p)
	return &l
}

// Now returns the policy that routes now.
func (l *Live) Now() *Policy { return l.now.Load() }

// Set has p route from now on.
func (l *Live) Set(p *Policy) { l.now.Store(p) }

// Route implements hitl.Policy.
func (l *Live) Route(item hitl.Item, prediction hitl.Prediction, failure error) hitl.Route {
	return l.Now().Route(item, prediction, failure)
}

// Version implements hitl.Policy.
func (l *Live) Version() string { return l.Now().Version() }

// Thresholds returns the policy's thresholds.
func (p *Policy) Thresholds() hitl.Thresholds {
	t := hitl.Thresholds{Threshold: *p.spec.Threshold}
	if len(p.spec.LabelThresholds) > 0 {
		t.Labels = p.spec.LabelThresholds
	}
	return t
}

// With returns the policy with other thresholds: another version, unless they are the same.
func (p *Policy) With(t hitl.Thresholds) (*Policy, error) {
	spec := p.spec
	spec.Threshold, spec.LabelThresholds = &t.Threshold, t.Labels
	q, err := New(spec)
	if err != nil {
		return nil, fmt.Errorf("change thresholds: %w", err)
	}
	return q, nil
}

// Sampled says which share of sure items a person sees too.
func (p *Policy) Sampled() float64 { return p.spec.Sample.Rate }
