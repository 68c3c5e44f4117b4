package policy

import (
	"encoding/json"
	"testing"

	"hitl"
)

// No expression makes New or Route panic, and whatever compiles can be evaluated.
func FuzzRule(f *testing.F) {
	for _, when := range []string{
		`item.text.lowerAscii().contains("refund")`, `item.metadata.total > 100`, `prediction.scores["A"] > 0.4`, `item.metadata[?"x"].orValue(0) > 1`,
		`item.metadata.exists(k, k == "x")`, `item.text.matches("a+") && !prediction.truncated`, `[1, 2].map(x, x * 2)[9] == 4`, `1 / 0 == 1`,
		"item.text.substring(5) == 'é'", `((((`, `item.received_at.getHours("Mars/Base") > 5`, `{"a": item.text}.a == ""`,
	} {
		f.Add(when, `{"total": 3, "x": [1, {"y": null}]}`, "some text")
	}
	f.Fuzz(func(t *testing.T, when, metadata, text string) {
		p, err := New(Spec{Name: "p", Queue: "q", Rules: []Rule{{Name: "r", When: when}}})
		if err != nil {
			return
		}
		item := dull()
		item.Text = text
		item.Metadata = map[string]any{}
		_ = json.Unmarshal([]byte(metadata), &item.Metadata)
		first := p.Route(item, says("POSITIVE", 1), nil)
		if second := p.Route(item, says("POSITIVE", 1), nil); first.Status != second.Status {
			t.Errorf("%q gives %v, then %v", when, first, second)
		}
	})
}

// No item and no prediction makes Route panic, and none is lost between the two outcomes.
func FuzzRoute(f *testing.F) {
	p, err := New(shop())
	if err != nil {
		f.Fatal(err)
	}
	f.Add("itm_1", "text", "POSITIVE", 0.9, true, `{"total": 101}`)
	f.Add("", "", "", -1.0, false, `null`)
	f.Fuzz(func(t *testing.T, id, text, label string, confidence float64, truncated bool, metadata string) {
		item := hitl.Item{ID: id, Text: text}
		_ = json.Unmarshal([]byte(metadata), &item.Metadata)
		pred := says(label, confidence)
		pred.Truncated = truncated
		r := p.Route(item, pred, nil)
		if r.Status != hitl.AIAccepted && (r.Status != hitl.HumanReview || r.Queue == "" || len(r.Triggers) == 0) {
			t.Errorf("route = %+v", r)
		}
		if (label == "" || !share(confidence)) && r.Status != hitl.HumanReview {
			t.Errorf("accepted %q at %v", label, confidence)
		}
	})
}

func BenchmarkRoute(b *testing.B) {
	for name, spec := range map[string]Spec{"no rules": {Name: "p", Queue: "q", Sample: Sample{Rate: 0.02, Key: key}}, "three rules": shop()} {
		b.Run(name, func(b *testing.B) {
			p := mustNew(b, spec)
			item, pred := dull(), says("POSITIVE", 0.97)
			b.ReportAllocs()
			for b.Loop() {
				p.Route(item, pred, nil)
			}
		})
	}
}
