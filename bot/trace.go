package bot

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"hitl"
)

// traceScope names what this room adds to traces.
const traceScope = "hitl/bot"

// follow begins a trace of what is done about a review, linked to that of its item, if the item's is recorded.
//
// Why a link, and not a child of the item's: a card is posted by whoever takes its review from the queue, and clicked by whoever sees it, minutes or
// days later. OpenTelemetry's conventions for messaging link the span of a consumer to that of the producer, and allow a child only where both are
// one operation; and a trace that stays open for days is one that no backend samples, shows or keeps well. A click has a cause of its own, too: a
// person.
func (b *Bot) follow(ctx context.Context, rec hitl.Record, name string, kind trace.SpanKind, since time.Time) (context.Context, trace.Span) {
	if b.cfg.Tracing == nil || rec.Item.Trace == "" {
		return ctx, noop.Span{}
	}
	carrier := propagation.MapCarrier{"traceparent": rec.Item.Trace}
	item := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
	if !item.IsSampled() {
		return ctx, noop.Span{}
	}
	attributes := []attribute.KeyValue{
		attribute.String("hitl.item.id", rec.Item.ID), attribute.String("hitl.source", rec.Item.Source),
		attribute.String("hitl.model.version", rec.Prediction.Model),
	}
	if rec.Review != nil {
		attributes = append(attributes, attribute.String("hitl.queue", rec.Review.Queue))
	}
	return b.cfg.Tracing.Tracer(traceScope).Start(ctx, name, trace.WithNewRoot(), trace.WithSpanKind(kind), trace.WithTimestamp(since),
		trace.WithLinks(trace.Link{SpanContext: item}), trace.WithAttributes(attributes...))
}

// callSpan begins the span of a call to Slack, if it is made for something whose trace is recorded.
func callSpan(ctx context.Context, method string) (context.Context, trace.Span) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, noop.Span{}
	}
	return parent.TracerProvider().Tracer(traceScope).Start(ctx, "slack "+method, trace.WithSpanKind(trace.SpanKindClient))
}

// endSpan ends a span. Of a failure it says only that there was one: its words may hold what people wrote.
func endSpan(span trace.Span, failed bool) {
	if failed {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}
