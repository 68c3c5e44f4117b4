package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	driftEvery  = time.Hour
	driftWindow = 7 * 24 * time.Hour // against the seven days before
	// driftKept is how long figures are told: the next run may be another process's, and figures of two must not stand side by side for long.
	driftKept = driftEvery + 10*time.Minute
)

// driftGauges are the figures of drift that this process measured last. They implement prometheus.Collector, and tell nothing once they are old.
type driftGauges struct {
	now                   func() time.Time
	psi, ks, beyondChance *prometheus.Desc

	mu      sync.Mutex
	at      time.Time
	figures map[string][]drifted // by classifier
}

func newDriftGauges(now func() time.Time) *driftGauges {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(name, help+" of the last 7 days against the 7 before, hourly, of the process that measured last. "+
			"Absent below 50 items in either. What: labels, confidence or length.", []string{"classifier", "what"}, nil)
	}
	return &driftGauges{
		now:          now,
		psi:          desc("hitl_drift_psi", "Population stability index"),
		ks:           desc("hitl_drift_ks", "Kolmogorov and Smirnov's largest difference of distributions (not of labels)"),
		beyondChance: desc("hitl_drift_beyond_chance", "Whether a change is more than chance makes (1 or 0), at a false discovery rate of 5% over all that was compared:"),
	}
}

// Describe implements prometheus.Collector.
func (g *driftGauges) Describe(ch chan<- *prometheus.Desc) {
	ch <- g.psi
	ch <- g.ks
	ch <- g.beyondChance
}

// Collect implements prometheus.Collector.
func (g *driftGauges) Collect(ch chan<- prometheus.Metric) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.now().Sub(g.at) > driftKept {
		return
	}
	for classifier, list := range g.figures {
		for _, d := range list {
			if d.Stability != nil {
				ch <- prometheus.MustNewConstMetric(g.psi, prometheus.GaugeValue, d.Stability.Value, classifier, d.What)
			}
			if d.Change != changeTooFew {
				ch <- prometheus.MustNewConstMetric(g.beyondChance, prometheus.GaugeValue, d.Change.beyondChance(), classifier, d.What)
			}
			if d.KS != nil {
				ch <- prometheus.MustNewConstMetric(g.ks, prometheus.GaugeValue, d.KS.Value, classifier, d.What)
			}
		}
	}
}

func (c change) beyondChance() float64 {
	if c == changeNone {
		return 0
	}
	return 1
}

func (g *driftGauges) set(figures map[string][]drifted) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at, g.figures = g.now(), figures
}

// measureDrift measures every classifier's drift for the gauges. Trouble with one keeps no other from being told.
func (s *service) measureDrift(ctx context.Context) error {
	figures := map[string][]drifted{}
	var errs []error
	now := time.Now()
	for _, name := range slices.Sorted(maps.Keys(s.models)) {
		before, err := readWindow(ctx, s.store, name, now.Add(-2*driftWindow), now.Add(-driftWindow))
		if err != nil {
			errs = append(errs, fmt.Errorf("classifier %q: %w", name, err))
			continue
		}
		current, err := readWindow(ctx, s.store, name, now.Add(-driftWindow), now)
		if err != nil {
			errs = append(errs, fmt.Errorf("classifier %q: %w", name, err))
			continue
		}
		figures[name] = compareWindows(before, current, false)
	}
	s.drift.set(figures)
	return errors.Join(errs...)
}
