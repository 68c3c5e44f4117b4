package policy

import (
	"encoding/json"
	"fmt"

	"hitl"
)

// Terms are what statistics over several versions of a policy ask the text of one for.
type Terms struct {
	Thresholds hitl.Thresholds
	Rate       float64 // share of sure items that a person saw too
	Rest       string  // everything but the rate: the same for versions that differ in nothing else
}

// ReadTerms reads them from the text of a version, see [Policy.Text].
func ReadTerms(text string) (Terms, error) {
	var c canonical
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return Terms{}, fmt.Errorf("read policy text: %w", err)
	}
	if c.Format != canonicalFormat {
		return Terms{}, fmt.Errorf("read policy text: format %q is not known here", c.Format)
	}
	t := Terms{Thresholds: hitl.Thresholds{Threshold: c.Threshold}, Rate: c.Sample.Rate}
	if len(c.LabelThresholds) > 0 {
		t.Thresholds.Labels = c.LabelThresholds
	}
	c.Sample.Rate = 0
	var err error
	t.Rest, err = c.write()
	return t, err
}

// Sampling returns the policy with another rate of sampling: another version, unless it is the same. Items are drawn as before: one that is drawn at a rate is
// drawn at every higher one. Error: the rate is no share, or above 0 without a key.
func (p *Policy) Sampling(rate float64) (*Policy, error) {
	spec := p.spec
	spec.Sample.Rate = rate
	q, err := New(spec)
	if err != nil {
		return nil, fmt.Errorf("change rate of sampling: %w", err)
	}
	return q, nil
}
