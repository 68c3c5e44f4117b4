package audit_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"hitl"
	"hitl/audit"
)

// A transaction that many share is nobody's child: those whose trace is recorded are linked to it, and it to them, and to nobody else.
func TestFlushIsLinked(t *testing.T) {
	t.Parallel()
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	s, owner := open(t, func(c *audit.Config) { c.Tracing, c.BatchWait = provider, 50*time.Millisecond })
	const clients, recorded = 40, 4
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			ctx, rec := t.Context(), unsure(fmt.Sprint(i), "a text that no span may hold")
			if i < recorded {
				var span trace.Span
				ctx, span = provider.Tracer("test").Start(ctx, "append")
				defer span.End()
				rec.Item.Trace = "00-" + span.SpanContext().TraceID().String() + "-" + span.SpanContext().SpanID().String() + "-01"
			}
			stored, _, err := s.Append(ctx, rec, nil)
			if err != nil || stored.Item.Trace != rec.Item.Trace {
				t.Errorf("append: trace %q, error %v", stored.Item.Trace, err)
			}
			if found, err := s.Item(t.Context(), rec.Item.ID); err != nil || found.Item.Trace != rec.Item.Trace {
				t.Errorf("find: trace %q, want %q, error %v", found.Item.Trace, rec.Item.Trace, err)
			}
		})
	}
	wg.Wait()
	equal(t, "kept traces", scalar[int](t, owner, `SELECT count(trace) FROM hitl.items`), recorded)

	links := map[string][]trace.SpanID{} // by what the span is called: those that it is linked to
	flushes := map[trace.TraceID]bool{}
	var appended, flushed []trace.SpanID
	for _, span := range recorder.Ended() {
		switch span.Name() {
		case "append":
			appended = append(appended, span.SpanContext().SpanID())
		case "flush":
			flushed = append(flushed, span.SpanContext().SpanID())
			flushes[span.SpanContext().TraceID()] = true
			if span.Parent().IsValid() {
				t.Error("a flush has a parent")
			}
		}
		for _, l := range span.Links() {
			links[span.Name()] = append(links[span.Name()], l.SpanContext.SpanID())
		}
	}
	sorted := func(ids []trace.SpanID) []string {
		var out []string
		for _, id := range ids {
			out = append(out, id.String())
		}
		return slices.Compact(slices.Sorted(slices.Values(out)))
	}
	equal(t, "links of flushes", sorted(links["flush"]), sorted(appended))
	equal(t, "links of appends", sorted(links["append"]), sorted(flushed))
	if len(appended) != recorded || len(flushed) == 0 || len(flushed) > recorded {
		t.Errorf("%d appends, %d flushes", len(appended), len(flushed))
	}
	statements := 0
	for _, span := range recorder.Ended() {
		if span.Name() == "append" || span.Name() == "flush" {
			continue
		}
		if statements++; !flushes[span.SpanContext().TraceID()] {
			t.Errorf("%q belongs to no flush", span.Name())
		}
		if text := fmt.Sprint(span.Name(), span.Attributes()); strings.Contains(text, "INSERT INTO") || strings.Contains(text, "a text that") {
			t.Errorf("a span says %s", text)
		}
	}
	if statements == 0 {
		t.Error("no statement is recorded")
	}
}

// An attempt at a callback is a trace of its own, linked to the submission's; without one that is recorded there is none.
func TestCallbackIsLinked(t *testing.T) {
	t.Parallel()
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	s, _ := open(t, fast, func(c *audit.Config) { c.Tracing = provider })
	const theirs, unrecorded = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4737-00f067aa0ba902b7-00"
	var mu sync.Mutex
	seen := map[string]bool{} // by trace of the item: whether its attempt was recorded
	run(t, s, audit.Handlers{Callback: func(ctx context.Context, c hitl.Callback) error {
		mu.Lock()
		defer mu.Unlock()
		_, again := seen[c.Trace]
		seen[c.Trace] = trace.SpanFromContext(ctx).IsRecording()
		if c.Trace == theirs && !again {
			return errors.New("not yet")
		}
		return nil
	}})
	for _, traceparent := range []string{theirs, unrecorded, "nonsense", ""} {
		rec := sure("", "fine")
		rec.Item.Trace = traceparent
		mustAppend(t, s, rec, callback(rec))
	}
	eventually(t, "delivered", func() bool { return len(states(t, s, hitl.CallbackDelivered)) == 4 })
	eventually(t, "two attempts", func() bool { return len(attempts(recorder)) == 2 }) // a span ends after the commit
	mu.Lock()
	defer mu.Unlock()
	equal(t, "recorded", seen, map[string]bool{theirs: true, unrecorded: false, "nonsense": false, "": false})
	list := attempts(recorder)
	if list[0].SpanContext().TraceID() == list[1].SpanContext().TraceID() {
		t.Error("two attempts share a trace")
	}
	for _, span := range list {
		if span.Parent().IsValid() || len(span.Links()) != 1 || span.Links()[0].SpanContext.TraceID().String() != theirs[3:35] {
			t.Errorf("an attempt has the parent %v and the links %v", span.Parent(), span.Links())
		}
	}
}

func attempts(r *tracetest.SpanRecorder) []sdktrace.ReadOnlySpan {
	return slices.DeleteFunc(r.Ended(), func(s sdktrace.ReadOnlySpan) bool { return s.Name() != "deliver callback" })
}
