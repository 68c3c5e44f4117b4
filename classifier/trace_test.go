package classifier

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// A batch is a trace of its own, linked with those of its texts whose trace is recorded, and recorded only for them.
func TestBatchIsLinked(t *testing.T) {
	t.Parallel()
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	synctest.Test(t, func(t *testing.T) {
		e := &fakeEngine{}
		c := startFake(t, e, Options{})
		defer mustClose(t, c)
		classify := func(ctx context.Context, text string) {
			if _, err := c.Classify(ctx, text); err != nil {
				t.Error(err)
			}
		}
		classify(t.Context(), "alone, and not recorded")
		if n := len(recorder.Ended()); n != 0 {
			t.Errorf("%d spans of a batch for which nobody asked", n)
		}
		ctx, span := provider.Tracer("test").Start(t.Context(), "classify")
		var group sync.WaitGroup
		group.Go(func() { classify(t.Context(), "slow b") })
		synctest.Wait() // it is tokenising now
		classify(ctx, "a")
		group.Wait()
		span.End()
		if got := e.ran(); len(got) != 2 || len(got[1]) != 2 {
			t.Fatalf("ran %v, want the last two as one", got)
		}
	})
	ended := recorder.Ended()
	if len(ended) != 2 || ended[0].Name() != "classify batch" {
		t.Fatalf("%d spans", len(ended))
	}
	batch, text := ended[0], ended[1]
	linked := func(from sdktrace.ReadOnlySpan, to trace.SpanContext) bool {
		return len(from.Links()) == 1 && from.Links()[0].SpanContext.SpanID() == to.SpanID()
	}
	if batch.Parent().IsValid() || !linked(batch, text.SpanContext()) || !linked(text, batch.SpanContext()) {
		t.Errorf("batch: parent %v, links %v; text: links %v", batch.Parent(), batch.Links(), text.Links())
	}
}
