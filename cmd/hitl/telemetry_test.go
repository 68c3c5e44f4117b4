package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"hitl"
)

const (
	upstreamTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	upstreamSpan  = "00f067aa0ba902b7"
)

// traced posts an item with a traceparent.
func (w *world) traced(id, text, traceparent string) item {
	w.t.Helper()
	var it item
	header := map[string]string{"Authorization": "Bearer " + storyKey, "Content-Type": "application/json"}
	if traceparent != "" {
		header["traceparent"] = traceparent
	}
	resp := w.requestWith(http.MethodPost, "/v1/items", map[string]any{"id": id, "text": text}, &it, header)
	if resp.status >= http.StatusMultipleChoices {
		w.t.Fatalf("POST %q: status %d: %s", id, resp.status, resp.body)
	}
	return it
}

// TestTraces follows one item from the upstream's request to the callback: over Redis, Slack, Postgres, and as a collector, the log and the metrics
// tell of it.
func TestTraces(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	w := newWorld(t, func(s *storySettings) { s.Telemetry, s.LogFormat = c.section(1), "json" })
	it := w.traced("traced", unsureText, "00-"+upstreamTrace+"-"+upstreamSpan+"-01")
	card := w.card(it)
	w.click("U0CHLOE", card, it.AILabel)
	w.calledBack(it)
	var got delivered
	for _, d := range w.upstream.of(it) {
		got = d
	}
	w.eventually("the callback's time to be counted", func() bool { return strings.Contains(w.openMetrics(), "hitl_callback_seconds_bucket") })
	scrape := w.openMetrics()
	w.stop()

	// Intake: the upstream's trace goes on.
	intake := c.trace(upstreamTrace)
	only := func(name string) *tracepb.Span {
		t.Helper()
		if len(intake[name]) != 1 {
			t.Fatalf("the item's trace has %d spans %q among %q, want one", len(intake[name]), name, slices.Sorted(maps.Keys(intake)))
		}
		return intake[name][0]
	}
	server, submit := only("POST /v1/items"), only("submit")
	if p := spanIDText(server.GetParentSpanId()); p != upstreamSpan || server.GetKind() != tracepb.Span_SPAN_KIND_SERVER {
		t.Errorf("the request's span is a %s of %s", server.GetKind(), p)
	}
	if got := attributes(server); got["http.route"] != "/v1/items" || got["http.response.status_code"] != "202" {
		t.Errorf("the request's span says %v", got)
	}
	if !childOf(submit, server) {
		t.Error("submit is no child of the request")
	}
	want := map[string]string{"hitl.item.id": it.ID, "hitl.source": "shop", "hitl.queue": "support", "hitl.status": string(hitl.HumanReview)}
	said := attributes(submit)
	if !strings.HasPrefix(said["hitl.model.version"], "sha256:") {
		t.Errorf("submit names the model %q", said["hitl.model.version"])
	}
	delete(said, "hitl.model.version")
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("submit says (-want +got)\n%s", diff)
	}
	for _, name := range []string{"classify", "route", "append", "queue add"} {
		if !childOf(only(name), submit) {
			t.Errorf("%s is no child of submit", name)
		}
	}
	add := only("queue add")
	redis := slices.ContainsFunc(slices.Concat(slices.Collect(maps.Values(intake))...), func(s *tracepb.Span) bool { return childOf(s, add) })
	if add.GetKind() != tracepb.Span_SPAN_KIND_PRODUCER || !redis {
		t.Errorf("queue add is a %s; that Redis was asked is known: %t", add.GetKind(), redis)
	}

	// What many share is nobody's child, and known from both sides.
	for name, shared := range map[string]string{"classify": "classify batch", "append": "flush"} {
		mine := only(name)
		other := c.one(t, shared, func(s *tracepb.Span) bool { return linkedTo(s, mine) })
		if len(other.GetParentSpanId()) != 0 || traceID(other) == upstreamTrace || !linkedTo(mine, other) {
			t.Errorf("%s and %s are not linked as they should be: %v, %v", name, shared, mine, other)
		}
		if name == "append" && len(c.trace(traceID(other))) < 2 {
			t.Error("the statement of a flush is not in its trace")
		}
	}

	// What comes later is a trace of its own each, and linked to the submission.
	story := map[string]*tracepb.Span{}
	for name, kind := range map[string]tracepb.Span_SpanKind{
		"post card": tracepb.Span_SPAN_KIND_CONSUMER, "click": tracepb.Span_SPAN_KIND_SERVER, "deliver callback": tracepb.Span_SPAN_KIND_CONSUMER,
	} {
		s := c.one(t, name, func(s *tracepb.Span) bool { return linkedTo(s, submit) })
		if story[name] = s; len(s.GetParentSpanId()) != 0 || traceID(s) == upstreamTrace || s.GetKind() != kind || attributes(s)["hitl.item.id"] != it.ID {
			t.Errorf("%s: %v", name, s)
		}
	}
	call := c.one(t, "slack chat.postMessage", func(s *tracepb.Span) bool { return childOf(s, story["post card"]) })
	decide := c.one(t, "decide", func(s *tracepb.Span) bool { return childOf(s, story["click"]) })
	send := c.one(t, "POST", func(s *tracepb.Span) bool { return childOf(s, story["deliver callback"]) })
	if call.GetKind() != tracepb.Span_SPAN_KIND_CLIENT || send.GetKind() != tracepb.Span_SPAN_KIND_CLIENT {
		t.Errorf("calls are a %s and a %s", call.GetKind(), send.GetKind())
	}
	if got := attributes(decide); got["hitl.status"] != string(hitl.HumanAccepted) || got["hitl.item.id"] != it.ID {
		t.Errorf("decide says %v", got)
	}
	if want := "00-" + traceID(send) + "-" + spanID(send) + "-01"; got.trace != want {
		t.Errorf("the callback came with traceparent %q, want %q", got.trace, want)
	}

	// The statements that a step took are in its trace; nothing is recorded that belongs to no trace.
	for _, s := range c.spans {
		if len(s.GetParentSpanId()) == 0 && !slices.Contains([]string{"post card", "click", "deliver callback", "classify batch", "flush"}, s.GetName()) &&
			!strings.Contains(s.GetName(), "/v1/") {
			t.Errorf("a trace begins with %q", s.GetName())
		}
	}
	// No text, no label, nobody's name, no address.
	for _, never := range []string{unsureText, it.AILabel, "U0CHLOE", "C0REVIEW", "127.0.0.1", "SELECT ", "traced", storyKey} {
		if strings.Contains(c.raw(), never) {
			t.Errorf("%q was exported", never)
		}
	}
	if !slices.Contains(c.about, "service.name=hitl") || c.headers[0].Get("X-Collector-Key") != "a-collector-key" {
		t.Errorf("exported about %q with %v", c.about, c.headers[0])
	}

	w.checkLog(server)
	for metric, trace := range map[string]string{
		"hitl_http_request_seconds": upstreamTrace, "hitl_intake_seconds": upstreamTrace,
		"hitl_time_to_decision_seconds": traceID(story["click"]), "hitl_callback_seconds": traceID(story["deliver callback"]),
	} {
		if !slices.ContainsFunc(strings.Split(scrape, "\n"), func(line string) bool {
			return strings.HasPrefix(line, metric+"_bucket{") && strings.Contains(line, `# {trace_id="`+trace+`"}`)
		}) {
			t.Errorf("%s has no exemplar of trace %s", metric, trace)
		}
	}
}

