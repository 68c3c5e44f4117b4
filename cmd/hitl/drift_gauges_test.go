package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"hitl"
)

// Figures are told while they are fresh, and those of too few items not at all.
func TestDriftGauges(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_790_000_000, 0)
	g := newDriftGauges(func() time.Time { return now })
	r := prometheus.NewRegistry()
	r.MustRegister(g)
	told := func() []string {
		t.Helper()
		families, err := r.Gather()
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, f := range families {
			for _, m := range f.GetMetric() {
				out = append(out, fmt.Sprint(f.GetName(), " ", m.GetLabel()[0].GetValue(), " ", m.GetLabel()[1].GetValue(), " ", m.GetGauge().GetValue()))
			}
		}
		slices.Sort(out)
		return out
	}
	if got := told(); len(got) != 0 {
		t.Errorf("before any: %v", got)
	}
	g.set(map[string][]drifted{
		"main": {
			{What: hitl.DriftLabels, Stability: &stability{Value: 0.3}, Change: changeStrong},
			{What: hitl.DriftConfidence, Stability: &stability{Value: 0.1}, KS: &smirnov{figure: figure{Value: 0.2}}, Change: changeNone},
		},
		"new": {{What: hitl.DriftLabels, Change: changeTooFew}},
	})
	want := []string{"hitl_drift_beyond_chance main confidence 0", "hitl_drift_beyond_chance main labels 1", "hitl_drift_ks main confidence 0.2", "hitl_drift_psi main confidence 0.1", "hitl_drift_psi main labels 0.3"}
	if diff := cmp.Diff(want, told()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if now = now.Add(driftKept + time.Second); len(told()) != 0 {
		t.Errorf("old figures are told: %v", told())
	}
}

// The service measures drift by itself.
func TestDriftIsMeasured(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.eventually("drift is measured", func() bool {
		page := w.request(http.MethodGet, w.metrics+"/metrics", nil, nil)
		return strings.Contains(string(page.body), `hitl_periodic_seconds_count{outcome="ok",task="measure_drift"}`)
	})
}
