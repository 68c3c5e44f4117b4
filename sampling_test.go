package hitl_test

import (
	"testing"
	"time"

	"hitl"
)

func TestSampleChange(t *testing.T) {
	t.Parallel()
	c := hitl.SampleChange{Rate: 0.1, From: 0.02, Policy: "v1", Model: "m1", Risk: "0.02", Confidence: "0.95", Within: "720h0m0s"}
	off := c
	off.Off = true
	for name, x := range map[string]struct {
		change     hitl.SampleChange
		configured float64
		limits     hitl.SampleLimits
		want       float64
		standing   hitl.Standing
	}{
		"in force":                 {c, 0.02, hitl.SampleLimits{Min: 0.005, Max: 0.2}, 0.1, hitl.StandingFull},
		"less is allowed now":      {c, 0.02, hitl.SampleLimits{Min: 0.005, Max: 0.05}, 0.05, hitl.StandingFull},
		"more is wanted now":       {c, 0.02, hitl.SampleLimits{Min: 0.15, Max: 0.2}, 0.15, hitl.StandingFull},
		"another rate since":       {c, 0.03, hitl.SampleLimits{Min: 0.005, Max: 0.2}, 0.03, hitl.StandingVoid},
		"not chosen any more":      {c, 0.02, hitl.SampleLimits{}, 0.02, hitl.StandingVoid},
		"taken back":               {off, 0.02, hitl.SampleLimits{Min: 0.005, Max: 0.2}, 0.02, hitl.StandingOff},
		"taken back, another rate": {off, 0.04, hitl.SampleLimits{Min: 0.005, Max: 0.2}, 0.04, hitl.StandingOff},
	} {
		if got, standing := x.change.Resolve(x.configured, x.limits); got != x.want || standing != x.standing {
			t.Errorf("%s: %v, %s, want %v, %s", name, got, standing, x.want, x.standing)
		}
	}
	later := c
	later.Rate, later.Complete, later.Off, later.Since, later.Until = 0.005, true, true, time.Unix(1, 0), time.Unix(2, 0)
	if !c.SameAim(later) {
		t.Error("another rate has another aim")
	}
	for name, change := range map[string]func(*hitl.SampleChange){
		"configured rate": func(d *hitl.SampleChange) { d.From = 0.03 }, "policy": func(d *hitl.SampleChange) { d.Policy = "v2" },
		"model": func(d *hitl.SampleChange) { d.Model = "m2" }, "calibration": func(d *hitl.SampleChange) { d.Calibration = "c" },
		"risk": func(d *hitl.SampleChange) { d.Risk = "0.01" }, "confidence": func(d *hitl.SampleChange) { d.Confidence = "0.9" },
		"time": func(d *hitl.SampleChange) { d.Within = "24h0m0s" },
	} {
		d := c
		change(&d)
		if c.SameAim(d) {
			t.Errorf("another %s has the same aim", name)
		}
	}
}