func spanIDText(id []byte) string { return fmt.Sprintf("%x", id) }

// openMetrics scrapes as a Prometheus does that keeps exemplars.
func (w *world) openMetrics() string {
	w.t.Helper()
	return string(w.requestWith(http.MethodGet, w.metrics+"/metrics", nil, nil, map[string]string{"Accept": "application/openmetrics-text; version=1.0.0"}).body)
}

// checkLog looks for the line of a request, which must name its span.
func (w *world) checkLog(server *tracepb.Span) {
	w.t.Helper()
	for line := range strings.Lines(w.logs.String()) {
		var said struct {
			Msg, Route, Method string
			Trace              string `json:"trace_id"`
			Span               string `json:"span_id"`
		}
		if err := json.Unmarshal([]byte(line), &said); err != nil {
			w.t.Fatalf("the log is no JSON: %s", line)
		}
		switch {
		case said.Msg == "serving" && said.Trace != "":
			w.t.Errorf("what belongs to no trace names one: %s", line)
		case said.Msg == "request" && said.Route == "/v1/items" && said.Method == http.MethodPost:
			if said.Trace != traceID(server) || said.Span != spanID(server) {
				w.t.Errorf("the request's line does not name its span %s: %s", spanID(server), line)
			}
			return
		}
	}
	w.t.Error("the log has no line of the request")
}

