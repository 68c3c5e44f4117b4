package audit

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"hitl"
)

// traceScope names what this room adds to traces.
const traceScope = "hitl/audit"

// flushSpan begins the span of a transaction that several callers share. It can be nobody's child, so it is a trace of its own; it and the span
// of each caller whose own is recorded are linked to each other. Without such a caller it is none.
func flushSpan(ctx context.Context, calls []*call) (context.Context, trace.Span) {
	var callers []trace.Span
	var links []trace.Link
	for _, c := range calls {
		if c.span.IsRecording() {
			callers, links = append(callers, c.span), append(links, trace.Link{SpanContext: c.span.SpanContext()})
		}
	}
	if len(callers) == 0 {
		return ctx, noop.Span{}
	}
	ctx, span := callers[0].TracerProvider().Tracer(traceScope).Start(ctx, "flush", trace.WithNewRoot(), trace.WithLinks(links...))
	for _, c := range callers {
		c.AddLink(trace.Link{SpanContext: span.SpanContext()})
	}
	return ctx, span
}

// callbackSpan begins the span of an attempt at a callback, if its item's trace is recorded. The effect is a message that intake or a decision
// has sent, and this is its consumer: the conventions for messaging have the consumer's span linked to the producer's, and allow to make it a
// child where the two are one operation. Here days may lie between them, and attempts come again; so it is a link, and a trace of its own.
func (s *Store) callbackSpan(ctx context.Context, c hitl.Callback) (context.Context, trace.Span) {
	carrier := propagation.MapCarrier{"traceparent": c.Trace}
	item := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
	if s.cfg.Tracing == nil || !item.IsSampled() {
		return ctx, noop.Span{}
	}
	return s.cfg.Tracing.Tracer(traceScope).Start(ctx, "deliver callback", trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithLinks(trace.Link{SpanContext: item}),
		trace.WithAttributes(attribute.String("hitl.item.id", c.ItemID), attribute.String("hitl.source", c.Source)))
}

// endSpan ends a span. Of an error it says only that there was one: its words may hold what people wrote.
func endSpan(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}
