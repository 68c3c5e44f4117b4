package hitl

import (
	"regexp"
	"testing"
)

// A made-up id has the form of the one that it stands beside.
func TestLookalike(t *testing.T) {
	t.Parallel()
	for id, form := range map[string]string{
		"":                 `^$`,
		"order-48211":      `^order-48\d{3}$`,
		"7":                `^\d$`,
		"9f8e7a6b-00c1":    `^\d[a-f]\d[a-f]\d[a-f]\d[a-f]-\d\d[a-f]\d$`,
		"Ticket/Q7/final":  `^Ticket/[G-Z]\d/final$`,
		"größe-1":          `^größe-\d$`,
		"no digits at all": `^no digits at all$`,
	} {
		if got := lookalike(id); !regexp.MustCompile(form).MatchString(got) {
			t.Errorf("%q became %q, want %s", id, got, form)
		}
	}
}

// A text of which the model is sure is asked about only where such texts are.
func TestGoldPolicy(t *testing.T) {
	t.Parallel()
	for rate, want := range map[float64]Status{0: AIAccepted, 0.1: HumanReview} {
		p := goldPolicy{fixedPolicy{Route{Status: AIAccepted, Inclusion: rate}}, "support"}
		r := p.Route(Item{}, Prediction{}, nil)
		if r.Status != want || want == HumanReview && (r.Queue != "support" || r.Priority != PrioritySample || r.Triggers[0] != TriggerSample) {
			t.Errorf("rate %v: %+v", rate, r)
		}
	}
}

type fixedPolicy struct{ route Route }

func (p fixedPolicy) Route(Item, Prediction, error) Route { return p.route }
func (p fixedPolicy) Version() string                     { return "v1" }