// TestTracesAreSampled: a share of 0 records nothing that begins here, and nothing of what an upstream does not record; what an upstream records is
// recorded, whole.
func TestTracesAreSampled(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	w := newWorld(t, func(s *storySettings) { s.Telemetry = c.section(0) })
	for id, traceparent := range map[string]string{"mine": "", "theirs": "00-" + upstreamTrace + "-" + upstreamSpan + "-00", "broken": "00-zz"} {
		it := w.traced(id, unsureText, traceparent)
		w.click("U0CHLOE", w.card(it), it.AILabel)
		w.calledBack(it)
		if got := w.upstream.of(it)[0].trace; got != "" {
			t.Errorf("the callback of %s came with traceparent %q", id, got)
		}
	}
	w.stop()
	if c.begun != 0 {
		t.Errorf("%d exports of %d spans", c.begun, len(c.spans))
	}
	if n := query[int](w, `SELECT count(trace) FROM hitl.items`); n != 0 {
		t.Errorf("%d items keep a traceparent that nobody records", n)
	}

	w.start()
	it := w.traced("recorded", unsureText, "00-"+upstreamTrace+"-"+upstreamSpan+"-01")
	w.card(it)
	w.stop()
	submit := c.one(t, "submit", func(s *tracepb.Span) bool { return traceID(s) == upstreamTrace })
	c.one(t, "post card", func(s *tracepb.Span) bool { return linkedTo(s, submit) })
	// What was recorded when it came is followed when it is decided, by another process and much later.
	w.start()
	w.click("U0CHLOE", w.card(it), it.AILabel)
	w.calledBack(it)
	w.stop()
	c.one(t, "click", func(s *tracepb.Span) bool { return linkedTo(s, submit) })
	c.one(t, "deliver callback", func(s *tracepb.Span) bool { return linkedTo(s, submit) })
}

// TestNoTelemetry: without an endpoint nothing is kept, passed on or said.
func TestNoTelemetry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	it := w.traced("off", sureText, "00-"+upstreamTrace+"-"+upstreamSpan+"-01")
	w.calledBack(it)
	if got := w.upstream.of(it)[0].trace; got != "" {
		t.Errorf("the callback came with traceparent %q", got)
	}
	if strings.Contains(w.openMetrics(), "trace_id") {
		t.Error("metrics have exemplars")
	}
	w.stop()
	if n := query[int](w, `SELECT count(trace) FROM hitl.items`); n != 0 || strings.Contains(w.logs.String(), "trace_id") {
		t.Errorf("%d items keep a traceparent, or the log names one", n)
	}
}

// TestCollectorIsAway: a collector that is down, or that takes exports and never answers, costs spans and nothing else.
func TestCollectorIsAway(t *testing.T) {
	t.Parallel()
	hanging := newCollector(t)
	hanging.hang = make(chan struct{})
	t.Cleanup(func() { close(hanging.hang) }) // runs before the server's Close, which waits for it
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, endpoint := range map[string]string{"hangs": hanging.url, "is down": gone.URL} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(s *storySettings) { s.Telemetry = fmt.Sprintf("otlp_endpoint: %q, sample: 1", endpoint) })
			const batches, each = 4, 100 // of about ten spans each: more than the 2048 that may wait
			start := time.Now()
			for b := range batches {
				items := make([]any, each)
				for i := range items {
					items[i] = map[string]any{"id": fmt.Sprint(b, "-", i), "text": sureText}
				}
				if resp := w.request(http.MethodPost, "/v1/items/batch", map[string]any{"items": items}, nil); resp.status != http.StatusOK {
					t.Fatalf("status %d: %s", resp.status, resp.body)
				}
			}
			took := time.Since(start)
			w.calledBack(w.post("the last", sureText, http.StatusOK))
			w.eventually("callbacks", func() bool {
				return query[int](w, `SELECT count(*) FROM hitl.callbacks WHERE state = 'pending'`) == 0
			})
			stopping := time.Now()
			w.stop()
			if d := time.Since(stopping); d > lastExport+5*time.Second {
				t.Errorf("stopping took %s", d)
			}
			if took > 8*time.Second { // the exporter's own timeout is 10 s
				t.Errorf("%d items took %s", batches*each, took)
			}
			if n := query[int](w, `SELECT count(*) FROM hitl.items`); n != batches*each+1 {
				t.Errorf("%d items are stored", n)
			}
			if n := strings.Count(w.logs.String(), "traces are not exported"); n != 1 && name == "is down" {
				t.Errorf("the log says %d times that traces are lost, want once", n)
			}
		})
	}
}

// What libraries put into spans stays here unless it is on the list.
func TestBareSpans(t *testing.T) {
	t.Parallel()
	memory := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(&bareExporter{SpanExporter: memory, logger: slog.New(slog.DiscardHandler), metrics: newMetrics()}))
	const hostile = "zqhostileqz"
	words := []attribute.KeyValue{attribute.String("url.full", hostile), attribute.String("hitl.source", "shop")}
	other := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}})
	_, span := provider.Tracer("test").Start(t.Context(), "name", trace.WithAttributes(words...), trace.WithLinks(trace.Link{SpanContext: other, Attributes: words}))
	span.RecordError(errors.New(hostile))
	span.SetStatus(codes.Error, hostile)
	span.End()
	got := memory.GetSpans()[0]
	if strings.Contains(fmt.Sprintf("%+v", got), hostile) {
		t.Errorf("exported %+v", got)
	}
	if len(got.Attributes) != 1 || len(got.Links) != 1 || got.Status.Code != codes.Error {
		t.Errorf("what may leave was taken away: %+v", got)
	}
}
