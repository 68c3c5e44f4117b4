package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"hitl/config"
	"hitl/ingest"
)

// telemetry records OpenTelemetry traces and exports them. nil records nothing, and its methods may be called.
type telemetry struct {
	provider *sdktrace.TracerProvider
	exporter sdktrace.SpanExporter
	logger   *slog.Logger
}

// lastExport bounds how long a stopping service waits for a collector to take what is left. What it has not taken by then is lost.
const lastExport = 3 * time.Second

// openTelemetry returns what a configuration asks for. It calls nobody: a collector that is away costs spans and nothing else, now or later.
func openTelemetry(ctx context.Context, cfg config.Telemetry, logger *slog.Logger, m *metrics) (*telemetry, error) {
	if cfg.OTLPEndpoint == "" {
		return nil, nil
	}
	headers := map[string]string{}
	for name, value := range cfg.Headers {
		headers[name] = value.Reveal()
	}
	inner, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(strings.TrimSuffix(cfg.OTLPEndpoint, "/")+"/v1/traces"),
		otlptracehttp.WithHeaders(headers))
	if err != nil {
		return nil, fmt.Errorf("open telemetry: %w", err)
	}
	about, err := resource.New(ctx, resource.WithFromEnv(), resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", cfg.ServiceName), attribute.String("service.version", buildVersion())))
	if err != nil {
		return nil, fmt.Errorf("open telemetry: %w", err)
	}
	exporter := &bareExporter{SpanExporter: inner, logger: logger, metrics: m}
	return &telemetry{
		provider: sdktrace.NewTracerProvider(sdktrace.WithResource(about), sdktrace.WithSampler(newSampler(cfg.Sample)),
			sdktrace.WithSpanProcessor(countEnded{m}), sdktrace.WithBatcher(exporter)),
		exporter: exporter, logger: logger,
	}, nil
}

// close exports what is left, for as long as lastExport.
func (t *telemetry) close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastExport)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		t.logger.Warn("the last spans were not exported", "error", err)
		_ = t.exporter.Shutdown(ctx) // cuts off what is on its way
	}
}

// tracerProvider is what rooms record with; nil: they record nothing.
func (t *telemetry) tracerProvider() trace.TracerProvider {
	if t == nil {
		return nil
	}
	return t.provider
}

// around records the requests of the API; those that look whether the service lives, and those that read its documents, are left out. Slack's
// requests get their traces from the bot, which knows what they are about.
func (t *telemetry) around(api http.Handler) http.Handler {
	if t == nil {
		return api
	}
	recorded := otelhttp.NewHandler(api, "", otelhttp.WithTracerProvider(t.provider), otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithFilter(func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/v1/") }),
		otelhttp.WithSpanNameFormatter(func(string, *http.Request) string { return "HTTP" })) // until nameRequest knows the route
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.WithContext(r.Context())
		r.Pattern = "" // of the mux around us; otelhttp would take it for a better name than ours
		recorded.ServeHTTP(w, r)
	})
}

// nameRequest names the span of a request by its route. One without a route keeps a name that nobody outside could choose.
func nameRequest(ctx context.Context, r ingest.Request) {
	if span := trace.SpanFromContext(ctx); r.Route != "" && span.IsRecording() {
		span.SetName(r.Method + " " + r.Route)
		span.SetAttributes(attribute.String("http.route", r.Route))
	}
}
