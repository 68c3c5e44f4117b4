package main

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"hitl"
)

// steps record the steps of the flows as spans.
type steps struct{ tracer trace.Tracer }

// tracer is what the flows are followed with; nil: they are not.
func (t *telemetry) tracer() hitl.Tracer {
	if t == nil {
		return nil
	}
	return steps{t.provider.Tracer("hitl")}
}

// Begin implements hitl.Tracer. Only a submission begins a trace: what the clock or a command decides belongs to none.
func (s steps) Begin(ctx context.Context, step hitl.Step) (context.Context, func(hitl.Record, error)) {
	if step != hitl.StepSubmit && !trace.SpanFromContext(ctx).IsRecording() {
		return ctx, func(hitl.Record, error) {}
	}
	kind := trace.SpanKindInternal
	if step == hitl.StepQueue {
		kind = trace.SpanKindProducer
	}
	ctx, span := s.tracer.Start(ctx, string(step), trace.WithSpanKind(kind))
	return ctx, func(rec hitl.Record, err error) {
		if span.IsRecording() {
			span.SetAttributes(attributesOf(rec)...)
		}
		if err != nil {
			span.SetStatus(codes.Error, "") // the error's words may hold what people wrote
		}
		span.End()
	}
}

// Trace implements hitl.Tracer.
func (steps) Trace(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"]
}

// attributesOf is what a span may say of an item.
func attributesOf(rec hitl.Record) []attribute.KeyValue {
	var out []attribute.KeyValue
	add := func(key, value string) {
		if value != "" {
			out = append(out, attribute.String(key, value))
		}
	}
	add("hitl.item.id", rec.Item.ID)
	add("hitl.source", rec.Item.Source)
	add("hitl.model.version", rec.Prediction.Model)
	add("hitl.status", string(rec.Status()))
	if rec.Review != nil {
		add("hitl.queue", rec.Review.Queue)
	}
	return out
}
