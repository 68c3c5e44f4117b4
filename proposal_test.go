package hitl_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"hitl"
)

func TestThresholdChangeResolve(t *testing.T) {
	configured := hitl.Thresholds{Threshold: 0.85, Labels: map[string]float64{"SPAM": 0.99, "HAM": 0.5}}
	change := hitl.ThresholdChange{
		Thresholds: hitl.Thresholds{Threshold: 0.7, Labels: map[string]float64{"HAM": 0.9, "EGGS": hitl.NoConfidence}},
		From:       configured, Policy: "p1", Model: "m1", Calibration: "c1",
	}
	other := hitl.Thresholds{Threshold: 0.8, Labels: configured.Labels}
	off := change
	off.Off = true
	guarded := hitl.Thresholds{Threshold: 0.85, Labels: map[string]float64{"SPAM": 0.99, "HAM": 0.9, "EGGS": hitl.NoConfidence}}
	for name, c := range map[string]struct {
		change                     hitl.ThresholdChange
		configured                 hitl.Thresholds
		policy, model, calibration string
		want                       hitl.Thresholds
		standing                   hitl.Standing
	}{
		"all the same":      {change, configured, "p1", "m1", "c1", change.Thresholds, hitl.StandingFull},
		"another rule":      {change, configured, "p2", "m1", "c1", guarded, hitl.StandingGuarded},
		"another model":     {change, configured, "p1", "m2", "c1", guarded, hitl.StandingGuarded},
		"no calibration":    {change, configured, "p1", "m1", "", guarded, hitl.StandingGuarded},
		"configured anew":   {change, other, "p2", "m1", "c1", other, hitl.StandingVoid},
		"a label less":      {change, hitl.Thresholds{Threshold: 0.85}, "p2", "m1", "c1", hitl.Thresholds{Threshold: 0.85}, hitl.StandingVoid},
		"taken back":        {off, configured, "p1", "m1", "c1", configured, hitl.StandingOff},
		"back, and changed": {off, other, "p9", "m9", "", other, hitl.StandingOff},
	} {
		got, standing := c.change.Resolve(c.configured, c.policy, c.model, c.calibration)
		if diff := cmp.Diff(c.want, got); diff != "" || standing != c.standing {
			t.Errorf("%s: %s, want %s; (-want +got):\n%s", name, standing, c.standing, diff)
		}
	}
}

func TestStricterThan(t *testing.T) {
	a := hitl.Thresholds{Threshold: 0.8, Labels: map[string]float64{"X": 0.9}}
	for name, c := range map[string]struct {
		b    hitl.Thresholds
		want bool
	}{
		"itself":               {a, false},
		"all lower":            {hitl.Thresholds{Threshold: 0.7}, true},
		"one label higher":     {hitl.Thresholds{Threshold: 0.7, Labels: map[string]float64{"Y": 0.95}}, false},
		"the label's is lower": {hitl.Thresholds{Threshold: 0.8}, true},
		"never":                {hitl.Thresholds{Threshold: hitl.NoConfidence}, false},
	} {
		if got := a.StricterThan(c.b); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
