package policy_test

import (
	"strings"
	"sync"
	"testing"

	"hitl"
	"hitl/classifier/policy"
)

func mustNew(t *testing.T, spec policy.Spec) *policy.Policy {
	t.Helper()
	p, err := policy.New(spec)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWith(t *testing.T) {
	configured := 0.85
	p := mustNew(t, policy.Spec{Name: "p", Queue: "q", Threshold: &configured, LabelThresholds: map[string]float64{"A": 0.9}, AlwaysReview: []string{"C"}})
	same, err := p.With(p.Thresholds())
	if err != nil || same.Version() != p.Version() {
		t.Errorf("the same thresholds: version %s, was %s, %v", same.Version(), p.Version(), err)
	}
	other, err := p.With(hitl.Thresholds{Threshold: 0.7, Labels: map[string]float64{"B": hitl.NoConfidence}})
	if err != nil || other.Version() == p.Version() {
		t.Fatalf("other thresholds: %v", err)
	}
	for label, want := range map[string]hitl.Status{"A": hitl.AIAccepted, "B": hitl.HumanReview, "C": hitl.HumanReview} {
		r := other.Route(hitl.Item{ID: "itm_1"}, hitl.Prediction{Label: label, Confidence: 1}, nil)
		if r.Status != want || r.Policy != other.Version() {
			t.Errorf("%s at confidence 1: %+v, want %s", label, r, want)
		}
	}
	if r := p.Route(hitl.Item{ID: "itm_1"}, hitl.Prediction{Label: "A", Confidence: 0.8}, nil); r.Status != hitl.HumanReview || r.Threshold != 0.9 {
		t.Errorf("the first has changed too: %+v", r)
	}
	var b strings.Builder
	if err := other.Table(&b); err != nil || !strings.Contains(b.String(), "confidence < 0.7; for B whatever it is") {
		t.Errorf("table: %s, %v", b.String(), err)
	}
	for _, bad := range []float64{-0.1, 1.1, 3} {
		if _, err := p.With(hitl.Thresholds{Threshold: bad}); err == nil {
			t.Errorf("threshold %v: no error", bad)
		}
	}
}

// Every route names the version that made it, whatever happens meanwhile.
func TestLive(t *testing.T) {
	strict, lax := 0.9, 0.1
	a, b := mustNew(t, policy.Spec{Name: "p", Queue: "q", Threshold: &strict}), mustNew(t, policy.Spec{Name: "p", Queue: "q", Threshold: &lax})
	want := map[string]hitl.Status{a.Version(): hitl.HumanReview, b.Version(): hitl.AIAccepted}
	l := policy.NewLive(a)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				if r := l.Route(hitl.Item{ID: "itm_1"}, hitl.Prediction{Label: "A", Confidence: 0.5}, nil); want[r.Policy] != r.Status {
					t.Errorf("%s by %s", r.Status, r.Policy)
				}
			}
		})
	}
	for range 100 {
		l.Set(b)
		l.Set(a)
	}
	wg.Wait()
	l.Set(b)
	if l.Version() != b.Version() || l.Now() != b {
		t.Error("the last one does not hold")
	}
}
