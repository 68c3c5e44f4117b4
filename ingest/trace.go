package ingest

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// sendSpan begins the OpenTelemetry span of a request to a receiver, if it is made for something whose trace is recorded, and has the receiver
// told, by W3C Trace Context's traceparent. Baggage is not passed on: it is the upstream's, and may hold anything.
func sendSpan(ctx context.Context, req *http.Request) trace.Span {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return noop.Span{}
	}
	ctx, span := parent.TracerProvider().Tracer("hitl/ingest").Start(ctx, http.MethodPost, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("http.request.method", http.MethodPost)))
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(req.Header))
	return span
}

// endSendSpan ends a span with the status that was answered; 0: there was no answer.
func endSendSpan(span trace.Span, status int) {
	if status != 0 {
		span.SetAttributes(attribute.Int("http.response.status_code", status))
	}
	if status/100 != 2 {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}
