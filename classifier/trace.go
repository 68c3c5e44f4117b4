package classifier

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// batchSpan begins the OpenTelemetry span of one run of the network. Many texts share it, so it is nobody's child but a trace of its own; it and the
// span of each text whose own is recorded are linked to each other. Without such a text it is none.
func batchSpan(jobs []*job, version string) trace.Span {
	var texts []trace.Span
	var links []trace.Link
	for _, j := range jobs {
		if s := trace.SpanFromContext(j.ctx); s.IsRecording() {
			texts, links = append(texts, s), append(links, trace.Link{SpanContext: s.SpanContext()})
		}
	}
	if len(texts) == 0 {
		return noop.Span{}
	}
	_, span := texts[0].TracerProvider().Tracer("hitl/classifier").Start(context.Background(), "classify batch",
		trace.WithLinks(links...), trace.WithAttributes(attribute.String("hitl.model.version", version)))
	for _, s := range texts {
		s.AddLink(trace.Link{SpanContext: span.SpanContext()})
	}
	return span
}

// endBatchSpan ends a span. Of an error it says only that there was one.
func endBatchSpan(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}
