package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector takes OTLP over HTTP as an OpenTelemetry collector does, and keeps what it was sent.
type collector struct {
	url string
	// hang, unless nil, keeps every export waiting until it is closed or the client gives up.
	hang chan struct{}

	mu      sync.Mutex
	begun   int
	spans   []*tracepb.Span
	about   []string // resource attributes
	bodies  strings.Builder
	headers []http.Header
}

func newCollector(t *testing.T) *collector {
	c := &collector{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		c.begun++
		c.mu.Unlock()
		if c.hang != nil {
			_, _ = io.Copy(io.Discard, r.Body) // without that the server does not notice that the client goes away
			select {
			case <-c.hang:
			case <-r.Context().Done():
			}
			return
		}
		body, err := io.ReadAll(r.Body)
		var in collectorpb.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &in)
		}
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("export to %s as %s: %v", r.URL.Path, r.Header.Get("Content-Type"), err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.headers = append(c.headers, r.Header)
		c.bodies.Write(body)
		for _, resource := range in.GetResourceSpans() {
			for _, a := range resource.GetResource().GetAttributes() {
				c.about = append(c.about, a.GetKey()+"="+a.GetValue().GetStringValue())
			}
			for _, scope := range resource.GetScopeSpans() {
				c.spans = append(c.spans, scope.GetSpans()...)
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

// section is the configuration that sends traces here.
func (c *collector) section(sample float64) string {
	return fmt.Sprintf("otlp_endpoint: %q, sample: %g, headers: {x-collector-key: a-collector-key}", c.url, sample)
}

func (c *collector) raw() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bodies.String()
}

// trace returns the spans of a trace by name.
func (c *collector) trace(id string) map[string][]*tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string][]*tracepb.Span{}
	for _, s := range c.spans {
		if hex.EncodeToString(s.GetTraceId()) == id {
			out[s.GetName()] = append(out[s.GetName()], s)
		}
	}
	return out
}

// one returns the only span with a name that holds, or fails.
func (c *collector) one(t *testing.T, name string, holds func(*tracepb.Span) bool) *tracepb.Span {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []*tracepb.Span
	var names []string
	for _, s := range c.spans {
		names = append(names, s.GetName())
		if s.GetName() == name && holds(s) {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d spans %q that fit among %q, want one", len(found), name, slices.Compact(slices.Sorted(slices.Values(names))))
	}
	return found[0]
}

// traceID and spanID are ids as traceparent and logs have them.
func traceID(s *tracepb.Span) string { return hex.EncodeToString(s.GetTraceId()) }
func spanID(s *tracepb.Span) string  { return hex.EncodeToString(s.GetSpanId()) }

// linkedTo says whether a span has a link to another.
func linkedTo(s, to *tracepb.Span) bool {
	return slices.ContainsFunc(s.GetLinks(), func(l *tracepb.Span_Link) bool {
		return string(l.GetTraceId()) == string(to.GetTraceId()) && string(l.GetSpanId()) == string(to.GetSpanId())
	})
}

// childOf says whether a span is another's child.
func childOf(s, parent *tracepb.Span) bool {
	return string(s.GetTraceId()) == string(parent.GetTraceId()) && string(s.GetParentSpanId()) == string(parent.GetSpanId())
}

// attributes are those of a span, as texts.
func attributes(s *tracepb.Span) map[string]string {
	out := map[string]string{}
	for _, a := range s.GetAttributes() {
		out[a.GetKey()] = a.GetValue().GetStringValue()
		if n := a.GetValue().GetIntValue(); n != 0 {
			out[a.GetKey()] = fmt.Sprint(n)
		}
	}
	return out
}
