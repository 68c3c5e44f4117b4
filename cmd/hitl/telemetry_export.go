package main

import (
	"context"
	"log/slog"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// mayLeave are the attributes that leave the process. Libraries add others to their spans, and events and words of errors, which may hold what people
// wrote, addresses and secrets of URLs: one list at the door is easier to keep than all of them.
var mayLeave = map[attribute.Key]bool{
	"hitl.item.id": true, "hitl.source": true, "hitl.queue": true, "hitl.model.version": true, "hitl.status": true,
	"http.request.method": true, "http.route": true, "http.response.status_code": true,
	"db.system": true, "db.system.name": true, "db.operation.name": true,
}

// bareExporter exports spans without all that is not in mayLeave. Its exports do not fail: there is nobody to tell but the log, which is told once
// when they begin to fail, and once when they no longer do.
type bareExporter struct {
	sdktrace.SpanExporter
	logger  *slog.Logger
	metrics *metrics
	failing atomic.Bool
}

// ExportSpans implements sdktrace.SpanExporter.
func (e *bareExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	bare := make([]sdktrace.ReadOnlySpan, len(spans))
	for i, s := range spans {
		bare[i] = bareSpan{s}
	}
	err := e.SpanExporter.ExportSpans(ctx, bare)
	outcome := "exported"
	if err != nil {
		outcome = "failed"
	}
	e.metrics.spans.WithLabelValues(outcome).Add(float64(len(spans)))
	if failed := err != nil; e.failing.Swap(failed) != failed {
		if failed {
			e.logger.WarnContext(ctx, "traces are not exported, spans are lost", "error", err)
		} else {
			e.logger.InfoContext(ctx, "traces are exported again")
		}
	}
	return nil
}

// bareSpan shows of a span what may be told.
type bareSpan struct{ sdktrace.ReadOnlySpan }

// Attributes implements sdktrace.ReadOnlySpan.
func (s bareSpan) Attributes() []attribute.KeyValue {
	return bareAttributes(s.ReadOnlySpan.Attributes())
}

// Events implements sdktrace.ReadOnlySpan.
func (bareSpan) Events() []sdktrace.Event { return nil }

// Status implements sdktrace.ReadOnlySpan.
func (s bareSpan) Status() sdktrace.Status {
	return sdktrace.Status{Code: s.ReadOnlySpan.Status().Code}
}

// Links implements sdktrace.ReadOnlySpan.
func (s bareSpan) Links() []sdktrace.Link {
	links := s.ReadOnlySpan.Links()
	bare := make([]sdktrace.Link, len(links))
	for i, l := range links {
		bare[i] = l
		bare[i].Attributes = bareAttributes(l.Attributes)
	}
	return bare
}

func bareAttributes(all []attribute.KeyValue) []attribute.KeyValue {
	var bare []attribute.KeyValue
	for _, a := range all {
		if mayLeave[a.Key] {
			bare = append(bare, a)
		}
	}
	return bare
}

// countEnded counts the spans that are to be exported, so that those which were not are known.
type countEnded struct{ *metrics }

// OnStart implements sdktrace.SpanProcessor.
func (countEnded) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd implements sdktrace.SpanProcessor.
func (c countEnded) OnEnd(s sdktrace.ReadOnlySpan) {
	if s.SpanContext().IsSampled() {
		c.spans.WithLabelValues("ended").Inc()
	}
}

// Shutdown implements sdktrace.SpanProcessor.
func (countEnded) Shutdown(context.Context) error { return nil }

// ForceFlush implements sdktrace.SpanProcessor.
func (countEnded) ForceFlush(context.Context) error { return nil }
