package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hitl/audit"
)

// gauges read the state of the store when Prometheus asks for it.
type gauges struct {
	store  *audit.Store
	queues []string // named also while nothing waits in them
	logger *slog.Logger

	open, oldest, callbacks, conns *prometheus.Desc
}

func newGauges(store *audit.Store, queues []string, logger *slog.Logger) *gauges {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &gauges{
		store: store, queues: queues, logger: logger,
		open:      desc("hitl_reviews_open", "Reviews that wait for a decision.", "queue"),
		oldest:    desc("hitl_review_oldest_age_seconds", "Age of the oldest open review; 0 when none is open.", "queue"),
		callbacks: desc("hitl_callbacks", "Callbacks that are not delivered, by state: pending or dead.", "state"),
		conns:     desc("hitl_postgres_connections", "Connections to Postgres, by state.", "state"),
	}
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.open, g.oldest, g.callbacks, g.conns} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. Figures that Postgres does not answer within a second are left out, which alerts can see.
func (g *gauges) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, label string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, label)
	}
	pool := g.store.PoolStat()
	gauge(g.conns, float64(pool.AcquiredConns()), "busy")
	gauge(g.conns, float64(pool.IdleConns()), "idle")

	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	b, err := g.store.Backlogs(ctx)
	if err != nil {
		g.logger.WarnContext(ctx, "backlog metrics left out", "error", err)
		return
	}
	for _, queue := range g.queues {
		q := b.Queues[queue]
		gauge(g.open, float64(q.Open), queue)
		gauge(g.oldest, q.OldestAge.Seconds(), queue)
	}
	gauge(g.callbacks, float64(b.CallbacksPending), "pending")
	gauge(g.callbacks, float64(b.CallbacksDead), "dead")
}
