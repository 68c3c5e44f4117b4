package queue

import (
	"fmt"
	"strings"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"hitl"
)

// Commands are recorded as part of something that is, without their arguments; a poster that waits for work makes no traces.
func TestCommandsAreRecorded(t *testing.T) {
	onAll(t, func(t *testing.T, addr string) {
		recorder := tracetest.NewSpanRecorder()
		cfg := at(addr)
		cfg.Tracing = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
		c := open(t, cfg)
		_, err := c.Next(t.Context(), support, "me", 1, 10*time.Millisecond)
		must(t, err)
		must(t, c.Add(t.Context(), support, Entry{ReviewID: "rev_before", Priority: hitl.PriorityNormal}))
		if n := len(recorder.Ended()); n != 0 {
			t.Fatalf("%d spans of what belongs to no trace", n)
		}
		ctx, span := cfg.Tracing.Tracer("test").Start(t.Context(), "queue add")
		must(t, c.Add(ctx, support, Entry{ReviewID: "rev_recorded", Priority: hitl.PriorityNormal}))
		ended := recorder.Ended()
		if len(ended) == 0 {
			t.Fatal("no command is recorded")
		}
		for _, s := range ended {
			if s.Parent().SpanID() != span.SpanContext().SpanID() {
				t.Errorf("%q is no child of what asked for it", s.Name())
			}
			if text := fmt.Sprint(s.Name(), s.Attributes()); strings.Contains(text, "rev_recorded") {
				t.Errorf("a span says %s", text)
			}
		}
	})
}
