package main

import (
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// newSampler decides which traces are recorded: what an upstream, or a span of ours, began goes on as it began; what is linked to something
// recorded is recorded, so that an item's story is whole; of the rest, a share.
func newSampler(share float64) sdktrace.Sampler {
	return sdktrace.ParentBased(linkBased{sdktrace.TraceIDRatioBased(share)})
}

// linkBased records a trace that is linked to a recorded one, and leaves those without links to another sampler.
type linkBased struct{ otherwise sdktrace.Sampler }

// ShouldSample implements sdktrace.Sampler.
func (s linkBased) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	for _, l := range p.Links {
		if l.SpanContext.IsSampled() {
			return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample}
		}
	}
	return s.otherwise.ShouldSample(p)
}

// Description implements sdktrace.Sampler.
func (s linkBased) Description() string { return "LinkBased{" + s.otherwise.Description() + "}" }
