package policy

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hitl"
)

var labels = []string{"POSITIVE", "NEGATIVE", "NEUTRAL", "THREAT"}

func drawItem(t *rapid.T) hitl.Item {
	item := dull()
	item.ID = rapid.StringMatching(`itm_[0-9a-z]{8}`).Draw(t, "id")
	item.Text = rapid.SampledFrom([]string{"fine", "a refund please", "REFUND", "\u202eodd\x00"}).Draw(t, "text")
	if rapid.Bool().Draw(t, "total known") {
		item.Metadata = map[string]any{"total": rapid.Float64Range(0, 200).Draw(t, "total")}
	} else {
		item.Metadata = map[string]any{}
	}
	return item
}

func drawPrediction(t *rapid.T, label string, confidence float64) hitl.Prediction {
	p := says(label, confidence)
	p.Truncated = rapid.Bool().Draw(t, "truncated")
	return p
}

// order is where a trigger must stand.
func order(tr hitl.Trigger, s Spec) int {
	if name, ok := tr.Rule(); ok {
		return 10 + slices.IndexFunc(s.Rules, func(r Rule) bool { return r.Name == name })
	}
	return slices.Index([]hitl.Trigger{
		hitl.TriggerModelError, hitl.TriggerTruncated, hitl.TriggerLowConfidence, hitl.TriggerAlwaysReview,
	}, tr)
}

func TestRouteProperties(t *testing.T) {
	t.Parallel()
	spec := shop()
	p, again := mustNew(t, spec), mustNew(t, spec)
	rapid.Check(t, func(t *rapid.T) {
		item := drawItem(t)
		pred := drawPrediction(t, rapid.SampledFrom(labels).Draw(t, "label"), rapid.Float64Range(-0.1, 1.1).Draw(t, "confidence"))
		var failure error
		if rapid.IntRange(0, 4).Draw(t, "failed") == 0 {
			failure = errors.New("boom")
		}
		r := p.Route(item, pred, failure)
		if diff := cmp.Diff(r, again.Route(item, pred, failure)); diff != "" {
			t.Fatalf("a replay differs:\n%s", diff)
		}
		sampled := slices.Contains(r.Triggers, hitl.TriggerSample)
		switch {
		case (r.Status == hitl.AIAccepted) != (len(r.Triggers) == 0):
			t.Fatalf("accepted with triggers, or reviewed without: %+v", r)
		case r.Status == hitl.AIAccepted && (r.Queue != "" || r.Priority != ""):
			t.Fatalf("accepted with a queue: %+v", r)
		case r.Status == hitl.HumanReview && (!slices.Contains(p.Queues(), r.Queue) || !slices.Contains(hitl.Priorities(), r.Priority)):
			t.Fatalf("reviewed nowhere: %+v", r)
		case sampled && len(r.Triggers) != 1:
			t.Fatalf("sampled although something else holds: %+v", r)
		case (r.Inclusion == 1) != (len(r.Triggers) > 0 && !sampled), r.Inclusion != 1 && r.Inclusion != spec.Sample.Rate:
			t.Fatalf("wrong inclusion probability: %+v", r)
		case !sampled && !slices.IsSortedFunc(r.Triggers, func(a, b hitl.Trigger) int { return order(a, spec) - order(b, spec) }):
			t.Fatalf("triggers out of order: %v", r.Triggers)
		case failure != nil && r.Triggers[0] != hitl.TriggerModelError:
			t.Fatalf("a failure is not the first trigger: %v", r.Triggers)
		}
	})
}

// More confidence never adds low_confidence, and never sends an item to a person that was accepted with less.
func TestMonotoneInConfidence(t *testing.T) {
	t.Parallel()
	s := shop()
	s.Rules = s.Rules[:2] // the third asks for the other label's score
	p := mustNew(t, s)
	rapid.Check(t, func(t *rapid.T) {
		item, label := drawItem(t), rapid.SampledFrom(labels).Draw(t, "label")
		low := rapid.Float64Range(0, 1).Draw(t, "low")
		high := rapid.Float64Range(low, 1).Draw(t, "high")
		pred := drawPrediction(t, label, low)
		less := p.Route(item, pred, nil)
		pred.Confidence = high
		more := p.Route(item, pred, nil)
		if less.Status == hitl.AIAccepted && more.Status != hitl.AIAccepted {
			t.Fatalf("accepted at %v, not at %v", low, high)
		}
		if slices.Contains(more.Triggers, hitl.TriggerLowConfidence) && !slices.Contains(less.Triggers, hitl.TriggerLowConfidence) {
			t.Fatalf("unsure at %v, sure at %v", high, low)
		}
	})
}

// The share of items that are drawn is the rate, within five standard deviations: a fixed key and fixed ids, so it never changes.
func TestSampleRate(t *testing.T) {
	t.Parallel()
	const n = 20_000
	for _, rate := range []float64{0, 0.001, 0.02, 0.5, 1} {
		p := mustNew(t, Spec{Name: "p", Queue: "q", Sample: Sample{Rate: rate, Key: key}})
		drawn := 0
		for i := range n {
			r := p.Route(hitl.Item{ID: fmt.Sprintf("itm_%d", i)}, says("POSITIVE", 1), nil)
			if r.Inclusion != rate {
				t.Fatalf("inclusion = %v at rate %v", r.Inclusion, rate)
			}
			if r.Status == hitl.HumanReview {
				drawn++
			}
		}
		if off, deviation := math.Abs(float64(drawn)-n*rate), math.Sqrt(n*rate*(1-rate)); off > 5*deviation {
			t.Errorf("rate %v drew %d of %d", rate, drawn, n)
		}
	}
}

// Samples of a lower rate lie within those of a higher one, and another key draws others.
func TestSamplesNestAndDependOnTheKey(t *testing.T) {
	t.Parallel()
	at := func(rate float64, k string) *Policy {
		return mustNew(t, Spec{Name: "p", Queue: "q", Sample: Sample{Rate: rate, Key: []byte(k)}})
	}
	low, high, other := at(0.1, string(key)), at(0.3, string(key)), at(0.3, "another key for tests")
	both, n := 0, 0
	for i := range 5000 {
		id := fmt.Sprintf("itm_%d", i)
		if low.sampled(id) && !high.sampled(id) {
			t.Fatalf("%s is drawn at the lower rate only", id)
		}
		if high.sampled(id) {
			n++
			if other.sampled(id) {
				both++
			}
		}
	}
	if share := float64(both) / float64(n); share < 0.2 || share > 0.4 {
		t.Errorf("two keys draw %.2f in common, chance would be 0.30", share)
	}
}
