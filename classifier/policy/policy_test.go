package policy

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hitl"
)

func TestRoute(t *testing.T) {
	t.Parallel()
	p := mustNew(t, shop())
	refund, big, both, missing := dull(), dull(), dull(), dull()
	refund.Text = "REFUND me"
	big.Metadata = map[string]any{"total": 101}
	both.Text, both.Metadata = "refund", big.Metadata
	missing.Metadata = map[string]any{}
	long := says("POSITIVE", 0.96)
	long.Truncated = true
	review := func(queue string, priority hitl.Priority, threshold float64, triggers ...hitl.Trigger) hitl.Route {
		return hitl.Route{
			Status: hitl.HumanReview, Triggers: triggers, Queue: queue, Priority: priority, Policy: p.Version(),
			Threshold: threshold, Inclusion: 1,
		}
	}
	for name, c := range map[string]struct {
		item    hitl.Item
		pred    hitl.Prediction
		failure error
		want    hitl.Route
	}{
		"sure": {
			dull(), says("POSITIVE", 0.95), nil,
			hitl.Route{Status: hitl.AIAccepted, Policy: p.Version(), Threshold: 0.95, Inclusion: 0.25},
		},
		"label below its threshold": {
			dull(), says("POSITIVE", 0.949), nil, review("default", "normal", 0.95, hitl.TriggerLowConfidence),
		},
		"label without a threshold": {
			dull(), says("NEUTRAL", 0.84), nil, review("default", "normal", 0.85, hitl.TriggerLowConfidence),
		},
		"equal is sure":        {dull(), says("NEUTRAL", 0.85), nil, hitl.Route{Status: hitl.AIAccepted, Policy: p.Version(), Threshold: 0.85, Inclusion: 0.25}},
		"always":               {dull(), says("THREAT", 1), nil, review("default", "normal", 0.85, hitl.TriggerAlwaysReview)},
		"truncated":            {dull(), long, nil, review("default", "normal", 0.95, hitl.TriggerTruncated)},
		"rule":                 {refund, says("POSITIVE", 1), nil, review("billing", "normal", 0.95, "rule:refund")},
		"urgent rule":          {big, says("POSITIVE", 1), nil, review("care", "urgent", 0.95, "rule:big-order")},
		"two rules":            {both, says("POSITIVE", 1), nil, review("billing", "urgent", 0.95, "rule:refund", "rule:big-order")},
		"rule of low priority": {dull(), says("NEGATIVE", 0.7), nil, review("default", "sample", 0.7, "rule:torn")},
		"rule of low priority, and unsure": {
			dull(), says("NEGATIVE", 0.69), nil, review("default", "normal", 0.7, hitl.TriggerLowConfidence, "rule:torn"),
		},
		"rule that fails holds": {missing, says("POSITIVE", 1), nil, review("care", "urgent", 0.95, "rule:big-order")},
		"model error": {
			both,
			hitl.Prediction{Model: "m1", Truncated: true},
			errors.New("boom"),
			review("billing", "urgent", 0.85, hitl.TriggerModelError, hitl.TriggerTruncated, "rule:refund", "rule:big-order"),
		},
		"no probability": {dull(), says("POSITIVE", math.NaN()), nil, review("default", "normal", 0.85, hitl.TriggerModelError)},
		"above one":      {dull(), says("POSITIVE", 1.01), nil, review("default", "normal", 0.85, hitl.TriggerModelError)},
		"no label":       {dull(), hitl.Prediction{Confidence: 1}, nil, review("default", "normal", 0.85, hitl.TriggerModelError)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, p.Route(c.item, c.pred, c.failure)); diff != "" {
				t.Errorf("route (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFirstNamedQueueWinsEvenWhenItIsTheDefault(t *testing.T) {
	t.Parallel()
	p := mustNew(t, Spec{Name: "p", Queue: "default", Rules: []Rule{
		{Name: "a", When: "true"}, {Name: "b", When: "true", Queue: "default"}, {Name: "c", When: "true", Queue: "other"},
	}})
	if r := p.Route(dull(), says("POSITIVE", 1), nil); r.Queue != "default" {
		t.Errorf("queue = %q", r.Queue)
	}
}

func TestSampledRouteKeepsItsRate(t *testing.T) {
	t.Parallel()
	s := shop()
	s.Sample.Rate = 1
	p := mustNew(t, s)
	want := hitl.Route{
		Status: hitl.HumanReview, Triggers: []hitl.Trigger{hitl.TriggerSample}, Queue: "quality", Priority: hitl.PrioritySample,
		Policy: p.Version(), Threshold: 0.95, Inclusion: 1,
	}
	if diff := cmp.Diff(want, p.Route(dull(), says("POSITIVE", 1), nil)); diff != "" {
		t.Errorf("route (-want +got):\n%s", diff)
	}
}

func TestFailuresAreCountedAndExplained(t *testing.T) {
	t.Parallel()
	p := mustNew(t, shop())
	item := dull()
	item.Metadata = nil
	_, outcomes := p.Explain(item, says("POSITIVE", 1), nil)
	if len(outcomes) != 3 || outcomes[1].Err == nil || !outcomes[1].Holds || !strings.Contains(outcomes[1].Err.Error(), "no such key: total") {
		t.Errorf("outcomes = %+v", outcomes)
	}
	_, outcomes = p.Explain(item, hitl.Prediction{}, errors.New("boom"))
	if !outcomes[2].Skipped || outcomes[2].Holds {
		t.Errorf("a rule about the prediction ran without one: %+v", outcomes[2])
	}
	if diff := cmp.Diff(map[string]uint64{"refund": 0, "big-order": 2, "torn": 0}, p.Failures()); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	base := mustNew(t, shop())
	same := shop()
	same.Threshold = new(DefaultThreshold)
	same.AlwaysReview = []string{"THREAT", "THREAT"}
	same.Rules[0].Priority = hitl.PriorityNormal
	if got := mustNew(t, same); got.Version() != base.Version() {
		t.Errorf("defaults written out make another version:\n%s\n%s", got.Text(), base.Text())
	}
	if strings.Contains(base.Text(), string(key)) {
		t.Error("the text holds the key")
	}
	for name, change := range map[string]func(*Spec){
		"name":        func(s *Spec) { s.Name = "other" },
		"threshold":   func(s *Spec) { s.Threshold = new(0.86) },
		"label":       func(s *Spec) { s.LabelThresholds["POSITIVE"] = 0.94 },
		"always":      func(s *Spec) { s.AlwaysReview = nil },
		"rule":        func(s *Spec) { s.Rules[0].When = "true" },
		"rule order":  func(s *Spec) { s.Rules[0], s.Rules[1] = s.Rules[1], s.Rules[0] },
		"description": func(s *Spec) { s.Rules[0].Description = "" },
		"rate":        func(s *Spec) { s.Sample.Rate = 0.2 },
		"key":         func(s *Spec) { s.Sample.Key = []byte("another key for tests") },
		"queue":       func(s *Spec) { s.Queue = "other" },
	} {
		s := shop()
		change(&s)
		if mustNew(t, s).Version() == base.Version() {
			t.Errorf("another %s gives the same version", name)
		}
	}
}

func TestNewKeepsNothingOfItsSpec(t *testing.T) {
	t.Parallel()
	s := shop()
	p := mustNew(t, s)
	before := p.Route(dull(), says("POSITIVE", 0.95), nil)
	s.LabelThresholds["POSITIVE"] = 1
	s.Rules[1].When, s.Sample.Key[0] = "true", s.Sample.Key[0]^1
	if diff := cmp.Diff(before, p.Route(dull(), says("POSITIVE", 0.95), nil)); diff != "" {
		t.Errorf("the policy changed (-before +after):\n%s", diff)
	}
}

func TestBadSpecs(t *testing.T) {
	t.Parallel()
	s := Spec{
		Name: "bad", Threshold: new(1.5), LabelThresholds: map[string]float64{"A": -1, "B": math.NaN()},
		Rules: []Rule{
			{Name: "a b", When: "true"}, {Name: "x", When: "true"}, {Name: "x", When: "true", Priority: "soon"}, {Name: "y"},
		},
		Sample: Sample{Rate: 0.1, Key: []byte("short")},
	}
	_, err := New(s)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`policy "bad"`, "threshold: must be", `"A" must be from 0 to 1, is -1`, `"B" must be`, "queue: is missing", `rules[0]: name "a b"`,
		`rules[2]: name "x" is used twice`, `rules[2] "x": priority "soon"`, `rules[3] "y": when: is missing`, "key must have at least 16",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "short") {
		t.Error("the error holds the key")
	}
}

func TestCheckLabels(t *testing.T) {
	t.Parallel()
	s := shop()
	s.Rules = append(s.Rules,
		Rule{Name: "spelt", When: `prediction.label == "NEGTIVE" || prediction.label in ["POSITIVE", "OTHR"]`},
		Rule{Name: "scores", When: `prediction.scores.MISC > 0.1 || "GONE" in prediction.scores || prediction.scores[?"LOST"].orValue(0.0) > 0.5`},
	)
	p := mustNew(t, s)
	err := p.CheckLabels([]string{"NEGATIVE", "POSITIVE"})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`always_review: the model has no label "THREAT"; its labels are NEGATIVE, POSITIVE`, `"spelt": the model has no label "NEGTIVE"`,
		`"OTHR"`, `"MISC"`, `"GONE"`, `"LOST"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
	if err := p.CheckLabels([]string{"NEGATIVE", "POSITIVE", "THREAT", "NEGTIVE", "OTHR", "MISC", "GONE", "LOST"}); err != nil {
		t.Errorf("all labels are known: %v", err)
	}
}

func TestQueues(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff([]string{"billing", "care", "default", "quality"}, mustNew(t, shop()).Queues()); diff != "" {
		t.Error(diff)
	}
}
