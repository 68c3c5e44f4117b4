package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"hitl"
	"hitl/audit"
	"hitl/classifier"
	"hitl/classifier/policy"
	"hitl/config"
	"hitl/deploy/local/localtest"
	"hitl/ingest"
)

// BenchmarkTelemetry compares POST /v1/items, down to the commit in Postgres, with the default share of traces recorded and with telemetry off, in
// turns. The ratio is the share of the throughput that is left. The starter model is the worst case: any other takes longer.
func BenchmarkTelemetry(b *testing.B) {
	dsn := localtest.DatabaseFrom(b, "hitl", func(ctx context.Context, dsn string) error {
		return audit.Migrate(ctx, dsn, audit.MigrateOptions{ServiceRole: "hitl_service", ServicePassword: "service"})
	})
	model, err := classifier.Open(b.Context(), classifier.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = model.Close() })
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	b.Cleanup(collector.Close)
	on := config.New[config.Config]().Telemetry
	on.OTLPEndpoint = collector.URL
	recorded, plain := telemetryBench(b, dsn, model, on), telemetryBench(b, dsn, model, config.Telemetry{})
	var took, tookWithout time.Duration
	for b.Loop() {
		took += clients(b, recorded)
		tookWithout += clients(b, plain)
	}
	b.ReportMetric(float64(b.N*benchClients*benchEach)/took.Seconds(), "items/s")
	b.ReportMetric(float64(b.N*benchClients*benchEach)/tookWithout.Seconds(), "off/s")
	b.ReportMetric(tookWithout.Seconds()/took.Seconds(), "ratio")
}

// telemetryBench returns what posts a text to an API of its own.
func telemetryBench(b *testing.B, dsn string, model *classifier.Classifier, cfg config.Telemetry) func(text string) error {
	logger, m := slog.New(slog.DiscardHandler), newMetrics()
	telemetry, err := openTelemetry(b.Context(), cfg, logger, m)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(telemetry.close)
	store, err := audit.Open(b.Context(), audit.Config{DSN: dsn, Observer: m, Tracing: telemetry.tracerProvider()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(store.Close)
	threshold := 0.0
	sure, err := policy.New(policy.Spec{Name: "sure", Threshold: &threshold, Queue: "support"})
	if err != nil {
		b.Fatal(err)
	}
	intake := &hitl.Intake{
		Sources: map[string]hitl.Source{"bench": {Classifier: "starter", Model: model, Policy: sure}}, Ledger: store,
		Observer: m, Tracer: telemetry.tracer(), Logger: logger, Now: time.Now,
	}
	const key = "a-key-of-the-benchmark"
	api, err := ingest.New(ingest.Config{
		Intake: intake, Records: statistics{store}, Logger: logger, Observe: m.request,
		Sources: map[string]ingest.Source{"bench": {Keys: []hitl.KeyHash{hitl.HashKey(key)}}},
	})
	if err != nil {
		b.Fatal(err)
	}
	handler := telemetry.around(api)
	return func(text string) error {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/v1/items", strings.NewReader(fmt.Sprintf(`{"text": %q}`, text)))
		r.Header.Set("Authorization", "Bearer "+key)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, r); w.Code != http.StatusOK {
			return fmt.Errorf("status %d: %s", w.Code, w.Body)
		}
		return nil
	}
}
