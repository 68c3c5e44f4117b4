package queue

import (
	"context"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// childrenOnly records what belongs to a recorded trace and nothing else: redisotel would make a trace of its own of every blocking read for which
// there was nothing to read.
type childrenOnly struct{ trace.TracerProvider }

// Tracer implements trace.TracerProvider.
func (p childrenOnly) Tracer(name string, opts ...trace.TracerOption) trace.Tracer {
	return childTracer{p.TracerProvider.Tracer(name, opts...)}
}

type childTracer struct{ trace.Tracer }

// Start implements trace.Tracer.
func (t childTracer) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ctx, noop.Span{}
	}
	return t.Tracer.Start(ctx, name, opts...)
}
