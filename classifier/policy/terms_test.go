package policy_test

import (
	"fmt"
	"maps"
	"testing"

	"hitl"
	"hitl/classifier/policy"
)

func TestSampling(t *testing.T) {
	threshold := 0.85
	spec := policy.Spec{
		Name: "p", Queue: "q", Threshold: &threshold, LabelThresholds: map[string]float64{"A": 0.9},
		Sample: policy.Sample{Rate: 0.01, Key: []byte("0123456789abcdef")},
	}
	p := mustNew(t, spec)
	if same, err := p.Sampling(0.01); err != nil || same.Version() != p.Version() {
		t.Errorf("the same rate: %v", err)
	}
	more, err := p.Sampling(0.05)
	if err != nil || more.Version() == p.Version() || more.Sampled() != 0.05 || p.Sampled() != 0.01 || !more.Thresholds().Equal(p.Thresholds()) {
		t.Fatalf("another rate: %v", err)
	}
	spec.Sample.Rate = 0.05
	if configured := mustNew(t, spec); configured.Version() != more.Version() {
		t.Error("the same policy, configured so, is another version")
	}
	// What is drawn at a rate is drawn at every higher one, and each item is told the rate that it was drawn at.
	drawn := map[float64]int{}
	for i := range 20_000 {
		item, sure := hitl.Item{ID: fmt.Sprint("itm_", i)}, hitl.Prediction{Label: "B", Confidence: 0.99}
		few, many := p.Route(item, sure, nil), more.Route(item, sure, nil)
		if few.Status == hitl.HumanReview && many.Status != hitl.HumanReview {
			t.Fatalf("%s is drawn at 1%%, and not at 5%%", item.ID)
		}
		for _, r := range []hitl.Route{few, many} {
			if r.Status == hitl.HumanReview {
				drawn[r.Inclusion]++
			}
		}
	}
	if len(drawn) != 2 || drawn[0.01] < 140 || drawn[0.01] > 260 || drawn[0.05] < 880 || drawn[0.05] > 1120 {
		t.Errorf("drawn: %v", drawn)
	}
	for _, bad := range []float64{-0.1, 1.1} {
		if _, err := p.Sampling(bad); err == nil {
			t.Errorf("rate %v: no error", bad)
		}
	}
	if _, err := mustNew(t, policy.Spec{Name: "p", Queue: "q"}).Sampling(0.1); err == nil {
		t.Error("sampled without a key")
	}
}

func TestReadTerms(t *testing.T) {
	threshold := 0.85
	spec := policy.Spec{
		Name: "p", Queue: "q", Threshold: &threshold, LabelThresholds: map[string]float64{"A": 0.9}, Rules: []policy.Rule{{Name: "long", When: "size(item.text) > 500"}},
		Sample: policy.Sample{Rate: 0.01, Key: []byte("0123456789abcdef")},
	}
	read := func(p *policy.Policy) policy.Terms {
		t.Helper()
		terms, err := policy.ReadTerms(p.Text())
		if err != nil {
			t.Fatal(err)
		}
		if !terms.Thresholds.Equal(p.Thresholds()) || terms.Rate != p.Sampled() {
			t.Errorf("%+v of %s", terms, p.Text())
		}
		return terms
	}
	p := mustNew(t, spec)
	more, err := p.Sampling(0.3)
	if err != nil {
		t.Fatal(err)
	}
	first := read(p)
	if second := read(more); second.Rest != first.Rest {
		t.Errorf("versions that differ in the rate alone: %s and %s", first.Rest, second.Rest)
	}
	if other, err := p.With(hitl.Thresholds{Threshold: 0.7, Labels: maps.Clone(spec.LabelThresholds)}); err != nil || read(other).Rest == first.Rest {
		t.Errorf("other thresholds: %v", err)
	}
	spec.Rules = nil
	if read(mustNew(t, spec)).Rest == first.Rest {
		t.Error("other rules have the same rest")
	}
	for _, bad := range []string{"", "{}", `{"format": "hitl-policy/9"}`} {
		if _, err := policy.ReadTerms(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}
